//! What is sent with a request: made anew for every attempt.

use std::io;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::Error;
use super::connect::Sent;

/// How many bytes of a file are read at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// A request's body, of which length and hash are known before it is sent.
#[derive(Debug, Clone, Default)]
pub enum Body {
    #[default]
    Empty,
    Bytes(Bytes),
    File(FileBody),
}

/// A whole file, read as it is sent. The hash is signed, so the service takes no other bytes.
#[derive(Debug, Clone)]
pub struct FileBody {
    pub path: PathBuf,
    /// In bytes; no more are read.
    pub size: u64,
    pub sha256: [u8; 32],
}

impl Body {
    pub fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(file) => file.size,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn sha256(&self) -> [u8; 32] {
        match self {
            Self::Empty => hash(b""),
            Self::Bytes(bytes) => hash(bytes),
            Self::File(file) => file.sha256,
        }
    }

    /// The value of `x-amz-checksum-sha256`.
    pub(super) fn checksum(&self) -> String {
        STANDARD.encode(self.sha256())
    }

    /// Opens the body for one attempt.
    pub(super) async fn open(&self) -> Result<Sent, Error> {
        let bytes = match self {
            Self::Empty => Bytes::new(),
            Self::Bytes(bytes) => bytes.clone(),
            Self::File(file) => return file.open().await,
        };
        Ok(Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
    }
}

impl FileBody {
    async fn open(&self) -> Result<Sent, Error> {
        let file = File::open(&self.path).await;
        let file = file.map_err(|source| Error::File { path: self.path.clone(), source })?;
        let chunks = stream::try_unfold((file, self.size), next_chunk);
        Ok(StreamBody::new(chunks.map_ok(Frame::data)).boxed_unsync())
    }
}

async fn next_chunk((mut file, left): (File, u64)) -> io::Result<Option<(Bytes, (File, u64))>> {
    if left == 0 {
        return Ok(None);
    }
    let length = left.min(CHUNK_BYTES as u64) as usize;
    let mut chunk = vec![0; length];
    // A file that became shorter ends the upload here; one of other bytes has another hash than was signed.
    let read = file.read(&mut chunk).await?;
    if read == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"));
    }
    chunk.truncate(read);
    Ok(Some((Bytes::from(chunk), (file, left - read as u64))))
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent(body: &Body) -> Result<Bytes, io::Error> {
        Ok(body.open().await.unwrap().collect().await?.to_bytes())
    }

    #[tokio::test]
    async fn bodies_send_what_they_announce() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let content: Vec<u8> = (0..CHUNK_BYTES * 2 + 5).map(|at| at as u8).collect();
        std::fs::write(file.path(), &content).unwrap();
        let of_file = |size| Body::File(FileBody { path: file.path().to_owned(), size, sha256: hash(&content) });
        assert_eq!(sent(&of_file(content.len() as u64)).await.unwrap(), content);
        assert_eq!(sent(&of_file(10)).await.unwrap(), content[..10], "a file that grows does not overrun");
        assert!(sent(&of_file(content.len() as u64 + 1)).await.is_err(), "a file that shrinks is noticed");
        let bytes = Body::Bytes(Bytes::from_static(b"abc"));
        assert_eq!((sent(&bytes).await.unwrap().as_ref(), bytes.len()), (b"abc".as_slice(), 3));
        assert_eq!((sent(&Body::Empty).await.unwrap().len(), Body::Empty.is_empty()), (0, true));
        assert_eq!(Body::Empty.checksum(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
