//! From a host to a site.

use super::*;

async fn site_named(server: &Server, bucket: &str) {
    done(server.client().put(&format!("/{bucket}"), "").await);
    let body = format!("<WebsiteConfiguration>{INDEX}</WebsiteConfiguration>");
    done(server.client().put(&format!("/{bucket}?website"), body).await);
    let resource = format!("arn:aws:s3:::{bucket}/*");
    let statement = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    done(server.client().put(&format!("/{bucket}?policy"), policy).await);
    done(server.client().put(&format!("/{bucket}/index.html"), bucket).await);
}

#[tokio::test]
async fn every_form_of_a_host_finds_its_bucket() {
    let server = Server::start_with(&[("BRIM_WEBSITE_DOMAINS", "website.localhost,sites.example.com")]);
    for bucket in ["pail", "my.pail", "www.example.org", "localhost-pail"] {
        site_named(&server, bucket).await;
    }
    for (host, bucket) in [
        ("pail.website.localhost", "pail"),
        ("pail.website.localhost:9080", "pail"),
        ("PAIL.Website.Localhost.", "pail"),
        ("pail.sites.example.com", "pail"),
        ("my.pail.website.localhost", "my.pail"),
        ("pail.s3-website-us-east-1.website.localhost", "pail"),
        ("pail.s3-website.eu-central-1.website.localhost", "pail"),
        ("my.pail.s3-website-us-east-1.sites.example.com", "my.pail"),
        ("www.example.org", "www.example.org"),
        ("WWW.example.org:80", "www.example.org"),
    ] {
        let answer = visit(&server, "GET", "/", &[("host", host)]).await;
        assert_eq!(body(&answer), (200, bucket.to_owned()), "{host}");
    }
    for host in [
        "other.website.localhost",
        "website.localhost",
        "sites.example.com",
        "example.org",
        "127.0.0.1:9080",
        "[::1]:80",
        "pail",
    ] {
        let answer = visit(&server, "GET", "/", &[("host", host)]).await;
        if host == "pail" {
            // A bucket named like the host: this is one.
            assert_eq!(body(&answer), (200, "pail".to_owned()));
            continue;
        }
        assert_eq!(failure(&answer), (404, "NoSuchBucket".to_owned(), None), "{host}");
    }
}

#[tokio::test]
async fn the_authority_of_the_target_beats_the_header() {
    let server = Server::start();
    for bucket in ["one", "two"] {
        site_named(&server, bucket).await;
    }
    let answer = visit(&server, "GET", "http://one.website.localhost/", &[("host", "two.website.localhost")]).await;
    assert_eq!(body(&answer), (200, "one".to_owned()));
}

#[tokio::test]
async fn a_host_that_is_none_or_several_is_refused() {
    let server = Server::start();
    site_named(&server, "one").await;
    let long = format!("{}.website.localhost", "a.".repeat(2000));
    let one = "one.website.localhost";
    // These do not get past the parser of heads, which has no pages.
    for headers in [[].as_slice(), &[("host", one), ("host", "two.website.localhost")], &[("host", one), ("host", one)]]
    {
        let answer = visit(&server, "GET", "/", headers).await;
        assert_eq!((answer.status, answer.body.len()), (400, 0), "{headers:?}");
    }
    let mut raw = Raw::connect(server.website).await;
    raw.send("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(failure(&raw.answer().await).1, "InvalidRequest", "older clients need not say it, and have no site");
    for headers in [
        [("host", "")].as_slice(),
        &[("host", "one_.website.localhost")],
        &[("host", "user@one.website.localhost")],
        &[("host", "one.website.localhost/x")],
        &[("host", "one.website.localhost:99999")],
        &[("host", "one.website.localhost, two.website.localhost")],
        &[("host", "<script>alert(1)</script>")],
        &[("host", "b\u{fc}cher.website.localhost")],
        &[("host", &long)],
    ] {
        let answer = visit(&server, "GET", "/", headers).await;
        assert_eq!(failure(&answer), (400, "InvalidRequest".to_owned(), None), "{headers:?}");
        assert!(!answer.text().contains("<script>"));
    }
}

#[tokio::test]
async fn a_custom_domain_is_its_buckets_site() {
    let server = Server::start();
    site_named(&server, "one").await;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_brim"));
    command.args(["site", "add", "www.example.net", "--bucket", "one", "--data"]).arg(server.data());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let answer = visit(&server, "GET", "/", &[("host", "WWW.example.net:9080")]).await;
    assert_eq!(body(&answer), (200, "one".to_owned()));
    let other = visit(&server, "GET", "/", &[("host", "example.net")]).await;
    assert_eq!(failure(&other).1, "NoSuchBucket");
}
