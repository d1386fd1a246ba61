//! Compressing what is sent: whole bodies, and bodies as they come.
//!
//! Which answers are compressed, and how, is decided elsewhere. Nothing here runs for long on a connection's task: whole
//! bodies that are not small are compressed on a thread of their own, streams piece by piece on a task of their own.

use std::io;
use std::num::NonZero;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::thread::available_parallelism;

use async_compression::Level;
use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::select;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{spawn_blocking, yield_now};

use crate::http::encoding::Coding;

/// Up to this size a whole body is compressed on the spot, in bytes: well below half a millisecond.
const SMALL_BYTES: usize = 8 * 1024;
/// How much of a stream is compressed before others have their turn, in bytes.
const PIECE_BYTES: usize = 8 * 1024;
/// How much compressed output is sent at a time, in bytes; less where the stream pauses.
const SENT_BYTES: usize = 16 * 1024;
/// Pieces of output that wait to be taken.
const WAITING_PIECES: usize = 2;

/// Whole bodies that are compressed at a time, in the process: as many as there are processors.
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, NonZero::get)));

/// Why a compressed body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    #[error("the body that is compressed broke off")]
    Body(#[source] E),
    #[error("the body cannot be compressed")]
    Encoder(#[source] io::Error),
    #[error("the task that compresses ended early")]
    Lost,
}

/// Compresses a whole body.
pub async fn whole(coding: Coding, body: Bytes) -> io::Result<Bytes> {
    if body.len() <= SMALL_BYTES {
        return compressed(coding, &body);
    }
    let _place = PLACES.acquire().await.map_err(io::Error::other)?;
    spawn_blocking(move || compressed(coding, &body)).await.map_err(io::Error::other)?
}

/// Compresses a body as it comes, in a task that ends with the body or when what it makes is dropped. What came so far
/// goes out whenever the body pauses. Trailers are dropped.
///
/// Must be called within a runtime.
pub fn streamed<B>(coding: Coding, body: B) -> Compressed<B::Error>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    let (sender, pieces) = mpsc::channel(WAITING_PIECES);
    tokio::spawn(async move {
        select! {
            end = compress(coding, body, &sender) => {
                _ = sender.send(end.map_or_else(Piece::Failed, |()| Piece::End)).await;
            }
            // Nobody is left who would take it.
            () = sender.closed() => {}
        }
    });
    Compressed { pieces, ended: false }
}

/// A body that is compressed as it comes. Ends without error only where the body itself did.
pub struct Compressed<E> {
    pieces: mpsc::Receiver<Piece<E>>,
    ended: bool,
}

enum Piece<E> {
    Data(Bytes),
    Failed(Error<E>),
    End,
}

impl<E> Body for Compressed<E> {
    type Data = Bytes;
    type Error = Error<E>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error<E>>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.pieces.poll_recv(cx).map(|piece| {
            if let Some(Piece::Data(bytes)) = piece {
                return Some(Ok(Frame::data(bytes)));
            }
            self.ended = true;
            match piece {
                Some(Piece::End) => None,
                Some(Piece::Failed(error)) => Some(Err(error)),
                // A task that went without a word has not sent everything.
                _ => Some(Err(Error::Lost)),
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

/// An encoder that writes into memory, so that writing to it never waits.
struct Encoder(Box<dyn Encode>);

trait Encode: AsyncWrite + Send + Unpin {
    /// What was made since it was last taken.
    fn output(&mut self) -> &mut Vec<u8>;
}

impl Encode for BrotliEncoder<Vec<u8>> {
    fn output(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
}

impl Encode for GzipEncoder<Vec<u8>> {
    fn output(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
}

impl Encode for ZstdEncoder<Vec<u8>> {
    fn output(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
}

impl Encoder {
    /// An encoder at the level that is worth its time for what is made once and sent often.
    fn new(coding: Coding) -> Self {
        Self(match coding {
            Coding::Brotli => Box::new(BrotliEncoder::with_quality(Vec::new(), Level::Precise(5))),
            Coding::Zstd => Box::new(ZstdEncoder::with_quality(Vec::new(), Level::Precise(3))),
            Coding::Gzip => Box::new(GzipEncoder::with_quality(Vec::new(), Level::Precise(6))),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        at_once(self.0.write_all(bytes))
    }

    /// Brings out what was written so far.
    fn flush(&mut self) -> io::Result<()> {
        at_once(self.0.flush())
    }

    fn finish(&mut self) -> io::Result<()> {
        at_once(self.0.shutdown())
    }

    fn made(&mut self) -> usize {
        self.0.output().len()
    }

    fn take(&mut self) -> Bytes {
        std::mem::take(self.0.output()).into()
    }
}

/// The outcome of work that has nothing to wait for.
fn at_once(work: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    work.now_or_never().unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
}

fn compressed(coding: Coding, body: &[u8]) -> io::Result<Bytes> {
    let mut encoder = Encoder::new(coding);
    encoder.write(body)?;
    encoder.finish()?;
    Ok(encoder.take())
}

async fn compress<B>(coding: Coding, mut body: B, sender: &mpsc::Sender<Piece<B::Error>>) -> Result<(), Error<B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut encoder = Encoder::new(coding);
    loop {
        let ready = body.frame().now_or_never();
        let frame = match ready {
            Some(frame) => frame,
            None => {
                encoder.flush().map_err(Error::Encoder)?;
                send(&mut encoder, 1, sender).await;
                body.frame().await
            }
        };
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(Error::Body)?.into_data() else { continue };
        for piece in data.chunks(PIECE_BYTES) {
            encoder.write(piece).map_err(Error::Encoder)?;
            send(&mut encoder, SENT_BYTES, sender).await;
            yield_now().await;
        }
    }
    encoder.finish().map_err(Error::Encoder)?;
    send(&mut encoder, 1, sender).await;
    Ok(())
}

/// Sends what was made, where it is at least `least` bytes. That nobody takes it is seen by who called.
async fn send<E>(encoder: &mut Encoder, least: usize, sender: &mpsc::Sender<Piece<E>>) {
    if encoder.made() >= least {
        _ = sender.send(Piece::Data(encoder.take())).await;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
    use futures_util::stream;
    use http_body_util::{Full, StreamBody};
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn decoded(coding: Coding, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        match coding {
            Coding::Brotli => BrotliDecoder::new(bytes).read_to_end(&mut out).await?,
            Coding::Zstd => ZstdDecoder::new(bytes).read_to_end(&mut out).await?,
            Coding::Gzip => GzipDecoder::new(bytes).read_to_end(&mut out).await?,
        };
        Ok(out)
    }

    fn text(length: usize) -> Bytes {
        (0..length).map(|at| b"the quick brown fox "[(at * at / 7) % 20]).collect()
    }

    #[tokio::test]
    async fn whole_bodies_come_back_and_are_smaller() {
        for coding in Coding::ALL {
            for length in [0, 1, 1000, SMALL_BYTES, SMALL_BYTES + 1, 1_000_000] {
                let body = text(length);
                let compressed = whole(coding, body.clone()).await.unwrap();
                assert_eq!(decoded(coding, &compressed).await.unwrap(), body, "{coding:?} {length}");
                assert!(length < 1000 || compressed.len() < length / 2, "{coding:?} {length}: {}", compressed.len());
            }
        }
    }

    #[tokio::test]
    async fn a_stream_comes_back_in_pieces() {
        for coding in Coding::ALL {
            let body = text(3_000_000);
            let mut stream = streamed(coding, Full::new(body.clone()));
            let (mut all, mut pieces) = (Vec::new(), 0);
            while let Some(frame) = stream.frame().await {
                all.extend(frame.unwrap().into_data().unwrap());
                pieces += 1;
            }
            assert!(pieces > 1 || all.len() < SENT_BYTES, "{coding:?}: {pieces}");
            assert_eq!(decoded(coding, &all).await.unwrap(), body);
        }
    }

    #[tokio::test]
    async fn what_came_so_far_goes_out_when_the_body_pauses() {
        for coding in Coding::ALL {
            let first = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"first")))]);
            let body = StreamBody::new(stream::StreamExt::chain(first, stream::pending()));
            let mut stream = streamed(coding, body);
            let frame = tokio::time::timeout(Duration::from_secs(10), stream.frame()).await.unwrap();
            let piece = frame.unwrap().unwrap().into_data().unwrap();
            let mut start = [0; 5];
            let read = match coding {
                Coding::Brotli => BrotliDecoder::new(&piece[..]).read_exact(&mut start).await,
                Coding::Zstd => ZstdDecoder::new(&piece[..]).read_exact(&mut start).await,
                Coding::Gzip => GzipDecoder::new(&piece[..]).read_exact(&mut start).await,
            };
            assert_eq!((read.unwrap(), &start), (5, b"first"), "{coding:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_never_shown_as_whole() {
        let frames = [Ok(Frame::data(text(100_000))), Err(io::Error::other("cut"))];
        let mut stream = streamed(Coding::Gzip, StreamBody::new(stream::iter(frames)));
        let last = loop {
            match stream.frame().await {
                Some(Ok(_)) => {}
                end => break end,
            }
        };
        assert!(matches!(last, Some(Err(Error::Body(_)))), "{last:?}");
    }

    #[tokio::test]
    async fn dropping_what_is_made_ends_the_task() {
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let body = StreamBody::new(stream::once(async move {
            // Held for as long as the task holds the body.
            let _sender = sender;
            std::future::pending::<Result<Frame<Bytes>, Infallible>>().await
        }));
        let stream = streamed(Coding::Zstd, Box::pin(body));
        drop(stream);
        assert!(tokio::time::timeout(Duration::from_secs(10), receiver).await.unwrap().is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_come_back(pieces in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                for coding in Coding::ALL {
                    let frames = pieces.clone().into_iter().map(|piece| Ok::<_, Infallible>(Frame::data(piece.into())));
                    let all = streamed(coding, StreamBody::new(stream::iter(frames))).collect().await;
                    assert_eq!(decoded(coding, &all.unwrap().to_bytes()).await.unwrap(), pieces.concat());
                }
            });
        }
    }
}
