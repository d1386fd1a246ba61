//! The public access block of an account, as S3 control's API has it.

use crate::cors::unsigned;
use crate::harness::Server;
use crate::operator::data;
use crate::raw::Answer;

const PATH: &str = "/v20180820/configuration/publicAccessBlock";
const OWN: (&str, &str) = ("x-amz-account-id", "000000000000");

const BLOCK: &str = "<PublicAccessBlockConfiguration xmlns=\"http://awss3control.amazonaws.com/doc/2018-08-20/\">\
    <BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets>\
    </PublicAccessBlockConfiguration>";

async fn send(server: &Server, method: &str, account: (&str, &str), body: &str) -> Answer {
    server.client().send(method, PATH, &[account], body).await
}

fn public(bucket: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::{bucket}/*"}}}}"#
    )
}

#[tokio::test]
async fn an_accounts_block_counts_for_all_of_its_buckets_and_stays() {
    let (_parent, data) = data();
    let mut server = Server::start_on(&data, &[]).unwrap();
    let bucket = server.bucket().await;
    let (object, policy) = (format!("/{bucket}/k"), format!("/{bucket}?policy"));
    assert_eq!(server.client().put(&object, "a").await.status, 200);
    assert_eq!(server.client().put(&policy, public(&bucket)).await.status, 204);
    assert_eq!(unsigned(&server, "GET", &object, &[]).await.status, 200);

    let missing = (404, "NoSuchPublicAccessBlockConfiguration".to_owned());
    assert_eq!(send(&server, "GET", OWN, "").await.error(), missing);
    assert_eq!(send(&server, "PUT", OWN, "<Block/>").await.error(), (400, "MalformedXML".into()));
    assert_eq!(send(&server, "PUT", OWN, BLOCK).await.status, 200);
    assert_eq!(unsigned(&server, "GET", &object, &[]).await.status, 403);
    assert_eq!(server.client().put(&policy, public(&bucket)).await.error(), (403, "AccessDenied".into()));

    server.kill();
    let server = Server::start_on(&data, &[]).unwrap();
    let shown = send(&server, "GET", OWN, "").await;
    let flags = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    assert_eq!(flags.map(|name| shown.element(name).unwrap()), ["false", "false", "true", "true"]);
    assert_eq!(unsigned(&server, "GET", &object, &[]).await.status, 403);

    assert_eq!(send(&server, "DELETE", OWN, "").await.status, 204);
    assert_eq!(send(&server, "GET", OWN, "").await.error(), missing);
    assert_eq!(unsigned(&server, "GET", &object, &[]).await.status, 200);
}

#[tokio::test]
async fn only_the_accounts_own_callers_change_its_block() {
    let server = Server::start();
    let denied = (403, "AccessDenied".to_owned());
    for method in ["GET", "PUT", "DELETE"] {
        let body = if method == "PUT" { BLOCK } else { "" };
        for account in ["111111111111", "0", "me"] {
            assert_eq!(send(&server, method, (OWN.0, account), body).await.error(), denied, "{method} {account:?}");
        }
        assert_eq!(unsigned(&server, method, PATH, &[OWN, ("content-length", "0")]).await.error(), denied, "{method}");
    }
    assert_eq!(send(&server, "POST", OWN, "").await.error(), (501, "NotImplemented".into()));
}

#[tokio::test]
async fn without_the_header_the_path_is_an_objects() {
    let server = Server::start();
    assert_eq!(server.client().put("/v20180820", "").await.status, 200);
    assert_eq!(server.client().put(PATH, "an object").await.status, 200);
    assert_eq!(server.client().get(PATH).await.body, b"an object");
    assert_eq!(send(&server, "GET", OWN, "").await.error(), (404, "NoSuchPublicAccessBlockConfiguration".into()));
    assert_eq!(server.client().delete(PATH).await.status, 204);
}
