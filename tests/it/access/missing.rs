//! What is not there, to those who may and who may not know it.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_list_is_told_that_a_key_is_missing() {
    let world = World::start();
    for (bucket, lists, status, code) in [
        ("blind", &["s3:GetObject"][..], 403, "AccessDenied"),
        ("seeing", &["s3:GetObject", "s3:ListBucket"], 404, "NoSuchKey"),
    ] {
        world.bucket(bucket, &[]).await;
        let actions = [lists, &["s3:GetObjectVersion", "s3:PutObject", "s3:GetObjectTagging"]].concat();
        world.policy(bucket, &[allow_plain(bucket, &actions)]).await;
        let plain = &world.plain;
        fails(&plain.get(&format!("/{bucket}/none")).await, status, code);
        assert_eq!(plain.head(&format!("/{bucket}/none")).await.status, status);
        fails(&plain.get(&format!("/{bucket}/none?tagging")).await, status, code);
        fails(&plain.copy(&format!("{bucket}/none"), &format!("/{bucket}/copy")).await, status, code);
        let version = "00000000000000000000000000000000";
        let answer = plain.get(&format!("/{bucket}/none?versionId={version}")).await;
        assert!([status, 400].contains(&answer.status), "{}", answer.text());
        let answer = plain.get(&format!("/{bucket}/none?versionId=null")).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        // A prefix in the query of something else is not a listing.
        fails(&plain.get(&format!("/{bucket}/none?prefix=a")).await, status, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_source_is_told_to_who_lists_the_source_whatever_he_may_do_with_the_destination() {
    let world = World::start();
    for bucket in ["from", "into"] {
        world.bucket(bucket, &[]).await;
    }
    world.policy("from", &[allow_plain("from", &["s3:GetObject", "s3:ListBucket"])]).await;
    world.policy("into", &[allow_plain("into", &["s3:PutObject"])]).await;
    fails(&world.plain.copy("from/none", "/into/key").await, 404, "NoSuchKey");
    world.policy("from", &[allow_plain("from", &["s3:GetObject"])]).await;
    world.policy("into", &[allow_plain("into", &["s3:PutObject", "s3:ListBucket"])]).await;
    denied(&world.plain.copy("from/none", "/into/key").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_that_may_be_listed_does_not_show_what_is_missing_elsewhere() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    let list = allow_plain("pail", &["s3:ListBucket"]);
    let condition = json!({ "StringEquals": { "s3:prefix": "open/" } });
    world.policy("pail", &[allow_plain("pail", &["s3:GetObject"]), under(list, condition)]).await;
    done(world.plain.get("/pail?prefix=open/").await);
    denied(&world.plain.get("/pail/secret/none?prefix=open/").await);
    denied(&world.plain.get("/pail/secret/none").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_is_missing_for_everyone() {
    let world = World::start();
    for caller in [&world.anonymous, &world.plain, &world.other] {
        fails(&caller.get("/not-here/key").await, 404, "NoSuchBucket");
    }
}
