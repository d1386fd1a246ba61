//! Follows the change log of a server: asks for what changed, has it dropped, and says how far it has come.
//!
//! What is held is trusted only while the lease lives that every answer of the server renews. What came over the feed is
//! dropped before it is acknowledged; applying it twice does no harm.

mod holder;
mod registration;

pub use holder::{Gone, Holder, HolderError};
pub use registration::Registration;
