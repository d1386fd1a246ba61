//! Conditions: that each key is what the request, its signature and the object say.

use std::time::{Duration, SystemTime};

use super::*;
use crate::signed::Payload;

/// A bucket in which the owner's user without policies may do these actions under a condition.
async fn only(world: &World, actions: &[&str], condition: Value) {
    world.policy("pail", &[under(allow_plain("pail", actions), condition)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_are_bounded_by_prefix_delimiter_and_length() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    let list = &["s3:ListBucket"];
    for (condition, allowed, refused) in [
        (json!({ "StringLike": { "s3:prefix": "home/*" } }), "prefix=home/a", "prefix=etc/"),
        (json!({ "StringEquals": { "s3:prefix": "home/" } }), "prefix=home%2F", "prefix=home/a"),
        (json!({ "StringEquals": { "s3:prefix": ["", "a"] } }), "prefix=", "prefix=b"),
        (json!({ "StringEquals": { "s3:delimiter": "/" } }), "delimiter=/", "delimiter=-"),
        (json!({ "NumericLessThanEquals": { "s3:max-keys": "10" } }), "max-keys=10", "max-keys=11"),
    ] {
        only(&world, list, condition.clone()).await;
        for version in ["", "list-type=2&"] {
            done(world.plain.get(&format!("/pail?{version}{allowed}")).await);
            denied(&world.plain.get(&format!("/pail?{version}{refused}")).await);
            denied(&world.plain.get(&format!("/pail?{version}")).await);
        }
        // Of two, the first counts for both the judgement and the listing.
        denied(&world.plain.get(&format!("/pail?{refused}&{allowed}")).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tags_of_an_object_decide_who_reads_changes_and_deletes_it() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    for team in ["blue", "red"] {
        let tags = format!("team={team}");
        for key in [team.to_owned(), format!("{team}-2")] {
            done(world.owner.put_with(&format!("/pail/{key}"), &[("x-amz-tagging", &tags)]).await);
        }
    }
    world.object("/pail/none").await;
    let blue = json!({ "StringEquals": { "s3:ExistingObjectTag/team": "blue" } });
    only(&world, &["s3:GetObject", "s3:GetObjectTagging", "s3:DeleteObject", "s3:DeleteObjectTagging"], blue).await;
    done(world.plain.get("/pail/blue").await);
    assert_eq!(world.plain.head("/pail/blue").await.status, 200);
    done(world.plain.get("/pail/blue?tagging").await);
    for key in ["red", "none"] {
        denied(&world.plain.get(&format!("/pail/{key}")).await);
        assert_eq!(world.plain.head(&format!("/pail/{key}")).await.status, 403);
        denied(&world.plain.get(&format!("/pail/{key}?tagging")).await);
        denied(&world.plain.delete(&format!("/pail/{key}")).await);
        denied(&world.plain.delete(&format!("/pail/{key}?tagging")).await);
    }
    let answer = done(
        world.plain.delete_objects("pail", "<Object><Key>red</Key></Object><Object><Key>blue-2</Key></Object>").await,
    );
    assert_eq!((answer.elements("Error").len(), answer.elements("Deleted").len()), (1, 1), "{}", answer.text());
    // A source of a copy is judged by its own tags, not by those of the request.
    world
        .policy(
            "pail",
            &[
                allow_plain("pail", &["s3:PutObject", "s3:PutObjectTagging"]),
                under(
                    allow_plain("pail", &["s3:GetObject", "s3:GetObjectTagging"]),
                    json!({ "StringEquals": { "s3:ExistingObjectTag/team": "blue" } }),
                ),
            ],
        )
        .await;
    done(world.plain.copy("pail/blue", "/pail/copy").await);
    let forged =
        [("x-amz-copy-source", "pail/red"), ("x-amz-tagging-directive", "REPLACE"), ("x-amz-tagging", "team=blue")];
    denied(&world.plain.put_with("/pail/copy", &forged).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_read_by_policies_of_his_own_is_denied_by_tags() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    done(world.owner.put_with("/pail/secret", &[("x-amz-tagging", "class=secret")]).await);
    world.object("/pail/open").await;
    let deny = statement("Deny", json!("*"), "pail", &["s3:GetObject"]);
    world.policy("pail", &[under(deny, json!({ "StringEquals": { "s3:ExistingObjectTag/class": "secret" } }))]).await;
    for caller in [&world.full, &world.owner] {
        done(caller.get("/pail/open").await);
        denied(&caller.get("/pail/secret").await);
        denied(&caller.copy("pail/secret", "/pail/copy").await);
        denied(&caller.get("/pail/secret?attributes").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tags_of_a_request_are_those_of_its_header_or_its_body() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    world.object("/pail/key").await;
    let blue = json!({ "StringEquals": { "s3:RequestObjectTag/team": "blue" } });
    only(&world, &["s3:PutObject", "s3:PutObjectTagging"], blue).await;
    let put = async |tags: &str| world.plain.send("PUT", "/pail/new", &[("x-amz-tagging", tags)], "x").await;
    done(put("team=blue").await);
    denied(&put("team=red").await);
    denied(&world.plain.put("/pail/new", "x").await);
    let tag = async |headers: &[(&str, &str)], team: &str| {
        let body = format!("<Tagging><TagSet><Tag><Key>team</Key><Value>{team}</Value></Tag></TagSet></Tagging>");
        world.plain.send("PUT", "/pail/key?tagging", headers, body).await
    };
    done(tag(&[], "blue").await);
    denied(&tag(&[], "red").await);
    // The body is what counts.
    denied(&tag(&[("x-amz-tagging", "team=blue")], "red").await);
    let keys = json!({ "ForAllValues:StringEquals": { "s3:RequestObjectTagKeys": ["team"] } });
    only(&world, &["s3:PutObject", "s3:PutObjectTagging"], keys).await;
    done(put("team=red").await);
    denied(&put("team=red&other=1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_request_comes_from_is_what_the_connection_and_the_head_say() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    world.object("/pail/key").await;
    let referer = ("referer", "http://site.example/page");
    for (condition, allowed) in [
        (json!({ "IpAddress": { "aws:SourceIp": "127.0.0.0/8" } }), true),
        (json!({ "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } }), false),
        (json!({ "NotIpAddress": { "aws:SourceIp": "127.0.0.1" } }), false),
        (json!({ "Bool": { "aws:SecureTransport": "false" } }), true),
        (json!({ "Bool": { "aws:SecureTransport": "true" } }), false),
        (json!({ "StringLike": { "aws:Referer": "http://site.example/*" } }), true),
        (json!({ "StringLike": { "aws:Referer": "http://other.example/*" } }), false),
    ] {
        let allow = statement("Allow", json!("*"), "pail", &["s3:GetObject"]);
        world.policy("pail", &[under(allow, condition.clone())]).await;
        for caller in [&world.anonymous, &world.plain] {
            // A header that a proxy might set says nothing.
            let headers = [referer, ("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https")];
            let answer = caller.send("GET", "/pail/key", &headers, "").await;
            assert_eq!(answer.status, if allowed { 200 } else { 403 }, "{condition}: {}", answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn how_and_when_a_request_was_signed_can_be_asked_for() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    world.object("/pail/key").await;
    let presigned = world.plain.client.presign_headers("GET", "/pail/key", &[], Duration::from_secs(600));
    only(&world, &["s3:GetObject"], json!({ "StringEquals": { "s3:authType": "REST-HEADER" } })).await;
    done(world.plain.get("/pail/key").await);
    denied(&world.anonymous.get(&presigned).await);
    only(&world, &["s3:GetObject"], json!({ "StringEquals": { "s3:authType": "REST-QUERY-STRING" } })).await;
    done(world.anonymous.get(&presigned).await);
    denied(&world.plain.get("/pail/key").await);

    only(&world, &["s3:GetObject"], json!({ "NumericLessThan": { "s3:signatureAge": "60000" } })).await;
    done(world.plain.get("/pail/key").await);
    let then = SystemTime::now() - Duration::from_secs(120);
    let old = world.plain.client.sign_at(then, "GET", "/pail/key", &[], Payload::Hashed(b""));
    denied(&world.plain.client.send_head(&old, b"").await);
    only(&world, &["s3:GetObject"], json!({ "NumericLessThan": { "s3:signatureAge": "600000" } })).await;
    done(world.plain.client.send_head(&old, b"").await);
    let version = json!({ "StringEquals": { "s3:signatureversion": "AWS4-HMAC-SHA256" } });
    only(&world, &["s3:GetObject"], version).await;
    done(world.plain.get("/pail/key").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_demanded_by_conditions() {
    let world = World::start();
    world.bucket("pail", &[("x-amz-object-ownership", "ObjectWriter")]).await;
    let full = json!({ "StringEquals": { "s3:x-amz-acl": "bucket-owner-full-control" } });
    let other = json!({ "AWS": OTHER });
    let allow = statement("Allow", other, "pail", &["s3:PutObject", "s3:PutObjectAcl"]);
    world.policy("pail", &[under(allow, full)]).await;
    done(world.other.put_with("/pail/key", &[("x-amz-acl", "bucket-owner-full-control")]).await);
    denied(&world.other.put("/pail/key", "x").await);
    denied(&world.other.put_with("/pail/key", &[("x-amz-acl", "private")]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditional_writes_are_enforced_and_uploads_in_parts_still_begin() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    let deny = statement("Deny", json!("*"), "pail", &["s3:PutObject"]);
    let condition = json!({ "Null": { "s3:if-none-match": "true" }, "Bool": { "s3:ObjectCreationOperation": "true" } });
    world.policy("pail", &[under(deny, condition)]).await;
    let new = [("if-none-match", "*")];
    denied(&world.full.put("/pail/key", "x").await);
    denied(&world.full.copy("pail/key", "/pail/copy").await);
    done(world.full.send("PUT", "/pail/key", &new, "x").await);
    let begun = done(world.full.send("POST", "/pail/parts?uploads", &[], "").await);
    let target = format!("/pail/parts?uploadId={}", begun.element("UploadId").unwrap());
    let part = done(world.full.put(&format!("{target}&partNumber=1"), "x").await);
    let etag = part.header("etag").unwrap();
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    denied(&world.full.send("POST", &target, &[], &list).await);
    done(world.full.send("POST", &target, &new, &list).await);
}
