//! What a bucket wants to be told of, as documents that clients' own libraries would not write.

use crate::harness::Server;
use crate::operator::data;
use crate::raw::Answer;

const SKIP: (&str, &str) = ("x-amz-skip-destination-validation", "true");

fn rule(inner: &str) -> String {
    format!(
        "<QueueConfiguration><Id>1</Id><Queue>arn:brim:sqs:::hooks</Queue><Event>s3:ObjectCreated:*</Event>{inner}</QueueConfiguration>"
    )
}

fn document(inner: &str) -> String {
    format!("<NotificationConfiguration>{inner}</NotificationConfiguration>")
}

async fn put(server: &Server, bucket: &str, header: (&str, &str), inner: &str) -> Answer {
    server.client().send("PUT", &format!("/{bucket}?notification"), &[header], document(inner)).await
}

#[tokio::test]
async fn the_version_of_records_is_kept_and_shown_and_survives_a_crash() {
    let (_parent, data) = data();
    let mut server = Server::start_on(&data, &[]).unwrap();
    let bucket = server.bucket().await;
    let target = format!("/{bucket}?notification");
    let set = put(&server, &bucket, SKIP, &rule("<EventVersion>2.5</EventVersion>")).await;
    assert_eq!((set.status, set.text().as_str()), (200, ""));
    assert!(set.header("x-brim-position").is_some());
    let again = put(&server, &bucket, SKIP, &rule("<EventVersion>2.5</EventVersion>")).await;
    assert_eq!((again.status, again.header("x-brim-position")), (200, None), "nothing changed");
    let shown = server.client().get(&target).await;
    assert_eq!(shown.element("EventVersion").as_deref(), Some("2.5"));

    server.kill();
    let server = Server::start_on(&data, &[]).unwrap();
    assert_eq!(server.client().get(&target).await.body, shown.body);
    assert_eq!(server.client().put(&target, shown.body.clone()).await.status, 400, "nobody is there to be told");
    assert_eq!(put(&server, &bucket, SKIP, &rule("<EventVersion>2.1</EventVersion>")).await.status, 200);
    assert_eq!(server.client().get(&target).await.element("EventVersion"), None);
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let server = Server::start();
    let bucket = server.bucket().await;
    let target = format!("/{bucket}?notification");
    assert_eq!(put(&server, &bucket, SKIP, &rule("")).await.status, 200);
    let before = server.client().get(&target).await.body;
    let long = "x".repeat(1025);
    let many = |count: usize| -> String {
        let one = |at| {
            format!(
                "<QueueConfiguration><Queue>arn:brim:sqs:::a</Queue><Event>s3:ObjectAcl:Put</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>{at:03}</Value></FilterRule></S3Key></Filter></QueueConfiguration>"
            )
        };
        (0..count).map(one).collect()
    };
    for (header, inner, code) in [
        (SKIP, "<QueueConfiguration/>".to_owned(), "MalformedXML"),
        (SKIP, rule("<Id>2</Id>"), "MalformedXML"),
        (SKIP, rule("<EventVersion>2.4</EventVersion>"), "InvalidArgument"),
        (
            SKIP,
            rule(&format!(
                "<Filter><S3Key><FilterRule><Name>prefix</Name><Value>{long}</Value></FilterRule></S3Key></Filter>"
            )),
            "InvalidArgument",
        ),
        (SKIP, many(101), "InvalidArgument"),
        (SKIP, "x".repeat(1024 * 1024), "MaxMessageLengthExceeded"),
        (("x-amz-skip-destination-validation", "yes"), rule(""), "InvalidArgument"),
        (("x-amz-skip-destination-validation", "false"), rule(""), "InvalidArgument"),
        (("x-amz-expected-bucket-owner", "111122223333"), String::new(), "AccessDenied"),
    ] {
        let answer = put(&server, &bucket, header, &inner).await;
        assert_eq!(answer.error().1, code, "{inner:.200}");
        assert_eq!(server.client().get(&target).await.body, before, "{inner:.200}");
    }
    assert_eq!(put(&server, &bucket, SKIP, &many(100)).await.status, 200);
    let bridge = put(&server, &bucket, ("x-unused", "1"), "<EventBridgeConfiguration/>").await;
    assert_eq!(bridge.element("ArgumentValue1").as_deref(), Some("There is no endpoint named default"));
    assert_eq!(put(&server, &bucket, ("x-unused", "1"), "").await.status, 200, "nothing to tell needs nobody");
    assert_eq!(server.client().get(&target).await.element("QueueConfiguration"), None);
}
