//! Forms that browsers upload with: taken apart as they come, their fields, and the policy that they are held to.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html>

mod fields;
mod parser;
mod policy;

pub use fields::Fields;
pub use parser::{FormParser, Step};
pub use policy::{LengthRange, Policy};
