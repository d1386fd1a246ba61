//! Sites that are deploys: one manifest at a time, previews, and what an open page still asks for. Written here by hand; what
//! the command line writes is tested in `deploys`.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::*;

const FIRST: &str = "aaaaaaaaaa";
const SECOND: &str = "bbbbbbbbbb";
const DAY: u64 = 24 * 60 * 60 * 1000;

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

impl Site {
    /// Puts the files and the manifest of a deploy.
    async fn publish(&self, id: &str, files: &[(&str, &str)]) {
        let mut named = BTreeMap::new();
        for (path, content) in files {
            let hash = sha256(content.as_bytes());
            self.put(&format!(".brim/files/{hash}"), content).await;
            let content_type = if path.ends_with(".html") { "text/html" } else { "text/plain" };
            named.insert(*path, json!({"sha256": hash, "size": content.len(), "content_type": content_type}));
        }
        let manifest = json!({"version": 1, "id": id, "created": now(), "message": "", "files": named});
        self.put(&format!(".brim/deploys/{id}.json"), manifest.to_string()).await;
    }

    /// Makes a deploy the live one. Those before count for as many milliseconds from now.
    async fn point(&self, id: &str, previous: &[(&str, i64)]) {
        let previous: Vec<Value> = previous
            .iter()
            .map(|(id, left)| json!({"deploy": id, "until": now().saturating_add_signed(*left)}))
            .collect();
        let pointer = json!({"version": 1, "deploy": id, "at": now(), "previous": previous});
        self.put(".brim/current", pointer.to_string()).await;
    }

    async fn preview(&self, label: &str, path: &str) -> Answer {
        visit(&self.server, "GET", path, &[("host", &format!("{label}.{DOMAIN}"))]).await
    }
}

#[tokio::test]
async fn the_manifest_is_the_site_and_the_pointer_says_which() {
    let site = Site::start(PAGES, READ_AND_LIST).await;
    site.put("index.html", "an object").await;
    site.put("only-an-object", "an object").await;
    site.publish(FIRST, &[("index.html", "first"), ("docs/index.html", "docs"), ("error.html", "sorry")]).await;
    assert_eq!(site.get("/").await.text(), "an object");
    site.point(FIRST, &[]).await;
    let index = site.get("/").await;
    assert_eq!(body(&index), (200, "first".to_owned()));
    assert_eq!(index.header("content-type"), Some("text/html"));
    assert_eq!(index.header("etag"), Some(format!("\"{}\"", sha256(b"first")).as_str()));
    // S3's order over the manifest's files: without options there is nothing else.
    assert_eq!(location(&site.get("/docs").await), (302, "/docs/"));
    assert_eq!(body(&site.get("/docs/").await), (200, "docs".to_owned()));
    assert_eq!(body(&site.get("/only-an-object").await), (404, "sorry".to_owned()));
    let etag = index.header("etag").unwrap();
    assert_eq!(site.get_with("/", &[("if-none-match", etag)]).await.status, 304);
    assert_eq!(body(&site.get_with("/", &[("range", "bytes=1-2")]).await), (206, "ir".to_owned()));
    assert_eq!(site.head("/").await.header("content-length"), Some("5"));

    site.publish(SECOND, &[("index.html", "second")]).await;
    assert_eq!(site.get("/").await.text(), "first");
    site.point(SECOND, &[(FIRST, DAY as i64)]).await;
    assert_eq!(site.get("/").await.text(), "second");
    assert_eq!(failure(&site.get("/docs/").await), missing("docs/index.html"));
    site.point(FIRST, &[]).await;
    assert_eq!(site.get("/").await.text(), "first");
    site.delete(".brim/current").await;
    assert_eq!(site.get("/").await.text(), "an object");
    assert_eq!(site.get("/only-an-object").await.text(), "an object");
}

#[tokio::test]
async fn who_may_read_a_path_may_read_the_file_that_is_there() {
    let site = Site::start(INDEX, &[]).await;
    site.publish(FIRST, &[("index.html", "first"), ("secret/plan", "plan")]).await;
    site.point(FIRST, &[]).await;
    assert_eq!(failure(&site.get("/").await), denied());
    let resource = format!("arn:aws:s3:::{}/index.html", site.bucket);
    let statement = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    done(site.client().put(&format!("/{}?policy", site.bucket), policy).await);
    assert_eq!(site.get("/").await.text(), "first");
    assert_eq!(failure(&site.get("/secret/plan").await), denied());
    let file = format!("/.brim/files/{}", sha256(b"plan"));
    assert_eq!(site.get(&file).await.status, 403);
}

#[tokio::test]
async fn an_open_page_gets_the_assets_that_it_was_made_with_for_a_day() {
    let site = Site::start(INDEX, READ).await;
    let (old, stale) = ("app.3f2a1b9c.js", "app.9c8b7a61.js");
    site.publish(FIRST, &[("index.html", "first"), (old, "old code"), ("plain.js", "old plain")]).await;
    site.publish(SECOND, &[("index.html", "second")]).await;
    site.publish("cccccccccc", &[(stale, "stale code")]).await;
    site.point(SECOND, &[(FIRST, DAY as i64), ("cccccccccc", -1)]).await;
    assert_eq!(site.get(&format!("/{old}")).await.text(), "old code");
    for path in [format!("/{stale}"), "/plain.js".to_owned()] {
        assert_eq!(site.get(&path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn a_preview_is_one_deploy_and_is_not_for_search_engines() {
    let server = Server::start();
    for bucket in ["pail", "www.example.org"] {
        done(server.client().put(&format!("/{bucket}"), "").await);
    }
    let mut site = Site { server, bucket: "pail".to_owned() };
    site.configure(INDEX).await;
    site.permit(READ_AND_LIST).await;
    site.publish(FIRST, &[("index.html", "first")]).await;
    site.publish(SECOND, &[("index.html", "second"), (".brim/site.toml", "")]).await;
    site.point(SECOND, &[(FIRST, DAY as i64)]).await;
    for (label, text) in [("aaaaaaaaaa--pail", "first"), ("bbbbbbbbbb--pail", "second")] {
        let answer = site.preview(label, "/").await;
        assert_eq!(body(&answer), (200, text.to_owned()), "{label}");
        for path in ["/", "/none"] {
            assert_eq!(site.preview(label, path).await.header("x-robots-tag"), Some("noindex"), "{label} {path}");
        }
    }
    assert_eq!(site.get("/").await.header("x-robots-tag"), None);
    for label in ["cccccccccc--pail", "aaaaaaaaaa--bucket", "aaaaaaaaaa--aaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        assert_eq!(failure(&site.preview(label, "/").await).1, "NoSuchBucket", "{label}");
    }
    // A name with dots is no label: its hash is.
    site.bucket = "www.example.org".to_owned();
    site.configure(INDEX).await;
    site.permit(READ).await;
    site.publish(FIRST, &[("index.html", "dotted")]).await;
    let hash = base32(&sha256(b"www.example.org"));
    assert_eq!(body(&site.preview(&format!("{FIRST}--{hash}"), "/").await), (200, "dotted".to_owned()));
}

/// The first 26 characters of the base32 of a digest in hex.
fn base32(hex: &str) -> String {
    let bits: String = hex.chars().map(|digit| format!("{:04b}", digit.to_digit(16).unwrap())).collect();
    let letter =
        |at: usize| b"abcdefghijklmnopqrstuvwxyz234567"[usize::from_str_radix(&bits[5 * at..5 * at + 5], 2).unwrap()];
    (0..26).map(|at| char::from(letter(at))).collect()
}

#[tokio::test]
async fn a_preview_can_have_a_password_of_its_own() {
    let site = Site::start(INDEX, READ).await;
    site.publish(FIRST, &[("index.html", "first")]).await;
    site.point(FIRST, &[]).await;
    let hash = super::modern::hash_of("hidden");
    site.put(".brim/site.toml", format!("[preview_password]\nuser = \"guest\"\nhash = \"{hash}\"")).await;
    assert_eq!(site.get("/").await.status, 200);
    let label = format!("{FIRST}--{}", site.bucket);
    let answer = site.preview(&label, "/").await;
    assert_eq!((answer.status, answer.header("x-robots-tag")), (401, Some("noindex")));
    let known = super::modern::basic("guest", "hidden");
    let host = format!("{label}.{DOMAIN}");
    let answer = visit(&site.server, "GET", "/", &[("host", &host), ("authorization", &known)]).await;
    assert_eq!(body(&answer), (200, "first".to_owned()));
}

#[tokio::test]
async fn a_deploy_brings_its_own_options_and_rules() {
    let site = Site::start(INDEX, READ).await;
    site.put(".brim/site.toml", "trailing_slash = \"always\"").await;
    site.put("_redirects", "/x /the-objects").await;
    let files =
        [("about.html", "about"), ("404.html", "lost"), ("_redirects", "/x /the-deploys"), ("about.html.br", "br")];
    site.publish(FIRST, &files).await;
    site.point(FIRST, &[]).await;
    // The bucket's options, and the deploy's rules.
    assert_eq!(location(&site.get("/about").await), (308, "/about/"));
    assert_eq!(location(&site.get("/x").await), (302, "/the-deploys"));
    let mut own = files.to_vec();
    own.push((".brim/site.toml", ""));
    site.publish(SECOND, &own).await;
    site.point(SECOND, &[(FIRST, DAY as i64)]).await;
    assert_eq!(body(&site.get("/about").await), (200, "about".to_owned()));
    let compressed = site.get_with("/about", &[("accept-encoding", "br")]).await;
    assert_eq!(body(&compressed), (200, "br".to_owned()));
    assert_eq!(compressed.header("content-type"), Some("text/html"));
    assert_eq!(body(&site.get("/none").await), (404, "lost".to_owned()));
    assert_eq!(site.get("/.brim/site.toml").await.status, 404);
    assert_eq!(site.get("/_redirects").await.status, 404);
}

#[tokio::test]
async fn a_damaged_deploy_is_an_error_and_not_another_site() {
    let site = Site::start(INDEX, READ).await;
    site.put("index.html", "an object").await;
    site.publish(FIRST, &[("index.html", "first")]).await;
    site.point(SECOND, &[]).await;
    assert_eq!(failure(&site.get("/").await).0, 500);
    site.put(".brim/current", "{}").await;
    assert_eq!(failure(&site.get("/").await).0, 500);
    site.point(FIRST, &[]).await;
    assert_eq!(site.get("/").await.text(), "first");
    // A file that is gone, and one that has other bytes than its manifest says.
    let key = format!(".brim/files/{}", sha256(b"first"));
    site.delete(&key).await;
    assert_eq!(failure(&site.get("/").await).0, 500);
    site.put(&key, "other bytes").await;
    assert_eq!(failure(&site.get("/").await).0, 500);
    assert!(site.server.log().contains("a file of a deploy is lost"));
    site.put(&key, "first").await;
    assert_eq!(site.get("/").await.text(), "first");
    // Nothing else answers for what is lost.
    site.put(".brim/site.toml", "single_page = \"index.html\"").await;
    site.publish(SECOND, &[("index.html", "shell"), ("app.js", "code")]).await;
    site.point(SECOND, &[]).await;
    assert_eq!(site.get("/any/route").await.text(), "shell");
    site.delete(&format!(".brim/files/{}", sha256(b"code"))).await;
    assert_eq!(failure(&site.get("/app.js").await).0, 500);
}

#[tokio::test]
async fn options_and_rules_that_a_deploy_lost_are_not_done_without() {
    let site = Site::start(INDEX, READ).await;
    site.put(".brim/site.toml", "").await;
    let own = with_password("hidden");
    site.publish(FIRST, &[("index.html", "first"), (".brim/site.toml", &own)]).await;
    let rules = "/old /new";
    site.publish(SECOND, &[("index.html", "second"), ("_redirects", rules)]).await;
    for (id, text, otherwise) in [(FIRST, own.as_str(), 401), (SECOND, rules, 302)] {
        let key = format!(".brim/files/{}", sha256(text.as_bytes()));
        site.delete(&key).await;
        site.point(id, &[]).await;
        assert_eq!(failure(&site.get("/old").await).0, 500, "{id}");
        site.put(&key, "").await;
        assert_eq!(failure(&site.get("/old").await).0, 500, "{id} with other bytes");
        site.put(&key, text).await;
        assert_eq!(site.get("/old").await.status, otherwise, "{id}");
    }
}

#[tokio::test]
async fn a_deploy_does_not_open_what_is_closed() {
    let mut site = Site::start(INDEX, READ).await;
    site.bucket = "pail".to_owned();
    done(site.client().put("/pail", "").await);
    site.configure(INDEX).await;
    site.permit(READ).await;
    site.publish(FIRST, &[("index.html", "first")]).await;
    site.publish(SECOND, &[("index.html", "second"), (".brim/site.toml", "")]).await;
    let own = with_password("of the deploy");
    site.publish("cccccccccc", &[("index.html", "third"), (".brim/site.toml", &own)]).await;
    let label = |id: &str| format!("{id}--pail");
    for id in [FIRST, SECOND] {
        site.point(id, &[]).await;
        assert_eq!((site.get("/").await.status, site.preview(&label(id), "/").await.status), (200, 200), "{id}");
    }
    // A preview of a deploy from before the live one asked.
    site.point("cccccccccc", &[]).await;
    let known = super::modern::basic("guest", "of the deploy");
    for (id, text) in [(FIRST, "first"), (SECOND, "second")] {
        assert_eq!(site.preview(&label(id), "/").await.status, 401, "{id}");
        let headers = [("host", &*format!("{}.{DOMAIN}", label(id))), ("authorization", &known)];
        assert_eq!(body(&visit(&site.server, "GET", "/", &headers).await), (200, text.to_owned()), "{id}");
    }
    // The bucket asks, whatever is deployed.
    site.put(".brim/site.toml", with_password("of the bucket")).await;
    for id in [FIRST, SECOND] {
        site.point(id, &[]).await;
        assert_eq!((site.get("/").await.status, site.preview(&label(id), "/").await.status), (401, 401), "{id}");
    }
    site.put(".brim/site.toml", "").await;
    assert_eq!(site.get("/").await.status, 200);
}

/// Options of a site for which a guest must know this password.
fn with_password(password: &str) -> String {
    format!("[password]\nuser = \"guest\"\nhash = \"{}\"", super::modern::hash_of(password))
}

#[tokio::test]
async fn a_file_and_its_compressed_sibling_are_of_one_deploy() {
    let site = Site::start(INDEX, READ).await;
    site.put(".brim/site.toml", "immutable = [\"/assets/*\"]").await;
    let old = [("assets/a.txt", "old"), ("assets/a.txt.br", "old, packed"), ("assets/b.txt", "b")];
    site.publish(FIRST, &[old.as_slice(), &[("assets/b.txt.br", "b, packed")]].concat()).await;
    site.publish(SECOND, &[("assets/a.txt", "new")]).await;
    site.point(SECOND, &[(FIRST, DAY as i64)]).await;
    for (path, text, coding) in [("/assets/a.txt", "new", None), ("/assets/b.txt", "b, packed", Some("br"))] {
        let answer = site.get_with(path, &[("accept-encoding", "br")]).await;
        assert_eq!((body(&answer), answer.header("content-encoding")), ((200, text.to_owned()), coding), "{path}");
    }
}

#[tokio::test]
async fn every_answer_while_the_pointer_moves_is_of_one_deploy() {
    let site = Site::start(INDEX, READ).await;
    site.publish(FIRST, &[("index.html", "first"), ("page", "first")]).await;
    site.publish(SECOND, &[("index.html", "second"), ("page", "second")]).await;
    site.point(FIRST, &[]).await;
    let moving = async {
        for _ in 0..20 {
            site.point(SECOND, &[(FIRST, DAY as i64)]).await;
            assert_eq!(site.get("/").await.text(), "second");
            site.point(FIRST, &[(SECOND, DAY as i64)]).await;
            assert_eq!(site.get("/").await.text(), "first");
        }
    };
    let reading = async {
        for _ in 0..200 {
            let answer = site.get("/page").await;
            let etag = format!("\"{}\"", sha256(&answer.body));
            assert!(["first", "second"].contains(&answer.text().as_str()), "{answer:?}");
            assert_eq!((answer.status, answer.header("etag")), (200, Some(etag.as_str())));
        }
    };
    tokio::join!(moving, reading);
}
