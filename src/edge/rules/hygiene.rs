//! What of a request goes on to an origin, and what of a response to a client (RFC 9110 section 7.6, RFC 8586).

use std::fmt::Write;
use std::net::IpAddr;

use http::Version;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, UPGRADE, VIA,
};

use super::update::{self, BRIM_DEPENDS};
use super::{list, target};

/// The field by which a chain of caches knows itself (RFC 8586).
pub const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Fields by which a client could pretend to be a proxy, or change what the origin takes the request for without
/// changing its key. The edge sets some of them itself. Those that begin with `x-forwarded-` and with `brim-` are among
/// them.
const PRETENDED: [HeaderName; 9] = [
    FORWARDED,
    HeaderName::from_static("x-original-host"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-host"),
    HeaderName::from_static("x-real-ip"),
];

/// Who passes a request on, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Hop<'r> {
    /// The client's address, as far as trusted proxies told it.
    pub client: IpAddr,
    pub secure: bool,
    /// The host that the client asked for.
    pub host: &'r str,
    /// The version that the client speaks.
    pub version: Version,
    /// The name of this edge among all that a request may come through: a token.
    pub id: &'r str,
    /// Keep `Upgrade`: the connection is to become a tunnel.
    pub upgrade: bool,
}

/// Gives the fields that go on to an origin: all of the client's but those of its connection and those that only a
/// proxy sets, and what the edge tells of itself. `Host` and what speaks of the body's length are for whoever sends the
/// request.
pub fn to_origin(headers: &HeaderMap, hop: &Hop<'_>) -> HeaderMap {
    let mut forwarded = headers.clone();
    let upgrade = headers.get(UPGRADE).filter(|_| hop.upgrade);
    update::remove_hop_by_hop(&mut forwarded);
    for name in [HOST, EXPECT, CONTENT_LENGTH] {
        forwarded.remove(name);
    }
    for name in headers.keys().filter(|name| is_pretended(name)) {
        forwarded.remove(name);
    }
    join_cookies(&mut forwarded);
    if let Some(upgrade) = upgrade {
        forwarded.insert(UPGRADE, upgrade.clone());
        forwarded.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    introduce(&mut forwarded, hop);
    forwarded
}

/// Whether a field is one that only the edge may set. Underscores count as hyphens, for gateways make them the same.
fn is_pretended(name: &HeaderName) -> bool {
    let hyphenated;
    let text = if name.as_str().contains('_') {
        hyphenated = name.as_str().replace('_', "-");
        &hyphenated
    } else {
        name.as_str()
    };
    text.starts_with("x-forwarded-") || text.starts_with("brim-") || PRETENDED.iter().any(|known| known == text)
}

/// Makes one field of several `Cookie`, which HTTP/2 may split (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() < 2 {
        return;
    }
    let joined =
        HeaderValue::from_bytes(&cookies.join(b"; ".as_slice())).expect("values of headers make one when joined");
    headers.insert(COOKIE, joined);
}

fn introduce(headers: &mut HeaderMap, hop: &Hop<'_>) {
    let client = HeaderValue::try_from(hop.client.to_canonical().to_string());
    headers.insert(X_FORWARDED_FOR, client.expect("an address is visible ASCII"));
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(if hop.secure { "https" } else { "http" }));
    if let Ok(host) = HeaderValue::try_from(hop.host) {
        headers.insert(X_FORWARDED_HOST, host);
    }
    add_via(headers, hop.version, hop.id);
    if let Ok(id) = HeaderValue::try_from(hop.id) {
        headers.append(CDN_LOOP, id);
    }
}

/// Adds this edge to `Via`, with the version in which the message came to it (RFC 9110 section 7.6.3).
pub fn add_via(headers: &mut HeaderMap, version: Version, id: &str) {
    let number = match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    };
    let mut via = String::with_capacity(number.len() + 1 + id.len());
    // Writing to a string cannot fail.
    let _ = write!(via, "{number} {id}");
    if let Ok(via) = HeaderValue::try_from(via) {
        headers.append(VIA, via);
    }
}

/// Whether a request has come through this edge before: it is to be answered 508 (RFC 8586 section 2).
pub fn loops(headers: &HeaderMap, id: &str) -> bool {
    list::field(headers, &CDN_LOOP).any(|member| {
        let name = member.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
        name.eq_ignore_ascii_case(id.as_bytes())
    })
}

/// Takes out of a response what does not go on to a client: the fields of the origin's connection, and what a server
/// tells its edges alone.
pub fn to_client(headers: &mut HeaderMap, fed: bool) {
    update::remove_hop_by_hop(headers);
    if fed {
        headers.remove(BRIM_DEPENDS);
        headers.remove(target::CDN_CACHE_CONTROL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::rules::testing::headers;

    const HOP: Hop<'_> = Hop {
        client: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)),
        secure: true,
        host: "example.com",
        version: Version::HTTP_2,
        id: "edge-1",
        upgrade: false,
    };

    /// What every request says of the edge.
    const INTRODUCTION: [(&str, &str); 5] = [
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "example.com"),
        ("via", "2 edge-1"),
        ("cdn-loop", "edge-1"),
    ];

    #[test]
    fn unknown_fields_pass_and_those_of_a_connection_do_not() {
        let sent = headers(&[
            ("host", "h"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("expect", "100-continue"),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("x-unknown", "a"),
            ("x-unknown", "b"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("authorization", "x"),
        ]);
        let kept = [("x-unknown", "a"), ("x-unknown", "b"), ("cookie", "a=1; b=2"), ("authorization", "x")];
        assert_eq!(to_origin(&sent, &HOP), headers(&[kept.as_slice(), &INTRODUCTION].concat()));
    }

    #[test]
    fn nobody_can_pretend_to_be_the_edge() {
        let pretended = [
            "x-forwarded-for",
            "X-Forwarded-Proto",
            "x-forwarded-host",
            "x-forwarded-port",
            "x-forwarded-prefix",
            "X_Forwarded_For",
            "x-forwarded_host",
            "forwarded",
            "x-original-url",
            "x_original_url",
            "x-rewrite-url",
            "x-http-method-override",
            "x-http-method",
            "brim-host",
            "brim_proto",
        ];
        let fields: Vec<_> = pretended.iter().map(|name| (*name, "evil")).collect();
        assert_eq!(to_origin(&headers(&fields), &HOP), headers(&INTRODUCTION));
    }

    #[test]
    fn a_tunnel_keeps_what_it_is_to_become() {
        let sent =
            headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", "x")]);
        let forwarded = to_origin(&sent, &Hop { upgrade: true, ..HOP });
        assert_eq!(
            (&forwarded["connection"], &forwarded["upgrade"]),
            (&"upgrade".parse().unwrap(), &"websocket".parse().unwrap())
        );
        assert_eq!(forwarded["sec-websocket-key"], "x");
        assert!(!to_origin(&sent, &HOP).contains_key("connection"));
    }

    #[test]
    fn the_chain_of_caches_grows_and_loops_are_seen() {
        let sent = headers(&[("via", "1.1 first"), ("cdn-loop", "first; a=\"b, edge-2\", other")]);
        let forwarded = to_origin(&sent, &Hop { version: Version::HTTP_11, ..HOP });
        assert_eq!(forwarded.get_all("via").iter().collect::<Vec<_>>(), ["1.1 first", "1.1 edge-1"]);
        for (id, expected) in
            [("edge-1", true), ("EDGE-1", true), ("first", true), ("other", true), ("edge-2", false), ("edge", false)]
        {
            assert_eq!(loops(&forwarded, id), expected, "{id}");
        }
        assert!(!loops(&sent, "edge-1") && !loops(&HeaderMap::new(), "edge-1"));
    }

    #[test]
    fn clients_do_not_learn_what_a_server_tells_its_edges() {
        let mut response =
            headers(&[("connection", "a"), ("a", "1"), ("brim-depends", "x"), ("cdn-cache-control", "y")]);
        let mut of_another = response.clone();
        to_client(&mut response, true);
        assert_eq!(response, HeaderMap::new());
        to_client(&mut of_another, false);
        assert_eq!(of_another, headers(&[("brim-depends", "x"), ("cdn-cache-control", "y")]));
    }
}
