//! What the machine can do without a server: every row is held against the part of it that it needs most.

use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use md5::{Digest, Md5};

use super::options::Options;
use super::servers::{directory, noise};

const MIB: usize = 1 << 20;
const CHUNK: usize = 512 << 10;
const ECHOERS: usize = 32;
const ROUND: Duration = Duration::from_secs(2);

/// The machine's limits, each measured for a second or two.
#[derive(Debug, Clone)]
pub struct Machine {
    pub description: String,
    pub cores: usize,
    /// 64 MiB written and synced, as often as it can be, in megabytes a second.
    pub write: f64,
    /// 64 MiB written without sync, in megabytes a second.
    pub page_cache: f64,
    /// 250 bytes written over what was there, and synced, one after the other.
    pub syncs: f64,
    /// One core's MD5 in megabytes a second, with the crate that Brim uses.
    pub md5: f64,
    /// Requests of 4 KiB and answers of 200 bytes over 32 connections on loopback, between two plain threads a connection.
    pub echoes: f64,
    /// One stream over loopback in megabytes a second, received and dropped.
    pub loopback: f64,
}

/// The part of the machine that a row cannot be faster than.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// Requests and answers over loopback.
    Echoes,
    /// A sync for each operation.
    Syncs,
    /// MD5 on all cores, or the disk, whichever is slower.
    Hashing,
    /// MD5 on one core, or the disk, whichever is slower.
    Stream,
    /// Bytes over loopback.
    Loopback,
    /// None that was measured.
    Unknown,
}

/// A limit as it was measured.
pub struct Bound {
    pub name: &'static str,
    pub value: f64,
    /// In megabytes a second rather than operations.
    pub in_bytes: bool,
}

impl Limit {
    pub fn of(self, machine: &Machine) -> Option<Bound> {
        let operations = |name, value| Some(Bound { name, value, in_bytes: false });
        let bytes = |name, value| Some(Bound { name, value, in_bytes: true });
        match self {
            Self::Echoes => operations("loopback", machine.echoes),
            Self::Syncs => operations("one sync after the other", machine.syncs),
            Self::Hashing if machine.write < machine.all_md5() => bytes("synced write", machine.write),
            Self::Hashing => bytes("MD5 on all cores", machine.all_md5()),
            Self::Stream if machine.write < machine.md5 => bytes("synced write", machine.write),
            Self::Stream => bytes("MD5 on one core", machine.md5),
            Self::Loopback => bytes("one stream over loopback", machine.loopback),
            Self::Unknown => None,
        }
    }
}

impl Machine {
    pub fn measure(options: &Options) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            description: description(cores),
            cores,
            write: write(options, true),
            page_cache: write(options, false),
            syncs: syncs(options),
            md5: md5(),
            echoes: echoes(),
            loopback: loopback(),
        }
    }

    fn all_md5(&self) -> f64 {
        self.md5 * self.cores as f64
    }

    /// What bounds a single stream that is hashed and made durable.
    pub fn stream(&self) -> f64 {
        self.write.min(self.md5)
    }
}

fn description(cores: usize) -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} x {model}, Linux {}", kernel.trim())
}

/// Every round has a file of its own, as uploads have: one that is written again finds its memory ready.
fn write(options: &Options, synced: bool) -> f64 {
    const SIZE: usize = 64 * MIB;
    let (directory, chunk) = (directory(options), noise(CHUNK));
    let rounds = (0..9).map(|round| {
        let begun = Instant::now();
        let mut file = File::create(directory.path().join(format!("{round}"))).expect("a new file");
        for _ in 0..SIZE / CHUNK {
            file.write_all(&chunk).expect("room");
        }
        if synced {
            file.sync_data().expect("a disk that works");
        }
        begun.elapsed()
    });
    let mut rounds: Vec<_> = rounds.collect();
    rounds.sort_unstable();
    SIZE as f64 / 1e6 / rounds[rounds.len() / 2].as_secs_f64()
}

fn syncs(options: &Options) -> f64 {
    let file = tempfile::tempfile_in(&options.directory).expect("a new file");
    file.write_all_at(&vec![1; MIB], 0).expect("room");
    file.sync_all().expect("a disk that works");
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < ROUND {
        file.write_all_at(&[2; 250], count * 250 % (MIB as u64 - 250)).expect("room");
        file.sync_data().expect("a disk that works");
        count += 1;
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

fn md5() -> f64 {
    let data = noise(8 * MIB);
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < ROUND {
        black_box(Md5::digest(black_box(&data)));
        count += 1;
    }
    (count * data.len()) as f64 / 1e6 / begun.elapsed().as_secs_f64()
}

fn echoes() -> f64 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    let deadline = Instant::now() + ROUND;
    let count = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..ECHOERS)
            .map(|_| {
                let mut client = TcpStream::connect(address).expect("a listener");
                let (mut server, _) = listener.accept().expect("the connection just made");
                client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).expect("an open socket");
                scope.spawn(move || {
                    let mut request = [0; 4096];
                    while server.read_exact(&mut request).is_ok() && server.write_all(&[1; 200]).is_ok() {}
                });
                scope.spawn(move || {
                    let (mut answer, mut count) = ([0; 200], 0);
                    while Instant::now() < deadline {
                        client.write_all(&[1; 4096]).and_then(|()| client.read_exact(&mut answer)).expect("an echo");
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().expect("clients do not panic")).sum::<u64>()
    });
    count as f64 / ROUND.as_secs_f64()
}

fn loopback() -> f64 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let mut sender = TcpStream::connect(listener.local_addr().expect("a bound socket")).expect("a listener");
    let (mut receiver, _) = listener.accept().expect("the connection just made");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let (chunk, begun) = (vec![1; CHUNK], Instant::now());
            while begun.elapsed() < ROUND && sender.write_all(&chunk).is_ok() {}
        });
        let (mut buffer, mut bytes, begun) = (vec![0; CHUNK], 0, Instant::now());
        loop {
            match receiver.read(&mut buffer).expect("a sender") {
                0 => return bytes as f64 / 1e6 / begun.elapsed().as_secs_f64(),
                received => bytes += received,
            }
        }
    })
}
