//! The `aws-chunked` framing of bodies, with and without signatures.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html> and, for trailers,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.

mod decoder;
mod line;
mod plan;
mod signer;
mod trailer;

#[cfg(test)]
mod tests;

pub use decoder::ChunkDecoder;
pub use plan::ChunkPlan;
pub(super) use signer::ChunkSigner;
pub use trailer::Trailers;
