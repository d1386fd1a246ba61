//! Patterns of paths with `*`, which stands for any characters, slashes too, or none.

/// A pattern: texts, with any characters between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    start: Box<str>,
    /// What stands between stars.
    middle: Box<[Box<str>]>,
    /// What is behind the last star; `None` where there is no star.
    end: Option<Box<str>>,
}

impl Glob {
    pub fn new(pattern: &str) -> Self {
        let mut texts = pattern.split('*');
        let start = texts.next().unwrap_or_default().into();
        let end = texts.next_back().map(Into::into);
        Self { start, middle: texts.filter(|text| !text.is_empty()).map(Into::into).collect(), end }
    }

    /// Whether all of the text is like the pattern. Takes each text between stars at its first place, which no other
    /// choice can better.
    pub fn matches(&self, text: &str) -> bool {
        let Some(rest) = text.strip_prefix(&*self.start) else { return false };
        let Some(end) = &self.end else { return rest.is_empty() };
        let Some(mut rest) = rest.strip_suffix(&**end) else { return false };
        for text in &self.middle {
            match rest.split_once(&**text) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("/a", "/a", true),
            ("/a", "/ab", false),
            ("/assets/*", "/assets/", true),
            ("/assets/*", "/assets/a/b.js", true),
            ("*.js", "/a/b.js", true),
            ("/*-*.js", "/a-b.js", true),
            ("/a*a", "/a", false),
            ("**", "", true),
            ("/*/*/*", "/a/b", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    /// Every way to let the first star stand for something.
    fn model(pattern: &str, text: &str) -> bool {
        match pattern.split_once('*') {
            None => pattern == text,
            Some((start, rest)) => {
                text.strip_prefix(start).is_some_and(|text| (0..=text.len()).any(|at| model(rest, &text[at..])))
            }
        }
    }

    proptest! {
        #[test]
        fn patterns_mean_what_trying_everything_finds(pattern in "[ab*]{0,6}", text in "[ab]{0,8}") {
            prop_assert_eq!(Glob::new(&pattern).matches(&text), model(&pattern, &text));
        }
    }
}
