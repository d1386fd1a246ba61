//! rustls's configuration of a listener: versions, suites and tickets, the same for every listener.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::ServerConfig;
use rustls::version::{TLS12, TLS13};

use super::certificates::Certificates;

/// The protocol id of HTTP/1.1: RFC 7301 section 6.
pub const HTTP_1_1: &[u8] = b"http/1.1";
/// The protocol id of HTTP/2 over TLS: RFC 9113 section 3.1.
pub const HTTP_2: &[u8] = b"h2";

/// Makes the configuration of a listener that speaks `protocols`, the preferred one first.
///
/// TLS 1.2 and 1.3 with rustls's own choice of suites. Sessions resume by tickets, whose key changes every six hours and
/// is never written down: no state is kept for a client. Without early data, which could be replayed.
pub fn server_configuration(
    certificates: Arc<Certificates>,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut configuration = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    configuration.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    configuration.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(configuration))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection, SupportedProtocolVersion};

    use super::super::certificate::tests::made_for;
    use super::super::files::{Loaded, Pair};
    use super::super::{Certificate, Certificates};
    use super::*;

    /// Shakes hands without a network; gives what the client sees of it.
    fn shake(
        server: &Arc<ServerConfig>,
        roots: RootCertStore,
        host: &str,
        version: &'static SupportedProtocolVersion,
        protocols: &[&[u8]],
    ) -> Result<ClientConnection, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let host = ServerName::try_from(host.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(client), host).unwrap();
        let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut bytes = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut bytes).unwrap();
            }
            let mut read = bytes.as_slice();
            while !read.is_empty() {
                server.read_tls(&mut read).unwrap();
                server.process_new_packets()?;
            }
            let mut bytes = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut bytes).unwrap();
            }
            let mut read = bytes.as_slice();
            while !read.is_empty() {
                client.read_tls(&mut read).unwrap();
                client.process_new_packets()?;
            }
        }
        Ok(client)
    }

    /// A server that has a certificate for `names`, and the roots of a client that trusts it.
    fn server_for(names: &[&str], default: bool) -> (Arc<ServerConfig>, RootCertStore) {
        let (chain, key) = made_for(names);
        let certificate = Arc::new(Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap());
        let mut roots = RootCertStore::empty();
        roots.add(certificate.leaf().clone()).unwrap();
        let certificates = Arc::new(Certificates::default());
        let pair = Pair { chain: "cert".into(), key: "key".into(), default };
        certificates.set_files(vec![Loaded { pair, certificate }]);
        (server_configuration(certificates, &[HTTP_1_1]).unwrap(), roots)
    }

    #[test]
    fn both_versions_are_spoken_and_http_1_1_is_agreed_on() {
        let (server, roots) = server_for(&["a.test", "*.b.test"], false);
        for version in [&TLS12, &TLS13] {
            for host in ["a.test", "x.b.test"] {
                let client = shake(&server, roots.clone(), host, version, &[b"h2", HTTP_1_1]).unwrap();
                assert_eq!(client.alpn_protocol(), Some(HTTP_1_1));
                assert_eq!(client.protocol_version(), Some(version.version));
            }
            assert!(shake(&server, roots.clone(), "a.test", version, &[]).is_ok());
            assert!(shake(&server, roots.clone(), "a.test", version, &[b"h2"]).is_err());
        }
    }

    #[test]
    fn without_a_default_a_strange_name_and_no_name_are_refused() {
        let (server, roots) = server_for(&["a.test", "127.0.0.1"], false);
        assert!(shake(&server, roots.clone(), "b.test", &TLS13, &[]).is_err());
        assert!(shake(&server, roots, "127.0.0.1", &TLS13, &[]).is_err());
        let (server, roots) = server_for(&["a.test", "127.0.0.1"], true);
        assert!(shake(&server, roots, "127.0.0.1", &TLS13, &[]).is_ok());
    }
}
