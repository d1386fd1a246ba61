//! Fuzz target: Host headers.

use super::tests::name;
use super::{Addressed, Authority, Host};
use crate::fuzz::{self, Mutated};

const SEEDS: [&str; 9] = [
    "pail.website.localhost:9080",
    "my.pail.s3-website-us-east-1.website.localhost",
    "pail.s3-website.eu-central-1.website.localhost.",
    "www.example.com",
    "abcdefghij--pail.website.localhost",
    "xn--bcher-kva.example:80",
    "[2001:db8::1]:80",
    "127.0.0.1:9080",
    "user@host.example",
];

const WORDS: [&str; 10] = [".", "..", "--", "-", ":", "[", "]", "@", "s3-website-", "website.localhost"];

#[test]
fn hosts() {
    let domains = [name("website.localhost"), name("example.com"), name("localhost")];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(SEEDS, &WORDS)).for_each(|input| {
        fuzz::promptly(|| {
            let Ok(text) = std::str::from_utf8(input) else { return };
            let Ok(authority) = Authority::parse(text) else { return };
            assert!(text.is_ascii() && !text.contains(['@', '/', ' ', '\r', '\n']), "{text:?}");
            assert_eq!(Authority::parse(&authority.to_string()), Ok(authority.clone()));
            let addressed = Addressed::of(&authority.host, &domains);
            let Host::Name(name) = &authority.host else { return assert_eq!(addressed, Addressed::Nobody) };
            // The model: a bucket is what its host begins with, and a custom domain is below no domain of ours.
            let below = domains.iter().any(|domain| name == domain || name.below(domain).is_some());
            match addressed {
                Addressed::Bucket(bucket) => assert!(below && name.as_str().starts_with(&format!("{bucket}."))),
                Addressed::Preview(deploy, rest) => {
                    assert!(below && name.as_str().starts_with(&format!("{deploy}--{}.", rest.as_str())));
                }
                Addressed::Custom(custom) => assert!(!below && custom == *name),
                Addressed::Nobody => assert!(below),
            }
        });
    });
}
