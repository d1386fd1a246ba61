//! A service for tests that answers what it is told to, one connection a request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::{Client, Credentials, Settings};

/// How long a connection that is to get no answer is held: far longer than the tests that use it wait.
const SILENCE: Duration = Duration::from_secs(5);

/// The service. Its threads end with its script.
pub struct Scripted {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Answers one request with each of these; `None` is silence.
    pub fn start(answers: Vec<Option<String>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Vec::new())));
        let log = seen.clone();
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((mut connection, _)) = listener.accept() else { return };
                log.lock().push(read_request(&connection));
                match answer {
                    Some(answer) => connection.write_all(answer.as_bytes()).unwrap(),
                    None => _ = std::thread::spawn(move || (std::thread::sleep(SILENCE), connection)),
                }
            }
        });
        Self { port, seen }
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        let secret_key = Zeroizing::new("secret".to_owned());
        Client::new(Settings {
            endpoint: format!("http://127.0.0.1:{}", self.port).parse().unwrap(),
            region: "us-east-1".into(),
            credentials: Credentials { access_key: "key".into(), secret_key, session_token: None },
            ca_bundle: None,
        })
        .unwrap()
    }

    /// Method and target of every request so far.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().clone()
    }
}

/// An answer with this status and body.
pub fn answer(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} x\r\nconnection: close\r\netag: \"e\"\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Reads a request to its end; gives its method and target.
fn read_request(connection: &TcpStream) -> String {
    let mut reader = BufReader::new(connection);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).unwrap();
    first.trim_end().trim_end_matches(" HTTP/1.1").to_owned()
}
