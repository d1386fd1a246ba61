//! Objects: what copies, deletions, headers and conditions need besides, and whose an object is.

use super::*;

const TAGGED: (&str, &str) = ("x-amz-tagging", "team=blue");

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_a_list_are_judged_one_by_one() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    for key in ["mine/a", "theirs/a"] {
        world.object(&format!("/pail/{key}")).await;
    }
    let mut mine = allow_plain("pail", &["s3:DeleteObject"]);
    mine["Resource"] = json!("arn:aws:s3:::pail/mine/*");
    world.policy("pail", &[mine]).await;
    let objects = "<Object><Key>mine/a</Key></Object><Object><Key>theirs/a</Key></Object>";
    let answer = done(world.plain.delete_objects("pail", objects).await);
    assert_eq!(answer.elements("Deleted"), ["<Key>mine/a</Key>"]);
    let errors = answer.elements("Error");
    assert!(errors.len() == 1 && errors[0].starts_with("<Key>theirs/a</Key><Code>AccessDenied</Code>"), "{errors:?}");
    assert_eq!(world.owner.head("/pail/theirs/a").await.status, 200);
    assert_eq!(world.owner.head("/pail/mine/a").await.status, 404);
    // A version needs a permission of its own.
    let answer =
        done(world.plain.delete_objects("pail", "<Object><Key>mine/b</Key><VersionId>null</VersionId></Object>").await);
    assert_eq!(answer.element("Code").as_deref(), Some("AccessDenied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_reads_its_source_and_the_tags_that_it_takes_along() {
    let world = World::start();
    for bucket in ["from", "into"] {
        world.bucket(bucket, &[]).await;
    }
    done(world.owner.send("PUT", "/from/tagged", &[TAGGED], "x").await);
    world.object("/from/plain").await;
    world.policy("into", &[allow_plain("into", &["s3:PutObject"])]).await;
    let copy = async |source: &str| world.plain.copy(&format!("from/{source}"), "/into/key").await;
    denied(&copy("plain").await);
    world.policy("from", &[allow_plain("from", &["s3:GetObject"])]).await;
    done(copy("plain").await);
    denied(&copy("tagged").await);
    let replaced = [("x-amz-copy-source", "from/tagged"), ("x-amz-tagging-directive", "REPLACE")];
    done(world.plain.put_with("/into/key", &replaced).await);
    world.policy("from", &[allow_plain("from", &["s3:GetObject", "s3:GetObjectTagging"])]).await;
    // The destination gets the tags, and its owner has a say in that, by their values too.
    denied(&copy("tagged").await);
    let tag = |value: &str| json!({ "StringEquals": { "s3:RequestObjectTag/team": value } });
    let into = allow_plain("into", &["s3:PutObject"]);
    let tags = allow_plain("into", &["s3:PutObjectTagging"]);
    world.policy("into", &[into.clone(), under(tags.clone(), tag("another"))]).await;
    denied(&copy("tagged").await);
    world.policy("into", &[into, under(tags, tag("blue"))]).await;
    done(copy("tagged").await);
    // The version that is named is the source's, whatever the destination's query says.
    denied(&copy("plain?versionId=null").await);
    world.policy("from", &[allow_plain("from", &["s3:GetObjectVersion"])]).await;
    done(copy("plain?versionId=null").await);
    denied(&copy("plain").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_takes_nothing_away_that_a_deletion_may_not() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    done(world.owner.send("PUT", "/pail/kept", &[TAGGED], "x").await);
    let all = allow_plain("pail", &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]);
    let mut kept = under(
        allow_plain("pail", &["s3:DeleteObject"]),
        json!({ "StringEquals": { "s3:ExistingObjectTag/team": "blue" } }),
    );
    kept["Effect"] = json!("Deny");
    world.policy("pail", &[all, kept]).await;
    denied(&world.plain.delete("/pail/kept").await);
    denied(&world.plain.put_with("/pail/moved?renameObject", &[("x-amz-rename-source", "kept")]).await);
    assert_eq!(world.owner.head("/pail/kept").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_on_versions_are_about_the_version_that_is_touched() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    done(world.owner.put("/pail?versioning", enabled).await);
    let secret = done(world.owner.put("/pail/key", "secret").await).header("x-amz-version-id").unwrap().to_owned();
    let open = done(world.owner.put("/pail/key", "open").await).header("x-amz-version-id").unwrap().to_owned();
    let only = json!({ "StringEquals": { "s3:VersionId": open } });
    let reads = under(allow_plain("pail", &["s3:GetObjectVersion", "s3:DeleteObjectVersion"]), only);
    world.policy("pail", &[allow_plain("pail", &["s3:PutObject"]), reads]).await;
    done(world.plain.get(&format!("/pail/key?versionId={open}")).await);
    denied(&world.plain.get(&format!("/pail/key?versionId={secret}")).await);
    let target = format!("/pail/copy?versionId={open}");
    fails(&world.plain.copy(&format!("pail/key?versionId={secret}"), &target).await, 400, "InvalidArgument");
    denied(&world.plain.copy(&format!("pail/key?versionId={secret}"), "/pail/copy").await);
    done(world.plain.copy(&format!("pail/key?versionId={open}"), "/pail/copy").await);
    let delete = async |version: &str| {
        let object = format!("<Object><Key>key</Key><VersionId>{version}</VersionId></Object>");
        done(world.plain.delete_objects("pail", &object).await).element("Code")
    };
    assert_eq!(delete(&secret).await.as_deref(), Some("AccessDenied"));
    assert_eq!(delete(&open).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_need_the_permissions_of_what_they_do() {
    let world = World::start();
    world.bucket("pail", &[("x-amz-object-ownership", "ObjectWriter")]).await;
    world.policy("pail", &[allow_plain("pail", &["s3:PutObject"])]).await;
    let acl = ("x-amz-acl", "private");
    let grant = ("x-amz-grant-read", "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"");
    done(world.plain.put("/pail/key", "x").await);
    for header in [acl, grant, TAGGED] {
        denied(&world.plain.send("PUT", "/pail/key", &[header], "x").await);
        denied(&world.plain.send("POST", "/pail/key?uploads", &[header], "").await);
        denied(&world.plain.put_with("/pail/copy", &[("x-amz-copy-source", "pail/key"), header]).await);
    }
    world.policy("pail", &[allow_plain("pail", &["s3:PutObject", "s3:PutObjectAcl"])]).await;
    done(world.plain.send("PUT", "/pail/key", &[acl], "x").await);
    denied(&world.plain.send("PUT", "/pail/key", &[acl, TAGGED], "x").await);
    world.policy("pail", &[allow_plain("pail", &["s3:PutObject", "s3:PutObjectTagging"])]).await;
    done(world.plain.send("PUT", "/pail/key", &[TAGGED], "x").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_tag_can_be_guessed_only_by_who_may_read() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    let etag = done(world.owner.put("/pail/key", "x").await).header("etag").unwrap().to_owned();
    let writes = &["s3:PutObject", "s3:DeleteObject"];
    world.policy("pail", &[allow_plain("pail", writes)]).await;
    denied(&world.plain.send("PUT", "/pail/key", &[("if-match", &etag)], "x").await);
    denied(&world.plain.send("DELETE", "/pail/key", &[("if-match", &etag)], "").await);
    let object = format!("<Object><Key>key</Key><ETag>{}</ETag></Object>", etag.trim_matches('"'));
    let answer = done(world.plain.delete_objects("pail", &object).await);
    assert_eq!(answer.element("Code").as_deref(), Some("AccessDenied"), "{}", answer.text());
    fails(&world.plain.send("PUT", "/pail/key", &[("if-none-match", "*")], "x").await, 412, "PreconditionFailed");
    world.policy("pail", &[allow_plain("pail", &["s3:PutObject", "s3:DeleteObject", "s3:GetObject"])]).await;
    done(world.plain.send("PUT", "/pail/key", &[("if-match", &etag)], "x").await);
    done(world.plain.send("DELETE", "/pail/key", &[("if-match", &etag)], "").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_another_account_is_not_the_buckets_owners_to_read() {
    let world = World::start();
    let other = json!({ "AWS": OTHER });
    for (bucket, ownership) in [("theirs", "ObjectWriter"), ("preferred", "BucketOwnerPreferred")] {
        world.bucket(bucket, &[("x-amz-object-ownership", ownership)]).await;
        let actions = &["s3:PutObject", "s3:PutObjectAcl"];
        world.policy(bucket, &[statement("Allow", other.clone(), bucket, actions)]).await;
        done(world.other.put(&format!("/{bucket}/key"), "x").await);
        let given = [("x-amz-acl", "bucket-owner-full-control")];
        done(world.other.put_with(&format!("/{bucket}/given"), &given).await);
        let owner_of = async |key: &str| {
            let listed = done(world.owner.get(&format!("/{bucket}?list-type=2&fetch-owner=true&prefix={key}")).await);
            (listed.element("ID").unwrap(), listed.element("DisplayName").unwrap())
        };
        assert_eq!(owner_of("key").await, (OTHER_ID.to_owned(), "Other".to_owned()));
        for caller in [&world.owner, &world.full] {
            denied(&caller.get(&format!("/{bucket}/key")).await);
            denied(&caller.get(&format!("/{bucket}/key?acl")).await);
        }
        done(world.other.get(&format!("/{bucket}/key")).await);
        done(world.owner.get(&format!("/{bucket}/given")).await);
        let owner = if ownership == "ObjectWriter" { (OTHER_ID, "Other") } else { (OWNER_ID, "Owner") };
        assert_eq!(owner_of("given").await, (owner.0.to_owned(), owner.1.to_owned()));
        // Given to him by a list, not owned: what he passes on to his users is in the policies there.
        done(world.full.get(&format!("/{bucket}/given")).await);
        if ownership == "BucketOwnerPreferred" {
            denied(&world.other.get(&format!("/{bucket}/given")).await);
        }
        // What takes its place is somebody else's to give away.
        done(world.full.put_with(&format!("/{bucket}/key"), &[("x-amz-acl", "public-read"), TAGGED]).await);
        assert_eq!(owner_of("key").await, (OWNER_ID.to_owned(), "Owner".to_owned()));
        let target = format!("/{bucket}/fresh?uploads");
        let parts = world.full.send("POST", &target, &[("x-amz-acl", "private")], "");
        done(parts.await);
        done(world.other.put(&format!("/{bucket}/key"), "x").await);
        // Whoever owns an object, the bucket's owner may delete it.
        done(world.full.delete(&format!("/{bucket}/key")).await);
        done(world.other.put(&format!("/{bucket}/key"), "x").await);
        // Enforced, everything is the bucket's owner's.
        let enforced = "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>";
        done(world.owner.put(&format!("/{bucket}?ownershipControls"), enforced).await);
        done(world.owner.get(&format!("/{bucket}/key")).await);
        denied(&world.other.get(&format!("/{bucket}/key")).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_write_into_a_bucket_by_its_list_deletes_only_what_is_his() {
    let world = World::start();
    world.bucket("board", &[("x-amz-object-ownership", "ObjectWriter"), ("x-amz-acl", "public-read-write")]).await;
    world.object("/board/owners").await;
    done(world.other.put("/board/others", "x").await);
    denied(&world.other.delete("/board/owners").await);
    denied(&world.anonymous.delete("/board/owners").await);
    let answer = done(world.other.delete_objects("board", "<Object><Key>owners</Key></Object>").await);
    assert_eq!(answer.element("Code").as_deref(), Some("AccessDenied"), "{}", answer.text());
    assert_eq!(world.owner.head("/board/owners").await.status, 200);
    done(world.other.delete("/board/others").await);
    done(world.other.delete("/board/nothing").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_lists_the_buckets_of_his_own_account() {
    let world = World::start();
    world.bucket("first", &[]).await;
    done(world.other.put("/second", "").await);
    let listed = async |caller: &Caller| {
        let answer = done(caller.get("/").await);
        (answer.element("ID").unwrap(), answer.element("DisplayName").unwrap(), answer.elements("Name"))
    };
    assert_eq!(listed(&world.owner).await, (OWNER_ID.into(), "Owner".into(), vec!["first".to_owned()]));
    assert_eq!(listed(&world.full).await, (OWNER_ID.into(), "Owner".into(), vec!["first".to_owned()]));
    assert_eq!(listed(&world.other).await, (OTHER_ID.into(), "Other".into(), vec!["second".to_owned()]));
    denied(&world.plain.get("/").await);
    denied(&world.anonymous.get("/").await);
    denied(&world.plain.put("/third", "").await);
    fails(&world.other.put("/first", "").await, 409, "BucketAlreadyExists");
}
