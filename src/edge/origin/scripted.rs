//! An origin for tests that sends exactly the bytes it is told to, with pauses and cuts.
//!
//! On threads of its own, so that tests of any kind can use it; they end when it is dropped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// The origin.
pub struct Scripted {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What is done on a connection after a request was read. When all is done, the next request is read.
#[derive(Clone)]
pub enum Step {
    Send(Vec<u8>),
    /// Sends it again and again, with this pause, until the other side is gone.
    Repeat(Vec<u8>, Duration),
    Pause(Duration),
    /// Waits until it is opened.
    Wait(Gate),
    /// Sends back what comes, until nothing comes any more.
    Echo,
    /// Ends the connection as one does.
    Close,
    /// Ends it as a crash would.
    Reset,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The number of its connection, and its own of all, from 0.
    pub connection: usize,
    pub number: usize,
    /// Its lines, without their ends.
    pub head: Vec<String>,
    pub body: Vec<u8>,
}

/// Holds steps back until it is opened. Clones are the same gate.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

struct Shared {
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

type Script = dyn Fn(&Seen) -> Vec<Step> + Send + Sync;

impl Scripted {
    /// Does for every request what `script` says.
    pub fn start(script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), script)
    }

    /// The same at this address.
    pub fn start_at(address: SocketAddr, script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let (held, script): (_, Arc<Script>) = (Arc::clone(&shared), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if held.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let number = held.connections.fetch_add(1, Ordering::SeqCst);
                held.open.lock().push(stream.try_clone().unwrap());
                let (held, script) = (Arc::clone(&held), Arc::clone(&script));
                std::thread::spawn(move || held.serve(stream, number, &*script));
            }
        });
        Self { address, shared }
    }

    /// Does for the first request what is first, and so on; for further ones what is last.
    pub fn answers(answers: Vec<Vec<Step>>) -> Self {
        Self::start(move |seen| answers[seen.number.min(answers.len() - 1)].clone())
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://`, host and port.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().clone()
    }

    /// How many connections there were so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().drain(..) {
            _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts.
        _ = TcpStream::connect(self.address);
    }
}

impl Seen {
    /// Method and target.
    pub fn target(&self) -> &str {
        self.head[0].trim_end_matches(" HTTP/1.1")
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head[1..].iter().filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock() = true;
        self.0.1.notify_all();
    }

    fn wait(&self) {
        let mut open = self.0.0.lock();
        while !*open {
            self.0.1.wait(&mut open);
        }
    }
}

/// An answer with this status, these headers (lines that end with a line break) and this body.
pub fn answer(status: u16, headers: &str, body: &str) -> Step {
    let text = format!("HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
    Step::Send(text.into_bytes())
}

/// These bytes.
pub fn send(bytes: impl AsRef<[u8]>) -> Step {
    Step::Send(bytes.as_ref().to_vec())
}

impl Shared {
    /// Serves a connection to its end.
    fn serve(&self, stream: TcpStream, connection: usize, script: &Script) {
        let mut reader = BufReader::new(&stream);
        while let Some((head, body)) = read_request(&mut reader) {
            let seen = {
                let mut all = self.seen.lock();
                let seen = Seen { connection, number: all.len(), head, body };
                all.push(seen.clone());
                seen
            };
            for step in script(&seen) {
                if !carry_out(step, &stream, &mut reader) || self.stopped.load(Ordering::SeqCst) {
                    _ = stream.shutdown(Shutdown::Both);
                    return;
                }
            }
        }
    }
}

/// Whether the connection goes on after it.
fn carry_out(step: Step, mut stream: &TcpStream, reader: &mut BufReader<&TcpStream>) -> bool {
    match step {
        Step::Send(bytes) => stream.write_all(&bytes).is_ok(),
        Step::Repeat(bytes, pause) => {
            while stream.write_all(&bytes).is_ok() {
                std::thread::sleep(pause);
            }
            false
        }
        Step::Pause(time) => {
            std::thread::sleep(time);
            true
        }
        Step::Wait(gate) => {
            gate.wait();
            true
        }
        Step::Echo => {
            _ = std::io::copy(reader, &mut stream);
            false
        }
        Step::Close => false,
        Step::Reset => {
            _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
            false
        }
    }
}

/// Reads a request to its end: the lines of its head, and its body. `None` where there is none.
fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<(Vec<String>, Vec<u8>)> {
    let (mut head, mut body) = (Vec::new(), Vec::new());
    loop {
        match read_line(reader)? {
            line if line.is_empty() && head.is_empty() => return None,
            line if line.is_empty() => break,
            line => head.push(line),
        }
    }
    let header = |name: &str| {
        let mut lines = head.iter().filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    if header("transfer-encoding").is_some() {
        read_chunks(reader, &mut body)?;
    } else if let Some(length) = header("content-length") {
        body.resize(length.parse().ok()?, 0);
        reader.read_exact(&mut body).ok()?;
    }
    Some((head, body))
}

fn read_chunks(reader: &mut BufReader<&TcpStream>, body: &mut Vec<u8>) -> Option<()> {
    loop {
        let size = usize::from_str_radix(&read_line(reader)?, 16).ok()?;
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..]).ok()?;
        read_line(reader)?;
        if size == 0 {
            return Some(());
        }
    }
}

fn read_line(reader: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Ok(1..) => Some(line.trim_end().to_owned()),
        _ => None,
    }
}
