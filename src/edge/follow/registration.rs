//! What an edge tells the server of itself.

use crate::feed::Site;

/// What the configuration says that a server wants to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registration {
    pub sites: Vec<Site>,
}
