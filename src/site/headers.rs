//! `_headers`: headers that a site adds to its answers, takes from them, or puts in place of what is sent otherwise.
//!
//! A line with a path, then lines with `Name: value` or `! Name`. Every block whose pattern matches counts; values of the
//! same name are joined. <https://developers.cloudflare.com/pages/configuration/headers/>

use super::fault::{Fault, Faults};
use super::path::SitePath;
use super::pattern::{Pattern, Template, Use};

/// The largest file, in bytes.
pub const MAX_FILE_BYTES: usize = 256 * 1024;
/// The longest line, in characters.
pub const MAX_LINE: usize = 2000;
/// The most blocks.
pub const MAX_RULES: usize = 100;
/// The most headers of all blocks, those that are left out too.
pub const MAX_HEADERS: usize = 200;
/// The most bytes that rules add to one answer. From the first value on that would not fit, none is added.
pub const MAX_ADDED_BYTES: usize = 32 * 1024;

/// Headers that say how the message travels, or what its bytes are: the server's alone (RFC 9110 sections 7.6.1, 8, 13;
/// RFC 9112 section 6).
const REFUSED: [&str; 17] = [
    "accept-ranges",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "date",
    "etag",
    "keep-alive",
    "last-modified",
    "location",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// A site's rules for headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderRules(Vec<Rule>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// `None`: any host.
    host: Option<Pattern>,
    path: Pattern,
    /// Names in lower case.
    set: Vec<(String, Template)>,
    removed: Vec<String>,
}

/// What the rules change about one answer. Names are in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// These take the place of what is sent otherwise under the same name; values are visible ASCII, spaces and tabs.
    pub set: Vec<(String, String)>,
    /// These are not sent, unless they are in `set`.
    pub removed: Vec<String>,
}

impl HeaderRules {
    /// Reads the file. Gives every fault, up to [`super::MAX_FAULTS`].
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::default();
        if text.len() > MAX_FILE_BYTES {
            reader.faults.push(0, format!("the file has more than {MAX_FILE_BYTES} bytes"));
            return reader.faults.or(Self::default());
        }
        for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
            if reader.faults.is_full() {
                break;
            }
            if let Err(problem) = reader.line(number, line) {
                reader.faults.push(number, problem);
            }
        }
        reader.end_block();
        reader.faults.or(Self(reader.rules))
    }

    /// What the rules change about an answer to a request for this host (in lower case, without its port) and decoded path.
    pub fn changes(&self, host: &str, path: &str) -> Changes {
        let mut changes = Changes::default();
        let mut room = Some(MAX_ADDED_BYTES);
        for rule in &self.0 {
            let Some(caught) = rule.matches(host, path) else { continue };
            changes.remove(&rule.removed);
            for (name, value) in &rule.set {
                let Some(left) = room else { break };
                let value = value.fill(&caught, Use::Value);
                room = left.checked_sub(name.len() + value.len());
                if room.is_some() {
                    changes.add(name, value);
                }
            }
        }
        changes
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Changes {
    /// Whether what is sent otherwise under this name, in lower case, is not sent.
    pub fn replaces(&self, name: &str) -> bool {
        self.removed.iter().any(|removed| removed == name) || self.set.iter().any(|(set, _)| set == name)
    }

    fn remove(&mut self, names: &[String]) {
        self.set.retain(|(set, _)| !names.contains(set));
        self.removed.extend(names.iter().filter(|name| !self.removed.contains(name)).cloned().collect::<Vec<_>>());
    }

    fn add(&mut self, name: &str, value: String) {
        match self.set.iter_mut().find(|(set, _)| set == name && joins(name)) {
            Some((_, known)) => {
                known.push_str(", ");
                known.push_str(&value);
            }
            None => self.set.push((name.to_owned(), value)),
        }
    }
}

/// Whether values may stand in one header, with commas between (RFC 9110 section 5.3).
fn joins(name: &str) -> bool {
    name != "set-cookie"
}

impl Rule {
    fn matches<'t>(&self, host: &'t str, path: &'t str) -> Option<Vec<&'t str>> {
        let mut caught = match &self.host {
            Some(pattern) => pattern.matches(host)?,
            None => Vec::new(),
        };
        caught.extend(self.path.matches(path)?);
        Some(caught)
    }

    /// What stands for what in values.
    fn names(&self) -> Vec<String> {
        let host = self.host.iter().flat_map(Pattern::names);
        host.chain(self.path.names()).cloned().collect()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (host, path) = match text.split_once("://") {
            Some(("https", rest)) => {
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(parse_host(host)?), if path.is_empty() { "/" } else { path })
            }
            Some(_) => return Err(format!("`{text}`: an address begins with https://")),
            None => (None, text),
        };
        if path.contains(['?', '#']) {
            return Err(format!("`{text}`: a pattern is a path, without query and fragment"));
        }
        let path = SitePath::parse(path).map_err(|problem| format!("`{text}`: {problem}"))?;
        let rule = Self { host, path: Pattern::parse(path.as_str(), '/')?, set: Vec::new(), removed: Vec::new() };
        let names = rule.names();
        if let Some(name) =
            names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)).map(|(_, name)| name)
        {
            return Err(format!("`:{name}` stands for two things"));
        }
        Ok(rule)
    }
}

fn parse_host(text: &str) -> Result<Pattern, String> {
    let host = text.to_ascii_lowercase();
    if host.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())) {
        return Err(format!("`{text}`: ports are not compared; leave it out"));
    }
    let known = |c: char| c.is_ascii_alphanumeric() || "-.:*_".contains(c);
    if host.is_empty() || !host.chars().all(known) {
        return Err(format!("`{text}` is not a host"));
    }
    Pattern::parse(&host, '.')
}

/// The file, line by line.
#[derive(Default)]
struct Reader {
    rules: Vec<Rule>,
    block: Option<Block>,
    /// How many headers there were.
    headers: usize,
    faults: Faults,
}

/// A block that is being read.
struct Block {
    line: usize,
    /// `None` where its pattern was at fault.
    rule: Option<Rule>,
    /// Whether a header followed, be it at fault.
    has_header: bool,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        if line.chars().count() > MAX_LINE {
            return Err(format!("the line has more than {MAX_LINE} characters"));
        }
        if is_pattern(text) { self.begin_block(number, text) } else { self.header(text) }
    }

    fn begin_block(&mut self, number: usize, text: &str) -> Result<(), String> {
        self.end_block();
        let rule = Rule::parse(text);
        let (rule, problem) = match rule {
            Ok(_) if self.rules.len() == MAX_RULES => (None, Err(format!("there are more than {MAX_RULES} blocks"))),
            Ok(rule) => (Some(rule), Ok(())),
            Err(problem) => (None, Err(problem)),
        };
        self.block = Some(Block { line: number, rule, has_header: false });
        problem
    }

    fn end_block(&mut self) {
        let Some(Block { line, rule: Some(rule), has_header }) = self.block.take() else { return };
        if !has_header {
            self.faults.push(line, "no header follows the path");
        }
        self.rules.push(rule);
    }

    fn header(&mut self, text: &str) -> Result<(), String> {
        let Some(block) = &mut self.block else {
            return Err(format!("`{text}`: a path, beginning with a slash, must come before headers"));
        };
        block.has_header = true;
        self.headers += 1;
        if self.headers > MAX_HEADERS {
            return Err(format!("there are more than {MAX_HEADERS} headers"));
        }
        let header = parse_header(text)?;
        // Headers of a block that is at fault are checked all the same.
        let Some(rule) = &mut block.rule else { return Ok(()) };
        match header {
            (name, Some(value)) => rule.set.push((name, Template::parse(value, &rule.names())?)),
            (name, None) => rule.removed.push(name),
        }
        Ok(())
    }
}

/// Whether a line is a path or an address rather than a header.
fn is_pattern(text: &str) -> bool {
    text.starts_with('/')
        || text
            .split_once("://")
            .is_some_and(|(scheme, _)| !scheme.contains(char::is_whitespace) && !scheme.contains(':'))
}

/// The name of a header, in lower case, and its value; no value for `! Name`.
fn parse_header(text: &str) -> Result<(String, Option<&str>), String> {
    if let Some(name) = text.strip_prefix('!') {
        return Ok((parse_name(name.trim())?, None));
    }
    let Some((name, value)) = text.split_once(':') else {
        return Err(format!("`{text}`: a header is `Name: value`, or `! Name` to leave one out"));
    };
    let (name, value) = (parse_name(name.trim())?, value.trim());
    if value.is_empty() {
        return Err(format!("`{name}` has no value; `! {name}` leaves a header out"));
    }
    if !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t') {
        return Err(format!("the value of `{name}` is not visible ASCII"));
    }
    Ok((name, Some(value)))
}

fn parse_name(name: &str) -> Result<String, String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("`{name}` is not the name of a header"));
    }
    let name = name.to_ascii_lowercase();
    if REFUSED.contains(&name.as_str()) {
        return Err(format!("`{name}` is for the server alone to send"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> HeaderRules {
        HeaderRules::parse(text).unwrap()
    }

    fn set(changes: &Changes) -> Vec<(&str, &str)> {
        changes.set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// The example of Cloudflare's documentation.
    const EXAMPLE: &str = "\
# This is a comment
/secure/page
  X-Frame-Options: DENY
  X-Content-Type-Options: nosniff
  Referrer-Policy: no-referrer

/static/*
  Access-Control-Allow-Origin: *
  X-Robots-Tag: nosnippet

https://myproject.pages.dev/*
  X-Robots-Tag: noindex";

    #[test]
    fn every_block_that_matches_counts_and_values_are_joined() {
        let rules = parse(EXAMPLE);
        let secure =
            [("x-frame-options", "DENY"), ("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")];
        let here = ("x-robots-tag", "noindex");
        let any = ("access-control-allow-origin", "*");
        for (host, path, expected) in [
            ("custom.domain", "/secure/page", secure.to_vec()),
            ("custom.domain", "/static/image.jpg", vec![any, ("x-robots-tag", "nosnippet")]),
            ("myproject.pages.dev", "/home", vec![here]),
            ("myproject.pages.dev", "/secure/page", [&secure[..], &[here]].concat()),
            ("myproject.pages.dev", "/static/styles.css", vec![any, ("x-robots-tag", "nosnippet, noindex")]),
            ("custom.domain", "/", vec![]),
        ] {
            assert_eq!(set(&rules.changes(host, path)), expected, "{host} {path}");
        }
    }

    #[test]
    fn a_header_is_left_out_and_may_be_set_again() {
        let rules = parse(
            "/*\n  Content-Security-Policy: a\n  X-A: 1\n/*.jpg\n  ! content-security-policy\n/b.jpg\n  Content-Security-Policy: c",
        );
        let changes = rules.changes("h", "/a.jpg");
        assert_eq!(
            (set(&changes), &changes.removed),
            (vec![("x-a", "1")], &vec!["content-security-policy".to_owned()])
        );
        assert!(changes.replaces("content-security-policy") && changes.replaces("x-a") && !changes.replaces("etag"));
        let changes = rules.changes("h", "/b.jpg");
        assert_eq!(set(&changes), [("x-a", "1"), ("content-security-policy", "c")]);
    }

    #[test]
    fn cookies_are_not_joined() {
        let rules = parse("/*\n  Set-Cookie: a=b\n  Set-Cookie: c=d\n  X-A: 1\n  X-A: 2");
        assert_eq!(set(&rules.changes("h", "/")), [("set-cookie", "a=b"), ("set-cookie", "c=d"), ("x-a", "1, 2")]);
    }

    #[test]
    fn values_repeat_what_was_caught_and_stay_one_line() {
        let rules = parse(
            "/movies/:title\n  x-movie-name: You are watching \":title\"\n\
             https://:project.pages.dev/*\n  Access-Control-Allow-Origin: https://staging.:project.pages.dev/:splat",
        );
        assert_eq!(
            set(&rules.changes("h", "/movies/a\"b\r\nc: \u{e9}")),
            [("x-movie-name", "You are watching \"a%22b%0D%0Ac:%20%C3%A9\"")]
        );
        assert_eq!(
            set(&rules.changes("app.pages.dev", "/x/y")),
            [("access-control-allow-origin", "https://staging.app.pages.dev/x/y")]
        );
        let policy = parse("/*\n  Content-Security-Policy: img-src data: 'self' blob:; x data:image");
        assert_eq!(set(&policy.changes("h", "/"))[0].1, "img-src data: 'self' blob:; x data:image");
    }

    #[test]
    fn what_could_not_be_sent_is_a_fault_with_its_line() {
        for (text, line, problem) in [
            ("X-A: 1", 1, "must come before"),
            ("/a\n  X-A", 2, "`Name: value`"),
            ("/a\n  X-A:", 2, "no value"),
            ("/a\n  : b", 2, "not the name"),
            ("/a\n  X A: b", 2, "not the name"),
            ("/a\n  X-A: caf\u{e9}", 2, "visible ASCII"),
            ("/a\n  X-A: a\rb", 2, "visible ASCII"),
            ("/a\n  X-A: a\u{1}b", 2, "visible ASCII"),
            ("/a\n  Content-Length: 5", 2, "server alone"),
            ("/a\n  Transfer-Encoding: chunked", 2, "server alone"),
            ("/a\n  ! Connection", 2, "server alone"),
            ("/a\n  ETag: \"a\"", 2, "server alone"),
            ("/a\n/b\n  X-A: 1", 1, "no header follows"),
            ("/a", 1, "no header follows"),
            ("http://a.b/\n  X-A: 1", 1, "https://"),
            ("https://a.b:8080/\n  X-A: 1", 1, "ports"),
            ("https:///a\n  X-A: 1", 1, "not a host"),
            ("https://a b/\n  X-A: 1", 1, "not a host"),
            ("/a?b\n  X-A: 1", 1, "query"),
            ("/a/../b\n  X-A: 1", 1, ".."),
            ("/*/*\n  X-A: 1", 1, "more than one"),
            ("https://*.a/*\n  X-A: 1", 1, "two things"),
        ] {
            let faults = HeaderRules::parse(text).expect_err(text);
            assert_eq!((faults.len(), faults[0].line), (1, line), "{text:?} {faults:?}");
            assert!(faults[0].message.contains(problem), "{text:?}: {}", faults[0].message);
        }
        let faults = HeaderRules::parse("/a\n  X A: b\n/b/*/*\n  Date: x\n/c").unwrap_err();
        assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [2, 3, 4, 5]);
    }

    #[test]
    fn rules_are_bounded_in_number_and_length_and_in_what_they_add() {
        let blocks = |count: usize| (0..count).map(|n| format!("/{n}\n  X-A: 1\n")).collect::<String>();
        assert!(HeaderRules::parse(&blocks(100)).is_ok());
        assert_eq!(HeaderRules::parse(&blocks(101)).unwrap_err()[0].line, 201);
        let line = |length: usize| format!("/*\n  X-A: {}", "x".repeat(length - 7));
        assert!(HeaderRules::parse(&line(2000)).is_ok());
        assert!(HeaderRules::parse(&line(2001)).is_err());
        assert!(HeaderRules::parse(&" ".repeat(MAX_FILE_BYTES + 1)).is_err());

        let greedy = parse(&format!("/*\n{}", format!("  X-A: {}\n", ":splat ".repeat(16)).repeat(30)));
        let added: usize =
            greedy.changes("h", &format!("/{}", "\u{e9}".repeat(100))).set.iter().map(|(_, v)| v.len()).sum();
        assert!((1..=MAX_ADDED_BYTES + 64).contains(&added), "{added}");
    }

    #[test]
    fn headers_are_bounded_over_all_blocks() {
        let blocks = |count: usize| (0..count).map(|n| format!("/{n}\n  X-A: 1\n  ! X-B\n")).collect::<String>();
        assert!(HeaderRules::parse(&blocks(100)).is_ok());
        let faults = HeaderRules::parse(&(blocks(100) + "  X-C: 1")).unwrap_err();
        assert_eq!((faults.len(), faults[0].line), (1, 301));
        assert!(faults[0].message.contains("more than 200 headers"), "{}", faults[0].message);
    }

    #[test]
    fn nothing_is_added_behind_the_first_value_that_does_not_fit() {
        let long = format!("  X-A: {}\n", ":splat".repeat(16));
        let rules = parse(&format!("/*\n  X-B: 1\n{}  X-C: 1\n/*\n  X-D: 1\n  ! X-B", long.repeat(3)));
        let names = |path: &str| rules.changes("h", path).set.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names("/a"), ["x-a", "x-c", "x-d"]);
        assert_eq!(names(&format!("/{}", "a".repeat(1000))), ["x-a"], "what is left out is left out all the same");
    }
}
