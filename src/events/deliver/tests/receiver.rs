//! A receiver that answers as a test has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What it does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    Status(u16),
    /// An answer, written as it is; then the connection is closed.
    Raw(Vec<u8>),
    /// No answer, and the connection stays.
    Silence,
    /// The connection is closed without an answer.
    Close,
    /// The head of an answer, then a body without end.
    Endless(u16),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What it was answered.
    pub reply: Reply,
}

pub struct Receiver {
    pub port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    pub connections: Arc<AtomicUsize>,
    /// How many of them are open.
    pub open: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    pub fn accepted(&self) -> bool {
        matches!(self.reply, Reply::Status(200..=299) | Reply::Endless(200..=299))
    }

    /// The key and the sequencer of every record.
    pub fn records(&self) -> Vec<(String, String)> {
        let document: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        let records = document["Records"].as_array().cloned().unwrap_or_default();
        let object =
            |record: &serde_json::Value, field: &str| record["s3"]["object"][field].as_str().unwrap().to_owned();
        records.iter().map(|record| (object(record, "key"), object(record, "sequencer"))).collect()
    }
}

impl Receiver {
    /// Answers each request as `script` says of its number, counted from 0, and of what it is.
    pub async fn start(script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, script) = (listener.local_addr().unwrap().port(), Arc::new(script));
        let (received, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let open = Arc::new(AtomicUsize::new(0));
        let are_open = open.clone();
        let (log, count, number) = (received.clone(), connections.clone(), Arc::new(AtomicUsize::new(0)));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                are_open.fetch_add(1, Ordering::SeqCst);
                let (script, log, number, open) = (script.clone(), log.clone(), number.clone(), are_open.clone());
                tokio::spawn(async move {
                    serve(stream, &*script, &log, &number).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, received, connections, open, task }
    }

    pub async fn accepting() -> Self {
        Self::start(|_, _| Reply::Status(204)).await
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?x=1", self.port)
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().clone()
    }

    pub fn len(&self) -> usize {
        self.received.lock().len()
    }

    /// The key and the sequencer of every record that was accepted, in order.
    pub fn accepted(&self) -> Vec<(String, String)> {
        let received = self.received.lock();
        received.iter().filter(|request| request.accepted()).flat_map(Received::records).collect()
    }

    pub fn accepted_keys(&self) -> std::collections::BTreeSet<String> {
        self.accepted().into_iter().map(|(key, _)| key).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: TcpStream,
    script: &(dyn Fn(usize, &Received) -> Reply + Send + Sync),
    log: &Mutex<Vec<Received>>,
    number: &AtomicUsize,
) {
    let mut stream = BufReader::new(stream);
    while let Some(mut request) = read(&mut stream).await {
        let reply = script(number.fetch_add(1, Ordering::SeqCst), &request);
        request.reply = reply.clone();
        log.lock().push(request);
        let answer = match reply {
            Reply::Status(status) => format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n").into_bytes(),
            Reply::Raw(bytes) => bytes,
            Reply::Silence => return tokio::time::sleep(Duration::from_secs(30)).await,
            Reply::Close => return,
            Reply::Endless(status) => return endless(stream.into_inner(), status).await,
        };
        let ends = answer.windows(17).any(|window| window.eq_ignore_ascii_case(b"connection: close"));
        if stream.get_mut().write_all(&answer).await.is_err() || ends {
            return;
        }
    }
}

async fn endless(mut stream: TcpStream, status: u16) {
    let mut bytes = format!("HTTP/1.1 {status} x\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
    loop {
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
        bytes = [b"400\r\n".to_vec(), vec![b'\x1b'; 1024], b"\r\n".to_vec()].concat();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Received> {
    let (mut line, mut headers) = (String::new(), Vec::new());
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let target = line.split(' ').nth(1)?.to_owned();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(Received { target, headers, body, reply: Reply::Close })
}
