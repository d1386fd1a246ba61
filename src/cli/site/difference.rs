//! What a deploy changes of the one that is live.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::findings::printable;
use crate::site::deploy::{File, FilePath};

/// The most paths that are printed for people.
const MAX_SHOWN: usize = 50;

/// Paths by what happens to them, each list in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub added: Vec<FilePath>,
    pub changed: Vec<FilePath>,
    pub removed: Vec<FilePath>,
}

impl Difference {
    pub fn between(old: &BTreeMap<FilePath, File>, new: &BTreeMap<FilePath, File>) -> Self {
        let mut difference = Self::default();
        for (path, file) in new {
            match old.get(path) {
                None => difference.added.push(path.clone()),
                Some(before) if before != file => difference.changed.push(path.clone()),
                Some(_) => {}
            }
        }
        difference.removed.extend(old.keys().filter(|path| !new.contains_key(*path)).cloned());
        difference
    }

    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    /// One path a line, with `+`, `~` or `-` before it.
    pub fn as_text(&self) -> String {
        let lines = self.marked().map(|(mark, path)| format!("{mark} {}\n", printable(path.as_str())));
        let more = self.marked().count().saturating_sub(MAX_SHOWN);
        let rest = (more > 0).then(|| format!("  and {more} more\n"));
        lines.take(MAX_SHOWN).chain(rest).collect()
    }

    pub fn as_json(&self) -> Value {
        json!({ "added": self.added, "changed": self.changed, "removed": self.removed })
    }

    fn marked(&self) -> impl Iterator<Item = (char, &FilePath)> {
        let added = self.added.iter().map(|path| ('+', path));
        let changed = self.changed.iter().map(|path| ('~', path));
        added.chain(changed).chain(self.removed.iter().map(|path| ('-', path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::deploy::{ContentHash, ContentType};

    fn files(contents: &[(&str, &str)]) -> BTreeMap<FilePath, File> {
        let file = |content: &str| File {
            sha256: ContentHash::of(content.as_bytes()),
            size: content.len() as u64,
            content_type: ContentType::parse("text/plain").unwrap(),
        };
        contents.iter().map(|(path, content)| (FilePath::parse(*path).unwrap(), file(content))).collect()
    }

    #[test]
    fn paths_are_added_changed_or_removed() {
        let (old, new) = (files(&[("a", "1"), ("b", "1"), ("c", "1")]), files(&[("b", "1"), ("c", "2"), ("d", "1")]));
        let difference = Difference::between(&old, &new);
        assert_eq!(difference.as_text(), "+ d\n~ c\n- a\n");
        assert_eq!(difference.as_json(), json!({ "added": ["d"], "changed": ["c"], "removed": ["a"] }));
        assert!(Difference::between(&new, &new).is_empty());
    }

    #[test]
    fn long_lists_are_cut() {
        let many: Vec<String> = (0..200).map(|number| number.to_string()).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|path| (path.as_str(), "")).collect();
        let text = Difference::between(&files(&[]), &files(&many)).as_text();
        assert_eq!((text.lines().count(), text.lines().last()), (MAX_SHOWN + 1, Some("  and 150 more")));
    }
}
