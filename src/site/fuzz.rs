//! Fuzz targets: what site owners write, asked for every path; and paths and headers of visitors.

use super::headers::{HeaderRules, MAX_ADDED_BYTES};
use super::lookup::{Then, candidates, not_found_pages, slash_move};
use super::options::{Options, TrailingSlash};
use super::password::{Credentials, Hash};
use super::path::{MAX_LOCATION_BYTES, SitePath, is_reserved, on_same_site};
use super::redirects::{Redirection, Redirects};
use super::{caching, configuration};
use crate::fuzz::{self, Mutated};
use crate::http::encoding::{AcceptEncoding, Coding};
use crate::names::MAX_KEY_BYTES;

/// Paths that rules are asked for, besides what the input itself has.
const PATHS: [&str; 7] = ["/", "/a", "/blog/a/b", "/static/x.js", "//evil.example", "/a\r\nb", "/.brim/site.toml"];

/// The rules of the input's first half, asked for its second.
fn halves(text: &str) -> (&str, &str) {
    text.rsplit_once('\n').unwrap_or((text, "/"))
}

fn is_line(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t')
}

fn is_location(location: &str) -> bool {
    location.bytes().all(|byte| byte.is_ascii_graphic()) && !location.starts_with("//") && !location.contains('\\')
}

#[test]
fn redirects() {
    let seeds = [
        "/home301 / 301\n/home302 /\n/twitch https://twitch.tv # x\n/blog/* https://blog.my.domain/:splat\n/blog/a",
        "/products/:code/:name /products?code=:code&name=:name\n/users/* /users/id.html 200\n/products/a/b",
        "/:a-:b/*/c /:splat/:b/:a#f 308\n/go/* /:splat\n/go//evil",
        "/a/b /1\n/a/* /:splat/:splat 200\n/caf%C3%A9 /x%20y 307\n/a/.brim/site.toml",
    ];
    let words = ["/", "*", ":splat", ":a", "://", "%2F", "%", " 301", " 200", "?", "#", "\n", "\\", "..", ".brim/"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        fuzz::promptly(|| {
            let (rules, path) = halves(text);
            let Ok(redirects) = Redirects::parse(rules) else { return };
            for path in PATHS.into_iter().chain([path]) {
                match redirects.find(path, "a=b\r\n") {
                    None => {}
                    Some(Redirection::Rewrite { key }) => assert!(key.len() <= MAX_KEY_BYTES && !is_reserved(&key)),
                    Some(Redirection::Moved(moved)) => {
                        assert!([301, 302, 303, 307, 308].contains(&moved.status));
                        assert!(
                            is_location(&moved.location) && moved.location.len() <= MAX_LOCATION_BYTES,
                            "{moved:?}"
                        );
                        assert_ne!(moved.location, path);
                    }
                }
            }
        });
    });
}

#[test]
fn headers() {
    let seeds = [
        "/secure/page\n  X-Frame-Options: DENY\n  ! Referrer-Policy\n\n/static/*\n  X-Robots-Tag: nosnippet\n/static/x.js",
        "https://:project.pages.dev/*\n  Access-Control-Allow-Origin: https://staging.:project.pages.dev/\n/a",
        "/movies/:title\n  x-movie-name: You are watching \":title\"\n  Set-Cookie: a=b\n  Set-Cookie: c\n/movies/a\rb",
    ];
    let words =
        ["/*\n", "\n  ", "X-A: ", "! ", ":splat", ":title", "https://", ":", "\r", "\t", "Content-Length: 1", "*"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        fuzz::promptly(|| {
            let (rules, path) = halves(text);
            let Ok(rules) = HeaderRules::parse(rules) else { return };
            for path in PATHS.into_iter().chain([path]) {
                let changes = rules.changes("app.pages.dev", path);
                let added: usize = changes.set.iter().map(|(name, value)| name.len() + value.len()).sum();
                // What is joined has a comma and a space for each value, which has a name.
                assert!(added <= 2 * MAX_ADDED_BYTES, "{added} bytes of headers");
                for (name, value) in &changes.set {
                    assert!(is_line(value) && is_line(name) && !name.contains([' ', ':']), "{name}: {value}");
                    assert!(!["content-length", "transfer-encoding", "connection"].contains(&name.as_str()));
                }
            }
        });
    });
}

#[test]
fn options() {
    let seeds = [
        "clean_urls = false\ntrailing_slash = \"always\"\nnot_found_pages = true\nsingle_page = \"index.html\"\n",
        "immutable = [\"/assets/*\", \"/*-*-*.js\"]\ncanonical_host = \"www.example.com\"\ncache_control = \"no-store\"\n",
        "strict_transport_security = \"max-age=1\"\n[password]\nuser = \"a\"\nhash = \"$pbkdf2-sha256$i=100000$c2FsdHNhbHRzYWx0c2FsdA$ZlyMsyg8UImDkg487RWJO6r2T2n9342nSd/dVylWWcI\"\n",
    ];
    let words = [" = ", "\"", "[", "]", "{", "}", "true", "*", "\n", "password", "clean_urls", "'''", "\\u0000", "1e9"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        fuzz::promptly(|| match Options::parse(text) {
            Ok(options) => {
                assert!(is_line(caching::cache_control(&options, "assets/a-b.js", false)));
                assert!(options.security_headers(true).all(|(_, value)| is_line(value)));
                assert!(options.single_page.iter().all(|key| !is_reserved(key)));
            }
            Err(faults) => assert!(!faults.is_empty() && faults.is_sorted()),
        });
    });
}

#[test]
fn visitors() {
    let seeds = [
        "/about/index.html",
        "/a%2Fb/%E2%82%AC+c/./d//",
        "/.well-known/acme-challenge/x",
        "br;q=1.0, gzip;q=0.8, *;q=0.1, identity;q=0",
        "Basic YWxpOm9wZW4gc2VzYW1l",
        "$pbkdf2-sha256$i=100000$c2FsdHNhbHRzYWx0c2FsdA$ZlyMsyg8UImDkg487RWJO6r2T2n9342nSd/dVylWWcI",
        "{\"Serve\":{\"index\":\"i\",\"error\":null,\"rules\":[{\"condition\":null,\"redirect\":{\"protocol\":\"Http\",\"host\":\"h\\n\",\"status\":301,\"replace\":{\"Prefix\":\"#!/\\r\"}}}]}}",
    ];
    let words = ["/", "%2F", "%", "..", "%2e", ".html", "index.html", ";q=", "gzip", "*", "\0", "%00", ".brim"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        fuzz::promptly(|| {
            let chosen: Vec<Coding> = AcceptEncoding::parse(std::iter::once(&input[..])).preferred().collect();
            assert!(chosen.len() <= Coding::ALL.len());
            let _ = Credentials::parse(input);
            if let Ok(website) = configuration::Website::decode(input) {
                locations_are_lines(&website);
            }
            let Ok(text) = std::str::from_utf8(input) else { return };
            if let Ok(hash) = Hash::parse(text) {
                assert_eq!(Hash::parse(&hash.to_string()), Ok(hash));
            }
            if let Ok(path) = SitePath::parse(text) {
                paths_are_answered(&path);
            }
        });
    });
}

fn locations_are_lines(website: &configuration::Website) {
    use configuration::{Protocol, Website};
    let moved = match website {
        Website::RedirectAll(all) => vec![all.target("/a\r\n", "b\r\nc", Protocol::Http)],
        Website::Serve(serve) => {
            serve.rules.iter().map(|rule| rule.target("a\r\nb", "h\r\n", Protocol::Https)).collect()
        }
    };
    assert!(moved.iter().all(|moved| moved.location.bytes().all(|byte| byte.is_ascii_graphic())), "{moved:?}");
}

fn paths_are_answered(path: &SitePath) {
    let key = path.key();
    assert!(key.len() <= MAX_KEY_BYTES && !key.contains('\0') && key.split('/').all(|segment| segment != ".."));
    assert!(is_location(&on_same_site(key, "a\r\nb")));
    assert!(not_found_pages(key).count() <= 16);
    let _ = caching::is_fingerprinted(key);
    for (clean_urls, trailing_slash) in TrailingSlash::ALL.into_iter().flat_map(|slash| [(false, slash), (true, slash)])
    {
        let options = Options { clean_urls, trailing_slash, ..Options::default() };
        if let Some((to, _)) = slash_move(key, &options) {
            assert_ne!(to, key);
            assert_eq!(slash_move(&to, &options), None, "one step is enough");
        }
        for candidate in candidates(key, "index.html", &options) {
            if let Then::Move { to, .. } = candidate.then {
                assert_ne!(to, key);
            }
        }
    }
}
