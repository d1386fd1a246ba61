//! The addresses to listen on: whether they are free, and who reaches them.

use std::net::{SocketAddr, TcpListener};

use super::Diagnosis;
use crate::config::ServerConfig;

pub fn examine(config: &ServerConfig, served: bool) -> Vec<Diagnosis> {
    let addresses = config.addresses();
    let mut found: Vec<_> = addresses.iter().map(|(key, address)| port(key, *address, served)).collect();
    found.extend(addresses.iter().filter_map(|(key, address)| reach(key, *address)));
    found
}

fn port(key: &str, address: SocketAddr, served: bool) -> Diagnosis {
    const SUBJECT: &str = "port";
    match TcpListener::bind(address) {
        Ok(_) => Diagnosis::ok(SUBJECT, format!("{address} ({key}) is free")),
        Err(error) if served => Diagnosis::ok(SUBJECT, format!("{address} ({key}): {error}; the server runs")),
        Err(error) => Diagnosis::bad(
            SUBJECT,
            format!("{address} ({key}): {error}"),
            format!("stop the program that has it, or set {key} to another address of this machine"),
        ),
    }
}

/// Warns of what strangers reach: Brim speaks plain HTTP.
fn reach(key: &str, address: SocketAddr) -> Option<Diagnosis> {
    const SUBJECT: &str = "listening";
    if address.ip().is_loopback() {
        return None;
    }
    let found = format!("{address} ({key}) is reached from other machines, without TLS");
    let advice = match key {
        "admin.listen" => "keep it to 127.0.0.1 or to a private network: it asks for no secrets",
        _ => "put a reverse proxy with TLS in front, or keep it to a private network",
    };
    Some(Diagnosis::warn(SUBJECT, found, advice))
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;

    #[test]
    fn a_port_in_use_is_bad_unless_it_is_the_servers() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(port("s3.listen", address, false).health, Health::Bad);
        assert_eq!(port("s3.listen", address, true).health, Health::Ok);
        drop(taken);
        assert_eq!(port("s3.listen", "127.0.0.1:0".parse().unwrap(), false).health, Health::Ok);
    }

    #[test]
    fn strangers_without_tls_are_warned_of() {
        assert_eq!(reach("s3.listen", "127.0.0.1:9000".parse().unwrap()), None);
        assert_eq!(reach("s3.listen", "0.0.0.0:9000".parse().unwrap()).unwrap().health, Health::Warn);
        assert_eq!(reach("admin.listen", "[::1]:9090".parse().unwrap()), None);
    }
}
