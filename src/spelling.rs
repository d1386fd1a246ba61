//! Which word somebody may have meant: for faults that name a key nobody knows.

/// The longest word that a suggestion is searched for, in bytes; the search takes quadratic time.
const MAX_WORD_BYTES: usize = 128;

/// Gives the candidate that differs from `word` in the fewest places, if it is close enough to be a slip.
pub fn nearest(word: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    let most = word.chars().count() / 4 + 1;
    let scored = candidates.map(|candidate| (distance(word, &candidate), candidate));
    scored.filter(|(distance, _)| *distance <= most).min().map(|(_, candidate)| candidate)
}

/// The Levenshtein distance: how many letters to insert, remove or replace.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > MAX_WORD_BYTES {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = || ["s3.listen", "s3.region", "limits.keep_alive"].map(str::to_owned).into_iter();
        assert_eq!(nearest("s3.listne", known()).as_deref(), Some("s3.listen"));
        assert_eq!(nearest("limits.keepalive", known()).as_deref(), Some("limits.keep_alive"));
        assert_eq!(nearest("colour", known()), None);
        assert_eq!(nearest(&"x".repeat(100_000), known()), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
