//! What server and edges say to each other: the change log on the wire, who has read how far, and what is to be purged.
//!
//! Shared by both ends, and by an edge that passes the feed on to edges behind it. Documents are JSON: either end may be
//! the newer one, and then what it adds is passed over. What an edge must not pass over is an entry of a kind that it does
//! not know: [`What::Unknown`] stands for those, and means that everything may have changed.

mod depends;
mod edge_id;
mod entry;
#[cfg(test)]
mod fuzz;
mod moment;
mod poll;
mod position;
mod purge;
mod registry;
mod site;
mod state;

use std::time::Duration;

pub use depends::{Dependency, Depends, InvalidDepends, MAX_DEPENDENCIES, UNWATCHED};
pub use edge_id::{EdgeId, EdgeName, InvalidEdgeName};
pub use entry::{Entry, What};
pub use moment::Moment;
pub use poll::{Behind, Page, Poll, Refused, VERSION};
pub use position::{InvalidPosition, Position};
pub use purge::{InvalidItem, MAX_ITEM_CHARACTERS, Purge, PurgeAnswer, PurgeRequest, Scope, Target};
pub use registry::{Full, Known, MAX_EDGES, Registry};
pub use site::{Behaviour, InvalidSite, Origin, OriginKind, Site, Viewers};
pub use state::FeedState;

/// Where edges ask for entries: `POST`, signed for [`SERVICE`]. No bucket can have this name.
pub const PATH: &str = "/_brim/feed";
/// Where edges hand in purges: `POST`, signed for [`SERVICE`].
pub const PURGE_PATH: &str = "/_brim/feed/purges";
/// The service in the scope of signatures.
pub const SERVICE: &str = "brim";

/// How long an edge trusts what it holds without hearing of the feed.
pub const LEASE: Duration = Duration::from_secs(10);
/// How much longer than its lease an edge counts as live, for clocks that do not run alike.
pub const MARGIN: Duration = Duration::from_secs(2);
/// How long a poll waits for entries.
pub const HEARTBEAT: Duration = Duration::from_secs(2);

/// The most entries of a page.
pub const MAX_ENTRIES: usize = 1000;
/// The most bytes of a poll, or of purges that are handed in.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;
/// The most bytes of a page.
pub const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

/// What an answer depends on, named to connected edges: a [`Depends`].
pub const DEPENDS_HEADER: &str = "brim-depends";
/// The host that the viewer asked for, in a signed request for a page.
pub const HOST_HEADER: &str = "brim-host";
/// In a signed request for an object or a page: the id of the key by which the edge reads the feed.
pub const EDGE_HEADER: &str = "brim-edge";
/// The protocol that the viewer came by, `http` or `https`, in a signed request for a page.
pub const PROTO_HEADER: &str = "brim-proto";
/// What a shield recognises the edges behind it by: [`Page::pass`].
pub const PASS_HEADER: &str = "brim-pass";
