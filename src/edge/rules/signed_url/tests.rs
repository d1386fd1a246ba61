//! Against what botocore's signer made with OpenSSL's keys, and what a key of our own signs.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::public_key::Kind;
use super::*;
use crate::edge::rules::testing::{NOW, headers};

const RSA: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0Mxh5O+NEQdqC1i7J8eE
RjSlnBXFJCCUjRLakM6cEj65+lD/86rPM/FGRT4BP7EFBEC3znSlwqa7WORPwZ3m
egqMBYzlP0v1QDWRtCSW/AdeSREFy02al7rLQuspNw4p9ahHc2vEHpykRuXya9nk
5vqhpfJR42Gztw/kWQGqdQL08RVSqrAwLUXTDWD55s9VYs5rCkakZAnX3hWvX8/6
o1Z6kAat0NDQ6HMDwlJY1k4HfUFUz60H75RTfCGpL0+TnjddDI9Abez1DQclAumM
AEYfCXxjP0QHpcJmtrtzzABfxl/1jBm9VJZ2VOaed/mbrnXn/jyKwG2IpqRl+TuH
kQIDAQAB
-----END PUBLIC KEY-----
";

const EC: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEuvUyf/JU5nOSB6gXaAD8M4e3T96l
dQtsIxCAK2HM8UrD7IBkAYpWFVpUMPEpuXH9wRdnxwngtty7avSpc503Jg==
-----END PUBLIC KEY-----
";

const SHORT_RSA: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDEPtYciQV+qIWVua9721yjAIAZ
PMaW1P/xuBh+sz2a+EX1XTlWxmWLDfikgKBnvBF4ERbWIW3x79TE8uTQTW0mlUkU
3v24FLV+4lqHfAyEiDda4BkkxJNqklzkilmgGSZZy3jqT9o7QTIgpst8Z3HVl01N
XTWqq4MU11p5HdndZwIDAQAB
-----END PUBLIC KEY-----
";

const EC_OF_384_BITS: &str = "\
-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAECtyyRxta+0+xcEQ/YHsMdQGfdKLsL+WJ
BTcQ21NqPUgU2gtAMVGbVRY+pQCk7N9f+653DrpQZ1nIgp75inWY8ZGVtiB1Tkbs
p+MxzvsDVdWu/4e22rDUSJuxOLiEAFnG
-----END PUBLIC KEY-----
";

const EC_OF_ANOTHER_CURVE: &str = "\
-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEE4bBpbN0rzLHsw9LV2x+sgzdIDkVgoX2
NymjPggZXCJ7dK+B86l0S/kOZab0nuL/QREOEjX2QrfP22/gcmWGOQ==
-----END PUBLIC KEY-----
";

/// Made by botocore's `CloudFrontSigner` for `URL` until a hundred seconds after `NOW`.
const RSA_SHA1: &str = "color=red&size=1&Expires=784111877&Signature=U6P6oGD1uF8oy9SU5zpVQ1jn2nDacUsTnZfjAYb5oGeQwYaB7TieNFPBcDvLd0m-Em5t3bZ7QwoUx0XLxdYXzKylvIG7-fVfSiQByqCH2IgDTeV4YEgxlt-JVBUMVaGDHeghRuC1uJzRwiPXqk7q~gKZVRKDJ5qnWCQ5Iuie4uuzYORHZweMar6S~HOUGrMZ9qK09l8WBMSzdAljo7sJd1CqIVtAHTJsYZZx~BKNgeXxuqUpQ3SziSlW0oNz6tg~g0okL69mGVOhmZVCLd0UQBZp61c9dF38hWjJaHDLUEL8etuq2esvRcuYTSltD41onW52pSHZIT6UX2KOE7SKtw__&Key-Pair-Id=K1";
const RSA_SHA256: &str = "color=red&size=1&Expires=784111877&Signature=A-XLL82pyQ07QUkBObeBxz5FNtU7p6QNBLft1Z8jv38RmQwjoIguso3aw5jU-HcUB9V6NaXWaP4rDOtesPD6zmx-uanhZ~3Z25zpweRKH5Wumz9M9OJS4PkC78YrHxT8umZ9bw51~ZajlfoNw7xqVVPM5fv3fVx8v68gR26Bhw-VlnjzzcbxusJLU2ZvmmG7bpFteVhNfp7EdderXTnY4l3IN6U~HGdEOKQ4Q4OsSO7tuOvyABjhEg8W5-3PBMm6OixMyp-2-JybhR0tCsgei8IjIr8HnASBrR9Y14AK3krj8QB~zc9TTYrKyf~7obA83dKkX5s0bmFjoDhfFdfS1Q__&Key-Pair-Id=K1&Hash-Algorithm=SHA256";
const EC_SHA1: &str = "color=red&size=1&Expires=784111877&Signature=MEUCIQCXaeBmJyZtXBccsp8oV8bd0-vVTjqP02d~L6yiDxh2UAIgfeVyA0JemaSX1p3I-h7IBdCSXCfe-89mDYijTPIz-V4_&Key-Pair-Id=K1";
const EC_SHA256: &str = "color=red&size=1&Expires=784111877&Signature=MEQCIGBis4t313ZbiFsSYwBjfRR8HfG40xkahYHcUrNaaQyMAiBxi06N27t~7g6uBJ~YX6wMgVVlg~JA4pnqOvASk9DNCA__&Key-Pair-Id=K1&Hash-Algorithm=SHA256";

/// By the same, with a policy: `https://example.com/images/*`, from 192.0.2.0/24, a hundred seconds around `NOW`.
const CUSTOM: &str = "color=red&size=1&Policy=eyJTdGF0ZW1lbnQiOlt7IlJlc291cmNlIjoiaHR0cHM6Ly9leGFtcGxlLmNvbS9pbWFnZXMvKiIsIkNvbmRpdGlvbiI6eyJEYXRlTGVzc1RoYW4iOnsiQVdTOkVwb2NoVGltZSI6Nzg0MTExODc3fSwiSXBBZGRyZXNzIjp7IkFXUzpTb3VyY2VJcCI6IjE5Mi4wLjIuMC8yNCJ9LCJEYXRlR3JlYXRlclRoYW4iOnsiQVdTOkVwb2NoVGltZSI6Nzg0MTExNjc3fX19XX0_&Signature=yfTdzLGiAkq6VtntIs9IZuuT1UDtcJxrxQJc6soOchJsUIXGiD6E2bLMp7loRnABWZjIESw~0LKB4AoUQ8af4gQYsTbDG-WIDC8MOdYO2dN0gDU0nOW7iUXqNPYYqZRVzJRHOwUByj-fy2DBkKdCWlJ1SR9oy2h9BsW7ZEV~y~XUi9R~miWqbKDIJEeg1CnMYW3Zmt4GUnSx7RCkosk1Fb06JsA6GBQJLbNg4M41UKe9~dLcvljmRkctFhgzNyOj3Mz8jbkevElPkmfYkuyT~jF9PJul4GBFgD61gBXQIzbV83dsYMeYz71D9K77i0QAgDwXvkoCQ8q3LQ95cd5ddw__&Key-Pair-Id=K1";

const PATH: &str = "/images/a%20b.jpg";

fn target(query: &str) -> Target<'_> {
    Target { secure: true, host: "example.com", path: PATH, query: Some(query) }
}

fn client() -> IpAddr {
    IpAddr::from([192, 0, 2, 7])
}

fn group(pem: &str) -> KeyGroup {
    KeyGroup::new([("K1".to_owned(), PublicKey::from_pem(pem).unwrap())])
}

fn check(pem: &str, query: &str) -> Result<(), Refused> {
    group(pem).check(&target(query), &HeaderMap::new(), client(), NOW)
}

#[test]
fn signatures_of_other_implementations_are_accepted() {
    for (pem, query) in [(RSA, RSA_SHA1), (RSA, RSA_SHA256), (EC, EC_SHA1), (EC, EC_SHA256), (RSA, CUSTOM)] {
        assert_eq!(check(pem, query), Ok(()), "{query}");
    }
    assert_eq!(check(RSA, &format!("{RSA_SHA1}&Hash-Algorithm=SHA1")), Ok(()));
}

#[test]
fn a_signature_speaks_of_one_url_only() {
    let group = group(RSA);
    let check = |target: Target<'_>| group.check(&target, &HeaderMap::new(), client(), NOW);
    assert_eq!(check(target(RSA_SHA1)), Ok(()));
    for other in [
        Target { secure: false, ..target(RSA_SHA1) },
        Target { host: "example.org", ..target(RSA_SHA1) },
        Target { path: "/images/b.jpg", ..target(RSA_SHA1) },
        Target { path: "/images/a b.jpg", ..target(RSA_SHA1) },
    ] {
        assert_eq!(check(other), Err(Refused::Denied), "{other:?}");
    }
    for (from, to) in [("red", "blue"), ("color=red&", ""), ("size=1", "size=1&x"), ("784111877", "784111878")] {
        assert_eq!(check(target(&RSA_SHA1.replace(from, to))), Err(Refused::Denied), "{from} {to}");
    }
    let moved = Target { path: "/other/a.jpg", ..target(CUSTOM) };
    assert_eq!(check(moved), Err(Refused::Denied));
    assert_eq!(check(Target { path: "/images/any", ..target(CUSTOM) }), Ok(()));
}

#[test]
fn times_and_addresses_are_kept_to() {
    let at = |query, client, seconds| {
        group(RSA).check(&target(query), &HeaderMap::new(), client, Timestamp::from_seconds(seconds))
    };
    for (query, client, seconds, expected) in [
        (RSA_SHA1, client(), 784_111_876, Ok(())),
        (RSA_SHA1, client(), 784_111_877, Err(Refused::Denied)),
        (RSA_SHA1, client(), 0, Ok(())),
        (CUSTOM, client(), 784_111_678, Ok(())),
        (CUSTOM, client(), 784_111_677, Err(Refused::Denied)),
        (CUSTOM, client(), 784_111_877, Err(Refused::Denied)),
        (CUSTOM, "::ffff:192.0.2.9".parse().unwrap(), 784_111_777, Ok(())),
        (CUSTOM, "192.0.3.7".parse().unwrap(), 784_111_777, Err(Refused::Denied)),
        (CUSTOM, "2001:db8::1".parse().unwrap(), 784_111_777, Err(Refused::Denied)),
    ] {
        assert_eq!(at(query, client, seconds), expected, "{query} {client} {seconds}");
    }
}

#[test]
fn what_is_missing_unknown_or_malformed_is_said() {
    for (from, to, expected) in [
        ("&Key-Pair-Id=K1", "", Refused::MissingKey),
        ("Key-Pair-Id=K1", "Key-Pair-Id=K2", Refused::UnknownKey),
        ("Key-Pair-Id=K1", "Key-Pair-Id=K1&Key-Pair-Id=K1", Refused::MalformedPolicy),
        ("Expires=784111877&", "", Refused::MalformedPolicy),
        ("Expires=784111877", "Expires=-1", Refused::MalformedPolicy),
        ("Expires=784111877", "Expires=", Refused::MalformedPolicy),
        ("Expires=784111877", "Expires=99999999999999999999", Refused::MalformedPolicy),
        ("Expires=784111877", "Expires=784111877&Policy=e30_", Refused::MalformedPolicy),
        ("Signature=", "Signature=.", Refused::MalformedSignature),
        ("Signature=", "signature=", Refused::MalformedSignature),
        ("&Key-Pair-Id", "&Hash-Algorithm=MD5&Key-Pair-Id", Refused::MalformedSignature),
        ("&Key-Pair-Id", "&Hash-Algorithm=SHA256&Key-Pair-Id", Refused::Denied),
    ] {
        assert_eq!(check(RSA, &RSA_SHA1.replace(from, to)), Err(expected), "{from} {to}");
    }
    assert_eq!(check(EC, RSA_SHA1), Err(Refused::Denied));
    assert_eq!(check(RSA, "color=red"), Err(Refused::MissingKey));
    assert_eq!(check(RSA, "Expires=784111877"), Err(Refused::MissingKey));
    assert_eq!((Refused::MissingKey.code(), Refused::Denied.code()), ("MissingKey", "AccessDenied"));
}

#[test]
fn cookies_count_where_the_url_has_no_signature() {
    let as_cookies = |query: &str| {
        let own = query.split('&').filter(|part| PARAMETERS.contains(&name_of(part)));
        own.map(|part| format!("CloudFront-{part}")).collect::<Vec<_>>().join("; ")
    };
    let check = |query, cookie: &str| group(RSA).check(&target(query), &headers(&[("cookie", cookie)]), client(), NOW);
    let url = "color=red&size=1";
    for signed in [RSA_SHA1, RSA_SHA256, CUSTOM] {
        let cookies = as_cookies(signed);
        assert_eq!(check(url, &cookies), Ok(()), "{cookies}");
        assert_eq!(check(url, &format!("a=b; {cookies}; CloudFront-Signature=x")), Ok(()), "the first counts");
        assert_eq!(check(url, &cookies.replace("CloudFront-Sig", "Sig")), Err(Refused::MalformedSignature));
    }
    let broken = RSA_SHA1.replace("Signature=U", "Signature=V");
    assert_eq!(check(&broken, &as_cookies(RSA_SHA1)), Err(Refused::Denied), "the signature of the URL counts");
}

#[test]
fn policies_that_are_not_understood_allow_nothing() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let key = PublicKey { kind: Kind::EcdsaP256, bytes: pair.public_key().as_ref().to_vec() };
    let group = KeyGroup::new([("K1".to_owned(), key)]);
    let check = |policy: &str| {
        let encode = |bytes: &[u8]| STANDARD.encode(bytes).replace('+', "-").replace('=', "_").replace('/', "~");
        let signature = pair.sign(&SystemRandom::new(), policy.as_bytes()).unwrap();
        let (policy, signature) = (encode(policy.as_bytes()), encode(signature.as_ref()));
        let query = format!("Policy={policy}&Signature={signature}&Key-Pair-Id=K1&Hash-Algorithm=SHA256");
        group.check(&target(&query), &HeaderMap::new(), client(), NOW)
    };
    let until = r#""DateLessThan":{"AWS:EpochTime":784111877}"#;
    let statement = |inner: &str| format!(r#"{{"Statement":[{inner}]}}"#);
    let with = |resource: &str| statement(&format!(r#"{{{resource}"Condition":{{{until}}}}}"#));
    for resource in ["", r#""Resource":"*","#, r#""Resource":"https://example.com/images/a%20?.jpg","#] {
        assert_eq!(check(&with(resource)), Ok(()), "{resource}");
    }
    assert_eq!(check(&with(r#""Resource":"http://*","#)), Err(Refused::Denied));
    let once = format!(r#"{{"Condition":{{{until}}}}}"#);
    for policy in [
        String::new(),
        "{}".to_owned(),
        statement(""),
        statement(&format!("{once},{once}")),
        statement(r#"{"Resource":"*"}"#),
        statement(r#"{"Condition":{}}"#),
        statement(r#"{"Condition":{"DateLessThan":{"AWS:EpochTime":"784111877"}}}"#),
        statement(&format!(r#"{{"Condition":{{{until},"StringEquals":{{}}}}}}"#)),
        statement(&format!(r#"{{"Condition":{{{until},"IpAddress":{{"AWS:SourceIp":"everywhere"}}}}}}"#)),
        statement(&format!(r#"{{"Condition":{{{until}}},"Effect":"Deny"}}"#)),
        format!("[{}", with("")),
    ] {
        assert_eq!(check(&policy), Err(Refused::MalformedPolicy), "{policy}");
    }
}

#[test]
fn keys_are_of_two_kinds_and_strong() {
    assert!(PublicKey::from_pem(RSA).is_ok() && PublicKey::from_pem(EC).is_ok());
    for pem in [SHORT_RSA, EC_OF_384_BITS, EC_OF_ANOTHER_CURVE] {
        assert_eq!(PublicKey::from_pem(pem), Err(InvalidKey::Kind), "{pem}");
    }
    for text in ["", "K1", "-----BEGIN PUBLIC KEY-----", &RSA.replace("PUBLIC", "PRIVATE"), &RSA.replace("MII", "...")]
    {
        assert_eq!(PublicKey::from_pem(text), Err(InvalidKey::Pem), "{text}");
    }
}

#[test]
fn the_parameters_of_a_signature_go_no_further() {
    for (query, unsigned) in [
        (None, None),
        (Some(""), Some("")),
        (Some("a=1&b"), Some("a=1&b")),
        (Some(RSA_SHA256), Some("color=red&size=1")),
        (Some("Policy=x&Signature=y&Key-Pair-Id=z"), None),
        (Some("a=1&Expires=5&b=2"), Some("a=1&b=2")),
        (Some("expires=5&XPolicy=1"), Some("expires=5&XPolicy=1")),
    ] {
        assert_eq!(unsigned_query(query).as_deref(), unsigned, "{query:?}");
    }
}
