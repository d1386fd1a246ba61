//! Who may see a site: everybody, whoever signs, and what single objects say.

use std::time::Duration;

use super::*;

const ANONYMOUS_READ: (&str, &str) = ("x-amz-acl", "public-read");

#[tokio::test]
async fn a_signed_request_is_judged_as_its_signer() {
    let site = Site::start(INDEX, &[]).await;
    site.put("index.html", "for the owner").await;
    assert_eq!(failure(&site.get("/").await), denied());
    let host = site.host();
    let owner = Signed::new(site.server.website, &site.server.access_key, &site.server.secret_key);
    let signed = owner.send("GET", "/", &[("host", &host)], "").await;
    assert_eq!(body(&signed), (200, "for the owner".to_owned()));
    assert_eq!(failure(&owner.send("GET", "/none", &[("host", &host)], "").await), missing("none"));
    // A wrong signature is nobody's, not everybody's.
    let forger = Signed::new(site.server.website, &site.server.access_key, "a-secret-of-somebody-else");
    let forged = forger.send("GET", "/", &[("host", &host)], "").await;
    assert_eq!(failure(&forged), (403, "SignatureDoesNotMatch".to_owned(), None));
    let stranger = Signed::new(site.server.website, "BRIMNOBODY", "a-secret-of-somebody-else");
    let unknown = stranger.send("GET", "/", &[("host", &host)], "").await;
    assert_eq!(failure(&unknown), (403, "InvalidAccessKeyId".to_owned(), None));
}

#[tokio::test]
async fn a_presigned_address_opens_what_its_signer_may_read() {
    let site = Site::start(INDEX, &[]).await;
    site.put("page", "for the holder").await;
    let host = site.host();
    let target = site.client().presign_headers("GET", "/page", &[("host", &host)], Duration::from_secs(60));
    assert_eq!(body(&site.get(&target).await), (200, "for the holder".to_owned()));
    let tampered = target.replace("/page", "/other");
    assert_eq!(failure(&site.get(&tampered).await).1, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn other_credentials_say_nothing() {
    let site = Site::start(INDEX, READ).await;
    site.put("index.html", "page").await;
    for value in ["Basic YTpi", "Bearer x", "AWS AKID:c2ln", "nonsense"] {
        assert_eq!(site.get_with("/", &[("authorization", value)]).await.status, 200, "{value}");
    }
}

#[tokio::test]
async fn lists_and_tags_of_objects_count() {
    let site = Site::start(INDEX, &[]).await;
    let client = site.client();
    let controls =
        "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
    done(client.put(&format!("/{}?ownershipControls", site.bucket), controls).await);
    site.put_with("index.html", &[ANONYMOUS_READ], "public").await;
    site.put("private", "private").await;
    assert_eq!(body(&site.get("/").await), (200, "public".to_owned()));
    assert_eq!(failure(&site.get("/private").await), denied());
    assert_eq!(failure(&site.get("/none").await), denied());
    // By a policy that asks for a tag.
    let resource = format!("arn:aws:s3:::{}/*", site.bucket);
    let condition = json!({"StringEquals": {"s3:ExistingObjectTag/public": "yes"}});
    let statement = json!({
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource, "Condition": condition
    });
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    done(client.put(&format!("/{}?policy", site.bucket), policy).await);
    assert_eq!(failure(&site.get("/private").await), denied());
    site.put_with("tagged", &[("x-amz-tagging", "public=yes")], "tagged").await;
    assert_eq!(body(&site.get("/tagged").await), (200, "tagged".to_owned()));
    // Blocked for the public, whatever was granted.
    let block = "<PublicAccessBlockConfiguration><IgnorePublicAcls>true</IgnorePublicAcls><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";
    done(client.put(&format!("/{}?publicAccessBlock", site.bucket), block).await);
    for path in ["/", "/tagged"] {
        assert_eq!(failure(&site.get(path).await), denied(), "{path}");
    }
}

#[tokio::test]
async fn conditions_of_policies_are_of_the_visit() {
    let site = Site::start(INDEX, &[]).await;
    site.put("index.html", "page").await;
    let resource = format!("arn:aws:s3:::{}/*", site.bucket);
    for (condition, status) in [
        (json!({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}), 200),
        (json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), 403),
        (json!({"StringLike": {"aws:Referer": "http://friend.example/*"}}), 200),
        (json!({"StringLike": {"aws:Referer": "http://stranger.example/*"}}), 403),
        (json!({"Bool": {"aws:SecureTransport": "true"}}), 403),
    ] {
        let statement = json!({
            "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource, "Condition": condition
        });
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        done(site.client().put(&format!("/{}?policy", site.bucket), policy).await);
        let answer = site.get_with("/", &[("referer", "http://friend.example/page")]).await;
        assert_eq!(answer.status, status, "{condition}");
    }
    // What a page's address says is no question for a list.
    let bucket = format!("arn:aws:s3:::{}", site.bucket);
    let condition = json!({"StringEquals": {"s3:prefix": "public/"}});
    let list = json!({
        "Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": bucket, "Condition": condition
    });
    let read = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource});
    let policy = json!({"Version": "2012-10-17", "Statement": [list, read]}).to_string();
    done(site.client().put(&format!("/{}?policy", site.bucket), policy).await);
    assert_eq!(failure(&site.get("/none?prefix=public/").await), denied());
}

#[tokio::test]
async fn a_site_with_options_does_not_tell_objects_that_may_not_be_read_from_missing_ones() {
    let site = Site::start(INDEX, &[]).await;
    let controls =
        "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
    done(site.client().put(&format!("/{}?ownershipControls", site.bucket), controls).await);
    site.put(".brim/site.toml", "").await;
    site.put("private", "private").await;
    site.put("secret/index.html", "private").await;
    for key in ["private.html", "secret.html"] {
        site.put_with(key, &[ANONYMOUS_READ], "public").await;
    }
    let no_page = failure(&site.get("/none").await);
    assert_eq!((no_page.0, no_page.1.as_str()), (404, "NoSuchKey"));
    assert_eq!(site.get("/secret/index.html").await.status, site.get("/none/index.html").await.status);
    // What is hidden keeps nothing else from its address either: whether there is a file of that name is not told.
    for key in ["private", "secret"] {
        assert_eq!(location(&site.get(&format!("/{key}.html")).await), (308, format!("/{key}").as_str()));
        assert_eq!(body(&site.get(&format!("/{key}")).await), (200, "public".to_owned()));
    }
    site.delete("private.html").await;
    assert_eq!(failure(&site.get("/private").await), missing("private"));
    // Who may list is told.
    site.permit(&["s3:ListBucket"]).await;
    assert_eq!(failure(&site.get("/private").await), denied());
    assert_eq!(failure(&site.get("/none").await), missing("none"));
}
