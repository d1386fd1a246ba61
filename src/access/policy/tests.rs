//! Which documents are policies, and what is said of the others.

use super::*;
use crate::access::tests::bucket;

fn error(text: &str, kind: PolicyKind<'_>) -> String {
    match Policy::parse(text.as_bytes(), kind) {
        Ok(policy) => panic!("{text} is taken: {policy:?}"),
        Err(error) => error.to_string(),
    }
}

fn of_bucket(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(text.as_bytes(), PolicyKind::Bucket { bucket: &bucket() })
}

const ALLOW: &str = r#""Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::pail/*""#;

#[test]
fn documents_are_json_objects_with_known_fields() {
    for (text, expected) in [
        ("", "Policies must be valid JSON and the first byte must be '{'"),
        ("[]", "Policies must be valid JSON and the first byte must be '{'"),
        (" {}", "Policies must be valid JSON and the first byte must be '{'"),
        ("{} x", "This policy contains invalid Json: trailing characters at line 1 column 4"),
        ("{", "This policy contains invalid Json: EOF while parsing an object at line 1 column 1"),
        ("{}", "Missing required field Statement"),
        (r#"{"Statement":[]}"#, "Could not parse the policy: Statement is empty!"),
        (r#"{"Statement":[],"Foo":1}"#, "Unknown field Foo"),
        (r#"{"Statement":[],"statement":[]}"#, "Unknown field statement"),
        (r#"{"Id":"a","Id":"a"}"#, "Policy contains duplicate field Id"),
        (r#"{"Id":{"a":1,"a":2}}"#, "Policy contains duplicate field a"),
        (r#"{"Id":1}"#, "Field Id must be a string"),
        (r#"{"Version":"2012-10-18"}"#, "The policy must contain a valid version string"),
        (r#"{"Version":20121017}"#, "The policy must contain a valid version string"),
        (r#"{"Statement":["x"]}"#, "Field Statement must be an object or a list (statement 1)"),
    ] {
        assert_eq!(error(text, PolicyKind::Bucket { bucket: &bucket() }), expected, "{text}");
    }
    let deep = format!("{{\"Statement\":{}", "[".repeat(5000));
    assert!(error(&deep, PolicyKind::Identity).contains("recursion limit"));
    let long = format!("{{\"Statement\":{{{ALLOW}}},\"Id\":\"{}\"}}", "a".repeat(MAX_POLICY_BYTES));
    assert_eq!(error(&long, PolicyKind::Identity), "Policy exceeds the maximum allowed document size of 20480 bytes");
}

#[test]
fn the_statement_at_fault_is_numbered() {
    for (statement, expected) in [
        (r#""Effect":"Allow""#, "Missing required field Principal"),
        (r#""Principal":"*","Action":"s3:*","Resource":"*""#, "Missing required field Effect"),
        (r#""Effect":"allow","Principal":"*""#, "Invalid effect: allow"),
        (r#""Effect":"Allow","Principal":"*","Resource":"*""#, "Missing required field Action"),
        (r#""Effect":"Allow","Principal":"*","Action":[]"#, "Missing required field Action"),
        (r#""Effect":"Allow","Principal":"*","Action":"s3:*""#, "Missing required field Resource"),
        (
            r#""Effect":"Allow","Principal":"*","Action":"s3:*","NotAction":"s3:*""#,
            "Statement has both Action and NotAction",
        ),
        (r#""Effect":"Allow","Principal":"*","Foo":1"#, "Unknown field Foo"),
        (r#""Sid":1"#, "Field Sid must be a string"),
    ] {
        let text = format!("{{\"Statement\":[{{{ALLOW}}},{{{statement}}}]}}");
        let expected = format!("{expected} (statement 2)");
        assert_eq!(error(&text, PolicyKind::Bucket { bucket: &bucket() }), expected, "{text}");
    }
    let text = format!(r#"{{"Statement":[{{"Sid":"a",{ALLOW}}},{{"Sid":"a",{ALLOW}}}]}}"#);
    assert!(
        of_bucket(&text).unwrap_err().to_string().starts_with("Statement IDs (SID) in a single policy must be unique")
    );
    assert!(of_bucket(&format!("{{\"Statement\":{{{ALLOW}}}}}")).is_ok(), "one statement without a list");
}

#[test]
fn principals_are_accounts_users_roles_and_sessions() {
    let canonical = format!(r#"{{"CanonicalUser":"{}"}}"#, "Ab".repeat(32));
    for principal in [
        r#""*""#,
        r#"{"AWS":"*"}"#,
        r#"{"AWS":["111122223333","arn:aws:iam::111122223333:root"]}"#,
        r#"{"AWS":"arn:aws:iam::111122223333:user/a/b/alice"}"#,
        r#"{"AWS":"arn:aws:iam::111122223333:role/reader"}"#,
        r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/reader/s"}"#,
        &canonical,
    ] {
        let text = format!("{{\"Statement\":{{{}}}}}", ALLOW.replace("\"*\"", principal));
        let policy = of_bucket(&text).unwrap_or_else(|error| panic!("{principal}: {error}"));
        for named in policy.principals().filter(|named| **named != Named::Everyone) {
            let again = ALLOW.replace("\"*\"", &format!(r#"{{"AWS":"{named}"}}"#));
            let again = again.replace(r#"{"AWS":"abab"#, r#"{"CanonicalUser":"abab"#);
            let again = of_bucket(&format!("{{\"Statement\":{{{again}}}}}")).unwrap();
            assert!(again.principals().all(|one| one == named), "{named}");
        }
    }
    for (principal, expected) in [
        (r#""alice""#, "Invalid principal in policy: alice"),
        (r#"{"AWS":"alice"}"#, "Invalid principal in policy: \"AWS\":\"alice\""),
        (r#"{"AWS":"1234"}"#, "Invalid principal in policy: \"AWS\":\"1234\""),
        (r#"{"AWS":"arn:aws:iam::111122223333:user/*"}"#, "Invalid principal in policy: "),
        (r#"{"AWS":"arn:aws:iam::111122223333:user/"}"#, "Invalid principal in policy: "),
        (r#"{"AWS":"arn:aws:iam::111122223333:group/a"}"#, "Invalid principal in policy: "),
        (r#"{"AWS":"arn:aws:iam:us-east-1:111122223333:user/a"}"#, "Invalid principal in policy: "),
        (r#"{"AWS":"arn:aws-cn:iam::111122223333:root"}"#, "Invalid principal in policy: "),
        (r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/a"}"#, "Invalid principal in policy: "),
        (r#"{"CanonicalUser":"xyz"}"#, "Invalid principal in policy: "),
        (r#"{"Service":"ec2.amazonaws.com"}"#, "Invalid principal in policy: \"Service\":\"ec2.amazonaws.com\""),
        (r#"{"Foo":"x"}"#, "Unknown field Foo"),
        (r#"{"AWS":1}"#, "Field Principal must be a string or a list of strings"),
        (r#"{"AWS":[]}"#, "Missing required field Principal"),
        (r#"{}"#, "Missing required field Principal"),
        ("[]", "Field Principal must be \"*\" or an object"),
    ] {
        let text = format!("{{\"Statement\":{{{}}}}}", ALLOW.replace("\"*\"", principal));
        let error = of_bucket(&text).unwrap_err().to_string();
        assert!(error.starts_with(expected) && error.ends_with(" (statement 1)"), "{principal}: {error}");
    }
    let text = format!("{{\"Statement\":{{{}}}}}", ALLOW.replace("Principal", "NotPrincipal"));
    assert!(
        of_bucket(&text).unwrap_err().to_string().starts_with("NotPrincipal must be used with \"Effect\":\"Deny\"")
    );
}

fn action_on(action: &str, resource: &str) -> Result<Policy, PolicyError> {
    of_bucket(&format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":"*","Action":{action},"Resource":{resource}}}}}"#
    ))
}

#[test]
fn a_buckets_policy_names_s3s_actions_on_this_bucket() {
    const BUCKET: &str = r#""arn:aws:s3:::pail""#;
    const OBJECTS: &str = r#""arn:aws:s3:::pail/*""#;
    const BOTH: &str = r#"["arn:aws:s3:::pail","arn:aws:s3:::pail/*"]"#;
    for (action, resource) in [
        (r#""s3:GetObject""#, OBJECTS),
        (r#""S3:getobject""#, OBJECTS),
        (r#""s3:Get*""#, BUCKET),
        (r#""s3:Get*""#, OBJECTS),
        (r#""*""#, OBJECTS),
        (r#""s3:*""#, r#""arn:aws:s3:::pail*""#),
        (r#"["s3:GetObject","s3:ListBucket"]"#, BOTH),
        (r#""s3:GetObject""#, r#""arn:aws:s3:::pail/${aws:username}/?.txt""#),
    ] {
        assert!(action_on(action, resource).is_ok(), "{action} {resource}");
    }
    for (action, resource, expected) in [
        (r#""s3:Foo""#, OBJECTS, "Policy has invalid action: s3:Foo"),
        (r#""iam:GetUser""#, OBJECTS, "Policy has invalid action: iam:GetUser"),
        (r#""s3:ListAllMyBuckets""#, BUCKET, "Policy has invalid action"),
        (r#""GetObject""#, OBJECTS, "Policy has invalid action"),
        ("1", OBJECTS, "Field Action must be a string or a list of strings"),
        (r#""s3:GetObject""#, BUCKET, "Action does not apply to any resource(s) in statement: s3:GetObject"),
        (
            r#"["s3:GetObject","s3:ListBucket"]"#,
            OBJECTS,
            "Action does not apply to any resource(s) in statement: s3:ListBucket",
        ),
        (r#""s3:*""#, r#""*""#, "Policy has invalid resource: *"),
        (r#""s3:*""#, r#""arn:aws:s3:::bucket/*""#, "Policy has invalid resource"),
        (r#""s3:*""#, r#""arn:aws:s3:::pails/*""#, "Policy has invalid resource"),
        (r#""s3:*""#, r#""arn:aws:s3:::*""#, "Policy has invalid resource"),
        (r#""s3:*""#, r#""arn:aws-cn:s3:::pail/*""#, "Policy has invalid resource"),
        (r#""s3:*""#, r#""pail/*""#, "Policy has invalid resource"),
        (r#""s3:*""#, r#""arn:aws:s3:::pail/${aws:username""#, "Invalid policy variable"),
    ] {
        let error = action_on(action, resource).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{action} {resource}: {error}");
    }
}

#[test]
fn policies_of_identities_name_anything_but_principals() {
    let parse = |statement: &str| {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{statement}}}]}}"#);
        Policy::parse(text.as_bytes(), PolicyKind::Identity).map_err(|error| error.to_string())
    };
    for statement in [
        r#""Action":"*","Resource":"*""#,
        r#""Action":["s3:*","iam:Get*"],"Resource":["arn:aws:s3:::a/*","arn:aws:iam::111122223333:user/${aws:username}"]"#,
        r#""NotAction":"iam:*","NotResource":"arn:aws:s3:::a""#,
        r#""Action":"s3:*","Resource":"arn:aws:s3:*""#,
        r#""Sid":"","Action":"s3:*","Resource":"arn:*:s3:::*""#,
    ] {
        assert!(parse(statement).is_ok(), "{statement}: {:?}", parse(statement));
    }
    for (statement, expected) in [
        (r#""Principal":"*","Action":"*","Resource":"*""#, "Policy document should not specify a principal."),
        (r#""NotPrincipal":"*","Action":"*","Resource":"*""#, "Policy document should not specify a principal."),
        (r#""Action":"GetObject","Resource":"*""#, "Actions/Conditions must be prefaced by a vendor"),
        (r#""Action":"s*:GetObject","Resource":"*""#, "Actions/Conditions must be prefaced by a vendor"),
        (r#""Action":"s3:","Resource":"*""#, "Actions/Conditions must be prefaced by a vendor"),
        (r#""Action":"s3:*","Resource":"bucket/*""#, "Resource bucket/* must be in ARN format or \"*\"."),
        (r#""Action":"s3:*","Resource":"arn:aws:s3""#, "Resource arn:aws:s3 must be in ARN format"),
        (r#""Action":"s3:*","Resource":"arn:gcp:s3:::a""#, "Partition \"gcp\" is not valid for resource"),
        (r#""Sid":"a b","Action":"s3:*","Resource":"*""#, "Statement IDs (SID) must be alpha-numeric"),
    ] {
        let error = parse(statement).unwrap_err();
        assert!(error.starts_with(expected), "{statement}: {error}");
    }
}

#[test]
fn trust_policies_let_principals_assume_and_no_more() {
    let parse = |rest: &str| {
        let text = format!(r#"{{"Statement":[{{"Effect":"Allow",{rest}}}]}}"#);
        Policy::parse(text.as_bytes(), PolicyKind::Trust).map_err(|error| error.to_string())
    };
    let who = r#""Principal":{"AWS":"111122223333"}"#;
    assert!(parse(&format!(r#"{who},"Action":["sts:AssumeRole","sts:TagSession"]"#)).is_ok());
    for (statement, expected) in [
        (r#""Action":"sts:AssumeRole""#.to_owned(), "Missing required field Principal"),
        (format!(r#"{who},"Action":"sts:AssumeRole","Resource":"*""#), "Has prohibited field Resource"),
        (format!(r#"{who},"NotAction":"sts:AssumeRole""#), "Has prohibited field NotAction"),
        (format!(r#"{who},"Action":"s3:GetObject""#), "AssumeRole policy may only specify STS AssumeRole actions."),
        (r#""NotPrincipal":"*","Action":"sts:AssumeRole""#.to_owned(), "Has prohibited field NotPrincipal"),
    ] {
        let error = parse(&statement).unwrap_err();
        assert!(error.starts_with(expected), "{statement}: {error}");
    }
}

fn with_condition(condition: &str) -> Result<Policy, PolicyError> {
    let action =
        r#""Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::pail","arn:aws:s3:::pail/*"]"#;
    of_bucket(&format!(r#"{{"Version":"2012-10-17","Statement":{{{action},"Condition":{condition}}}}}"#))
}

#[test]
fn conditions_have_known_operators_keys_and_values() {
    for condition in [
        "{}",
        r#"{"Bool":{"aws:SecureTransport":false}}"#,
        r#"{"Bool":{"aws:SecureTransport":"FALSE"}}"#,
        r#"{"NumericLessThanEquals":{"s3:max-keys":10},"StringLike":{"s3:prefix":["a*","${aws:username}/*"]}}"#,
        r#"{"DateLessThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z","aws:EpochTime":1900000000}}"#,
        r#"{"ForAllValues:StringEqualsIfExists":{"s3:RequestObjectTagKeys":["a"]}}"#,
        r#"{"Null":{"s3:x-amz-grant-read":true}}"#,
        r#"{"StringEquals":{"s3:ExistingObjectTag/team":"a","S3:X-Amz-Acl":"private"}}"#,
        r#"{"BinaryEquals":{"aws:Foo":"QUJD"},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}}"#,
        r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}}"#,
    ] {
        with_condition(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
    }
    for (condition, expected) in [
        (r#"{"Foo":{"aws:SourceIp":"x"}}"#, "Invalid Condition type : Foo"),
        (r#"{"NullIfExists":{"aws:SourceIp":"true"}}"#, "Invalid Condition type : NullIfExists"),
        (r#"{"StringEquals":{"s3:foo":"x"}}"#, "Policy has an invalid condition key: s3:foo"),
        (r#"{"StringEquals":{"s3:ExistingObjectTag/":"x"}}"#, "Policy has an invalid condition key"),
        (r#"{"StringEquals":{"foo":"x"}}"#, "Policy has an invalid condition key: foo"),
        (r#"{"StringEquals":{"ec2:Region":"x"}}"#, "Policy has an invalid condition key: ec2:Region"),
        (r#"{"StringEquals":{"aws:x":{}}}"#, "Field Condition must be a value or a list of values for each key"),
        (r#"{"StringEquals":{"aws:x":[]}}"#, "Field Condition must be a value or a list of values for each key"),
        (r#"{"StringEquals":"x"}"#, "Field Condition must be an object"),
        (r#"{"NumericEquals":{"s3:max-keys":"ten"}}"#, "Invalid value of s3:max-keys in condition NumericEquals: ten"),
        (r#"{"NumericEquals":{"s3:max-keys":"${aws:username}"}}"#, "Invalid value of s3:max-keys"),
        (r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/40"}}"#, "Invalid value of aws:SourceIp"),
        (r#"{"DateEquals":{"aws:CurrentTime":"soon"}}"#, "Invalid value of aws:CurrentTime"),
        (r#"{"Bool":{"aws:SecureTransport":"yes"}}"#, "Invalid value of aws:SecureTransport"),
        (r#"{"Null":{"aws:x":"maybe"}}"#, "Invalid value of aws:x"),
        (r#"{"BinaryEquals":{"aws:x":"???"}}"#, "Invalid value of aws:x"),
        (r#"{"ArnEquals":{"aws:x":"me"}}"#, "Invalid value of aws:x"),
        (r#"{"StringEquals":{"aws:x":"${oops"}}"#, "Invalid value of aws:x"),
    ] {
        let error = with_condition(condition).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{condition}: {error}");
    }
    let text = ALLOW.to_owned() + r#","Condition":{"StringEquals":{"s3:prefix":"a"}}"#;
    let error = of_bucket(&format!("{{\"Statement\":{{{text}}}}}")).unwrap_err().to_string();
    assert!(
        error.starts_with("Conditions do not apply to combination of actions and resources in statement"),
        "{error}"
    );
}

#[test]
fn a_policy_is_public_unless_it_spells_out_who() {
    for (condition, public) in [
        ("{}", true),
        (r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#, false),
        (r#"{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","0.0.0.0/1"]}}"#, true),
        (r#"{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#, true),
        (r#"{"IpAddressIfExists":{"aws:SourceIp":"203.0.113.0/24"}}"#, true),
        (r#"{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}"#, false),
        (r#"{"ForAllValues:StringEquals":{"aws:PrincipalAccount":"111122223333"}}"#, true),
        (r#"{"ForAnyValue:StringEquals":{"aws:PrincipalAccount":"111122223333"}}"#, false),
        (r#"{"StringLike":{"aws:PrincipalAccount":"1111*"}}"#, true),
        (r#"{"StringEquals":{"aws:userid":"${aws:userid}"}}"#, true),
        (r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/a"}}"#, false),
        (r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/*"}}"#, true),
        (r#"{"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#, false),
        (r#"{"StringEquals":{"aws:Referer":"https://example.com/"}}"#, true),
        (r#"{"Bool":{"aws:SecureTransport":"true"}}"#, true),
    ] {
        assert_eq!(with_condition(condition).unwrap().is_public(), public, "{condition}");
    }
    let deny = ALLOW.replace("Allow", "Deny");
    let named = ALLOW.replace("\"*\"", r#"{"AWS":"111122223333"}"#);
    assert!(!of_bucket(&format!("{{\"Statement\":[{{{deny}}},{{{named}}}]}}")).unwrap().is_public());
    assert!(of_bucket(&format!("{{\"Statement\":[{{{deny}}},{{{ALLOW}}}]}}")).unwrap().is_public());
}

#[test]
fn a_policy_says_which_facts_it_asks_for() {
    const TAG: &str = "s3:ExistingObjectTag/";
    for (resource, condition, asks) in [
        ("pail/*", r#"{"StringEquals":{"S3:existingobjecttag/Team":"a"}}"#, true),
        ("pail/${s3:ExistingObjectTag/team}/*", "{}", true),
        ("pail/*", r#"{"StringLike":{"aws:Referer":"*${s3:ExistingObjectTag/a}"}}"#, true),
        ("pail/*", r#"{"StringEquals":{"aws:Referer":"${s3:ExistingObjectTag/a}"}}"#, true),
        ("pail/*", r#"{"ArnLike":{"aws:PrincipalArn":"arn:*:iam::1:${s3:ExistingObjectTag/a}"}}"#, true),
        ("pail/*", r#"{"StringEquals":{"s3:RequestObjectTag/Team":"a"}}"#, false),
        ("pail/${aws:username}", r#"{"Bool":{"aws:SecureTransport":"true"}}"#, false),
    ] {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::{resource}","Condition":{condition}}}}}"#
        );
        assert_eq!(of_bucket(&text).unwrap().asks_for(TAG), asks, "{text}");
    }
}
