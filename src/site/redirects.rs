//! `_redirects`: Cloudflare's rules, and rewrites to files of the same site.
//!
//! A line is `from to [status]`; the first line that matches counts, whether or not there is a file.
//! <https://developers.cloudflare.com/pages/configuration/redirects/>. What only other hosts know (conditions, forced rules,
//! query parameters) is a fault: it would not happen.

use std::collections::HashMap;

use super::fault::{Fault, Faults};
use super::location::{self, MAX_LOCATION_BYTES, Moved};
use super::path::{SitePath, is_reserved};
use super::pattern::{Pattern, Template, Use, names_in};
use crate::http::percent;
use crate::names::MAX_KEY_BYTES;

/// The largest file, in bytes.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// The longest line, in characters.
pub const MAX_LINE: usize = 1000;
/// The most rules whose `from` is one path.
pub const MAX_STATIC: usize = 2000;
/// The most rules with splats or placeholders.
pub const MAX_DYNAMIC: usize = 100;

/// The status of a rule that names none.
const DEFAULT_STATUS: u16 = 302;
const REWRITE: u16 = 200;
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// A site's redirects. Finding one takes a look into a table, and then a comparison with each dynamic rule before it; at
/// most one location is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redirects {
    fixed: HashMap<String, Rule>,
    /// In the order of their lines.
    dynamic: Vec<(Pattern, Rule)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    line: usize,
    target: Target,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Location {
        status: u16,
        location: Template,
        /// The decoded path, where it is one of the same site.
        path: Option<Template>,
    },
    /// A decoded path.
    File(Template),
}

/// What a rule says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirection {
    Moved(Moved),
    /// The request is answered as if it had asked for this key, and what is found there is served under the address that
    /// was asked for: a file that would be moved to a cleaner URL is served all the same, and no rule is asked again.
    Rewrite {
        key: String,
    },
}

/// What one rule, which matches, says of a request.
enum Said {
    Redirection(Redirection),
    /// Nothing: it leads to where the request is, or to what is never served. The next rule counts.
    Nothing,
    /// More than can be sent. No other rule is asked: to find that out was the most that one request may cost.
    TooMuch,
}

impl Redirects {
    /// Reads the file. Gives every fault, up to [`super::MAX_FAULTS`].
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let mut redirects = Self::default();
        if text.len() > MAX_FILE_BYTES {
            faults.push(0, format!("the file has more than {MAX_FILE_BYTES} bytes"));
            return faults.or(redirects);
        }
        for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
            if faults.is_full() {
                break;
            }
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Err(problem) = redirects.add(number, line) {
                faults.push(number, problem);
            }
        }
        faults.or(redirects)
    }

    /// The rule for a request, by its decoded path and its query as it came. The query is passed on where the rule's
    /// target has none. `None` also where a rule matches and what it says is too long to be sent.
    pub fn find(&self, path: &str, query: &str) -> Option<Redirection> {
        let fixed = self.fixed.get(path);
        let first = fixed.map_or(usize::MAX, |rule| rule.line);
        let before = self.dynamic.iter().take_while(|(_, rule)| rule.line < first);
        for (pattern, rule) in before {
            let Some(caught) = pattern.matches(path) else { continue };
            match rule.target.answer(path, query, &caught) {
                Said::Redirection(redirection) => return Some(redirection),
                Said::Nothing => {}
                Said::TooMuch => return None,
            }
        }
        match fixed?.target.answer(path, query, &[]) {
            Said::Redirection(redirection) => Some(redirection),
            Said::Nothing | Said::TooMuch => None,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.dynamic.is_empty()
    }

    fn add(&mut self, line: usize, text: &str) -> Result<(), String> {
        if text.chars().count() > MAX_LINE {
            return Err(format!("the line has more than {MAX_LINE} characters"));
        }
        let (from, to, status) = tokens(text)?;
        let from = parse_from(from)?;
        let pattern = Pattern::parse(&from, '/')?;
        let target = Target::parse(to, status, &pattern)?;
        if target.leads_back(&pattern) {
            return Err("the redirect leads to where it applies again, without end".to_owned());
        }
        let rule = Rule { line, target };
        match pattern.literal() {
            Some(path) => self.add_fixed(path, rule),
            None => self.add_dynamic(pattern, rule),
        }
    }

    fn add_fixed(&mut self, path: String, rule: Rule) -> Result<(), String> {
        if let Some(known) = self.fixed.get(&path) {
            return Err(format!("the rule never applies: line {} is for the same path", known.line));
        }
        if self.fixed.len() == MAX_STATIC {
            return Err(format!("there are more than {MAX_STATIC} rules without `*` and placeholders"));
        }
        self.fixed.insert(path, rule);
        Ok(())
    }

    fn add_dynamic(&mut self, pattern: Pattern, rule: Rule) -> Result<(), String> {
        if let Some((_, known)) = self.dynamic.iter().find(|(known, _)| *known == pattern) {
            return Err(format!("the rule never applies: line {} is for the same paths", known.line));
        }
        if self.dynamic.len() == MAX_DYNAMIC {
            return Err(format!("there are more than {MAX_DYNAMIC} rules with `*` or placeholders"));
        }
        self.dynamic.push((pattern, rule));
        Ok(())
    }
}

/// The parts of a line: `from`, `to` and the status.
fn tokens(text: &str) -> Result<(&str, &str, u16), String> {
    let mut tokens: Vec<&str> = text.split_whitespace().collect();
    // A comment may follow a rule; a `#` before that begins a fragment.
    if let Some(at) = tokens.iter().skip(2).position(|token| token.starts_with('#')) {
        tokens.truncate(at + 2);
    }
    match tokens.as_slice() {
        [from, to] if !to.contains('=') || is_target(to) => Ok((from, to, DEFAULT_STATUS)),
        [from, to, status] if is_target(to) => Ok((from, to, parse_status(status)?)),
        [_, parameter, _, ..] if !is_target(parameter) && parameter.contains('=') => {
            Err(format!("`{parameter}`: rules cannot ask for query parameters"))
        }
        [_, _, _, condition, ..] if condition.contains('=') => {
            Err(format!("`{condition}`: rules have no conditions on countries, languages, roles or cookies"))
        }
        _ => Err("a rule is `from to` or `from to status`".to_owned()),
    }
}

fn is_target(token: &str) -> bool {
    ["/", "https://", "http://"].iter().any(|start| token.starts_with(start))
}

fn parse_status(token: &str) -> Result<u16, String> {
    if let Some(number) = token.strip_suffix('!') {
        return Err(format!("`{token}`: a rule always applies, also where there is a file; write {number}"));
    }
    if token.contains('=') {
        return Err(format!("`{token}`: rules have no conditions on countries, languages, roles or cookies"));
    }
    let status = token.parse().ok().filter(|status| *status == REWRITE || REDIRECTS.contains(status));
    status.ok_or_else(|| format!("`{token}` is not a status of a rule: 301, 302 (the default), 303, 307, 308 or 200"))
}

/// The decoded path that a rule is for.
fn parse_from(text: &str) -> Result<String, String> {
    if text.contains("://") {
        return Err(format!("`{text}`: a rule is for a path of this site, not for an address"));
    }
    if text.contains(['?', '#']) {
        return Err(format!("`{text}`: a rule is for a path, without query and fragment"));
    }
    let path = SitePath::parse(text).map_err(|problem| format!("`{text}`: {problem}"))?;
    Ok(path.as_str().to_owned())
}

impl Target {
    fn parse(text: &str, status: u16, pattern: &Pattern) -> Result<Self, String> {
        if !is_target(text) {
            return Err(format!("`{text}` is neither a path with its leading slash nor an address with http(s)://"));
        }
        if let Some(unknown) =
            names_in(text).into_iter().find(|name| !pattern.names().iter().any(|known| known == name))
        {
            return Err(format!("`:{unknown}` stands for nothing: the rule's path does not have it"));
        }
        if status == REWRITE { Self::parse_file(text, pattern) } else { Self::parse_location(text, status, pattern) }
    }

    fn parse_file(text: &str, pattern: &Pattern) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(format!("`{text}`: a rule with status 200 serves a file of this site, not another site"));
        }
        if text.contains(['?', '#']) {
            return Err(format!("`{text}`: a rule with status 200 names a file, without query and fragment"));
        }
        let path = SitePath::parse(text).map_err(|problem| format!("`{text}`: {problem}"))?;
        if is_reserved(path.key()) {
            return Err(format!("`{text}` is never served"));
        }
        Ok(Self::File(Template::parse(path.as_str(), pattern.names())?))
    }

    fn parse_location(text: &str, status: u16, pattern: &Pattern) -> Result<Self, String> {
        let location = Template::parse(&location::written(text), pattern.names())?;
        if !text.starts_with('/') {
            check_address(text)?;
            return Ok(Self::Location { status, location, path: None });
        }
        if text.starts_with("//") || text.starts_with("/\\") {
            return Err(format!("`{text}` leads to another site; write it with https://"));
        }
        let end = text.find(['?', '#']).unwrap_or(text.len());
        let path = String::from_utf8(percent::decode_lenient(&text[..end]).into_owned());
        let path = path.map_err(|_| format!("`{text}` is not UTF-8"))?;
        Ok(Self::Location { status, location, path: Some(Template::parse(&path, pattern.names())?) })
    }

    fn answer(&self, path: &str, query: &str, caught: &[&str]) -> Said {
        match self {
            Self::File(template) => match template.fill(caught, Use::Key).strip_prefix('/') {
                Some(key) if key.len() > MAX_KEY_BYTES => Said::TooMuch,
                Some(key) if !is_reserved(key) => Said::Redirection(Redirection::Rewrite { key: key.to_owned() }),
                _ => Said::Nothing,
            },
            Self::Location { path: Some(target), .. } if target.gives(caught, path) => Said::Nothing,
            Self::Location { status, location, path } => {
                let mut location = location.fill(caught, Use::Uri);
                if path.is_some() {
                    location::keep_on_site(&mut location);
                }
                location::push_query(&mut location, query);
                if location.len() > MAX_LOCATION_BYTES {
                    return Said::TooMuch;
                }
                Said::Redirection(Redirection::Moved(Moved { status: *status, location }))
            }
        }
    }

    /// Whether every request that follows the redirect meets the same rule again. What was caught is any text, so
    /// texts that no rule names show it.
    fn leads_back(&self, pattern: &Pattern) -> bool {
        let Self::Location { path: Some(path), .. } = self else { return false };
        let values: Vec<String> = (0..pattern.names().len()).map(|number| format!("\u{10fffd}{number}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        pattern.matches(&path.fill(&values, Use::Key)).is_some()
    }
}

/// An address has a host, and visitors do not choose it.
fn check_address(text: &str) -> Result<(), String> {
    let (_, rest) = text.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err(format!("`{text}` names no host"));
    }
    if !names_in(authority).is_empty() {
        return Err(format!("`{text}`: a placeholder in the host would let visitors choose where they are sent"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Redirects {
        Redirects::parse(text).unwrap()
    }

    fn moved(status: u16, location: &str) -> Option<Redirection> {
        Some(Redirection::Moved(Moved { status, location: location.to_owned() }))
    }

    fn rewrite(key: &str) -> Option<Redirection> {
        Some(Redirection::Rewrite { key: key.to_owned() })
    }

    /// The example of Cloudflare's documentation, and the forms that it names.
    const EXAMPLE: &str = "\
# old pages
/home301 / 301
/home302 /
/querystrings /?query=string 301
/twitch https://twitch.tv   # where we stream
/trailing /trailing/ 301
/notrailing/ /notrailing 301

/page/ /page2/#fragment 301
/caf%C3%A9 /coffee 308
/blog/* https://blog.my.domain/:splat
/products/:code/:name /products?code=:code&name=:name
/movies/:title /media/:title 303
/users/* /users/id.html 200
/files/:file /static/:file 200
/api/* http://[::1]:8080/api/:splat 307";

    #[test]
    fn the_first_rule_that_matches_counts() {
        let redirects = parse(EXAMPLE);
        for (path, query, expected) in [
            ("/home301", "", moved(301, "/")),
            ("/home302", "a=b", moved(302, "/?a=b")),
            ("/querystrings", "a=b", moved(301, "/?query=string")),
            ("/twitch", "", moved(302, "https://twitch.tv")),
            ("/trailing", "", moved(301, "/trailing/")),
            ("/trailing/", "", None),
            ("/notrailing/", "", moved(301, "/notrailing")),
            ("/page/", "a=b", moved(301, "/page2/?a=b#fragment")),
            ("/caf\u{e9}", "", moved(308, "/coffee")),
            ("/blog/a b?", "x", moved(302, "https://blog.my.domain/a%20b%3F?x")),
            ("/blog/", "", moved(302, "https://blog.my.domain/")),
            ("/products/a&b/c", "x", moved(302, "/products?code=a%26b&name=c")),
            ("/movies/heat", "", moved(303, "/media/heat")),
            ("/users/12/posts", "a=b", rewrite("users/id.html")),
            ("/files/a b", "", rewrite("static/a b")),
            ("/api/x", "", moved(307, "http://[::1]:8080/api/x")),
            ("/", "", None),
            ("/HOME301", "", None),
        ] {
            assert_eq!(redirects.find(path, query), expected, "{path}");
        }
    }

    #[test]
    fn the_order_of_lines_counts_between_static_and_dynamic_rules() {
        let redirects = parse("/a/b /1\n/a/* /2\n/a/c /3");
        assert_eq!(redirects.find("/a/b", ""), moved(302, "/1"));
        assert_eq!(redirects.find("/a/c", ""), moved(302, "/2"));
    }

    #[test]
    fn what_would_not_happen_is_a_fault_with_its_line() {
        for (line, problem) in [
            ("/a", "a rule is"),
            ("/a /b 301 x", "a rule is"),
            ("a /b", "slash"),
            ("/a b", "neither a path"),
            ("/a ftp://b", "neither a path"),
            ("https://a/b /c", "not for an address"),
            ("http://a/* /c", "not for an address"),
            ("/a?x=1 /b", "query"),
            ("/a#x /b", "query"),
            ("/store id=:id /blog/:id 301", "query parameters"),
            ("/ /us 302 Country=us", "conditions"),
            ("/ /us Language=de", "conditions"),
            ("/* /preview/:splat 302 Cookie=preview", "conditions"),
            ("/a /b 301!", "write 301"),
            ("/* /index.html 200!", "write 200"),
            ("/a /404.html 404", "not a status"),
            ("/a /b 300", "not a status"),
            ("/a /b moved", "not a status"),
            ("/a https://b/c 200", "another site"),
            ("/a /b?c 200", "without query"),
            ("/a /.brim/site.toml 200", "never served"),
            ("/a /_headers 200", "never served"),
            ("/a /../b 200", ".."),
            ("/a/../b /c", ".."),
            ("/a%zz /b", "hexadecimal"),
            ("/a%ff /b", "UTF-8"),
            ("/a //evil.example", "another site"),
            ("/a /\\evil.example", "another site"),
            ("/a https://", "no host"),
            ("/:a https://:a.example.com/", "choose"),
            ("/* https://example.com:splat", "choose"),
            ("/a /:b", "stands for nothing"),
            ("/*/* /b", "more than one"),
            ("/a /a", "without end"),
            ("/a /a?x=y 301", "without end"),
            ("/caf%C3%A9 /caf\u{e9}", "without end"),
            ("/* /index.html", "without end"),
            ("/blog/* /blog/old/:splat", "without end"),
            ("/:a/:b /:b/:a", "without end"),
        ] {
            let faults = Redirects::parse(&format!("\n# {line}\n{line}\n")).expect_err(line);
            assert_eq!((faults.len(), faults[0].line), (1, 3), "{faults:?}");
            assert!(faults[0].message.contains(problem), "{line}: {}", faults[0].message);
        }
    }

    #[test]
    fn every_fault_is_told() {
        let faults = Redirects::parse("/a /b 300\n/c /d\n/c /e\n/e/* /f\n/e/* /g\nx y").unwrap_err();
        assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [1, 3, 5, 6]);
        assert!(faults[1].message.contains("line 2") && faults[2].message.contains("line 4"), "{faults:?}");
        let faults = Redirects::parse(&"x\n".repeat(1000)).unwrap_err();
        assert_eq!(faults.len(), crate::site::MAX_FAULTS);
    }

    #[test]
    fn rules_are_bounded_in_number_and_length() {
        let lines = |count: usize, rest: &str| (0..count).map(|n| format!("/{n}{rest} /x/y\n")).collect::<String>();
        let (fixed, dynamic) = (lines(2000, ""), lines(100, "/*"));
        assert!(Redirects::parse(&(fixed + &dynamic)).is_ok());
        assert_eq!(Redirects::parse(&lines(2001, "")).unwrap_err()[0].line, 2001);
        assert_eq!(Redirects::parse(&lines(101, "/*")).unwrap_err()[0].line, 101);
        assert!(Redirects::parse(&format!("/a /{}", "\u{e9}".repeat(996))).is_ok());
        assert!(Redirects::parse(&format!("/a /{}", "\u{e9}".repeat(997))).is_err());
        assert!(Redirects::parse(&" ".repeat(MAX_FILE_BYTES + 1)).is_err());
    }

    #[test]
    fn visitors_do_not_choose_the_host_nor_the_headers() {
        let redirects = parse("/go/* /:splat\n/to/:x https://example.com/:x\n/in/* /:splat 200");
        for (path, location) in [
            ("/go//evil.example", "/%2Fevil.example"),
            ("/go/\\evil.example", "/%5Cevil.example"),
            ("/go/a\r\nset-cookie: b", "/a%0D%0Aset-cookie:%20b"),
            ("/to/@evil.example", "https://example.com/@evil.example"),
        ] {
            assert_eq!(redirects.find(path, ""), moved(302, location));
        }
        assert_eq!(redirects.find("/in/.brim/site.toml", ""), None);
        assert_eq!(redirects.find("/in/_redirects", ""), None);
    }

    #[test]
    fn a_request_is_not_sent_to_where_it_is() {
        let redirects = parse("/:x/a /a/:x\n/* /b 200");
        assert_eq!(redirects.find("/c/a", ""), moved(302, "/a/c"));
        assert_eq!(redirects.find("/a/a", ""), rewrite("b"), "the next rule counts");
        assert_eq!(parse("/* /index.html 200").find("/x", ""), rewrite("index.html"), "a rewrite leads nowhere");
    }

    #[test]
    fn a_location_that_is_too_long_is_not_sent() {
        let redirects = parse(&format!("/* https://e.x/{}", ":splat/".repeat(16)));
        assert!(redirects.find("/a", "").is_some());
        assert_eq!(redirects.find(&format!("/{}", "a".repeat(1000)), ""), None);
    }

    #[test]
    fn no_rule_is_asked_behind_one_that_says_too_much() {
        for (target, status) in [("https://e.x/", 302), ("/", 200)] {
            let redirects = parse(&format!("/* {target}{} {status}\n/:a /b 200", ":splat/".repeat(16)));
            assert_eq!(redirects.find(&format!("/{}", "a".repeat(1000)), ""), None);
            assert!(redirects.find("/a", "").is_some());
        }
    }

    proptest! {
        /// Following one rule from where it leads comes to an end.
        #[test]
        fn no_rule_leads_to_itself_without_end(
            from in "/([ab/]|:x|:y|\\*){0,5}",
            to in "/([ab/]|:x|:y|:splat){0,5}",
            path in "/[ab/]{0,6}",
        ) {
            if let Ok(redirects) = Redirects::parse(&format!("{from} {to}")) {
                let mut at = path;
                let mut steps = 0;
                while let Some(Redirection::Moved(moved)) = redirects.find(&at, "") {
                    at = String::from_utf8(percent::decode(&moved.location).unwrap().into_owned()).unwrap();
                    steps += 1;
                    prop_assert!(steps < 50, "{} {} {}", from, to, at);
                }
            }
        }
    }
}
