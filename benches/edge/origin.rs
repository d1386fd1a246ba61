//! The origin behind the caches: `GET /BYTES/ANYTHING` has so many bytes, which may be kept for an hour.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Serves until the process ends.
pub struct Origin(SocketAddr);

impl Origin {
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || serve(stream));
            }
        });
        Self(address)
    }

    pub fn address(&self) -> SocketAddr {
        self.0
    }
}

/// Answers until the other side hangs up.
fn serve(stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream).lines();
    loop {
        let line = lines.next()?.ok()?;
        let bytes: usize = line.split(['/', ' ']).nth(2)?.parse().unwrap_or_default();
        while !lines.next()?.ok()?.is_empty() {}
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {bytes}\r\n\
             Cache-Control: public, max-age=3600\r\nETag: \"{bytes}\"\r\nLast-Modified: Mon, 02 Nov 2026 10:00:00 GMT\r\n\r\n"
        );
        let mut answer = head.into_bytes();
        answer.resize(answer.len() + bytes, b'x');
        writer.write_all(&answer).ok()?;
    }
}
