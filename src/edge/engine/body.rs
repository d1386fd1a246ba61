//! Bodies of answers: from memory, from a fetch under way, slice by slice, or straight from the origin.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::slices::Slices;
use super::tail::{Next, Tail};

/// The body of an answer. Dropping it gives up whatever fetches for it alone.
#[derive(Debug, Default)]
pub enum Body {
    #[default]
    Empty,
    Whole(Bytes),
    /// Several pieces, one after the other: `multipart/byteranges`, or what is in slices.
    Parts(VecDeque<Part>),
    /// What is just being fetched.
    Fill(Box<Fill>),
    /// What the origin sends to this client alone.
    Passed(Box<Passed>),
}
