//! Follows the change log of a server: asks for what changed, has it dropped, and says how far it has come.
//!
//! What is held is trusted only while the lease lives that every answer of the server renews. What came over the feed is
//! dropped before it is acknowledged; applying it twice does no harm. Edges that read the feed here instead of at the
//! server (`relay`) hear of an entry once it is applied here, and it counts as applied here once they have it.

mod channel;
mod engine;
mod follower;
mod holder;
mod reader;
mod registration;
mod relay;
mod telling;
#[cfg(test)]
mod tests;

pub use channel::{ChannelError, Settings, SettingsError};
pub use engine::in_the_caches_words;
pub use follower::{Follower, PurgeError};
pub use holder::{Gone, Holder, HolderError};
pub use registration::Registration;
pub use relay::{Relay, Relayed};
