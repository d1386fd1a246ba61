//! Keys that end, and credentials that are good for a while and for less than their user or role.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::*;
use crate::query;

/// Somebody who calls IAM and STS.
fn manager(caller: &Caller) -> query::Caller {
    query::Caller { client: caller.client.clone(), token: caller.token.clone() }
}

/// The caller whose credentials an answer holds.
fn caller_of(world: &World, answer: &Answer) -> Caller {
    let query::Caller { client, token } = query::Caller::of(&world.server, &done(answer.clone()));
    Caller { name: "session", client, signs: true, token }
}

fn encoded(document: Value) -> String {
    utf8_percent_encode(&document.to_string(), NON_ALPHANUMERIC).to_string()
}

fn allowing(actions: &[&str]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": actions, "Resource": "*" } })
}

async fn start() -> World {
    let world = World::start();
    world.bucket("pail", &[]).await;
    world.object("/pail/key").await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_disabled_or_deleted_and_a_policy_that_is_taken_away_count_at_the_next_request() {
    let world = start().await;
    let root = manager(&world.owner);
    root.done("CreateUser&UserName=bob").await;
    let made = root.done("CreateAccessKey&UserName=bob").await;
    let bob = caller_of(&world, &made);
    let id = made.element("AccessKeyId").unwrap();
    denied(&bob.get("/pail/key").await);
    let policy = encoded(allowing(&["s3:GetObject"]));
    root.done(&format!("PutUserPolicy&UserName=bob&PolicyName=p&PolicyDocument={policy}")).await;
    for _ in 0..3 {
        done(bob.get("/pail/key").await);
        denied(&bob.put("/pail/key", "x").await);
        root.done(&format!("UpdateAccessKey&UserName=bob&AccessKeyId={id}&Status=Inactive")).await;
        fails(&bob.get("/pail/key").await, 403, "InvalidAccessKeyId");
        root.done(&format!("UpdateAccessKey&UserName=bob&AccessKeyId={id}&Status=Active")).await;
        done(bob.get("/pail/key").await);
        root.done("DeleteUserPolicy&UserName=bob&PolicyName=p").await;
        denied(&bob.get("/pail/key").await);
        root.done(&format!("PutUserPolicy&UserName=bob&PolicyName=p&PolicyDocument={policy}")).await;
    }
    root.done(&format!("DeleteAccessKey&UserName=bob&AccessKeyId={id}")).await;
    fails(&bob.get("/pail/key").await, 403, "InvalidAccessKeyId");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_may_do_what_its_role_and_its_policies_both_allow() {
    let world = start().await;
    let root = manager(&world.owner);
    let trust = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "AWS": [format!("arn:aws:iam::{OWNER}:user/plain"), OTHER] } } });
    let trust = encoded(trust);
    root.done(&format!("CreateRole&RoleName=reader&AssumeRolePolicyDocument={trust}")).await;
    let rights = encoded(allowing(&["s3:GetObject", "s3:PutObject"]));
    root.done(&format!("PutRolePolicy&RoleName=reader&PolicyName=p&PolicyDocument={rights}")).await;
    let assume = async |caller: &Caller, more: &str| {
        let arn = format!("arn:aws:iam::{OWNER}:role/reader");
        manager(caller).sts(&format!("AssumeRole&RoleArn={arn}&RoleSessionName=work{more}")).await
    };
    let whole = caller_of(&world, &assume(&world.plain, "").await);
    done(whole.get("/pail/key").await);
    done(whole.put("/pail/new", "x").await);
    denied(&whole.delete("/pail/key").await);
    let narrow = format!("&Policy={}", encoded(allowing(&["s3:GetObject", "s3:DeleteObject"])));
    let narrow = caller_of(&world, &assume(&world.other_full, &narrow).await);
    done(narrow.get("/pail/key").await);
    denied(&narrow.put("/pail/new", "x").await);
    denied(&narrow.delete("/pail/key").await);
    assert_eq!(assume(&world.other_plain, "").await.status, 403);

    // The token belongs to these credentials, and they to it.
    let bare = Caller { token: None, ..whole.clone() };
    assert_eq!(bare.get("/pail/key").await.status, 403);
    let swapped = Caller { token: narrow.token.clone(), ..whole.clone() };
    assert!([400, 403].contains(&swapped.get("/pail/key").await.status));
    let invented = Caller { token: Some("invented".to_owned()), ..whole.clone() };
    fails(&invented.get("/pail/key").await, 400, "InvalidToken");
    let stray = Caller { token: whole.token.clone(), ..world.full.clone() };
    assert!([400, 403].contains(&stray.get("/pail/key").await.status));

    // A bucket policy that names the role, or the session.
    for principal in
        [format!("arn:aws:iam::{OWNER}:role/reader"), format!("arn:aws:sts::{OWNER}:assumed-role/reader/work")]
    {
        let allow = statement("Allow", json!({ "AWS": principal }), "pail", &["s3:ListBucket"]);
        world.policy("pail", &[allow]).await;
        done(whole.get("/pail").await);
    }
    // Only what names the very session is not narrowed by the session's policies.
    done(narrow.get("/pail").await);
    let role = json!({ "AWS": format!("arn:aws:iam::{OWNER}:role/reader") });
    world.policy("pail", &[statement("Allow", role, "pail", &["s3:ListBucket"])]).await;
    denied(&narrow.get("/pail").await);

    root.done("DeleteRolePolicy&RoleName=reader&PolicyName=p").await;
    denied(&whole.get("/pail/key").await);
    root.done("DeleteRole&RoleName=reader").await;
    assert_eq!(whole.get("/pail/key").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_a_user_is_that_user_and_ends_with_him() {
    let world = start().await;
    let root = manager(&world.owner);
    root.done("CreateUser&UserName=carol").await;
    let policy = encoded(allowing(&["s3:GetObject"]));
    root.done(&format!("PutUserPolicy&UserName=carol&PolicyName=p&PolicyDocument={policy}")).await;
    let made = root.done("CreateAccessKey&UserName=carol").await;
    let carol = caller_of(&world, &made);
    let session = caller_of(&world, &manager(&carol).sts("GetSessionToken").await);
    done(session.get("/pail/key").await);
    denied(&session.put("/pail/key", "x").await);
    let deny =
        statement("Deny", json!({ "AWS": format!("arn:aws:iam::{OWNER}:user/carol") }), "pail", &["s3:GetObject"]);
    world.policy("pail", &[deny]).await;
    denied(&session.get("/pail/key").await);
    done(world.owner.delete("/pail?policy").await);
    done(session.get("/pail/key").await);
    let id = made.element("AccessKeyId").unwrap();
    root.done(&format!("DeleteAccessKey&UserName=carol&AccessKeyId={id}")).await;
    root.done("DeleteUserPolicy&UserName=carol&PolicyName=p").await;
    root.done("DeleteUser&UserName=carol").await;
    assert_eq!(session.get("/pail/key").await.status, 403);
    // A user of the same name is another one, whom the policy must name anew.
    root.done("CreateUser&UserName=carol").await;
    assert_eq!(session.get("/pail/key").await.status, 403);
}
