//! Where the service is.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;

use super::Error;

/// The address of a service: `http://` or `https://`, a host, perhaps a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    secure: bool,
    authority: String,
}

impl Endpoint {
    /// What stands in the `Host` header.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host alone.
    pub fn host(&self) -> &str {
        let host = self.authority.rsplit_once(':').map_or(self.authority.as_str(), |(host, port)| {
            // The colon may be one of an IPv6 address.
            if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { &self.authority }
        });
        host.trim_start_matches('[').trim_end_matches(']')
    }

    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether it is on this very machine.
    pub fn is_local(&self) -> bool {
        let host = self.host();
        host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // What is before an @ may be a password.
        let shown = if text.contains('@') { String::new() } else { format!(" {text:?}") };
        let wrong = |why: &str| Error::Settings(format!("the endpoint{shown} {why}"));
        let uri: Uri = text.parse().map_err(|_| wrong("is no URL"))?;
        let secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(wrong("begins neither with http:// nor with https://")),
        };
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        if authority.contains('@') {
            return Err(wrong("has a user name, where only a host and a port belong"));
        }
        if uri.path_and_query().is_some_and(|rest| rest.as_str() != "/") {
            return Err(wrong("has a path, where only a host and a port belong"));
        }
        Ok(Self { secure, authority })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_a_scheme_a_host_and_a_port() {
        for (text, shown, host, local) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000", "127.0.0.1", true),
            ("https://s3.example.com/", "https://s3.example.com", "s3.example.com", false),
            ("http://localhost", "http://localhost", "localhost", true),
            ("http://[::1]:9000/", "http://[::1]:9000", "::1", true),
            ("http://[::1]", "http://[::1]", "::1", true),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!((endpoint.to_string().as_str(), endpoint.host(), endpoint.is_local()), (shown, host, local));
        }
        for wrong in [
            "",
            "s3.example.com",
            "s3.example.com:9000",
            "ftp://a",
            "http://",
            "http://a/b",
            "http://a/?b",
            "http://u:p@a",
            "http://a b",
        ] {
            assert!(wrong.parse::<Endpoint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_in_an_endpoint_is_not_shown() {
        for wrong in ["http://user:hush@host", "http://user:hush @host", "user:hush@host", "ftp://user:hush@host"] {
            let message = wrong.parse::<Endpoint>().unwrap_err().to_string();
            assert!(message.starts_with("the endpoint ") && !message.contains("hush"), "{message}");
        }
        assert!("ftp://host".parse::<Endpoint>().unwrap_err().to_string().contains("\"ftp://host\""));
    }
}
