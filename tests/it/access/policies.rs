//! Bucket policies as documents: what is taken, what is refused and where it is wrong, and who cannot be locked out.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_given_back_as_it_was_put_until_it_is_removed() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    fails(&world.owner.get("/pail?policy").await, 404, "NoSuchBucketPolicy");
    let text = format!(" {} \n", document(&[allow_plain("pail", &["s3:GetObject"])]));
    assert!(text.starts_with(' '));
    let text = text.trim_start().to_owned();
    assert_eq!(world.owner.put("/pail?policy", &text).await.status, 204);
    let shown = done(world.owner.get("/pail?policy").await);
    assert_eq!((shown.text(), shown.header("content-type")), (text, Some("application/json")));
    assert_eq!(world.owner.delete("/pail?policy").await.status, 204);
    fails(&world.owner.get("/pail?policy").await, 404, "NoSuchBucketPolicy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_denies_everyone_is_removed_by_the_root_alone() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    world.object("/pail/key").await;
    world.policy("pail", &[statement("Deny", json!("*"), "pail", &["s3:*"])]).await;
    for caller in [&world.owner, &world.full] {
        denied(&caller.get("/pail/key").await);
        denied(&caller.get("/pail").await);
    }
    denied(&world.full.delete("/pail?policy").await);
    denied(&world.full.get("/pail?policy").await);
    for caller in [&world.other, &world.server_root, &world.anonymous] {
        denied(&caller.delete("/pail?policy").await);
    }
    done(world.owner.get("/pail?policy").await);
    done(world.owner.delete("/pail?policy").await);
    done(world.full.get("/pail/key").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_policy_is_refused_with_its_place() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    let good = allow_plain("pail", &["s3:GetObject"]);
    let with = |field: &str, value: Value| {
        let mut second = good.clone();
        second[field] = value;
        document(&[good.clone(), second])
    };
    let user = |name: &str| json!({ "AWS": format!("arn:aws:iam::{OWNER}:{name}") });
    for (text, message) in [
        ("no".to_owned(), "Policies must be valid JSON"),
        (String::new(), "Policies must be valid JSON"),
        ("{\"Version\": \"2012-10-17\", }".to_owned(), "invalid Json"),
        (document(&[]), "Statement is empty"),
        (with("Effect", json!("Perhaps")), "Invalid effect: Perhaps (statement 2)"),
        (with("Action", json!("s3:GetEverything")), "invalid action: s3:GetEverything (statement 2)"),
        (with("Action", json!("s3:ListAllMyBuckets")), "(statement 2)"),
        (with("Resource", json!("arn:aws:s3:::other/*")), "invalid resource: arn:aws:s3:::other/* (statement 2)"),
        (with("Wish", json!(1)), "Unknown field Wish (statement 2)"),
        (with("Condition", json!({ "Equals": { "s3:prefix": "a" } })), "(statement 2)"),
        (with("Condition", json!({ "IpAddress": { "aws:SourceIp": "here" } })), "(statement 2)"),
        (with("Principal", json!("alice")), "Invalid principal in policy"),
        (with("Principal", json!({ "AWS": "999999999999" })), "Invalid principal in policy"),
        (with("Principal", json!({ "CanonicalUser": "f".repeat(64) })), "Invalid principal in policy"),
        (with("Principal", user("user/nobody")), ":user/nobody"),
        (with("Principal", user("user/team/plain")), "(statement 2)"),
        (with("Principal", user("user/PLAIN")), "Invalid principal in policy"),
        (with("Principal", user("role/nobody")), "Invalid principal in policy"),
        (
            with("Principal", json!({ "AWS": format!("arn:aws:sts::{OWNER}:assumed-role/nobody/s") })),
            "Invalid principal",
        ),
    ] {
        let answer = world.owner.put("/pail?policy", &text).await;
        fails(&answer, 400, "MalformedPolicy");
        let said = answer.element("Message").unwrap();
        assert!(said.contains(message), "{text}: {said}");
    }
    for principal in [
        json!("*"),
        json!({ "AWS": ["*", OTHER, format!("arn:aws:iam::{OTHER}:root")] }),
        json!({ "AWS": format!("arn:aws:iam::{OTHER}:user/plain"), "CanonicalUser": OTHER_ID }),
    ] {
        done(world.owner.put("/pail?policy", with("Principal", principal)).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_has_20_kib_at_most() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    let text = document(&[allow_plain("pail", &["s3:GetObject"])]);
    let padded = |length: usize| format!("{text}{}", " ".repeat(length - text.len()));
    done(world.owner.put("/pail?policy", padded(20 * 1024)).await);
    let answer = world.owner.put("/pail?policy", padded(20 * 1024 + 1)).await;
    fails(&answer, 400, "MalformedPolicy");
    assert!(answer.text().contains("maximum allowed size of 20480 bytes"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_a_policy_names_passes_it_on_by_policies_of_its_own() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    world.object("/pail/key").await;
    for principal in [json!({ "AWS": OTHER }), json!({ "CanonicalUser": OTHER_ID })] {
        world.policy("pail", &[statement("Allow", principal, "pail", &["s3:GetObject"])]).await;
        done(world.other.get("/pail/key").await);
        done(world.other_full.get("/pail/key").await);
        for caller in [&world.other_plain, &world.server_root, &world.plain, &world.anonymous] {
            denied(&caller.get("/pail/key").await);
        }
    }
    // In the bucket's own account, too.
    world.policy("pail", &[statement("Allow", json!({ "AWS": OWNER }), "pail", &["s3:GetObject"])]).await;
    denied(&world.plain.get("/pail/key").await);
    // Who is named needs nobody, in his own account.
    world.policy("pail", &[allow_plain("pail", &["s3:GetObject"])]).await;
    done(world.plain.get("/pail/key").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_not_told_what_decided() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    world.object("/pail/key").await;
    let mut deny = statement("Deny", json!("*"), "pail", &["s3:GetObject"]);
    deny["Sid"] = json!("Secret plan");
    world.policy("pail", &[deny]).await;
    let told = world.full.get("/pail/key").await.element("Message").unwrap();
    for word in ["Secret plan", "s3:GetObject", &format!("arn:aws:iam::{OWNER}:user/full")] {
        assert!(told.contains(word), "{told}");
    }
    for caller in [&world.other, &world.other_full, &world.anonymous] {
        assert_eq!(caller.get("/pail/key").await.element("Message").as_deref(), Some("Access Denied"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_policy_does_not_mean_what_a_site_keeps_for_itself() {
    let world = World::start();
    world.bucket("site", &[]).await;
    for key in ["/site/index.html", "/site/.brim/site.toml", "/site/.brimful"] {
        done(world.owner.put(key, "text").await);
    }
    world.policy("site", &[statement("Allow", json!("*"), "site", &["s3:GetObject", "s3:PutObject"])]).await;
    for caller in [&world.anonymous, &world.other] {
        done(caller.get("/site/index.html").await);
        done(caller.get("/site/.brimful").await);
        denied(&caller.get("/site/.brim/site.toml").await);
        denied(&caller.put("/site/.brim/current", "{}").await);
        denied(&caller.put_with("/site/copy", &[("x-amz-copy-source", "site/.brim/site.toml")]).await);
    }
    for caller in [&world.owner, &world.plain] {
        done(caller.get("/site/.brim/site.toml").await);
    }
}
