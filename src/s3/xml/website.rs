//! A bucket's website configuration in S3's XML: read and checked as S3 checks it, and written.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html>. The codes and messages are those that S3 was
//! seen to answer.

use serde::Deserialize;

use super::read::{Bounds, MalformedXml, from_body};
use super::write::Writer;
use crate::s3::error::{Code, S3Error};
use crate::site::configuration::{Condition, Protocol, Redirect, RedirectAll, Replace, RoutingRule, Serve, Website};

/// The most routing rules.
const MAX_RULES: usize = 50;
/// What `HttpRedirectCode` may be: every redirect that HTTP has but 300.
const REDIRECTS: [u16; 7] = [301, 302, 303, 304, 305, 307, 308];

/// Reads and checks the body of PutBucketWebsite.
pub fn read(body: &[u8]) -> Result<Website, S3Error> {
    let document: WebsiteConfiguration = from_body(body, "WebsiteConfiguration", Bounds::CONFIGURATION)?;
    match document.redirect_all {
        None => document.serve().map(Website::Serve),
        Some(_) if document.index.is_some() || document.error.is_some() || document.rules.is_some() => {
            let message = "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.";
            Err(S3Error::invalid_argument(message, "RedirectAllRequestsTo", "not null"))
        }
        Some(all) if all.host.is_empty() => {
            Err(invalid("A host name must be provided to redirect all requests (e.g. \"example.com\")."))
        }
        Some(all) => Ok(Website::RedirectAll(RedirectAll { protocol: protocol(all.protocol)?, host: all.host })),
    }
}

/// The `WebsiteConfiguration` document.
pub fn write(website: &Website) -> Writer {
    let mut document = Writer::new("WebsiteConfiguration");
    match website {
        Website::RedirectAll(all) => {
            document.nest("RedirectAllRequestsTo", |element| {
                element.text("HostName", &all.host).optional("Protocol", all.protocol.map(Protocol::as_str));
            });
        }
        Website::Serve(serve) => write_serve(&mut document, serve),
    }
    document
}

fn write_serve(document: &mut Writer, serve: &Serve) {
    document.nest("IndexDocument", |element| _ = element.text("Suffix", &serve.index));
    if let Some(key) = &serve.error {
        document.nest("ErrorDocument", |element| _ = element.text("Key", key));
    }
    if !serve.rules.is_empty() {
        document.nest("RoutingRules", |element| {
            for rule in &serve.rules {
                element.nest("RoutingRule", |element| write_rule(element, rule));
            }
        });
    }
}

fn write_rule(element: &mut Writer, rule: &RoutingRule) {
    if let Some(condition) = &rule.condition {
        element.nest("Condition", |element| {
            element.optional("KeyPrefixEquals", condition.prefix.as_deref());
            write_status(element, "HttpErrorCodeReturnedEquals", condition.status);
        });
    }
    element.nest("Redirect", |element| {
        let Redirect { protocol, host, status, replace } = &rule.redirect;
        element.optional("Protocol", protocol.map(Protocol::as_str)).optional("HostName", host.as_deref());
        match replace {
            Replace::Nothing => {}
            Replace::Key(key) => _ = element.text("ReplaceKeyWith", key),
            Replace::Prefix(prefix) => _ = element.text("ReplaceKeyPrefixWith", prefix),
        }
        write_status(element, "HttpRedirectCode", *status);
    });
}

fn write_status(element: &mut Writer, name: &'static str, status: Option<u16>) {
    if let Some(status) = status {
        element.number(name, u64::from(status));
    }
}

/// The document as it comes.
#[derive(Deserialize)]
struct WebsiteConfiguration {
    #[serde(rename = "IndexDocument")]
    index: Option<IndexDocument>,
    #[serde(rename = "ErrorDocument")]
    error: Option<ErrorDocument>,
    #[serde(rename = "RedirectAllRequestsTo")]
    redirect_all: Option<RedirectAllRequestsTo>,
    #[serde(rename = "RoutingRules")]
    rules: Option<RoutingRules>,
}

#[derive(Deserialize)]
struct IndexDocument {
    #[serde(rename = "Suffix")]
    suffix: String,
}

#[derive(Deserialize)]
struct ErrorDocument {
    #[serde(rename = "Key")]
    key: String,
}

#[derive(Deserialize)]
struct RedirectAllRequestsTo {
    #[serde(rename = "HostName")]
    host: String,
    #[serde(rename = "Protocol")]
    protocol: Option<String>,
}

#[derive(Deserialize)]
struct RoutingRules {
    #[serde(rename = "RoutingRule", default)]
    rules: Vec<GivenRule>,
}

#[derive(Deserialize)]
struct GivenRule {
    #[serde(rename = "Condition")]
    condition: Option<GivenCondition>,
    #[serde(rename = "Redirect")]
    redirect: GivenRedirect,
}

#[derive(Deserialize)]
struct GivenCondition {
    #[serde(rename = "KeyPrefixEquals")]
    prefix: Option<String>,
    #[serde(rename = "HttpErrorCodeReturnedEquals")]
    status: Option<String>,
}

#[derive(Deserialize)]
struct GivenRedirect {
    #[serde(rename = "Protocol")]
    protocol: Option<String>,
    #[serde(rename = "HostName")]
    host: Option<String>,
    #[serde(rename = "ReplaceKeyWith")]
    key: Option<String>,
    #[serde(rename = "ReplaceKeyPrefixWith")]
    prefix: Option<String>,
    #[serde(rename = "HttpRedirectCode")]
    status: Option<String>,
}

impl WebsiteConfiguration {
    fn serve(self) -> Result<Serve, S3Error> {
        let argument = |message: &'static str, name: &'static str, value: &str| {
            Err(S3Error::invalid_argument(message, name, value))
        };
        let Some(IndexDocument { suffix: index }) = self.index else {
            let message = "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty";
            return argument(message, "IndexDocument", "null");
        };
        if index.is_empty() || index.contains('/') {
            return argument("The IndexDocument Suffix is not well formed", "IndexDocument", &index);
        }
        let error = self.error.map(|document| document.key);
        if error.as_ref().is_some_and(String::is_empty) {
            return argument("The ErrorDocument Key is not well formed", "ErrorDocument", "");
        }
        let rules = self.rules.map(|list| list.rules);
        // S3's schema wants at least one rule where there is a list of them.
        if rules.as_ref().is_some_and(Vec::is_empty) {
            return Err(MalformedXml::Count(MAX_RULES).into());
        }
        let rules = rules.unwrap_or_default();
        if rules.len() > MAX_RULES {
            return Err(invalid(format!(
                "{} routing rules provided, the number of routing rules in a website configuration is limited to {MAX_RULES}.",
                rules.len()
            )));
        }
        Ok(Serve { index, error, rules: rules.into_iter().map(GivenRule::check).collect::<Result<_, _>>()? })
    }
}

impl GivenRule {
    fn check(self) -> Result<RoutingRule, S3Error> {
        let condition = self.condition.map(GivenCondition::check).transpose()?;
        Ok(RoutingRule { condition, redirect: self.redirect.check()? })
    }
}

impl GivenCondition {
    fn check(self) -> Result<Condition, S3Error> {
        if self.prefix.is_none() && self.status.is_none() {
            return Err(invalid(
                "Condition cannot be empty. To redirect all requests without a condition, the condition element \
                 shouldn't be present.",
            ));
        }
        let status = self.status.as_deref().map(number).transpose()?;
        // S3 takes the statuses of HTTP/1.1 as it first was (RFC 2616).
        if let Some(status) = status.filter(|status| !matches!(status, 400..=417 | 500..=505)) {
            return Err(invalid(format!(
                "The provided HTTP error code ({status}) is not valid. Valid codes are 4XX or 5XX."
            )));
        }
        Ok(Condition { prefix: self.prefix, status })
    }
}

impl GivenRedirect {
    /// S3 takes a redirect that says nothing, too.
    fn check(self) -> Result<Redirect, S3Error> {
        let status = self.status.as_deref().map(number).transpose()?;
        if let Some(status) = status.filter(|status| !REDIRECTS.contains(status)) {
            return Err(invalid(format!(
                "The provided HTTP redirect code ({status}) is not valid. Valid codes are 3XX except 300."
            )));
        }
        if self.host.as_ref().is_some_and(String::is_empty) {
            return Err(invalid(
                "The HostName cannot be blank. To redirect within the same domain, the element should not be present.",
            ));
        }
        let replace = match (self.key, self.prefix) {
            (None, None) => Replace::Nothing,
            (Some(key), None) => Replace::Key(key),
            (None, Some(prefix)) => Replace::Prefix(prefix),
            (Some(_), Some(_)) => {
                return Err(invalid("You can only define ReplaceKeyPrefix or ReplaceKey but not both."));
            }
        };
        Ok(Redirect { protocol: protocol(self.protocol)?, host: self.host, status, replace })
    }
}

fn protocol(given: Option<String>) -> Result<Option<Protocol>, S3Error> {
    let parse = |given: String| {
        Protocol::parse(&given).ok_or_else(|| {
            invalid(
                "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected \
                 automatically.",
            )
        })
    };
    given.map(parse).transpose()
}

fn number(text: &str) -> Result<u16, S3Error> {
    text.trim().parse().map_err(|error| S3Error::new(Code::MalformedXML).caused_by(error))
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    S3Error::with_message(Code::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>";

    fn document(inner: &str) -> Result<Website, S3Error> {
        read(format!("<WebsiteConfiguration>{inner}</WebsiteConfiguration>").as_bytes())
    }

    fn rule(inner: &str) -> String {
        format!("{INDEX}<RoutingRules><RoutingRule>{inner}</RoutingRule></RoutingRules>")
    }

    fn redirect(inner: &str) -> String {
        rule(&format!("<Redirect>{inner}</Redirect>"))
    }

    /// Everything that a document can say.
    const WHOLE: &str = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>\
        <ErrorDocument><Key>errors/ 404.html</Key></ErrorDocument><RoutingRules>\
        <RoutingRule><Condition><KeyPrefixEquals>docs/</KeyPrefixEquals></Condition>\
        <Redirect><ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith></Redirect></RoutingRule>\
        <RoutingRule><Condition><KeyPrefixEquals></KeyPrefixEquals>\
        <HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition><Redirect><Protocol>https</Protocol>\
        <HostName>example.com</HostName><ReplaceKeyWith>a&amp;b</ReplaceKeyWith>\
        <HttpRedirectCode>307</HttpRedirectCode></Redirect></RoutingRule>\
        <RoutingRule><Redirect></Redirect></RoutingRule></RoutingRules>";

    #[test]
    fn documents_come_back_as_they_were_given() {
        let all = "<RedirectAllRequestsTo><HostName>example.com/a</HostName><Protocol>https</Protocol>\
                   </RedirectAllRequestsTo>";
        let short = "<RedirectAllRequestsTo><HostName>example.com</HostName></RedirectAllRequestsTo>";
        for inner in [WHOLE, INDEX, all, short] {
            let website = document(inner).unwrap();
            let written = String::from_utf8(write(&website).finish()).unwrap();
            let body = written.split_once("2006-03-01/\">").unwrap().1;
            assert_eq!(body, format!("{inner}</WebsiteConfiguration>"));
            assert_eq!(read(written.as_bytes()).unwrap(), website);
        }
    }

    #[test]
    fn what_s3_would_not_take_is_refused_in_its_words() {
        let conjunction = "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.";
        let all = "<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>";
        let status = |code| redirect(&format!("<HttpRedirectCode>{code}</HttpRedirectCode>"));
        let error = |code| {
            let condition = format!("<HttpErrorCodeReturnedEquals>{code}</HttpErrorCodeReturnedEquals>");
            rule(&format!("<Condition>{condition}</Condition><Redirect/>"))
        };
        let protocol = "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected \
                        automatically.";
        for (inner, code, message) in [
            (
                String::new(),
                Code::InvalidArgument,
                "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            ),
            (format!("{all}{INDEX}"), Code::InvalidArgument, conjunction),
            (format!("{all}<RoutingRules/>"), Code::InvalidArgument, conjunction),
            (format!("{all}<ErrorDocument><Key>k</Key></ErrorDocument>"), Code::InvalidArgument, conjunction),
            (INDEX.replace("index.html", ""), Code::InvalidArgument, "The IndexDocument Suffix is not well formed"),
            (INDEX.replace("index.html", "a/b"), Code::InvalidArgument, "The IndexDocument Suffix is not well formed"),
            (
                format!("{INDEX}<ErrorDocument><Key/></ErrorDocument>"),
                Code::InvalidArgument,
                "The ErrorDocument Key is not well formed",
            ),
            ("<RedirectAllRequestsTo/>".to_owned(), Code::MalformedXML, Code::MalformedXML.message()),
            (
                all.replace(">h<", "><"),
                Code::InvalidRequest,
                "A host name must be provided to redirect all requests (e.g. \"example.com\").",
            ),
            (
                "<RedirectAllRequestsTo><HostName>h</HostName><Protocol>ftp</Protocol></RedirectAllRequestsTo>"
                    .to_owned(),
                Code::InvalidRequest,
                protocol,
            ),
            (redirect("<Protocol>HTTP</Protocol>"), Code::InvalidRequest, protocol),
            (
                redirect("<HostName/>"),
                Code::InvalidRequest,
                "The HostName cannot be blank. To redirect within the same domain, the element should not be present.",
            ),
            (
                redirect("<ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith/>"),
                Code::InvalidRequest,
                "You can only define ReplaceKeyPrefix or ReplaceKey but not both.",
            ),
            (
                status("314"),
                Code::InvalidRequest,
                "The provided HTTP redirect code (314) is not valid. Valid codes are 3XX except 300.",
            ),
            (
                status("300"),
                Code::InvalidRequest,
                "The provided HTTP redirect code (300) is not valid. Valid codes are 3XX except 300.",
            ),
            (
                status("200"),
                Code::InvalidRequest,
                "The provided HTTP redirect code (200) is not valid. Valid codes are 3XX except 300.",
            ),
            (status("soon"), Code::MalformedXML, Code::MalformedXML.message()),
            (
                error("302"),
                Code::InvalidRequest,
                "The provided HTTP error code (302) is not valid. Valid codes are 4XX or 5XX.",
            ),
            (
                error("418"),
                Code::InvalidRequest,
                "The provided HTTP error code (418) is not valid. Valid codes are 4XX or 5XX.",
            ),
            (error(""), Code::MalformedXML, Code::MalformedXML.message()),
            (
                rule("<Condition/><Redirect/>"),
                Code::InvalidRequest,
                "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.",
            ),
            (rule(""), Code::MalformedXML, Code::MalformedXML.message()),
            (format!("{INDEX}<RoutingRules/>"), Code::MalformedXML, Code::MalformedXML.message()),
            (format!("{INDEX}{INDEX}"), Code::MalformedXML, Code::MalformedXML.message()),
            ("<IndexDocument/>".to_owned(), Code::MalformedXML, Code::MalformedXML.message()),
            (format!("{INDEX}<ErrorDocument/>"), Code::MalformedXML, Code::MalformedXML.message()),
        ] {
            let refused = document(&inner).expect_err(&inner);
            assert_eq!((refused.code, &*refused.message), (code, message), "{inner}");
        }
        assert_eq!(read(b"<Other/>").unwrap_err().code, Code::MalformedXML);
    }

    #[test]
    fn a_configuration_has_up_to_50_rules() {
        let rules = |count| {
            format!("{INDEX}<RoutingRules>{}</RoutingRules>", "<RoutingRule><Redirect/></RoutingRule>".repeat(count))
        };
        assert!(document(&rules(50)).is_ok());
        let refused = document(&rules(51)).unwrap_err();
        let message =
            "51 routing rules provided, the number of routing rules in a website configuration is limited to 50.";
        assert_eq!((refused.code, &*refused.message), (Code::InvalidRequest, message));
    }
}
