//! Access control lists in headers and bodies: what is understood, what is refused, what is answered.

use super::*;

const WRITER: [(&str, &str); 1] = [("x-amz-object-ownership", "ObjectWriter")];
const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";

fn body(owner: &str, grants: &str) -> String {
    format!(
        "<AccessControlPolicy xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>{owner}</ID></Owner>\
         <AccessControlList>{grants}</AccessControlList></AccessControlPolicy>"
    )
}

fn grant(kind: &str, element: &str, value: &str, permission: &str) -> String {
    format!(
        "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"{kind}\">\
         <{element}>{value}</{element}></Grantee><Permission>{permission}</Permission></Grant>"
    )
}

/// The grants of an answer: who, as id or URI, and what.
fn granted(answer: &Answer) -> Vec<(String, String)> {
    let grants = answer.elements("Grant").into_iter().map(|grant| {
        let element = |name: &str| {
            let (open, close) = (format!("<{name}>"), format!("</{name}>"));
            grant.split_once(&open).and_then(|(_, rest)| rest.split_once(&close)).map(|(text, _)| text.to_owned())
        };
        (element("ID").or_else(|| element("URI")).unwrap(), element("Permission").unwrap())
    });
    grants.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_given_by_name_by_header_and_by_body_and_shown_as_given() {
    let world = World::start();
    world.bucket("pail", &WRITER).await;
    world.object("/pail/key").await;
    let full = || (OWNER_ID.to_owned(), "FULL_CONTROL".to_owned());
    let other = |permission: &str| (OTHER_ID.to_owned(), permission.to_owned());
    let all = |permission: &str| (ALL_USERS.to_owned(), permission.to_owned());
    for target in ["/pail?acl", "/pail/key?acl"] {
        let shown = async || {
            let answer = done(world.owner.get(target).await);
            assert_eq!(answer.element("DisplayName").as_deref(), Some("Owner"));
            granted(&answer)
        };
        assert_eq!(shown().await, [full()], "{target}");
        done(world.owner.put_with(target, &[("x-amz-acl", "public-read-write")]).await);
        assert_eq!(shown().await, [full(), all("READ"), all("WRITE")], "{target}");
        let headers = [
            ("x-amz-grant-full-control", format!("id=\"{OWNER_ID}\"")),
            ("x-amz-grant-read", "emailAddress=\"OTHER@example.com\"".to_owned()),
            ("x-amz-grant-read-acp", format!("uri=\"{ALL_USERS}\", id={OTHER_ID}")),
        ];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        done(world.owner.put_with(target, &headers).await);
        assert_eq!(shown().await, [full(), other("READ"), all("READ_ACP"), other("READ_ACP")], "{target}");
        done(world.anonymous.get(target).await);
        let grants = grant("CanonicalUser", "ID", OWNER_ID, "FULL_CONTROL")
            + &grant("AmazonCustomerByEmail", "EmailAddress", "other@example.com", "WRITE_ACP");
        done(world.owner.put(target, body(OWNER_ID, &grants)).await);
        assert_eq!(shown().await, [full(), other("WRITE_ACP")], "{target}");
        denied(&world.anonymous.get(target).await);
        // WRITE_ACP is to write it, not to read it.
        denied(&world.other.get(target).await);
        done(world.other.put(target, body(OWNER_ID, &grant("Group", "URI", ALL_USERS, "READ_ACP"))).await);
        assert_eq!(shown().await, [all("READ_ACP")], "an owner without grants still reads: {target}");
        denied(&world.other.put_with(target, &[("x-amz-acl", "private")]).await);
        done(world.owner.put_with(target, &[("x-amz-acl", "private")]).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_list_is_refused_with_its_code_and_changes_nothing() {
    let world = World::start();
    world.bucket("pail", &WRITER).await;
    world.object("/pail/key").await;
    let nobody = "f".repeat(64);
    let id = format!("id=\"{nobody}\"");
    let headers = |headers: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    };
    let read = |text: &str| headers(&[("x-amz-grant-read", text)]);
    let good = grant("CanonicalUser", "ID", OTHER_ID, "READ");
    let none = String::new;
    let cases = [
        (read(&id), none(), "InvalidArgument"),
        (read("emailAddress=nobody@example.com"), none(), "UnresolvableGrantByEmailAddress"),
        (read("uri=http://acs.amazonaws.com/groups/global/Nobody"), none(), "InvalidArgument"),
        (read("somebody"), none(), "InvalidArgument"),
        (headers(&[("x-amz-acl", "public")]), none(), "InvalidArgument"),
        (headers(&[("x-amz-acl", "private"), ("x-amz-grant-read", "id=x")]), none(), "InvalidArgument"),
        (
            headers(&[("x-amz-acl", "private"), ("x-amz-grant-read", &format!("id={OTHER_ID}"))]),
            none(),
            "InvalidRequest",
        ),
        (headers(&[("x-amz-acl", "private")]), body(OWNER_ID, &good), "UnexpectedContent"),
        (headers(&[]), none(), "MissingSecurityHeader"),
        (headers(&[]), "<AccessControlPolicy>".to_owned(), "MalformedACLError"),
        (headers(&[]), body(OWNER_ID, &good).replace("<Owner>", "<Deny/><Owner>"), "MalformedACLError"),
        (headers(&[]), body(OWNER_ID, &good.replace("READ", "EVERYTHING")), "MalformedACLError"),
        (headers(&[]), body(OWNER_ID, &good.replace("CanonicalUser", "Group")), "MalformedACLError"),
        (headers(&[]), body(OWNER_ID, &grant("CanonicalUser", "ID", &nobody, "READ")), "InvalidArgument"),
        (headers(&[]), body(OWNER_ID, &grant("Group", "URI", "http://nobody/", "READ")), "InvalidArgument"),
        (
            headers(&[]),
            body(OWNER_ID, &grant("AmazonCustomerByEmail", "EmailAddress", "nobody@example.com", "READ")),
            "UnresolvableGrantByEmailAddress",
        ),
        (headers(&[]), body(OWNER_ID, &good.repeat(101)), "MalformedACLError"),
        (headers(&[]), body(&nobody, &good), "InvalidArgument"),
    ];
    for (headers, body, code) in cases {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for target in ["/pail?acl", "/pail/key?acl"] {
            let answer = world.owner.send("PUT", target, &headers, &body).await;
            assert_eq!(answer.error(), (400, code.to_owned()), "{target} {headers:?} {body}: {}", answer.text());
        }
    }
    // Who owns it cannot be changed.
    denied(&world.owner.put("/pail?acl", body(OTHER_ID, &good)).await);
    for target in ["/pail?acl", "/pail/key?acl"] {
        let shown = granted(&done(world.owner.get(target).await));
        assert_eq!(shown, [(OWNER_ID.to_owned(), "FULL_CONTROL".to_owned())]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_lists_take_only_what_is_so_anyway() {
    let world = World::start();
    world.bucket("pail", &[]).await;
    world.object("/pail/key").await;
    let full = format!("id={OWNER_ID}");
    for header in
        [("x-amz-acl", "private"), ("x-amz-acl", "bucket-owner-full-control"), ("x-amz-grant-full-control", &full)]
    {
        done(world.owner.put_with("/pail/key", &[header]).await);
        done(world.owner.put_with("/pail?acl", &[header]).await);
    }
    let read = format!("id={OTHER_ID}");
    for header in [("x-amz-acl", "public-read"), ("x-amz-acl", "authenticated-read"), ("x-amz-grant-read", &read)] {
        for target in ["/pail/key", "/pail?acl", "/pail/key?acl"] {
            fails(&world.owner.put_with(target, &[header]).await, 400, "AccessControlListNotSupported");
        }
        let copy = [("x-amz-copy-source", "pail/key"), header];
        fails(&world.owner.put_with("/pail/copy", &copy).await, 400, "AccessControlListNotSupported");
        let upload = world.owner.send("POST", "/pail/parts?uploads", &[header], "").await;
        fails(&upload, 400, "AccessControlListNotSupported");
    }
    for target in ["/pail?acl", "/pail/key?acl"] {
        let shown = granted(&done(world.owner.get(target).await));
        assert_eq!(shown, [(OWNER_ID.to_owned(), "FULL_CONTROL".to_owned())]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_to_an_account_are_for_its_root_to_pass_on() {
    let world = World::start();
    world.bucket("pail", &WRITER).await;
    world.object("/pail/key").await;
    let read = format!("id={OTHER_ID}");
    let headers = [("x-amz-grant-read", read.as_str()), ("x-amz-grant-write", read.as_str())];
    done(world.owner.put_with("/pail?acl", &headers).await);
    done(world.owner.put_with("/pail/key?acl", &headers[..1]).await);
    for caller in [&world.other, &world.other_full] {
        done(caller.get("/pail").await);
        done(caller.get("/pail/key").await);
        done(caller.put("/pail/theirs", "x").await);
    }
    for caller in [&world.other_plain, &world.anonymous, &world.plain, &world.server_root] {
        denied(&caller.get("/pail").await);
        denied(&caller.get("/pail/key").await);
        denied(&caller.put("/pail/theirs", "x").await);
    }
}
