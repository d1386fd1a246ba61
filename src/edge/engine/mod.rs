//! The heart of the edge: looks a request up, decides whether what is stored may be used, and serves, revalidates or fetches.

mod budget;
mod collapse;
mod stream;
