//! Multipart uploads.
//!
//! A part's bytes are held by the upload, before and after completion: completing writes one small row for each part,
//! which says where it ends in the object, and moves no bytes. Parts that the completed object does not use are removed by
//! the sweeper, as are all parts of an aborted upload.

mod complete;
mod list;
mod upload;

pub use complete::{CompleteUpload, Completed, ListedPart};
pub use list::{ListParts, ListUploads, ListedUpload, PartPage, UploadMarker, UploadPage};
pub use upload::{CreateUpload, Upload, UploadPart};

/// The largest part number.
pub const MAX_PART_NUMBER: u16 = 10_000;
/// The least size of every part but the last, in bytes.
pub const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;
/// The largest part, in bytes.
pub const MAX_PART_BYTES: u64 = 5 * 1024 * 1024 * 1024;
