//! The PROXY protocol: a proxy says, before anything else, whose connection it passes on.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The longest header of version 1, in bytes, its line end included: section 2.1.
const MAX_V1_BYTES: usize = 107;
/// What a header of version 2 begins with: section 2.2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The fixed part of version 2.
const FIXED_BYTES: usize = 16;
/// The longest rest of version 2 that is taken, in bytes: addresses, and what else proxies tell.
const MAX_REST_BYTES: usize = 4096;

/// What is wrong with a header.
#[derive(Debug, thiserror::Error)]
pub enum BadHeader {
    #[error("the connection does not begin with a PROXY protocol header")]
    Missing,
    #[error("the PROXY protocol header is malformed")]
    Malformed,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads the header and gives the client's address; `None` where the proxy speaks for itself, as in health checks. Exactly
/// the header is taken off the stream.
pub async fn read(stream: &mut TcpStream) -> Result<Option<SocketAddr>, BadHeader> {
    let mut first = [0; FIXED_BYTES];
    // The shortest header of version 1, `PROXY UNKNOWN\r\n`, has a byte less: but a request follows it.
    stream.read_exact(&mut first).await?;
    if first.starts_with(SIGNATURE) { read_v2(stream, first).await } else { read_v1(stream, &first).await }
}

async fn read_v1(stream: &mut TcpStream, first: &[u8]) -> Result<Option<SocketAddr>, BadHeader> {
    if !first.starts_with(b"PROXY ") {
        return Err(BadHeader::Missing);
    }
    let mut line = first.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= MAX_V1_BYTES {
            return Err(BadHeader::Malformed);
        }
        line.push(stream.read_u8().await?);
    }
    parse_v1(&line).ok_or(BadHeader::Malformed)
}

/// Reads a line of version 1: `Some(None)` for an address that is not told.
fn parse_v1(line: &[u8]) -> Option<Option<SocketAddr>> {
    let line = std::str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?;
    let mut words = line.split(' ');
    if words.next()? != "PROXY" {
        return None;
    }
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let [source, destination, port, to_port] = [words.next()?, words.next()?, words.next()?, words.next()?];
    let (source, port): (IpAddr, u16) = (source.parse().ok()?, port.parse().ok()?);
    let (destination, _): (IpAddr, u16) = (destination.parse().ok()?, to_port.parse().ok()?);
    let right = match family {
        "TCP4" => source.is_ipv4() && destination.is_ipv4(),
        "TCP6" => source.is_ipv6() && destination.is_ipv6(),
        _ => false,
    };
    (right && words.next().is_none()).then_some(Some(SocketAddr::new(source, port)))
}

async fn read_v2(stream: &mut TcpStream, first: [u8; FIXED_BYTES]) -> Result<Option<SocketAddr>, BadHeader> {
    let length = usize::from(u16::from_be_bytes([first[14], first[15]]));
    if length > MAX_REST_BYTES {
        return Err(BadHeader::Malformed);
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    parse_v2(first[12], first[13], &rest).ok_or(BadHeader::Malformed)
}

/// Reads what follows the signature of version 2.
fn parse_v2(version_and_command: u8, family: u8, rest: &[u8]) -> Option<Option<SocketAddr>> {
    match version_and_command {
        // LOCAL: the proxy's own connection.
        0x20 => return Some(None),
        0x21 => {}
        _ => return None,
    }
    match family {
        0x11 => {
            let address: [u8; 4] = rest.get(..4)?.try_into().ok()?;
            let port = u16::from_be_bytes(rest.get(8..10)?.try_into().ok()?);
            Some(Some(SocketAddr::new(Ipv4Addr::from(address).into(), port)))
        }
        0x21 => {
            let address: [u8; 16] = rest.get(..16)?.try_into().ok()?;
            let port = u16::from_be_bytes(rest.get(32..34)?.try_into().ok()?);
            Some(Some(SocketAddr::new(Ipv6Addr::from(address).into(), port)))
        }
        // Datagrams, sockets of the file system, and what is not specified: no address of a client.
        _ => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    fn v1(line: &str) -> Option<Option<String>> {
        parse_v1(line.as_bytes()).map(|address| address.map(|address| address.to_string()))
    }

    #[test]
    fn version_1_names_the_client() {
        assert_eq!(v1("PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\n"), Some(Some("192.0.2.1:4711".into())));
        assert_eq!(v1("PROXY TCP6 2001:db8::1 ::1 1 443\r\n"), Some(Some("[2001:db8::1]:1".into())));
        assert_eq!(v1("PROXY UNKNOWN anything\r\n"), Some(None));
        for wrong in [
            "PROXY TCP4 192.0.2.1 10.0.0.1 4711 80",
            "PROXY TCP4 192.0.2.1 10.0.0.1 4711\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 4711 80 x\r\n",
            "PROXY TCP4 2001:db8::1 ::1 1 443\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 65536 80\r\n",
            "PROXY TCP5 192.0.2.1 10.0.0.1 1 80\r\n",
            "proxy TCP4 192.0.2.1 10.0.0.1 1 80\r\n",
        ] {
            assert_eq!(v1(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn version_2_names_the_client_and_tells_more() {
        let mut rest = vec![192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x67, 0, 80];
        rest.extend([4, 0, 1, 0]);
        assert_eq!(parse_v2(0x21, 0x11, &rest), Some(Some("192.0.2.1:4711".parse().unwrap())));
        assert_eq!(parse_v2(0x20, 0x00, &[]), Some(None));
        assert_eq!(parse_v2(0x21, 0x11, &rest[..9]), None);
        assert_eq!(parse_v2(0x31, 0x11, &rest), None);
        assert_eq!(parse_v2(0x21, 0x31, &rest), Some(None));
    }

    #[tokio::test]
    async fn exactly_the_header_is_taken() {
        let mut version_2 = SIGNATURE.to_vec();
        version_2.extend([0x21, 0x11, 0, 12, 192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x67, 0, 80]);
        for header in [b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\n".to_vec(), version_2] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            client.write_all(&header).await.unwrap();
            client.write_all(b"GET").await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_eq!(read(&mut stream).await.unwrap(), Some("192.0.2.1:4711".parse().unwrap()));
            let mut next = [0; 3];
            stream.read_exact(&mut next).await.unwrap();
            assert_eq!(&next, b"GET");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_a_panic(line in proptest::collection::vec(any::<u8>(), 0..60), a: u8, b: u8) {
            let _ = parse_v1(&line);
            let _ = parse_v2(a, b, &line);
        }
    }
}
