//! Public access blocks and ownership controls.

use super::*;

/// Everything that is public is forbidden.
pub const ALL: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
    <IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy>\
    <RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";

const OBJECT_WRITER: (&str, &str) = ("x-amz-object-ownership", "ObjectWriter");
const PUBLIC: (&str, &str) = ("x-amz-acl", "public-read");

async fn block(world: &World, bucket: &str, rule: &str) {
    let body = format!("<PublicAccessBlockConfiguration><{rule}>true</{rule}></PublicAccessBlockConfiguration>");
    done(world.owner.put(&format!("/{bucket}?publicAccessBlock"), body).await);
}

fn public(bucket: &str) -> Value {
    statement("Allow", json!("*"), bucket, &["s3:GetObject"])
}

#[tokio::test(flavor = "multi_thread")]
async fn each_rule_of_a_block_forbids_its_own() {
    let world = World::start();
    world.bucket("pail", &[OBJECT_WRITER]).await;
    done(world.owner.put_with("/pail/key", &[PUBLIC]).await);
    done(world.anonymous.get("/pail/key").await);

    block(&world, "pail", "BlockPublicAcls").await;
    done(world.anonymous.get("/pail/key").await);
    let group = ("x-amz-grant-read", "uri=\"http://acs.amazonaws.com/groups/global/AuthenticatedUsers\"");
    for header in [PUBLIC, group] {
        denied(&world.owner.put_with("/pail/other", &[header]).await);
        denied(&world.owner.put_with("/pail/key?acl", &[header]).await);
        denied(&world.owner.put_with("/pail?acl", &[header]).await);
        denied(&world.owner.put_with("/pail/copy", &[("x-amz-copy-source", "pail/key"), header]).await);
        denied(&world.owner.send("POST", "/pail/parts?uploads", &[header], "").await);
    }
    done(world.owner.put_with("/pail/other", &[("x-amz-acl", "private")]).await);

    block(&world, "pail", "IgnorePublicAcls").await;
    denied(&world.anonymous.get("/pail/key").await);
    denied(&world.other.get("/pail/key").await);
    done(world.owner.put_with("/pail/other", &[PUBLIC]).await);

    block(&world, "pail", "BlockPublicPolicy").await;
    done(world.anonymous.get("/pail/key").await);
    denied(&world.owner.put("/pail?policy", document(&[public("pail")])).await);
    let fixed = under(public("pail"), json!({ "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } }));
    world.policy("pail", &[fixed]).await;

    done(world.owner.delete("/pail?publicAccessBlock").await);
    fails(&world.owner.get("/pail?publicAccessBlock").await, 404, "NoSuchPublicAccessBlockConfiguration");
    world.policy("pail", &[public("pail")]).await;
    done(world.other.get("/pail/key").await);
    block(&world, "pail", "RestrictPublicBuckets").await;
    denied(&world.other.get("/pail/key").await);
    denied(&world.anonymous.get("/pail/key").await);
    done(world.plain.get("/pail/key").await);
    let shown = done(world.owner.get("/pail?publicAccessBlock").await);
    for (rule, value) in
        [("RestrictPublicBuckets", "true"), ("BlockPublicAcls", "false"), ("IgnorePublicAcls", "false")]
    {
        assert_eq!(shown.element(rule).as_deref(), Some(value), "{rule}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policys_status_says_whether_it_is_public() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    fails(&world.owner.get("/pail?policyStatus").await, 404, "NoSuchBucketPolicy");
    let within = |key: &str, value: &str| under(public("pail"), json!({ "StringEquals": { key: value } }));
    for (statement, expected) in [
        (public("pail"), "true"),
        (allow_plain("pail", &["s3:GetObject"]), "false"),
        (within("aws:PrincipalAccount", OTHER), "false"),
        (within("aws:Referer", "http://a/"), "true"),
        (under(public("pail"), json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } })), "false"),
        (under(public("pail"), json!({ "IpAddress": { "aws:SourceIp": "0.0.0.0/1" } })), "true"),
        (statement("Deny", json!("*"), "pail", &["s3:DeleteObject"]), "false"),
    ] {
        world.policy("pail", std::slice::from_ref(&statement)).await;
        let status = done(world.owner.get("/pail?policyStatus").await);
        assert_eq!(status.element("IsPublic").as_deref(), Some(expected), "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ownership_controls_are_put_shown_and_removed() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    let shown = async || world.owner.get("/pail?ownershipControls").await;
    assert_eq!(done(shown().await).element("ObjectOwnership").as_deref(), Some("BucketOwnerEnforced"));
    let put = async |word: &str| {
        let body =
            format!("<OwnershipControls><Rule><ObjectOwnership>{word}</ObjectOwnership></Rule></OwnershipControls>");
        world.owner.put("/pail?ownershipControls", body).await
    };
    for word in ["ObjectWriter", "BucketOwnerPreferred"] {
        done(put(word).await);
        assert_eq!(done(shown().await).element("ObjectOwnership").as_deref(), Some(word));
    }
    fails(&put("Nobody").await, 400, "MalformedXML");
    done(world.owner.delete("/pail?ownershipControls").await);
    fails(&shown().await, 404, "OwnershipControlsNotFoundError");
    // Removed controls leave lists on.
    done(world.owner.put_with("/pail?acl", &[PUBLIC]).await);
    fails(&put("BucketOwnerEnforced").await, 400, "InvalidBucketAclWithObjectOwnership");
    done(world.owner.put_with("/pail?acl", &[("x-amz-acl", "private")]).await);
    done(put("BucketOwnerEnforced").await);
    fails(&world.owner.put_with("/fresh", &[PUBLIC]).await, 400, "InvalidBucketAclWithObjectOwnership");
    denied(&world.plain.get("/pail?ownershipControls").await);
}
