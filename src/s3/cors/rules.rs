//! A bucket's rules for requests from other origins, pure: XML in and out, and which rule a request meets.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html>

use serde::{Deserialize, Serialize};

use crate::s3::error::{Code, S3Error};
use crate::s3::xml::read::{Bounds, from_body};
use crate::s3::xml::scalar;
use crate::s3::xml::write::Writer;

/// The most rules of a bucket.
const MAX_RULES: usize = 100;
/// The longest name of a rule, in characters.
const MAX_ID: usize = 255;
/// What a rule may allow.
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// A bucket's rules, in order: the first that a request meets counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    rules: Vec<Rule>,
}

/// One rule. Every text is as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    id: Option<String>,
    methods: Vec<String>,
    origins: Vec<String>,
    headers: Vec<String>,
    exposed: Vec<String>,
    /// In seconds.
    max_age: Option<u32>,
}

/// What a request says about where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing<'h> {
    pub origin: &'h str,
    /// The method of the request, or the one that it announces.
    pub method: &'h str,
    /// The headers that it announces, in lower case.
    pub headers: Vec<String>,
}

impl Rules {
    /// Reads and checks the body of PutBucketCors.
    pub fn from_xml(body: &[u8]) -> Result<Self, S3Error> {
        let document: CorsConfiguration = from_body(body, "CORSConfiguration", Bounds::CONFIGURATION)?;
        let rules = Self { rules: document.rules.into_iter().map(Rule::from).collect() };
        rules.check()?;
        Ok(rules)
    }

    /// The `CORSConfiguration` document.
    pub fn to_xml(&self) -> Writer {
        let mut document = Writer::new("CORSConfiguration");
        for rule in &self.rules {
            document.nest("CORSRule", |element| rule.write(element));
        }
        document
    }

    /// As bytes to be stored: JSON, which later versions can add to.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads what [`Self::encode`] gave.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The first rule that allows the request.
    pub fn find(&self, crossing: &Crossing) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.allows(crossing))
    }

    fn check(&self) -> Result<(), S3Error> {
        if self.rules.is_empty() {
            return Err(S3Error::new(Code::MalformedXML));
        }
        if self.rules.len() > MAX_RULES {
            let message = "The number of CORS rules should not exceed allowed limit of 100 rules.";
            return Err(S3Error::with_message(Code::InvalidRequest, message));
        }
        self.rules.iter().try_for_each(Rule::check)
    }
}

impl Rule {
    fn allows(&self, crossing: &Crossing) -> bool {
        self.methods.iter().any(|method| method == crossing.method)
            && self.origins.iter().any(|pattern| is_like(pattern, crossing.origin))
            && crossing.headers.iter().all(|name| self.allows_header(name))
    }

    /// `name` is in lower case.
    fn allows_header(&self, name: &str) -> bool {
        self.headers.iter().any(|pattern| is_like(&pattern.to_ascii_lowercase(), name))
    }

    /// The headers of the answer to a request that meets this rule, by name and value.
    pub fn answer(&self, crossing: &Crossing) -> Vec<(&'static str, String)> {
        let everyone = self.origins.iter().any(|pattern| pattern == "*");
        let mut headers = Vec::with_capacity(6);
        headers.push(("access-control-allow-origin", if everyone { "*" } else { crossing.origin }.to_owned()));
        if !everyone {
            headers.push(("access-control-allow-credentials", "true".to_owned()));
        }
        headers.push(("access-control-allow-methods", self.methods.join(", ")));
        if !crossing.headers.is_empty() {
            headers.push(("access-control-allow-headers", crossing.headers.join(", ")));
        }
        if !self.exposed.is_empty() {
            headers.push(("access-control-expose-headers", self.exposed.join(", ")));
        }
        if let Some(seconds) = self.max_age {
            headers.push(("access-control-max-age", seconds.to_string()));
        }
        headers
    }

    fn check(&self) -> Result<(), S3Error> {
        let invalid = |message: String| Err(S3Error::with_message(Code::InvalidRequest, message));
        if self.methods.is_empty() || self.origins.is_empty() {
            return Err(S3Error::new(Code::MalformedXML));
        }
        if let Some(method) = self.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            return invalid(format!("Found unsupported HTTP method in CORS config. Unsupported method is {method}"));
        }
        for (element, patterns) in [("AllowedOrigin", &self.origins), ("AllowedHeader", &self.headers)] {
            if let Some(pattern) = patterns.iter().find(|pattern| pattern.matches('*').count() > 1) {
                return invalid(format!("{element} \"{pattern}\" can not have more than one wildcard."));
            }
        }
        if let Some(name) = self.exposed.iter().find(|name| name.contains('*')) {
            return invalid(format!(
                "ExposeHeader \"{name}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
            ));
        }
        if let Some(name) = self.exposed.iter().find(|name| !is_field_name(name)) {
            return invalid(format!("ExposeHeader \"{name}\" is not the name of a header."));
        }
        if self.id.as_ref().is_some_and(|id| id.chars().count() > MAX_ID) {
            return invalid(format!("The ID of a CORS rule must not be longer than {MAX_ID} characters."));
        }
        Ok(())
    }

    fn write(&self, element: &mut Writer) {
        element.optional("ID", self.id.as_deref());
        let lists = [
            ("AllowedMethod", &self.methods),
            ("AllowedOrigin", &self.origins),
            ("AllowedHeader", &self.headers),
            ("ExposeHeader", &self.exposed),
        ];
        for (name, texts) in lists {
            for text in texts {
                element.text(name, text);
            }
        }
        if let Some(seconds) = self.max_age {
            element.number("MaxAgeSeconds", u64::from(seconds));
        }
    }
}

/// Whether `text` is `pattern`, in which a `*` stands for any characters, or none.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
    }
}

/// RFC 9110 section 5.6.2: what could end the header that it is sent in is not a name.
fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&byte))
}

/// The document as it comes: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>
#[derive(Deserialize)]
struct CorsConfiguration {
    #[serde(rename = "CORSRule", default)]
    rules: Vec<CorsRule>,
}

#[derive(Deserialize)]
struct CorsRule {
    #[serde(rename = "ID", default, deserialize_with = "scalar::optional_text")]
    id: Option<String>,
    #[serde(rename = "AllowedMethod", default)]
    methods: Vec<String>,
    #[serde(rename = "AllowedOrigin", default)]
    origins: Vec<String>,
    #[serde(rename = "AllowedHeader", default)]
    headers: Vec<String>,
    #[serde(rename = "ExposeHeader", default)]
    exposed: Vec<String>,
    #[serde(rename = "MaxAgeSeconds", default, deserialize_with = "scalar::optional_number")]
    max_age: Option<u32>,
}

impl From<CorsRule> for Rule {
    fn from(rule: CorsRule) -> Self {
        let CorsRule { id, methods, origins, headers, exposed, max_age } = rule;
        Self { id, methods, origins, headers, exposed, max_age }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(rules: &str) -> Result<Rules, S3Error> {
        Rules::from_xml(format!("<CORSConfiguration>{rules}</CORSConfiguration>").as_bytes())
    }

    fn rule(inner: &str) -> String {
        format!("<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>http://a</AllowedOrigin>{inner}</CORSRule>")
    }

    fn crossing<'h>(origin: &'h str, method: &'h str, headers: &[&str]) -> Crossing<'h> {
        Crossing { origin, method, headers: headers.iter().map(|name| (*name).to_owned()).collect() }
    }

    const THREE: &str = "<CORSRule><ID>first</ID><AllowedMethod>PUT</AllowedMethod><AllowedMethod>POST</AllowedMethod>\
        <AllowedOrigin>http://www.example.com</AllowedOrigin><AllowedHeader>x-amz-*</AllowedHeader>\
        <AllowedHeader>Content-Type</AllowedHeader><ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-request-id\
        </ExposeHeader><MaxAgeSeconds> 3000 </MaxAgeSeconds></CORSRule>\
        <CORSRule><AllowedOrigin>https://*.example.org:8443</AllowedOrigin><AllowedMethod>DELETE</AllowedMethod>\
        <AllowedHeader>*</AllowedHeader></CORSRule>\
        <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><MaxAgeSeconds/></CORSRule>";

    #[test]
    fn the_first_rule_that_allows_everything_counts() {
        let rules = read(THREE).unwrap();
        let found = |origin, method, headers: &[&str]| {
            let rule = rules.find(&crossing(origin, method, headers))?;
            rules.rules.iter().position(|known| known == rule)
        };
        for (origin, method, headers, expected) in [
            ("http://www.example.com", "PUT", &[][..], Some(0)),
            ("http://www.example.com", "POST", &["content-type", "x-amz-meta-a"], Some(0)),
            ("http://www.example.com", "PUT", &["content-type", "range"], None),
            ("http://www.example.com", "GET", &[], Some(2)),
            ("http://www.example.com", "GET", &["range"], None),
            ("http://WWW.example.com", "PUT", &[], None),
            ("http://www.example.com.evil.org", "PUT", &[], None),
            ("https://a.b.example.org:8443", "DELETE", &["anything"], Some(1)),
            ("https://.example.org:8443", "DELETE", &[], Some(1)),
            ("https://example.org:8443", "DELETE", &[], None),
            ("https://a.example.org:84430", "DELETE", &[], None),
            ("null", "GET", &[], Some(2)),
            ("null", "HEAD", &[], None),
            ("null", "get", &[], None),
        ] {
            assert_eq!(found(origin, method, headers), expected, "{method} from {origin} with {headers:?}");
        }
    }

    #[test]
    fn answers_say_what_the_rule_allows() {
        let rules = read(THREE).unwrap();
        let answer = |crossing: &Crossing| rules.find(crossing).unwrap().answer(crossing);
        let header = |name, value: &str| (name, value.to_owned());
        assert_eq!(
            answer(&crossing("http://www.example.com", "PUT", &["content-type", "x-amz-date"])),
            [
                header("access-control-allow-origin", "http://www.example.com"),
                header("access-control-allow-credentials", "true"),
                header("access-control-allow-methods", "PUT, POST"),
                header("access-control-allow-headers", "content-type, x-amz-date"),
                header("access-control-expose-headers", "ETag, x-amz-request-id"),
                header("access-control-max-age", "3000"),
            ]
        );
        assert_eq!(
            answer(&crossing("null", "GET", &[])),
            [header("access-control-allow-origin", "*"), header("access-control-allow-methods", "GET"),]
        );
    }

    #[test]
    fn what_s3_would_not_take_is_refused_in_its_words() {
        let refused = |rules: &str| {
            let error = read(rules).unwrap_err();
            (error.code, error.message.into_owned())
        };
        let malformed = |rules: &str| assert_eq!(refused(rules).0, Code::MalformedXML, "{rules}");
        malformed("");
        malformed("<CORSRule/>");
        malformed("<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>");
        malformed("<CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>");
        malformed(&rule("<MaxAgeSeconds>soon</MaxAgeSeconds>"));
        malformed(&rule("<MaxAgeSeconds>-1</MaxAgeSeconds>"));
        malformed(&rule("<ID>a</ID><ID>b</ID>"));
        assert_eq!(Rules::from_xml(b"<Other/>").unwrap_err().code, Code::MalformedXML);
        for (inner, message) in [
            (
                "<AllowedMethod>PATCH</AllowedMethod>",
                "Found unsupported HTTP method in CORS config. Unsupported method is PATCH",
            ),
            (
                "<AllowedMethod>get</AllowedMethod>",
                "Found unsupported HTTP method in CORS config. Unsupported method is get",
            ),
            (
                "<AllowedOrigin>http://*.*</AllowedOrigin>",
                "AllowedOrigin \"http://*.*\" can not have more than one wildcard.",
            ),
            ("<AllowedHeader>**</AllowedHeader>", "AllowedHeader \"**\" can not have more than one wildcard."),
            (
                "<ExposeHeader>*</ExposeHeader>",
                "ExposeHeader \"*\" contains wildcard. We currently do not support wildcard for ExposeHeader.",
            ),
            ("<ExposeHeader>a&#13;&#10;b</ExposeHeader>", "ExposeHeader \"a\r\nb\" is not the name of a header."),
        ] {
            assert_eq!(refused(&rule(inner)), (Code::InvalidRequest, message.to_owned()));
        }
    }

    #[test]
    fn a_bucket_has_up_to_100_rules_of_bounded_size() {
        assert!(read(&rule("").repeat(100)).is_ok());
        assert_eq!(read(&rule("").repeat(101)).unwrap_err().code, Code::InvalidRequest);
        assert!(read(&rule(&format!("<ID>{}</ID>", "é".repeat(255)))).is_ok());
        assert_eq!(read(&rule(&format!("<ID>{}</ID>", "é".repeat(256)))).unwrap_err().code, Code::InvalidRequest);
        let large = rule(&format!("<AllowedHeader>{}</AllowedHeader>", "x".repeat(64 * 1024)));
        assert_eq!(read(&large).unwrap_err().code, Code::MaxMessageLengthExceeded);
    }

    #[test]
    fn rules_come_back_as_they_were_stored_and_shown() {
        let rules = read(THREE).unwrap();
        assert_eq!(Rules::decode(&rules.encode().unwrap()).unwrap(), rules);
        assert_eq!(Rules::from_xml(&rules.to_xml().finish()).unwrap(), rules);
        assert!(Rules::decode(b"{").is_err());
    }

    proptest! {
        /// A pattern means what the regular expression with `.*` for its `*` means: tried at every split.
        #[test]
        fn a_wildcard_stands_for_any_characters(pattern in "[ab]{0,3}[*]?[ab]{0,3}", text in "[ab]{0,8}") {
            let expected = match pattern.split_once('*') {
                None => pattern == text,
                Some((start, end)) => (0..=text.len()).any(|from| (from..=text.len()).any(|to| {
                    &text[..from] == start && &text[to..] == end
                })),
            };
            prop_assert_eq!(is_like(&pattern, &text), expected);
        }
    }
}
