//! S3's website configuration of a bucket: what it says, and which routing rule a request meets.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html>

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::location::{self, Moved};

/// The status of a redirect that names none.
const MOVED_PERMANENTLY: u16 = 301;

/// What a bucket does as a website. Reading and checking S3's XML is `s3`'s; this holds what passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Website {
    RedirectAll(RedirectAll),
    Serve(Serve),
}

/// `RedirectAllRequestsTo`: every request goes to another host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectAll {
    /// As it was given: a port or a path may follow the name.
    pub host: String,
    /// That of the request where it is `None`.
    pub protocol: Option<Protocol>,
}

/// Objects are served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serve {
    /// The suffix of `IndexDocument`: not empty, and without a slash.
    pub index: String,
    /// The key of `ErrorDocument`.
    pub error: Option<String>,
    /// In order: the first that a request meets counts.
    pub rules: Vec<RoutingRule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    Http,
    Https,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingRule {
    /// `None`: every request meets the rule, before an object is looked for.
    pub condition: Option<Condition>,
    pub redirect: Redirect,
}

/// Both must hold, where both are given; one of them is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// `KeyPrefixEquals`.
    pub prefix: Option<String>,
    /// `HttpErrorCodeReturnedEquals`: a status of the class 4xx or 5xx.
    pub status: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// That of the request where it is `None`.
    pub protocol: Option<Protocol>,
    /// That of the request where it is `None`.
    pub host: Option<String>,
    /// A status of the class 3xx; 301 where it is `None`.
    pub status: Option<u16>,
    pub replace: Replace,
}

/// What becomes of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replace {
    Nothing,
    /// `ReplaceKeyWith`: all of it.
    Key(String),
    /// `ReplaceKeyPrefixWith`: the prefix of the condition; where there is none, this is put in front.
    Prefix(String),
}

impl Protocol {
    /// The scheme in a URI and in S3's XML.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Reads S3's `Protocol`; only lower case is one.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|protocol| protocol.as_str() == text)
    }
}

impl Website {
    /// As the bucket's document of the kind `Website`: JSON, which later versions can add to.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts and numbers are always JSON").into()
    }

    /// Reads what [`Self::encode`] gave.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

impl RedirectAll {
    /// Where a request goes: 301, with its path and query, both still encoded as they came.
    pub fn target(&self, path: &str, query: &str, protocol: Protocol) -> Moved {
        let protocol = self.protocol.unwrap_or(protocol).as_str();
        let mut location = format!("{protocol}://{}{}", location::written(&self.host), location::written(path));
        location::push_query(&mut location, query);
        Moved { status: MOVED_PERMANENTLY, location }
    }
}

impl Serve {
    /// The first rule without an error condition that the key, as it was asked for, meets: applied before the object is
    /// looked for.
    pub fn rule_before(&self, key: &str) -> Option<&RoutingRule> {
        self.rules.iter().find(|rule| rule.status().is_none() && rule.has_prefix(key))
    }

    /// The first rule with this status as its error condition that the key, as it was asked for, meets.
    pub fn rule_after(&self, key: &str, status: u16) -> Option<&RoutingRule> {
        self.rules.iter().find(|rule| rule.status() == Some(status) && rule.has_prefix(key))
    }
}

impl RoutingRule {
    /// Where a request for the key goes. `host` and `protocol` are the request's own. What the rule says is sent as it
    /// was written (`#!/` stays, for pages that route by themselves); what comes from the key is escaped.
    pub fn target(&self, key: &str, host: &str, protocol: Protocol) -> Moved {
        let Redirect { protocol: other, host: other_host, status, replace } = &self.redirect;
        let protocol = other.unwrap_or(protocol).as_str();
        let host = location::written(other_host.as_deref().unwrap_or(host));
        let mut location = format!("{protocol}://{host}/");
        match replace {
            Replace::Nothing => location.push_str(&location::in_path(key)),
            Replace::Key(other) => location.push_str(&location::written(other)),
            Replace::Prefix(other) => {
                let rest = key.strip_prefix(self.prefix()).unwrap_or(key);
                location.push_str(&location::written(other));
                location.push_str(&location::in_path(rest));
            }
        }
        Moved { status: status.unwrap_or(MOVED_PERMANENTLY), location }
    }

    fn status(&self) -> Option<u16> {
        self.condition.as_ref()?.status
    }

    fn has_prefix(&self, key: &str) -> bool {
        key.starts_with(self.prefix())
    }

    /// The prefix of the condition; every key begins with nothing.
    fn prefix(&self) -> &str {
        self.condition.as_ref().and_then(|condition| condition.prefix.as_deref()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(prefix: Option<&str>, status: Option<u16>, replace: Replace) -> RoutingRule {
        let condition =
            (prefix.is_some() || status.is_some()).then(|| Condition { prefix: prefix.map(str::to_owned), status });
        RoutingRule { condition, redirect: Redirect { protocol: None, host: None, status: None, replace } }
    }

    fn key(text: &str) -> Replace {
        Replace::Key(text.to_owned())
    }

    fn prefix(text: &str) -> Replace {
        Replace::Prefix(text.to_owned())
    }

    #[test]
    fn the_first_rule_whose_conditions_all_hold_counts() {
        let serve = Serve {
            index: "index.html".to_owned(),
            error: None,
            rules: vec![
                rule(Some("docs/"), Some(404), key("0")),
                rule(Some("docs/"), None, key("1")),
                rule(None, Some(404), key("2")),
                rule(Some("docs/old"), None, key("3")),
                rule(None, None, key("4")),
            ],
        };
        let place =
            |rule: Option<&RoutingRule>| rule.and_then(|rule| serve.rules.iter().position(|known| known == rule));
        for (key, before, at_404, at_403) in [
            ("docs/a", Some(1), Some(0), None),
            ("docs/old", Some(1), Some(0), None),
            ("docs", Some(4), Some(2), None),
            ("", Some(4), Some(2), None),
        ] {
            assert_eq!(place(serve.rule_before(key)), before, "{key}");
            assert_eq!(place(serve.rule_after(key, 404)), at_404, "{key}");
            assert_eq!(place(serve.rule_after(key, 403)), at_403, "{key}");
        }
    }

    #[test]
    fn a_rule_replaces_the_key_or_its_prefix() {
        for (rule, asked, location) in [
            (rule(Some("docs/"), None, prefix("documents/")), "docs/a b", "http://h/documents/a%20b"),
            (rule(Some("images/"), None, key("gone.html")), "images/x", "http://h/gone.html"),
            (rule(None, Some(404), prefix("report-404/")), "x", "http://h/report-404/x"),
            (rule(None, Some(404), prefix("#!/")), "a/b?c", "http://h/#!/a/b%3Fc"),
            (rule(None, Some(404), prefix("resize?key=")), "a.png", "http://h/resize?key=a.png"),
            (rule(Some("docs/"), None, prefix("")), "docs/a", "http://h/a"),
            (rule(None, None, Replace::Nothing), "a", "http://h/a"),
            (rule(None, None, key("")), "a", "http://h/"),
        ] {
            let moved = rule.target(asked, "h", Protocol::Http);
            assert_eq!(moved, Moved { status: 301, location: location.to_owned() }, "{rule:?}");
        }
    }

    #[test]
    fn host_protocol_and_status_are_the_rule_s_where_it_has_them() {
        let redirect = Redirect {
            protocol: Some(Protocol::Https),
            host: Some("example.com".to_owned()),
            status: Some(307),
            replace: Replace::Nothing,
        };
        let moved = RoutingRule { condition: None, redirect }.target("a", "h:9080", Protocol::Http);
        assert_eq!(moved, Moved { status: 307, location: "https://example.com/a".to_owned() });
        let moved = rule(None, None, Replace::Nothing).target("a", "h:9080", Protocol::Https);
        assert_eq!(moved.location, "https://h:9080/a");
    }

    #[test]
    fn every_request_takes_its_path_and_query_along() {
        let all = |protocol| RedirectAll { host: "example.com".to_owned(), protocol };
        for (protocol, location) in
            [(None, "http://example.com/a%20b/?c=d"), (Some(Protocol::Https), "https://example.com/a%20b/?c=d")]
        {
            let moved = all(protocol).target("/a%20b/", "c=d", Protocol::Http);
            assert_eq!(moved, Moved { status: 301, location: location.to_owned() });
        }
        assert_eq!(all(None).target("/", "", Protocol::Https).location, "https://example.com/");
    }

    #[test]
    fn nothing_ends_the_header() {
        let mut hostile = rule(None, None, prefix("\r\nset-cookie: a\u{e9}"));
        hostile.redirect.host = Some("h\r\nx: y".to_owned());
        let moved = hostile.target("k\r\nz", "h", Protocol::Http);
        assert!(moved.location.bytes().all(|byte| byte.is_ascii_graphic()), "{moved:?}");
        let all = RedirectAll { host: "h\n".to_owned(), protocol: None };
        assert_eq!(all.target("/\r", "a\nb", Protocol::Http).location, "http://h%0A/%0D?a%0Ab");
    }

    #[test]
    fn a_configuration_comes_back_as_it_was_stored() {
        let serve = Serve {
            index: "index.html".to_owned(),
            error: Some("error.html".to_owned()),
            rules: vec![rule(Some("a"), Some(404), prefix("b")), rule(None, None, Replace::Nothing)],
        };
        let all = RedirectAll { host: "h".to_owned(), protocol: Some(Protocol::Https) };
        for website in [Website::Serve(serve), Website::RedirectAll(all)] {
            assert_eq!(Website::decode(&website.encode()).unwrap(), website);
        }
        assert!(Website::decode(b"{").is_err());
    }
}
