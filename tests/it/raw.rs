//! A client of the bytes themselves: sends exactly what it is given, at the moments it is told to.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long to wait for bytes before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer, read to the end of its body.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header with this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The last of the headers of this name.
    pub fn last_header(&self, name: &str) -> Option<&str> {
        self.headers.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the first XML element with this name; entities stay as they are.
    pub fn element(&self, name: &str) -> Option<String> {
        self.elements(name).into_iter().next()
    }

    /// The texts of all XML elements with this name.
    pub fn elements(&self, name: &str) -> Vec<String> {
        let (text, open, close) = (self.text(), format!("<{name}>"), format!("</{name}>"));
        let inner = text.split(&open).skip(1).map(|rest| rest.split(&close).next().unwrap_or_default().to_owned());
        inner.collect()
    }

    /// Status and S3 error code: `(404, "NoSuchKey")`. The code is empty where the answer is not an S3 error.
    pub fn error(&self) -> (u16, String) {
        (self.status, self.element("Code").unwrap_or_default())
    }

    pub(crate) fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        Self { status, headers, body }
    }
}

/// One connection, over TCP where nothing else is said.
pub struct Raw<S = TcpStream> {
    stream: S,
    pending: Vec<u8>,
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server accepts");
        stream.set_nodelay(true).expect("an open socket");
        Self::over(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub fn over(stream: S) -> Self {
        Self { stream, pending: Vec::new() }
    }

    /// Sends these bytes now. That the server has hung up shows in the next read.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Tells the server that nothing more follows.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Reads one answer, an interim one (`100 Continue`) too.
    pub async fn answer(&mut self) -> Answer {
        self.try_answer().await.expect("an answer before the connection ends")
    }

    /// Reads one answer, or `None` where the server hangs up before a whole head.
    pub async fn try_answer(&mut self) -> Option<Answer> {
        let head_end = self.read_until_blank_line().await?;
        let head = String::from_utf8_lossy(&self.pending[..head_end]).into_owned();
        self.pending.drain(..head_end + 4);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|word| word.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {head:?}"));
        let split =
            |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        let mut answer = Answer { status, headers: lines.filter_map(split).collect(), body: Vec::new() };
        if status >= 200 && status != 204 && status != 304 {
            answer.body = self.body_of(&answer).await;
        }
        Some(answer)
    }

    /// Reads one line of whatever comes, or `None` at the end of the stream.
    pub async fn next_line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line = self.pending.drain(..=end).collect::<Vec<_>>();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if !self.read_more_in_time().await {
                return (!self.pending.is_empty())
                    .then(|| String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned());
            }
        }
    }

    /// Whether the server closes the connection in time.
    pub async fn is_closed_within(&mut self, time: Duration) -> bool {
        timeout(time, async { while self.read_more().await {} }).await.is_ok()
    }

    /// Whether `bytes` come within `time` and before `other` does. What comes stays to be read.
    pub async fn sends_before(&mut self, bytes: &str, other: &str, time: Duration) -> bool {
        let coming = async {
            loop {
                let pending = String::from_utf8_lossy(&self.pending);
                if pending.contains(bytes) {
                    return true;
                }
                if pending.contains(other) || !self.read_more().await {
                    return false;
                }
            }
        };
        timeout(time, coming).await.unwrap_or(false)
    }

    async fn body_of(&mut self, answer: &Answer) -> Vec<u8> {
        if answer.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            return self.chunked_body().await;
        }
        let length: usize = answer.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        self.take(length).await
    }

    async fn chunked_body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await;
            let size =
                usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16).expect("a chunk size");
            body.extend(self.take(size).await);
            assert_eq!(self.line().await, "", "a chunk ends with its line");
            if size == 0 {
                return body;
            }
        }
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.pending.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&self.pending[..end]).into_owned();
                self.pending.drain(..end + 2);
                return line;
            }
            assert!(self.read_more_in_time().await, "the connection ended inside a line");
        }
    }

    async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.pending.len() < length {
            assert!(self.read_more_in_time().await, "the connection ended inside a body");
        }
        self.pending.drain(..length).collect()
    }

    async fn read_until_blank_line(&mut self) -> Option<usize> {
        loop {
            if let Some(end) = self.pending.windows(4).position(|four| four == b"\r\n\r\n") {
                return Some(end);
            }
            if !self.read_more_in_time().await {
                return None;
            }
        }
    }

    async fn read_more_in_time(&mut self) -> bool {
        timeout(PATIENCE, self.read_more()).await.expect("the server answers in time")
    }

    /// Reads what there is; false at the end of the stream.
    async fn read_more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer).await {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.pending.extend_from_slice(&buffer[..count]);
                true
            }
        }
    }
}
