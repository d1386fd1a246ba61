//! Bodies in `aws-chunked` framing, with chunk and trailer signatures by the `aws-sigv4` crate.

use std::time::SystemTime;

use aws_sigv4::sign::v4::{SigningParams, sign_chunk, sign_trailer};
use bytes::Bytes;

use crate::signed::{REGION, Signed, SignedHead};

/// The streaming modes of S3: what `x-amz-content-sha256` says, and what the framing then carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Signed,
    SignedTrailer,
    UnsignedTrailer,
}

pub const MODES: [Mode; 3] = [Mode::Signed, Mode::SignedTrailer, Mode::UnsignedTrailer];

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Signed => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Self::SignedTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            Self::UnsignedTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }

    pub fn has_trailer(self) -> bool {
        self != Self::Signed
    }

    fn is_signed(self) -> bool {
        self != Self::UnsignedTrailer
    }
}

/// Frames `data` in chunks of `chunk_size`, signed on from the head's signature, with this trailer at the end.
pub fn frame(
    client: &Signed,
    head: &SignedHead,
    mode: Mode,
    data: &[u8],
    chunk_size: usize,
    trailer: Option<(&str, &str)>,
) -> Vec<u8> {
    let mut framed = Vec::new();
    let mut previous = head.signature.clone();
    for chunk in data.chunks(chunk_size).chain([&[][..]]) {
        framed.extend(format!("{:x}", chunk.len()).bytes());
        if mode.is_signed() {
            previous = chunk_signature(client, head.time, &previous, chunk);
            framed.extend(format!(";chunk-signature={previous}").bytes());
        }
        framed.extend(b"\r\n");
        framed.extend(chunk);
        if !chunk.is_empty() {
            framed.extend(b"\r\n");
        }
    }
    if let Some((name, value)) = trailer {
        framed.extend(format!("{name}:{value}\r\n").bytes());
        if mode.is_signed() {
            let signature = trailer_signature(client, head.time, &previous, name, value);
            framed.extend(format!("x-amz-trailer-signature:{signature}\r\n").bytes());
        }
    }
    framed.extend(b"\r\n");
    framed
}

fn chunk_signature(client: &Signed, time: SystemTime, previous: &str, chunk: &[u8]) -> String {
    let identity = client.credentials().into();
    let params = SigningParams::builder().identity(&identity).region(REGION).name("s3").time(time).settings(());
    let params = params.build().expect("all parameters");
    sign_chunk(&Bytes::copy_from_slice(chunk), previous, &params).expect("a signature").into_parts().1
}

fn trailer_signature(client: &Signed, time: SystemTime, previous: &str, name: &str, value: &str) -> String {
    let identity = client.credentials().into();
    let params = SigningParams::builder().identity(&identity).region(REGION).name("s3").time(time).settings(());
    let params = params.build().expect("all parameters");
    // The crate that declares the map of headers is no dependency of ours: this closure tells the compiler its type.
    let signature = |headers: &_| sign_trailer(headers, previous, &params).expect("a signature").into_parts().1;
    let mut headers = named_by(&signature);
    headers.insert(name.to_owned(), value.to_owned());
    signature(&headers)
}

fn named_by<T: Default>(_takes_it: &impl Fn(&T) -> String) -> T {
    T::default()
}
