//! Text in policies: wildcards `*` and `?`, and variables `${key}`.
//!
//! A pattern is compiled when its policy is read: runs of fixed text between its `*`. Matching takes each run at its first
//! place behind the one before, so it never tries a place twice; its cost is at most the product of both lengths, and
//! without `?` and variables their sum.

use std::borrow::Cow;

use super::key::Key;

/// A text with wildcards.
#[derive(Debug, Clone)]
pub struct Glob {
    /// What stands between the `*`; at least one, which may be empty.
    runs: Vec<Run>,
    case: Case,
}

/// A text whose length is known but for its variables.
#[derive(Debug, Clone, Default)]
pub struct Run(Vec<Atom>);

#[derive(Debug, Clone)]
enum Atom {
    Text(String),
    /// `?`: any one character.
    One,
    Variable(Variable),
}

#[derive(Debug, Clone)]
struct Variable {
    key: Key,
    default: Option<Box<str>>,
}

/// Whether letters of both cases are the same, for the letters of ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Sensitive,
    Ignored,
}

/// What stands for itself in a text and what does not.
#[derive(Debug, Clone, Copy)]
pub struct Syntax {
    pub wildcards: bool,
    /// From `Version` 2012-10-17 on.
    pub variables: bool,
}

/// What variables stand for.
pub trait Variables {
    /// The one value of a key; `None` where there is none or more than one.
    fn value_of(&self, key: &Key) -> Option<Cow<'_, str>>;
}

/// Where variables are not read.
pub struct NoVariables;

impl Variables for NoVariables {
    fn value_of(&self, _key: &Key) -> Option<Cow<'_, str>> {
        None
    }
}

/// A `${` that begins no variable.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidVariable;

/// A pattern's text in pieces.
#[derive(Debug, Clone)]
pub struct Pieces(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Atom(Atom),
    /// `*`: any characters, or none.
    Any,
}

impl Pieces {
    pub fn parse(text: &str, syntax: Syntax) -> Result<Self, InvalidVariable> {
        let mut pieces = Self(Vec::new());
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let mut end = character.len_utf8();
            match character {
                '*' if syntax.wildcards => pieces.push_any(),
                '?' if syntax.wildcards => pieces.0.push(Piece::Atom(Atom::One)),
                '$' if syntax.variables && rest.starts_with("${") => {
                    end = rest.find('}').ok_or(InvalidVariable)? + 1;
                    pieces.push_variable(&rest[2..end - 1])?;
                }
                _ => pieces.push_text(&rest[..end]),
            }
            rest = &rest[end..];
        }
        Ok(pieces)
    }

    /// `**` means no more than `*`.
    fn push_any(&mut self) {
        if !matches!(self.0.last(), Some(Piece::Any)) {
            self.0.push(Piece::Any);
        }
    }

    fn push_text(&mut self, text: &str) {
        if let Some(Piece::Atom(Atom::Text(last))) = self.0.last_mut() {
            last.push_str(text);
        } else {
            self.0.push(Piece::Atom(Atom::Text(text.into())));
        }
    }

    /// Adds what stands between the braces: one of the characters that mean something, or a key, perhaps with a default.
    fn push_variable(&mut self, inner: &str) -> Result<(), InvalidVariable> {
        if let "*" | "?" | "$" = inner {
            self.push_text(inner);
            return Ok(());
        }
        let (key, default) = match inner.split_once(',') {
            Some((key, default)) => (key, Some(unquoted(default.trim()).ok_or(InvalidVariable)?.into())),
            None => (inner, None),
        };
        let key = Key::parse(key.trim()).ok_or(InvalidVariable)?;
        self.0.push(Piece::Atom(Atom::Variable(Variable { key, default })));
        Ok(())
    }

    /// Parts the text at the first `count - 1` colons that stand outside of variables.
    pub fn split_at_colons(self, count: usize) -> Vec<Self> {
        let mut parts = vec![Self(Vec::new())];
        for piece in self.0 {
            let Piece::Atom(Atom::Text(text)) = piece else {
                parts.last_mut().expect("there is at least one part").0.push(piece);
                continue;
            };
            for (number, text) in text.splitn(count + 1 - parts.len(), ':').enumerate() {
                if number > 0 {
                    parts.push(Self(Vec::new()));
                }
                if !text.is_empty() {
                    parts.last_mut().expect("there is at least one part").push_text(text);
                }
            }
        }
        parts
    }

    /// The text, where it has neither wildcards nor variables.
    pub fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Atom(Atom::Text(text))] => Some(text),
            _ => None,
        }
    }

    pub fn ends_in_any(&self) -> bool {
        matches!(self.0.last(), Some(Piece::Any))
    }

    pub fn is_any(&self) -> bool {
        matches!(self.0.as_slice(), [Piece::Any])
    }

    pub fn glob(self, case: Case) -> Glob {
        let mut runs = vec![Run::default()];
        for piece in self.0 {
            match piece {
                Piece::Any => runs.push(Run::default()),
                Piece::Atom(atom) => runs.last_mut().expect("there is at least one run").0.push(atom),
            }
        }
        Glob { runs, case }
    }

    /// The text for comparing, which has no `*`: such a piece is left out.
    pub fn run(self) -> Run {
        let atoms = self.0.into_iter().filter_map(|piece| match piece {
            Piece::Atom(atom) => Some(atom),
            Piece::Any => None,
        });
        Run(atoms.collect())
    }
}

/// Whether a text of ASCII is like the pattern, in whatever case, with wildcards and without variables.
pub fn is_like(text: &str, pattern: &str) -> bool {
    let syntax = Syntax { wildcards: true, variables: false };
    Pieces::parse(pattern, syntax).is_ok_and(|pieces| pieces.glob(Case::Ignored).matches(text, &NoVariables))
}

fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.strip_suffix('\'')
}

impl Glob {
    /// Whether all of the text matches. A variable that stands for nothing matches nothing, and what it stands for is
    /// compared character by character: no wildcard comes in through it.
    pub fn matches(&self, text: &str, variables: &dyn Variables) -> bool {
        let [first, others @ ..] = self.runs.as_slice() else { return false };
        let Some(text) = first.strip_prefix(text, self.case, variables) else { return false };
        let Some((last, middle)) = others.split_last() else { return text.is_empty() };
        let Some(mut text) = last.strip_suffix(text, self.case, variables) else { return false };
        for run in middle {
            match run.find(text, self.case, variables) {
                Some(rest) => text = rest,
                None => return false,
            }
        }
        true
    }

    /// Whether a variable's key begins so, in lower case.
    pub fn asks_for(&self, prefix: &str) -> bool {
        self.runs.iter().any(|run| run.asks_for(prefix))
    }

    /// Whether it matches just one text, whatever is asked.
    pub fn is_fixed(&self) -> bool {
        matches!(self.runs.as_slice(), [run] if run.is_fixed())
    }
}

impl Run {
    pub fn equals(&self, text: &str, case: Case, variables: &dyn Variables) -> bool {
        self.strip_prefix(text, case, variables).is_some_and(str::is_empty)
    }

    pub fn is_fixed(&self) -> bool {
        self.0.iter().all(|atom| matches!(atom, Atom::Text(_)))
    }

    /// As [`Glob::asks_for`].
    pub fn asks_for(&self, prefix: &str) -> bool {
        self.0.iter().any(|atom| matches!(atom, Atom::Variable(variable) if variable.key.is_of_request(prefix)))
    }

    /// What is behind the run, where the text begins with it.
    fn strip_prefix<'t>(&self, text: &'t str, case: Case, variables: &dyn Variables) -> Option<&'t str> {
        self.0.iter().try_fold(text, |text, atom| match atom {
            Atom::Text(fixed) => strip_prefix(text, fixed, case),
            Atom::One => text.get(text.chars().next()?.len_utf8()..),
            Atom::Variable(variable) => variable.with(variables, |value| strip_prefix(text, value, case)),
        })
    }

    /// What is before the run, where the text ends with it.
    fn strip_suffix<'t>(&self, text: &'t str, case: Case, variables: &dyn Variables) -> Option<&'t str> {
        self.0.iter().rev().try_fold(text, |text, atom| match atom {
            Atom::Text(fixed) => strip_suffix(text, fixed, case),
            Atom::One => text.get(..text.len() - text.chars().next_back()?.len_utf8()),
            Atom::Variable(variable) => variable.with(variables, |value| strip_suffix(text, value, case)),
        })
    }

    /// What is behind the run's first place in the text.
    fn find<'t>(&self, text: &'t str, case: Case, variables: &dyn Variables) -> Option<&'t str> {
        if let ([Atom::Text(fixed)], Case::Sensitive) = (self.0.as_slice(), case) {
            return text.split_once(fixed.as_str()).map(|(_, rest)| rest);
        }
        let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        starts.find_map(|at| self.strip_prefix(&text[at..], case, variables))
    }
}

impl Variable {
    fn with<T>(&self, variables: &dyn Variables, work: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        match (variables.value_of(&self.key), &self.default) {
            (Some(value), _) => work(&value),
            (None, Some(default)) => work(default),
            (None, None) => None,
        }
    }
}

fn strip_prefix<'t>(text: &'t str, prefix: &str, case: Case) -> Option<&'t str> {
    match case {
        Case::Sensitive => text.strip_prefix(prefix),
        Case::Ignored => {
            let (head, rest) = text.split_at_checked(prefix.len())?;
            head.eq_ignore_ascii_case(prefix).then_some(rest)
        }
    }
}

fn strip_suffix<'t>(text: &'t str, suffix: &str, case: Case) -> Option<&'t str> {
    match case {
        Case::Sensitive => text.strip_suffix(suffix),
        Case::Ignored => {
            let (rest, tail) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
            tail.eq_ignore_ascii_case(suffix).then_some(rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Alice;

    impl Variables for Alice {
        fn value_of(&self, key: &Key) -> Option<Cow<'_, str>> {
            (*key == Key::UserName).then_some(Cow::Borrowed("ali*ce"))
        }
    }

    const ALL: Syntax = Syntax { wildcards: true, variables: true };

    fn glob(pattern: &str) -> Glob {
        Pieces::parse(pattern, ALL).unwrap().glob(Case::Sensitive)
    }

    #[test]
    fn wildcards_match_whole_texts() {
        for (pattern, text, matches) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "a", true),
            ("*a", "ba", true),
            ("a*a", "a", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*bc*c", "abcbc", true),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "aab", false),
            ("a?c", "a\u{e9}c", true),
            ("a?c", "ac", false),
            ("*?", "", false),
            ("?*?", "ab", true),
            ("*?b", "xxb", true),
            ("a**b", "ab", true),
            ("a*?b*c", "abbc", true),
            ("A*", "a", false),
        ] {
            assert_eq!(glob(pattern).matches(text, &NoVariables), matches, "{pattern:?} {text:?}");
        }
        assert!(is_like("S3:GetObject", "s3:get*") && !is_like("s3:GetObject", "s3:put*"));
    }

    #[test]
    fn variables_stand_for_values_that_are_no_patterns() {
        for (pattern, text, matches) in [
            ("home/${aws:username}/*", "home/ali*ce/x", true),
            ("home/${aws:username}/*", "home/alixce/x", false),
            ("${AWS:UserName}", "ali*ce", true),
            ("*-${aws:username}", "a-ali*ce", true),
            ("*${aws:username}*!", "a-ali*ce-b!", true),
            ("${aws:userid}", "", false),
            ("${aws:userid, 'x'}", "x", true),
            ("${aws:username, 'x'}", "x", false),
            ("a${*}b${?}c${$}{d", "a*b?c${d", true),
            ("a${*}b", "axb", false),
        ] {
            assert_eq!(glob(pattern).matches(text, &Alice), matches, "{pattern:?} {text:?}");
        }
        for text in ["${", "${aws:username", "${}", "${username}", "${aws:username, x}", "${aws:username,}"] {
            assert!(Pieces::parse(text, ALL).is_err(), "{text}");
        }
        let old = Syntax { wildcards: true, variables: false };
        let literal = Pieces::parse("${aws:username}", old).unwrap().glob(Case::Sensitive);
        assert!(literal.matches("${aws:username}", &Alice));
    }
}
