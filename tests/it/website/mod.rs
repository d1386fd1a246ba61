//! Websites over real HTTP: S3's endpoint row by row, what comes with options and deploys, and what hostile visitors send.

mod access;
mod deploys;
mod endpoint;
mod errors;
mod hostile;
mod hosts;
mod modern;
mod order;
mod redirects;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;

use crate::harness::Server;
use crate::raw::{Answer, Raw};
use crate::signed::Signed;

/// The domain below which hosts are buckets by default.
const DOMAIN: &str = "website.localhost";

/// An index and an error document.
const PAGES: &str =
    "<IndexDocument><Suffix>index.html</Suffix></IndexDocument><ErrorDocument><Key>error.html</Key></ErrorDocument>";
/// An index alone.
const INDEX: &str = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>";

/// What visitors may do.
const READ: &[&str] = &["s3:GetObject"];
const READ_AND_LIST: &[&str] = &["s3:GetObject", "s3:ListBucket"];

/// A server with a bucket that is a site.
struct Site {
    server: Server,
    bucket: String,
}

impl Site {
    /// A site with this configuration, in which visitors may do this.
    async fn start(configuration: &str, visitors: &[&str]) -> Self {
        let server = Server::start();
        let bucket = server.bucket().await;
        let site = Self { server, bucket };
        site.configure(configuration).await;
        site.permit(visitors).await;
        site
    }

    fn client(&self) -> Signed {
        self.server.client()
    }

    /// Puts a website configuration with this content in place of the one before.
    async fn configure(&self, inner: &str) {
        let body = format!("<WebsiteConfiguration>{inner}</WebsiteConfiguration>");
        done(self.client().put(&format!("/{}?website", self.bucket), body).await);
    }

    /// Lets everybody do this, and nothing else.
    async fn permit(&self, actions: &[&str]) {
        let target = format!("/{}?policy", self.bucket);
        if actions.is_empty() {
            done(self.client().delete(&target).await);
            return;
        }
        let resources = ["", "/*"].map(|end| format!("arn:aws:s3:::{}{end}", self.bucket));
        let statement = json!({"Effect": "Allow", "Principal": "*", "Action": actions, "Resource": resources});
        done(self.client().put(&target, json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()).await);
    }

    async fn put(&self, key: &str, body: impl AsRef<[u8]>) -> Answer {
        self.put_with(key, &[], body).await
    }

    async fn put_with(&self, key: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        done(self.client().send("PUT", &format!("/{}/{key}", self.bucket), headers, body).await)
    }

    async fn delete(&self, key: &str) {
        done(self.client().delete(&format!("/{}/{key}", self.bucket)).await);
    }

    fn host(&self) -> String {
        format!("{}.{DOMAIN}", self.bucket)
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers).await
    }

    async fn head(&self, path: &str) -> Answer {
        self.send("HEAD", path, &[]).await
    }

    /// Sends a request to the bucket's host.
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let host = self.host();
        let mut all = vec![("host", host.as_str())];
        all.extend_from_slice(headers);
        visit(&self.server, method, path, &all).await
    }
}

/// Sends a request to the website listener, on a connection of its own: just these headers, and no more.
async fn visit(server: &Server, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut raw = Raw::connect(server.website).await;
    raw.send(head + "\r\n").await;
    if method == "HEAD" { head_of(&mut raw).await } else { raw.answer().await }
}

/// Reads the answer to HEAD, which has no body whatever it announces.
async fn head_of(raw: &mut Raw) -> Answer {
    let line = raw.next_line().await.expect("an answer");
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status line");
    let mut headers = Vec::new();
    while let Some(line) = raw.next_line().await.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').expect("a header");
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    Answer::new(status, headers, Vec::new())
}

#[track_caller]
fn done(answer: Answer) -> Answer {
    assert!((200..300).contains(&answer.status), "{answer:?}");
    answer
}

/// Status and body.
fn body(answer: &Answer) -> (u16, String) {
    (answer.status, answer.text())
}

/// Status and location.
fn location(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.header("location").unwrap_or_default())
}

/// The lists of an error page: of the failure, and of why its error document could not be had. Fails where the page is no
/// error page of just the right shape.
#[track_caller]
fn lists(answer: &Answer) -> Vec<Vec<(String, String)>> {
    let text = answer.text();
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{answer:?}");
    let title = text.strip_prefix("<html>\n<head><title>").and_then(|rest| rest.split_once("</title>"));
    let title = title.unwrap_or_else(|| panic!("no title: {text}")).0;
    assert!(title.starts_with(&format!("{} ", answer.status)), "{title}");
    assert!(text.contains(&format!("<body>\n<h1>{title}</h1>\n<ul>\n")), "{text}");
    assert!(text.ends_with("</ul>\n<hr/>\n</body>\n</html>\n"), "{text}");
    let lists = text.split("<ul>\n").skip(1).map(|list| list.split("</ul>").next().unwrap());
    lists.map(|list| list.lines().map(item).collect()).collect()
}

#[track_caller]
fn item(line: &str) -> (String, String) {
    let item = line.strip_prefix("<li>").and_then(|line| line.strip_suffix("</li>"));
    let (name, value) = item.and_then(|item| item.split_once(": ")).unwrap_or_else(|| panic!("no item: {line}"));
    (name.to_owned(), value.replace("&#39;", "'").replace("&quot;", "\""))
}

/// Status, code, and the key that the page names; that nothing else is amiss with the page.
#[track_caller]
fn failure(answer: &Answer) -> (u16, String, Option<String>) {
    let list = lists(answer).remove(0);
    let value = |name: &str| list.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let code = value("Code").expect("a code");
    assert_eq!(answer.header("x-amz-error-code"), Some(code.as_str()));
    assert_eq!(answer.header("x-amz-error-message").map(str::to_owned), value("Message"));
    assert_eq!(answer.header("x-amz-error-detail-key").map(str::to_owned), value("Key"));
    assert_eq!(value("RequestId").as_deref(), answer.header("x-amz-request-id"));
    assert_eq!(value("HostId").as_deref(), answer.header("x-amz-id-2"));
    (answer.status, code, value("Key"))
}

fn missing(key: &str) -> (u16, String, Option<String>) {
    (404, "NoSuchKey".to_owned(), Some(key.to_owned()))
}

fn denied() -> (u16, String, Option<String>) {
    (403, "AccessDenied".to_owned(), None)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}
