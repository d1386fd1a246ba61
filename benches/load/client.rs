//! HTTP/1.1 as little as it takes: one connection, kept alive, requests that are bytes already.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one exchange may take.
const PATIENCE: Duration = Duration::from_secs(300);
const BUFFER: usize = 256 * 1024;

/// A request, ready to be sent any number of times.
#[derive(Clone)]
pub struct Request {
    pub head: Bytes,
    pub body: Bytes,
    /// Whether the answer has no body whatever its head says.
    pub bodiless_answer: bool,
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    /// The whole body, where it was to be kept.
    pub body: Vec<u8>,
    /// How many bytes the body had.
    pub length: u64,
}

/// A kept-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The bytes of the buffer that were received and not looked at.
    start: usize,
    end: usize,
}

impl Answer {
    /// The value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// The text of the first XML element with this name.
    pub fn element(&self, name: &str) -> Option<String> {
        let body = String::from_utf8_lossy(&self.body);
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0.to_owned())
    }
}

impl Connection {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER], start: 0, end: 0 })
    }

    /// Sends a request and reads its answer, of which the body is kept or only counted.
    pub async fn exchange(&mut self, request: &Request, keep: bool) -> io::Result<Answer> {
        let exchange = async {
            let sent = self.stream.write_all_buf(&mut request.head.clone().chain(request.body.clone())).await;
            // A refusal may come before the body was sent, and says more than the error of sending.
            self.answer(request, keep).await.map_err(|error| sent.err().unwrap_or(error))
        };
        timeout(PATIENCE, exchange).await?
    }

    async fn answer(&mut self, request: &Request, keep: bool) -> io::Result<Answer> {
        let head = self.head().await?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
        let mut answer = Answer { status, head, body: Vec::new(), length: 0 };
        if request.bodiless_answer || matches!(status, 204 | 304) {
            return Ok(answer);
        }
        if let Some(length) = header(&answer.head, "content-length") {
            let length = length.parse().map_err(|_| malformed())?;
            self.body(length, keep, &mut answer).await?;
            return Ok(answer);
        }
        loop {
            let line = self.line().await?;
            let length = u64::from_str_radix(line.trim(), 16).map_err(|_| malformed())?;
            self.body(length, keep, &mut answer).await?;
            self.line().await?;
            if length == 0 {
                return Ok(answer);
            }
        }
    }

    async fn head(&mut self) -> io::Result<String> {
        self.until(b"\r\n\r\n").await
    }

    async fn line(&mut self) -> io::Result<String> {
        self.until(b"\r\n").await
    }

    /// Takes everything up to and without `end`.
    async fn until(&mut self, end: &[u8]) -> io::Result<String> {
        loop {
            let received = &self.buffer[self.start..self.end];
            if let Some(at) = received.windows(end.len()).position(|window| window == end) {
                let text = String::from_utf8_lossy(&received[..at]).into_owned();
                self.start += at + end.len();
                return Ok(text);
            }
            self.receive().await?;
        }
    }

    async fn body(&mut self, length: u64, keep: bool, answer: &mut Answer) -> io::Result<()> {
        let mut missing = length;
        while missing > 0 {
            if self.start == self.end {
                self.receive().await?;
            }
            let taken = missing.min((self.end - self.start) as u64);
            if keep {
                answer.body.extend_from_slice(&self.buffer[self.start..self.start + taken as usize]);
            }
            self.start += taken as usize;
            missing -= taken;
        }
        answer.length += length;
        Ok(())
    }

    async fn receive(&mut self) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        match self.stream.read(&mut self.buffer[self.end..]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            received => {
                self.end += received;
                Ok(())
            }
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not an answer")
}
