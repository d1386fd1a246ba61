//! Who may do what, over HTTP: accounts, users, policies, lists and blocks. What is expected is written down here or follows
//! from a few sentences of AWS's documentation, never from the evaluator.

mod blocks;
mod conditions;
mod lists;
mod matrix;
mod missing;
mod objects;
mod policies;
mod sessions;

use std::time::SystemTime;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::Server;
use crate::raw::Answer;
use crate::signed::{Signed, SignedHead};

/// The account that owns the buckets, and another one.
const OWNER: &str = "111111111111";
const OTHER: &str = "222222222222";
const OTHER_ID: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const OWNER_ID: &str = "1111111111111111111111111111111111111111111111111111111111111111";

const CONFIG: &str = r#"
[[account]]
id = "111111111111"
display_name = "Owner"
email = "owner@example.com"
canonical_id = "1111111111111111111111111111111111111111111111111111111111111111"
key = [{ access_key_id = "OWNERROOT", secret_access_key = "secret-of-owner" }]

[[account.user]]
name = "plain"
keys = [{ access_key_id = "OWNERPLAIN", secret_access_key = "secret-of-plain" }]

[[account.user]]
name = "full"
keys = [{ access_key_id = "OWNERFULL", secret_access_key = "secret-of-full" }]
policies = [{ name = "all", document = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}' }]

[[account]]
id = "222222222222"
display_name = "Other"
email = "other@example.com"
canonical_id = "2222222222222222222222222222222222222222222222222222222222222222"
key = [{ access_key_id = "OTHERROOT", secret_access_key = "secret-of-other" }]

[[account.user]]
name = "plain"
keys = [{ access_key_id = "OTHERPLAIN", secret_access_key = "secret-of-other-plain" }]

[[account.user]]
name = "full"
keys = [{ access_key_id = "OTHERFULL", secret_access_key = "secret-of-other-full" }]
policies = [{ name = "all", document = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}' }]
"#;

/// A server with two accounts besides its default one, and everyone who calls it.
struct World {
    server: Server,
    _directory: TempDir,
    anonymous: Caller,
    owner: Caller,
    /// A user of the owner's account without policies, whom only bucket policies and lists let in.
    plain: Caller,
    /// A user of the owner's account who may do everything.
    full: Caller,
    other: Caller,
    other_plain: Caller,
    other_full: Caller,
    /// The root of the default account, to which no bucket of these tests belongs.
    server_root: Caller,
}

/// Somebody who sends requests.
#[derive(Clone)]
struct Caller {
    name: &'static str,
    client: Signed,
    signs: bool,
    token: Option<String>,
}

impl World {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("brim.toml");
        std::fs::write(&config, CONFIG).unwrap();
        let config = config.to_str().unwrap();
        let server = Server::start_on(&directory.path().join("data"), &[("BRIM_CONFIG", config)]).unwrap();
        let caller = |name, key: &str, secret: &str| Caller {
            name,
            client: Signed::new(server.s3, key, secret),
            signs: true,
            token: None,
        };
        Self {
            anonymous: Caller { signs: false, ..caller("anonymous", "", "") },
            owner: caller("owner", "OWNERROOT", "secret-of-owner"),
            plain: caller("plain", "OWNERPLAIN", "secret-of-plain"),
            full: caller("full", "OWNERFULL", "secret-of-full"),
            other: caller("other", "OTHERROOT", "secret-of-other"),
            other_plain: caller("other plain", "OTHERPLAIN", "secret-of-other-plain"),
            other_full: caller("other full", "OTHERFULL", "secret-of-other-full"),
            server_root: caller("server root", &server.access_key, &server.secret_key),
            _directory: directory,
            server,
        }
    }

    /// Makes a bucket of the owner's, with these headers.
    async fn bucket(&self, name: &str, headers: &[(&str, &str)]) {
        done(self.owner.send("PUT", &format!("/{name}"), headers, "").await);
    }

    /// Gives the bucket a policy, which the owner's root can do whatever the one before says.
    async fn policy(&self, bucket: &str, statements: &[Value]) {
        done(self.owner.put(&format!("/{bucket}?policy"), document(statements)).await);
    }

    /// Puts an object of the owner's.
    async fn object(&self, target: &str) {
        done(self.owner.put(target, "content").await);
    }
}

impl Caller {
    async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        if self.signs {
            let token = self.token.as_deref().map(|token| ("x-amz-security-token", token));
            let headers: Vec<_> = headers.iter().copied().chain(token).collect();
            return self.client.send(method, target, &headers, body).await;
        }
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (method, target, time) = (method.to_owned(), target.to_owned(), SystemTime::now());
        let head = SignedHead { method, target, headers, signature: String::new(), time };
        self.client.send_head(&head, body.as_ref()).await
    }

    async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], "").await
    }

    async fn head(&self, target: &str) -> Answer {
        self.send("HEAD", target, &[], "").await
    }

    async fn delete(&self, target: &str) -> Answer {
        self.send("DELETE", target, &[], "").await
    }

    async fn put(&self, target: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send("PUT", target, &[], body).await
    }

    async fn put_with(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("PUT", target, headers, "").await
    }

    async fn copy(&self, source: &str, target: &str) -> Answer {
        self.put_with(target, &[("x-amz-copy-source", source)]).await
    }

    /// DeleteObjects of this list of `<Object>` elements.
    async fn delete_objects(&self, bucket: &str, objects: &str) -> Answer {
        let body = format!("<Delete>{objects}</Delete>");
        let checksum = sha256(&body);
        self.send("POST", &format!("/{bucket}?delete"), &[("x-amz-checksum-sha256", &checksum)], body).await
    }
}

fn sha256(body: &str) -> String {
    use base64::Engine;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    base64::prelude::BASE64_STANDARD.encode(digest)
}

/// The answer, which must be a success.
#[track_caller]
fn done(answer: Answer) -> Answer {
    assert!((200..300).contains(&answer.status), "{answer:?}: {}", answer.text());
    answer
}

/// The answer must be this error.
#[track_caller]
fn fails(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.error(), (status, code.to_owned()), "{}", answer.text());
}

#[track_caller]
fn denied(answer: &Answer) {
    fails(answer, 403, "AccessDenied");
}

fn document(statements: &[Value]) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

/// A statement of a bucket policy about the bucket and everything in it.
fn statement(effect: &str, principal: Value, bucket: &str, actions: &[&str]) -> Value {
    let resource = json!([format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")]);
    json!({ "Effect": effect, "Principal": principal, "Action": actions, "Resource": resource })
}

/// Lets the owner's user without policies do this.
fn allow_plain(bucket: &str, actions: &[&str]) -> Value {
    statement("Allow", json!({ "AWS": format!("arn:aws:iam::{OWNER}:user/plain") }), bucket, actions)
}

/// The statement with a condition.
fn under(mut statement: Value, condition: Value) -> Value {
    statement["Condition"] = condition;
    statement
}
