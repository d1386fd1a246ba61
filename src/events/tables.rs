//! The tables of notifications, over the same engine as the store's.

use crate::kv::{Profile, Table};

/// A letter for the kind of row, the account, the name -> endpoints and topics; and the numbers that endpoints were given.
pub const ENDPOINTS: Table = Table { id: 20, name: "endpoints", profile: Profile::Records };
