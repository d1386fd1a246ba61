//! The caches that are measured, each in front of the same origin and on a port of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::drive;
use super::options::Options;
use super::process::Process;
use super::rows::Row;

/// How long a server may take to become ready.
const PATIENCE: Duration = Duration::from_secs(60);

pub const BRIM: &str = "brim-edge";
pub const BRIM_LOGGING: &str = "brim-edge, access log";
pub const NGINX: &str = "nginx";
pub const NGINX_LOGGING: &str = "nginx, access log";
pub const VARNISH: &str = "Varnish";

/// A cache that runs.
pub struct Server {
    pub name: &'static str,
    pub address: SocketAddr,
    // Dropped before the directory that it uses.
    pub process: Process,
    _directory: TempDir,
}

impl Server {
    /// Starts each that is installed.
    pub fn start_all(options: &Options, origin: SocketAddr) -> Vec<Self> {
        let mut servers = vec![brim(options, BRIM, origin), brim(options, BRIM_LOGGING, origin)];
        if let Some(program) = &options.nginx {
            servers.extend([NGINX, NGINX_LOGGING].map(|name| nginx(program, name, origin)));
        }
        servers.extend(options.varnish.as_ref().map(|program| varnish(program, origin)));
        servers
    }

    /// Has everything that the row asks for in the cache.
    pub fn warm_up(&self, row: &Row) {
        drive::send_all(self, row);
    }

    fn ready(name: &'static str, port: u16, process: Process, directory: TempDir) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "{name} is not ready in time");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { name, address, process, _directory: directory }
    }
}

/// One worker thread, as its peers have one; everything else as by default.
fn brim(options: &Options, name: &'static str, origin: SocketAddr) -> Server {
    let directory = directory();
    let config = directory.path().join("edge.toml");
    let log = match name {
        BRIM_LOGGING => format!("[access_log]\ndirectory = \"{}\"\n", directory.path().display()),
        _ => String::new(),
    };
    let text = format!(
        "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nworkers = 1\nmemory = \"1GiB\"\n{log}\
         [[site]]\nhosts = [\"*\"]\norigin = \"http://{origin}\"\n"
    );
    fs::write(&config, text).expect("a writable directory");
    let mut command = Command::new(&options.edge);
    command.arg("--config").arg(&config);
    let (process, address) = Process::start_ready(&command, "http=http://");
    Server::ready(name, address.port(), process, directory)
}

/// One worker, which also is the master.
fn nginx(program: &Path, name: &'static str, origin: SocketAddr) -> Server {
    let directory = directory();
    let (root, port) = (directory.path().display(), free_port());
    let log = match name {
        NGINX_LOGGING => format!("access_log {root}/access;"),
        _ => "access_log off;".to_owned(),
    };
    let text = format!(
        "daemon off; master_process off; pid {root}/pid; error_log {root}/log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ {log} sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=10000;\n\
         client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;\n\
         uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;\n\
         proxy_cache_path {root}/cache levels=1:2 keys_zone=all:64m max_size=4g inactive=1h use_temp_path=off;\n\
         upstream origin {{ server {origin}; keepalive 8; }}\n\
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://origin; proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\"; proxy_cache all; }} }} }}\n"
    );
    let config = directory.path().join("nginx.conf");
    fs::write(&config, text).expect("a writable directory");
    let mut command = Command::new(program);
    command.arg("-c").arg(&config).arg("-e").arg(directory.path().join("log"));
    let (process, _) = Process::start(&command, false);
    Server::ready(name, port, process, directory)
}

/// In memory, as it is by default, and with its own rules.
fn varnish(program: &Path, origin: SocketAddr) -> Server {
    let (directory, port) = (directory(), free_port());
    let mut command = Command::new(program);
    command.args(["-F", "-j", "none", "-n"]).arg(directory.path().join("varnish"));
    command.args(["-a", &format!("127.0.0.1:{port}"), "-b", &origin.to_string(), "-s", "malloc,1g"]);
    let (process, _) = Process::start(&command, false);
    Server::ready(VARNISH, port, process, directory)
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound socket").port()
}
