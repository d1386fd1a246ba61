//! The servers that are measured, each on a directory and a port of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;

use super::client::Request;
use super::drive;
use super::options::Options;
use super::process::Process;
use super::signer::{ACCESS_KEY, SECRET_KEY, Signer};

/// How long a server may take to become ready.
const PATIENCE: Duration = Duration::from_secs(90);
/// The bucket that all rows use.
pub const BUCKET: &str = "bench";

/// How many pages a website has, and how long each is.
pub const PAGES: usize = 500;
pub const PAGE_BYTES: usize = 16 << 10;

/// A server that runs, with a bucket.
pub struct Site {
    /// Whether this is nginx with its files, and no object store.
    pub is_static: bool,
    pub address: SocketAddr,
    /// Where pages are served.
    pub pages: SocketAddr,
    pub signer: Signer,
    // Dropped before the directory that it uses.
    pub process: Process,
    pub directory: Rc<TempDir>,
}

impl Site {
    /// A presigned request for a key of the bucket.
    pub fn presigned(&self, method: &str, key: &str, body: Bytes) -> Request {
        self.signer.presigned(method, &format!("/{BUCKET}/{key}"), &[], body)
    }
}

/// Starts Brim with an empty bucket and its defaults, but for these variables.
pub fn brim(options: &Options, variables: &[(&str, &str)]) -> Site {
    let site = brim_on(options, Rc::new(directory(options)), variables);
    drive::exchange(&site, &make_bucket(&site));
    site
}

/// Starts Brim on a directory that it may have used before, with its defaults, but for these variables.
pub fn brim_on(options: &Options, directory: Rc<TempDir>, variables: &[(&str, &str)]) -> Site {
    let mut command = Command::new(&options.brim);
    command.arg("server").arg("--data").arg(directory.path().join("data"));
    command.args(["--listen", "127.0.0.1:0", "--website-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.env("BRIM_ROOT_ACCESS_KEY_ID", ACCESS_KEY).env("BRIM_ROOT_SECRET_ACCESS_KEY", SECRET_KEY);
    command.envs(variables.iter().copied());
    let log = fs::File::create(directory.path().join("log")).expect("a writable directory");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    let mut child = command.spawn().expect("the binary starts");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    stdout.read_line(&mut line).expect("stdout is readable");
    let (address, pages) = (address_in(&line, "s3=http://"), address_in(&line, "website=http://"));
    Site { is_static: false, address, pages, signer: Signer::new(address), process: Process::new(child), directory }
}

fn address_in(line: &str, name: &str) -> SocketAddr {
    let address = line.split_whitespace().find_map(|word| word.strip_prefix(name));
    let address = address.and_then(|address| address.parse().ok());
    address.unwrap_or_else(|| panic!("brim did not start: {line}"))
}

/// The path of a page, without its first slash.
pub fn page(number: usize) -> String {
    format!("pages/{number:06}.html")
}

/// Starts SeaweedFS (`weed server -s3`) in its default mode, which does not sync; `None` where it is not installed.
pub fn weed(options: &Options) -> Option<Site> {
    let program = options.weed.as_ref()?;
    let directory = Rc::new(directory(options));
    let config = directory.path().join("s3.json");
    fs::write(&config, weed_identity()).expect("a writable directory");
    let mut command = Command::new(program);
    command.arg("server").arg(format!("-dir={}", directory.path().display()));
    command.args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]).arg(format!("-s3.config={}", config.display()));
    // Catalogues that nobody asks, at fixed ports: it ends where one of them is taken.
    command.args(["-s3.port.iceberg=0", "-s3.port.lance=0"]);
    let ports = ["master", "volume", "filer", "s3"].map(|service| {
        let (http, grpc) = (free_port(), free_port());
        command.arg(format!("-{service}.port={http}")).arg(format!("-{service}.port.grpc={grpc}"));
        http
    });
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports[3]));
    let process = Process::new(quiet(&mut command, &directory));
    let site = Site { is_static: false, address, pages: address, signer: Signer::new(address), process, directory };
    wait_until_ready(&site);
    Some(site)
}

/// Starts nginx on a directory with one file of 16 MiB, which it sends without sendfile, and with pages, which it sends and logs as
/// Debian has it set; `None` where it is not installed.
pub fn nginx(options: &Options) -> Option<Site> {
    let program = options.nginx.as_ref()?;
    let directory = Rc::new(directory(options));
    let (root, port) = (directory.path().display(), free_port());
    fs::write(directory.path().join("16M"), noise(16 << 20)).expect("room");
    fs::create_dir(directory.path().join("pages")).expect("a writable directory");
    for number in 0..PAGES {
        fs::write(directory.path().join(page(number)), noise(PAGE_BYTES)).expect("room");
    }
    let config = directory.path().join("nginx.conf");
    let text = format!(
        "daemon off; master_process off; pid {root}/pid; error_log {root}/log;\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log off; sendfile off; output_buffers 2 256k; client_body_temp_path {root}/t1;\n\
         proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;\n\
         types {{ text/html html; }} keepalive_requests 1000000000;\n\
         server {{ listen 127.0.0.1:{port}; root {root};\n\
         location /pages/ {{ sendfile on; tcp_nopush on; access_log {root}/access; }} }} }}\n"
    );
    fs::write(&config, text).expect("a writable directory");
    let mut command = Command::new(program);
    command.arg("-c").arg(&config).arg("-e").arg(directory.path().join("log"));
    let process = Process::new(quiet(&mut command, &directory));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    wait_until("nginx", || std::net::TcpStream::connect(address).is_ok());
    Some(Site { is_static: true, address, pages: address, signer: Signer::new(address), process, directory })
}

/// A temporary directory on the disk that is measured.
pub fn directory(options: &Options) -> TempDir {
    tempfile::tempdir_in(&options.directory).expect("a directory to measure in")
}

/// Bytes that no disk compresses away.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut step).flatten().take(length).collect()
}

fn make_bucket(site: &Site) -> Request {
    site.signer.presigned("PUT", &format!("/{BUCKET}"), &[], Bytes::new())
}

fn weed_identity() -> String {
    format!(
        r#"{{"identities":[{{"name":"bench","credentials":[{{"accessKey":"{ACCESS_KEY}","secretKey":"{SECRET_KEY}"}}],
            "actions":["Admin","Read","Write","List","Tagging"]}}]}}"#
    )
}

fn quiet(command: &mut Command, directory: &TempDir) -> std::process::Child {
    let log = fs::File::create(directory.path().join("output")).expect("a writable directory");
    let errors = log.try_clone().expect("an open file");
    command.stdin(Stdio::null()).stdout(log).stderr(errors).current_dir(directory.path());
    command.spawn().expect("the program starts")
}

/// Waits until the bucket is there and takes an object: the parts of SeaweedFS become ready one after the other.
fn wait_until_ready(site: &Site) {
    let bucket = make_bucket(site);
    let object = site.presigned("PUT", "ready", Bytes::from_static(b"ready"));
    wait_until("SeaweedFS", || drive::succeeds(site, &bucket));
    wait_until("SeaweedFS", || drive::succeeds(site, &object));
}

fn wait_until(what: &str, ready: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !ready() {
        assert!(Instant::now() < deadline, "{what} is not ready in time");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound socket").port()
}
