//! What the transports share on their way in from actix: heads, the pace of a body, and memory for documents.

pub mod head;
pub mod memory;
pub mod pace;
