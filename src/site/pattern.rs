//! Patterns of paths and hosts in `_redirects` and `_headers`, and the texts that repeat what they caught.
//!
//! As at Cloudflare: `*` is a splat, once in a pattern, and stands for any characters or none; `:name` is a placeholder and
//! stands for one or more characters of one segment, as many as can be.
//! <https://developers.cloudflare.com/pages/configuration/redirects/>
//!
//! Matching takes time in proportion to pattern and path: segments are compared one by one, and a splat has its segment
//! for itself.

use super::location;

/// How a splat is called in the text that repeats it.
const SPLAT: &str = "splat";

/// How often a text may repeat what was caught.
const MAX_REFERENCES: usize = 16;

/// A pattern, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    separator: char,
    /// The segments before the splat's, or all of them.
    head: Vec<Segment>,
    splat: Option<Splat>,
    /// The names of what is caught, in order.
    names: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Splat {
    /// What stands before and behind the splat in its segment.
    start: String,
    end: String,
    tail: Vec<Segment>,
}

/// Texts, with a placeholder between each two; one text where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Segment(Vec<String>);

/// What a pattern caught of a path, in the order of its names.
pub type Caught<'t> = Vec<&'t str>;

impl Pattern {
    /// Reads a pattern whose segments end at `separator`. The text is decoded: escapes are the caller's.
    pub fn parse(text: &str, separator: char) -> Result<Self, String> {
        let mut pattern = Self { separator, head: Vec::new(), splat: None, names: Vec::new() };
        for segment in text.split(separator) {
            match segment.split_once('*') {
                Some((start, end)) => pattern.push_splat(start, end)?,
                None => pattern.push_segment(segment)?,
            }
        }
        Ok(pattern)
    }

    /// The text that it matches, where it matches one alone.
    pub fn literal(&self) -> Option<String> {
        if self.splat.is_some() || !self.names.is_empty() {
            return None;
        }
        let segments: Vec<&str> = self.head.iter().map(|segment| segment.0[0].as_str()).collect();
        let mut separator = [0; 4];
        Some(segments.join(self.separator.encode_utf8(&mut separator)))
    }

    /// What the pattern catches of a text; `None` where it does not match all of it.
    pub fn matches<'t>(&self, text: &'t str) -> Option<Caught<'t>> {
        let mut caught = Vec::with_capacity(self.names.len());
        let Some(splat) = &self.splat else {
            let mut segments = text.split(self.separator);
            take_all(&self.head, &mut segments, &mut caught)?;
            return segments.next().is_none().then_some(caught);
        };
        let mut rest = text;
        for segment in &self.head {
            let (first, behind) = rest.split_once(self.separator)?;
            segment.matches(first, &mut caught)?;
            rest = behind;
        }
        let (middle, tail) = self.split_tail(rest, splat.tail.len())?;
        let middle = middle.strip_prefix(splat.start.as_str())?.strip_suffix(splat.end.as_str())?;
        caught.push(middle);
        take_all(&splat.tail, &mut tail.split(self.separator).skip(1), &mut caught)?;
        Some(caught)
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn push_splat(&mut self, start: &str, end: &str) -> Result<(), String> {
        if self.splat.is_some() || end.contains('*') {
            return Err("there is more than one `*`; use `:placeholders` for the others".to_owned());
        }
        if !names_in(start).is_empty() || !names_in(end).is_empty() {
            return Err("a placeholder and a `*` stand in one segment; put a slash between them".to_owned());
        }
        self.push_name(SPLAT)?;
        self.splat = Some(Splat { start: start.to_owned(), end: end.to_owned(), tail: Vec::new() });
        Ok(())
    }

    fn push_segment(&mut self, text: &str) -> Result<(), String> {
        let mut texts = vec![String::new()];
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => texts.last_mut().expect("there is always a text").push_str(text),
                Piece::Name(name) => {
                    if texts.len() > 1 && texts.last().is_some_and(String::is_empty) {
                        return Err(format!("nothing stands between `:{name}` and the placeholder before it"));
                    }
                    self.push_name(name)?;
                    texts.push(String::new());
                }
            }
        }
        let segment = Segment(texts);
        match &mut self.splat {
            Some(splat) => splat.tail.push(segment),
            None => self.head.push(segment),
        }
        Ok(())
    }

    fn push_name(&mut self, name: &str) -> Result<(), String> {
        if self.names.iter().any(|known| known == name) {
            return Err(format!("`:{name}` stands for two things"));
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    /// Cuts the last `count` segments off, each with the separator before it.
    fn split_tail<'t>(&self, text: &'t str, count: usize) -> Option<(&'t str, &'t str)> {
        let mut at = text.len();
        for _ in 0..count {
            at = text[..at].rfind(self.separator)?;
        }
        Some(text.split_at(at))
    }
}

fn take_all<'t>(
    segments: &[Segment],
    texts: &mut impl Iterator<Item = &'t str>,
    caught: &mut Caught<'t>,
) -> Option<()> {
    segments.iter().try_for_each(|segment| segment.matches(texts.next()?, caught))
}

impl Segment {
    /// Lets the first placeholder have as much as it can, then the second: so every text but the first is taken at its
    /// last place, from the right.
    fn matches<'t>(&self, text: &'t str, caught: &mut Caught<'t>) -> Option<()> {
        let [first, others @ ..] = self.0.as_slice() else { return None };
        let Some((last, middle)) = others.split_last() else { return (text == first).then_some(()) };
        let begin = caught.len();
        let start = first.len();
        if !text.starts_with(first.as_str()) {
            return None;
        }
        let mut end = text.len().checked_sub(last.len())?;
        if !text.ends_with(last.as_str()) {
            return None;
        }
        for between in middle.iter().rev() {
            let behind = last_char_before(text, start, end)?;
            let at = start + text.get(start..behind)?.rfind(between.as_str())?;
            caught.push(&text[at + between.len()..end]);
            end = at;
        }
        caught.push(text.get(start..end).filter(|value| !value.is_empty())?);
        caught[begin..].reverse();
        Some(())
    }
}

/// Where the last character of `text[start..end]` begins, so that it is left for a placeholder.
fn last_char_before(text: &str, start: usize, end: usize) -> Option<usize> {
    text.get(start..end)?.char_indices().next_back().map(|(at, _)| start + at)
}

enum Piece<'t> {
    Text(&'t str),
    Name(&'t str),
}

/// The text in pieces: a name is a colon, a letter, and then letters, digits and underscores.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(colon) = rest.find(':') {
        let (before, after) = (&rest[..colon], &rest[colon + 1..]);
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        if after.starts_with(|c: char| c.is_ascii_alphabetic()) {
            pieces.push(Piece::Text(before));
            pieces.push(Piece::Name(&after[..end]));
            rest = &after[end..];
        } else {
            pieces.push(Piece::Text(&rest[..=colon]));
            rest = after;
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// The names in a text.
pub fn names_in(text: &str) -> Vec<&str> {
    let names = pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Name(name) => Some(name),
        Piece::Text(_) => None,
    });
    names.collect()
}

/// A text that repeats what a pattern caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// What was caught under the name at this place.
    Caught(usize),
}

/// What a template becomes part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A URI: what was caught is escaped, in a query more so than in a path.
    Uri,
    /// A key: what was caught is as it was.
    Key,
    /// The value of a header: what was caught is escaped as in a path, and cannot end a directive either.
    Value,
}

impl Template {
    /// Reads a text that repeats what was caught under these names. Any other name is text: `data:image` has none.
    pub fn parse(text: &str, names: &[String]) -> Result<Self, String> {
        let mut parts: Vec<Part> = Vec::new();
        for piece in pieces(text) {
            let (text, name) = match piece {
                Piece::Text(text) => (text.to_owned(), None),
                Piece::Name(name) => (format!(":{name}"), names.iter().position(|known| known == name)),
            };
            match (name, parts.last_mut()) {
                (Some(place), _) => parts.push(Part::Caught(place)),
                (None, Some(Part::Text(last))) => last.push_str(&text),
                (None, _) => parts.push(Part::Text(text)),
            }
        }
        if parts.iter().filter(|part| matches!(part, Part::Caught(_))).count() > MAX_REFERENCES {
            return Err(format!("more than {MAX_REFERENCES} placeholders are repeated"));
        }
        Ok(Self(parts))
    }

    /// The text with what was caught in it.
    pub fn fill(&self, caught: &[&str], within: Use) -> String {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Caught(place) => {
                    let value = caught.get(*place).copied().unwrap_or_default();
                    match within {
                        Use::Key => filled.push_str(value),
                        Use::Uri if filled.contains(['?', '#']) => filled.push_str(&location::in_query(value)),
                        Use::Uri => filled.push_str(&location::in_path(value)),
                        Use::Value => filled.push_str(&location::in_value(value)),
                    }
                }
            }
        }
        filled
    }

    /// Whether [`Self::fill`] gives this key.
    pub fn gives(&self, caught: &[&str], key: &str) -> bool {
        let mut parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Caught(place) => caught.get(*place).copied().unwrap_or_default(),
        });
        parts.try_fold(key, |rest, part| rest.strip_prefix(part)) == Some("")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn caught(pattern: &str, path: &str) -> Option<Vec<String>> {
        let pattern = Pattern::parse(pattern, '/').unwrap();
        pattern.matches(path).map(|caught| caught.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn splats_and_placeholders_catch_what_stands_for_them() {
        for (pattern, path, expected) in [
            ("/", "/", Some(&[][..])),
            ("/a/b", "/a/b", Some(&[])),
            ("/a/b", "/a/b/", None),
            ("/*", "/", Some(&[""])),
            ("/*", "/a/b", Some(&["a/b"])),
            ("/blog/*", "/blog", None),
            ("/blog/*", "/blog/", Some(&[""])),
            ("*", "/a", Some(&["/a"])),
            ("/*.html", "/a/b.html", Some(&["a/b"])),
            ("/a-*-b/c", "/a-x/y-b/c", Some(&["x/y"])),
            ("/a-*-b/c", "/a-b/c", None),
            ("/ab*ba", "/aba", None),
            ("/:a/x/*/y/:b", "/1/x/2/3/y/4", Some(&["1", "2/3", "4"])),
            ("/:a/x/*/y/:b", "/1/x/y/4", None),
            ("/movies/:title", "/movies/heat", Some(&["heat"])),
            ("/movies/:title", "/movies/", None),
            ("/movies/:title", "/movies/heat/1", None),
            ("/blog-:year-:month.html", "/blog-2024-01-02.html", Some(&["2024-01", "02"])),
            ("/:a-:b", "/-x", None),
            ("/:a-:b", "/---", Some(&["-", "-"])),
            ("/:a.:b", "/\u{e9}.\u{e9}", Some(&["\u{e9}", "\u{e9}"])),
            ("/a:1b:", "/a:1b:", Some(&[])),
        ] {
            let expected = expected.map(|values| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
            assert_eq!(caught(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn patterns_that_could_mean_two_things_are_refused() {
        for pattern in ["/*/*", "/**", "/:a/:a", "/:splat/*", "/:a*", "/*:a", "/:a:b"] {
            assert!(Pattern::parse(pattern, '/').is_err(), "{pattern}");
        }
        assert!(Pattern::parse("/:a:1", '/').is_ok(), "a name begins with a letter");
    }

    #[test]
    fn hosts_are_compared_label_by_label() {
        let pattern = Pattern::parse(":project.pages.*", '.').unwrap();
        assert_eq!(pattern.matches("a.pages.dev.example"), Some(vec!["a", "dev.example"]));
        assert_eq!(pattern.matches("a.b.pages.dev"), None);
    }

    #[test]
    fn texts_repeat_what_was_caught() {
        let names = ["a", "splat"].map(str::to_owned);
        let fill = |text: &str, within| Template::parse(text, &names).unwrap().fill(&["x y", "p/q?&"], within);
        for (text, within, expected) in [
            ("/:a/:splat", Use::Key, "/x y/p/q?&"),
            ("/:a/:splat", Use::Uri, "/x%20y/p/q%3F&"),
            ("/:a?b=:splat#:a", Use::Uri, "/x%20y?b=p%2Fq%3F%26#x%20y"),
            ("\":a\" :splat", Use::Value, "\"x%20y\" p/q%3F&"),
            ("/:ab:c:1::a", Use::Key, "/:ab:c:1:x y"),
        ] {
            assert_eq!(fill(text, within), expected, "{text}");
        }
        let hostile = Template::parse("img-src :splat", &names).unwrap();
        let filled = hostile.fill(&["", "a;script-src 'unsafe-inline', b"], Use::Value);
        assert_eq!(filled, "img-src a%3Bscript-src%20%27unsafe-inline%27%2C%20b");
        assert!(Template::parse(&":a/".repeat(16), &names).is_ok());
        assert!(Template::parse(&":a/".repeat(17), &names).is_err());
    }

    #[derive(Clone)]
    enum Token {
        Text(char),
        Placeholder,
        Splat,
    }

    fn tokens(pattern: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        for piece in pieces(pattern) {
            match piece {
                Piece::Name(_) => tokens.push(Token::Placeholder),
                Piece::Text(text) => {
                    tokens.extend(text.chars().map(|c| if c == '*' { Token::Splat } else { Token::Text(c) }));
                }
            }
        }
        tokens
    }

    /// Tries everything, the longest first, as a regular expression does.
    fn model(tokens: &[Token], text: &str) -> Option<Vec<String>> {
        let Some((token, rest)) = tokens.split_first() else { return text.is_empty().then(Vec::new) };
        let least = match token {
            Token::Text(c) => return model(rest, text.strip_prefix(*c)?),
            Token::Placeholder => 1,
            Token::Splat => 0,
        };
        let most = if least == 1 { text.find('/').unwrap_or(text.len()) } else { text.len() };
        (least..=most).rev().find_map(|end| {
            let mut caught = model(rest, &text[end..])?;
            caught.insert(0, text[..end].to_owned());
            Some(caught)
        })
    }

    proptest! {
        #[test]
        fn a_key_is_recognised_without_being_made(
            text in "([ab/]|:x|:y){0,5}",
            x in "[ab/]{0,2}",
            y in "[ab/]{0,2}",
            key in "[ab/]{0,6}",
        ) {
            let template = Template::parse(&text, &["x", "y"].map(str::to_owned)).unwrap();
            let filled = template.fill(&[&x, &y], Use::Key);
            prop_assert!(template.gives(&[&x, &y], &filled));
            prop_assert_eq!(template.gives(&[&x, &y], &key), key == filled);
        }

        #[test]
        fn patterns_mean_what_trying_everything_finds(
            pattern in "/([ab/-]|:x|:y|:z|\\*){0,7}",
            path in "/[ab/-]{0,9}",
        ) {
            if let Ok(read) = Pattern::parse(&pattern, '/') {
                let found = read.matches(&path).map(|caught| caught.into_iter().map(str::to_owned).collect::<Vec<_>>());
                prop_assert_eq!(&found, &model(&tokens(&pattern), &path), "{} {}", pattern, path);
                if let Some(literal) = read.literal() {
                    prop_assert_eq!(literal, pattern);
                }
            }
        }
    }
}
