//! Patterns with `*` (any characters, none too) and `?` (any one character): CloudFront's, for paths of behaviours and
//! for signed URLs. `/` is no special character.

/// Whether the whole text matches. Takes time in proportion to the product of both lengths at most.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern_rest, mut text_rest) = (pattern, text);
    // Where to go on if what follows the last star does not match here: behind the star, one character further.
    let mut retry: Option<(&str, &str)> = None;
    loop {
        let (mut expected, mut given) = (pattern_rest.chars(), text_rest.chars());
        match (expected.next(), given.next()) {
            (Some('*'), _) => {
                pattern_rest = expected.as_str();
                retry = Some((pattern_rest, text_rest));
                continue;
            }
            (None, None) => return true,
            (Some('?'), Some(_)) => (pattern_rest, text_rest) = (expected.as_str(), given.as_str()),
            (Some(expects), Some(is)) if expects == is => {
                (pattern_rest, text_rest) = (expected.as_str(), given.as_str());
            }
            _ => {
                let Some((behind_star, from)) = retry else { return false };
                let mut skipped = from.chars();
                if skipped.next().is_none() {
                    return false;
                }
                retry = Some((behind_star, skipped.as_str()));
                (pattern_rest, text_rest) = (behind_star, skipped.as_str());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_characters() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "/a/b", true),
            ("/images/*", "/images/a/b.jpg", true),
            ("/images/*", "/images", false),
            ("/*.jpg", "/a.jpg.png", false),
            ("/*.jpg", "/a.jpg.jpg", true),
            ("?", "é", true),
            ("?", "", false),
            ("a?c*", "abc", true),
            ("*a*b*c", "xaxbxbc", true),
            ("*a*b*c", "xaxcxb", false),
            ("**", "ab", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    fn model(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => model(rest, text) || (!text.is_empty() && model(pattern, &text[1..])),
            (['?', rest @ ..], [_, after @ ..]) => model(rest, after),
            ([expects, rest @ ..], [is, after @ ..]) => expects == is && model(rest, after),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_model(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), model(&chars(&pattern), &chars(&text)));
        }
    }
}
