//! What a site's options and its `_headers` add to the answers that have a file, or change of them.

use actix_web::http::header::{self, HeaderName};

use super::answer::Answer;
use super::rules::Modern;
use crate::site::caching::{cache_control, is_asked_again, is_private};
use crate::site::headers::Changes;

/// What says how long an answer may be kept: by everyone, or by the caches of a host alone (RFC 9213).
const KEEPING: [HeaderName; 3] = [header::CACHE_CONTROL, header::EXPIRES, HeaderName::from_static("cdn-cache-control")];

/// What is asked for.
pub struct Dressed<'r> {
    pub host: &'r str,
    /// Decoded.
    pub path: &'r str,
    pub secure: bool,
    /// Whether a password was asked for.
    pub protected: bool,
    /// Whether the file stands in for one that is not there.
    pub stands_in: bool,
}

/// The answer to a request that has the file of this key. What is `protected` is kept by browsers alone, whatever the
/// object and `_headers` say; what `stands_in` is not kept for as long as the file that is not there would be.
pub fn dress(mut answer: Answer, modern: &Modern, key: &str, asked: Dressed<'_>) -> Answer {
    let Dressed { host, path, secure, protected, stands_in } = asked;
    let keeping = cache_control(&modern.options, key, protected);
    if !answer.has(&header::CACHE_CONTROL) && !answer.has(&header::EXPIRES) {
        answer = answer.header(header::CACHE_CONTROL, keeping);
    }
    for (name, value) in modern.options.security_headers(secure) {
        answer = answer.header(HeaderName::from_static(name), value);
    }
    if !modern.headers.is_empty() {
        let mut changes = modern.headers.changes(host, path);
        if stands_in {
            leave_keeping(&mut changes);
        }
        answer = changed(answer, &changes);
    }
    if protected { kept_by_browsers(answer, keeping) } else { answer }
}

/// Leaves out what `_headers` says of keeping, unless it is that nobody keeps it without asking: it is meant for the files
/// of those paths, and they may be there tomorrow.
fn leave_keeping(changes: &mut Changes) {
    let keeps = |name: &str| KEEPING.iter().any(|keeping| keeping == name);
    changes.set.retain(|(name, value)| !keeps(name) || (*name == "cache-control" && is_asked_again(value)));
    changes.removed.retain(|name| !keeps(name));
}

fn changed(mut answer: Answer, changes: &Changes) -> Answer {
    answer.headers.retain(|(name, _)| !changes.replaces(name.as_str()) || *name == header::VARY);
    for (name, value) in &changes.set {
        answer = answer.named(name, value);
    }
    answer
}

/// The answer with `private` in the place of what would let others keep it.
fn kept_by_browsers(mut answer: Answer, private: &str) -> Answer {
    let mut values = answer.headers.iter().filter(|(name, _)| *name == header::CACHE_CONTROL);
    let is_kept = values.any(|(_, value)| value.to_str().is_ok_and(is_private));
    answer.headers.retain(|(name, _)| !KEEPING.contains(name) || (is_kept && *name == header::CACHE_CONTROL));
    if is_kept { answer } else { answer.header(header::CACHE_CONTROL, private) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::headers::HeaderRules;
    use crate::site::options::Options;
    use crate::site::redirects::Redirects;

    const PRIVATE: &str = "private, max-age=0, must-revalidate";
    const PRIVATE_FOR_A_YEAR: &str = "private, max-age=31536000, immutable";

    /// What an answer says of keeping, with the headers of its object, and with these `_headers`.
    fn kept(object: &[(HeaderName, &str)], rules: &str, key: &str, protected: bool, stands_in: bool) -> Vec<String> {
        let modern = Modern {
            options: Options::default(),
            redirects: Redirects::default(),
            headers: HeaderRules::parse(rules).unwrap(),
        };
        let answer = object.iter().fold(Answer::new(200), |answer, (name, value)| answer.header(name.clone(), value));
        let asked = Dressed { host: "h", path: "/assets/new.js", secure: false, protected, stands_in };
        let headers = dress(answer, &modern, key, asked).headers.into_iter();
        let keeping = headers.filter(|(name, _)| KEEPING.contains(name));
        keeping.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn behind_a_password_only_browsers_keep_it_whatever_the_object_and_the_rules_say() {
        let public = (header::CACHE_CONTROL, "public, max-age=60");
        let expires = (header::EXPIRES, "Thu, 01 Dec 2094 16:00:00 GMT");
        for (object, rules, key, expected) in [
            (vec![], "", "a.js", PRIVATE),
            (vec![public.clone()], "", "a.js", PRIVATE),
            (vec![public.clone()], "", "a-3f2a1b9c.js", PRIVATE_FOR_A_YEAR),
            (vec![expires.clone()], "", "a.js", PRIVATE),
            (vec![(header::CACHE_CONTROL, "max-age=60, Private"), expires], "", "a.js", "max-age=60, Private"),
            (vec![(header::CACHE_CONTROL, "no-store")], "", "a.js", "no-store"),
            (vec![], "/*\n  Cache-Control: public", "a.js", PRIVATE),
            (vec![], "/*\n  ! Cache-Control", "a.js", PRIVATE),
            (vec![], "/*\n  CDN-Cache-Control: max-age=60\n  Expires: 0", "a.js", PRIVATE),
            (vec![public], "/*\n  Cache-Control: private, max-age=5", "a.js", "private, max-age=5"),
        ] {
            let expected = format!("cache-control: {expected}");
            assert_eq!(kept(&object, rules, key, true, false), [expected], "{object:?} {rules}");
        }
    }

    #[test]
    fn without_a_password_the_object_and_the_rules_say_how_long() {
        let expires = (header::EXPIRES, "0");
        assert_eq!(kept(std::slice::from_ref(&expires), "", "a.js", false, false), ["expires: 0"]);
        let rules = "/*\n  Cache-Control: public, max-age=9\n  CDN-Cache-Control: max-age=60";
        let expected = ["expires: 0", "cache-control: public, max-age=9", "cdn-cache-control: max-age=60"];
        assert_eq!(kept(&[expires], rules, "a.js", false, false), expected);
    }

    #[test]
    fn what_stands_in_is_not_kept_as_the_file_would_be() {
        let asked_again = "cache-control: public, max-age=0, must-revalidate";
        for (rules, expected) in [
            ("/assets/*\n  Cache-Control: public, max-age=31536000, immutable", asked_again),
            ("/assets/*\n  Expires: Thu, 01 Dec 2094 16:00:00 GMT\n  CDN-Cache-Control: max-age=60", asked_again),
            ("/assets/*\n  ! Cache-Control", asked_again),
            ("/*\n  Cache-Control: no-store", "cache-control: no-store"),
        ] {
            assert_eq!(kept(&[], rules, "404.html", false, true), [expected], "{rules}");
        }
        let object = [(header::CACHE_CONTROL, "max-age=5")];
        assert_eq!(kept(&object, "", "404.html", false, true), ["cache-control: max-age=5"], "that of the page itself");
    }
}
