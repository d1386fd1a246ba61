//! How long browsers and caches may keep what a site sends.

use super::options::Options;

/// Names that change with their content may be kept for a year (RFC 9111; RFC 8246).
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const IMMUTABLE_PRIVATE: &str = "private, max-age=31536000, immutable";
/// Everything else is asked for again, and is usually still the same: 304.
const REVALIDATED: &str = "public, max-age=0, must-revalidate";
const REVALIDATED_PRIVATE: &str = "private, max-age=0, must-revalidate";

/// The fewest characters of a hash in a name, and just as many as one has that is not hexadecimal.
const MIN_HASH: usize = 8;
/// The fewest changes between letters and digits of a hexadecimal hash: a number has none, `decade2024` one.
const MIN_CHANGES: usize = 2;
/// And of one that is not hexadecimal: `Model3EV` has two.
const MIN_SHORT_CHANGES: usize = 3;
/// The fewest letters of a hash that is not hexadecimal: `S01E02v2` has three.
const MIN_LETTERS: usize = 5;

/// The value of `Cache-Control` for a file (by its key, not by the address that led to it), where the file itself does
/// not say otherwise. What is `protected` by a password is kept by browsers alone.
pub fn cache_control<'o>(options: &'o Options, key: &str, protected: bool) -> &'o str {
    let immutable = is_fingerprinted(key) || options.is_immutable(key);
    match (immutable, protected) {
        (true, false) => IMMUTABLE,
        (true, true) => IMMUTABLE_PRIVATE,
        (false, false) => options.cache_control.as_deref().unwrap_or(REVALIDATED),
        (false, true) => {
            let private = options.cache_control.as_deref().filter(|value| is_private(value));
            private.unwrap_or(REVALIDATED_PRIVATE)
        }
    }
}

/// Whether only browsers may keep it, or nobody.
pub fn is_private(cache_control: &str) -> bool {
    has_directive(cache_control, ["private", "no-store"])
}

/// Whether nobody shows it again without asking.
pub fn is_asked_again(cache_control: &str) -> bool {
    has_directive(cache_control, ["no-cache", "no-store"])
}

fn has_directive(cache_control: &str, names: [&str; 2]) -> bool {
    let mut directives = cache_control.split(',').map(str::trim);
    directives.any(|directive| names.iter().any(|name| directive.eq_ignore_ascii_case(name)))
}

/// Whether a name carries a hash of its content right before its extension, as build tools write them: `app.3f2a1b9c.js`,
/// `index-BQx8kT2p.css`, or nothing but hexadecimal digits, at least 16. Pages are never taken to be fingerprinted.
///
/// A hash alternates between letters and digits, and is hexadecimal with at least eight digits, or has just eight
/// characters, most of them letters and one a capital: years, dates, resolutions and numbers of versions are none. What
/// is taken for one by mistake would be stale for a year, so rather too few names are recognised; the option `immutable`
/// says what the others are.
pub fn is_fingerprinted(key: &str) -> bool {
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let page = ["html", "htm"].iter().any(|page| extension.eq_ignore_ascii_case(page));
    if page || extension.is_empty() {
        return false;
    }
    match stem.rsplit_once(['.', '-', '_']) {
        Some((before, hash)) => (!before.is_empty() && is_hash(hash)) || is_long_hash(stem),
        None => is_long_hash(stem),
    }
}

/// A whole name that is a hash: longer, so that no word is one.
fn is_long_hash(stem: &str) -> bool {
    stem.len() >= 2 * MIN_HASH && is_hash(stem) && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_hash(text: &str) -> bool {
    text.len() >= MIN_HASH && (is_hexadecimal_hash(text) || is_short_hash(text))
}

fn is_hexadecimal_hash(text: &str) -> bool {
    let word = text.trim_matches(|c: char| c.is_ascii_digit());
    let is_date = ["dec", "feb"].iter().any(|month| word.eq_ignore_ascii_case(month));
    text.bytes().all(|byte| byte.is_ascii_hexdigit()) && changes(text) >= MIN_CHANGES && !is_date
}

/// What tools make whose hashes are in base 64 or base 32, cut off.
fn is_short_hash(text: &str) -> bool {
    text.len() == MIN_HASH
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().any(|byte| byte.is_ascii_uppercase())
        && text.bytes().filter(u8::is_ascii_alphabetic).count() >= MIN_LETTERS
        && changes(text) >= MIN_SHORT_CHANGES
}

/// How often a text changes between digits and others.
fn changes(text: &str) -> usize {
    text.as_bytes().windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_hash_before_the_extension_are_fingerprinted() {
        for key in [
            "app.3f2a1b9c.js",
            "assets/index-BQx8kT2p.css",
            "a_7XKQ2ZBM.woff2",
            "_next/static/chunks/4bd1b696-182b6b13bdad92e3.js",
            "3f2a1b9c3f2a1b9c.js",
            "a/d41d8cd98f00b204e9800998ecf8427e.png",
            "site.12ab3456.css",
            "app.3f2a1b9c.js.map/x.3f2a1b9c.js",
        ] {
            assert!(is_fingerprinted(key), "{key}");
        }
    }

    #[test]
    fn words_years_dates_and_pages_are_not() {
        for key in [
            "app.js",
            "app.deadbeef.js",
            "photo-20240115.jpg",
            "annual-report2024.pdf",
            "Report2024.pdf",
            "a-2024report.pdf",
            "presentation2.pdf",
            "film-1080pixels.mp4",
            "banner-1200x630.png",
            "hero-1920x1080.jpg",
            "hero-1920x1080p60.jpg",
            "part-10x20x30.stl",
            "report-2024Q3final.pdf",
            "dump-20240115T103000Z.sql",
            "film-S01E02v2.mp4",
            "list-top10of5.txt",
            "a-2024dec25.txt",
            "tesla-Model3EV.jpg",
            "app.3f2a1b9.js",
            "app.3f2a1b9c.html",
            "3f2a1b9c.js",
            "-3f2a1b9c.js",
            "main.3a2b1c4d.chunk.js",
            "3f2a1b9c3f2a1b9c",
            "a.3f2a1b9c/",
            "a.3f2a1b9c.",
            "a-3f2\u{e9}1b9c4.js",
            "",
        ] {
            assert!(!is_fingerprinted(key), "{key}");
        }
    }

    #[test]
    fn what_is_not_named_after_its_content_is_asked_for_again() {
        for (text, key, protected, expected) in [
            ("", "index.html", false, REVALIDATED),
            ("", "a-3f2a1b9c.js", false, IMMUTABLE),
            ("immutable = [\"/assets/*\"]", "assets/main.js", false, IMMUTABLE),
            ("immutable = [\"/assets/*\"]", "x/assets/main.js", false, REVALIDATED),
            ("cache_control = \"max-age=60\"", "main.js", false, "max-age=60"),
            ("cache_control = \"max-age=60\"", "a-3f2a1b9c.js", false, IMMUTABLE),
            ("", "index.html", true, REVALIDATED_PRIVATE),
            ("", "a-3f2a1b9c.js", true, IMMUTABLE_PRIVATE),
            ("cache_control = \"public, max-age=60\"", "index.html", true, REVALIDATED_PRIVATE),
            ("cache_control = \"max-age=60, Private\"", "index.html", true, "max-age=60, Private"),
        ] {
            let options = Options::parse(text).unwrap();
            assert_eq!(cache_control(&options, key, protected), expected, "{text} {key}");
        }
    }
}
