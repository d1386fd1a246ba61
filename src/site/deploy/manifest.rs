//! A deploy's manifest: every path of the site, and the content that is there.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::Error;
use super::content::{ContentHash, ContentType};
use super::id::DeployId;
use super::path::FilePath;
use super::version::Version;
use crate::clock::Timestamp;

/// The most files of a deploy.
pub const MAX_FILES: usize = 100_000;
/// The longest manifest, in bytes.
pub const MAX_MANIFEST_BYTES: usize = 32 * 1024 * 1024;
/// The longest message, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 1024;

/// What a deploy consists of. Never changed once it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: Version,
    pub id: DeployId,
    pub created: Timestamp,
    /// What its author said of it; may be empty.
    #[serde(deserialize_with = "message")]
    pub message: String,
    #[serde(deserialize_with = "files")]
    pub files: BTreeMap<FilePath, File>,
}

/// The content at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub sha256: ContentHash,
    /// In bytes.
    pub size: u64,
    pub content_type: ContentType,
}

impl Manifest {
    /// The manifest of these files. Fails where the message is too long or there are too many files.
    pub fn new(
        id: DeployId,
        created: Timestamp,
        message: String,
        files: BTreeMap<FilePath, File>,
    ) -> Result<Self, Error> {
        if message.len() > MAX_MESSAGE_BYTES {
            return Err(Error::Message);
        }
        if files.len() > MAX_FILES {
            return Err(Error::TooManyFiles);
        }
        Ok(Self { version: Version, id, created, message, files })
    }

    /// Gives the manifest as JSON. Fails where that is more than is read.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let document = serde_json::to_vec(self)?;
        if document.len() > MAX_MANIFEST_BYTES { Err(Error::TooLarge) } else { Ok(document) }
    }

    /// Reads the manifest of the deploy `id`; whoever wrote it is not trusted.
    pub fn decode(document: &[u8], id: DeployId) -> Result<Self, Error> {
        if document.len() > MAX_MANIFEST_BYTES {
            return Err(Error::TooLong { found: document.len(), most: MAX_MANIFEST_BYTES });
        }
        let manifest: Self = serde_json::from_slice(document)?;
        match manifest.id == id {
            true => Ok(manifest),
            false => Err(Error::OtherDeploy { found: manifest.id, expected: id }),
        }
    }

    /// How many bytes the files have together, each path counted.
    pub fn size(&self) -> u64 {
        self.files.values().fold(0, |sum, file| sum.saturating_add(file.size))
    }
}

fn message<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let message = String::deserialize(deserializer)?;
    if message.len() > MAX_MESSAGE_BYTES { Err(D::Error::custom(Error::Message)) } else { Ok(message) }
}

fn files<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<FilePath, File>, D::Error> {
    struct Files;

    impl<'de> Visitor<'de> for Files {
        type Value = BTreeMap<FilePath, File>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the files of a deploy by their paths")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut files = BTreeMap::new();
            while let Some((path, file)) = map.next_entry::<FilePath, File>()? {
                if files.len() == MAX_FILES {
                    return Err(A::Error::custom(Error::TooManyFiles));
                }
                if files.contains_key(&path) {
                    return Err(A::Error::custom(Error::Duplicate(path.into())));
                }
                files.insert(path, file);
            }
            Ok(files)
        }
    }

    deserializer.deserialize_map(Files)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> DeployId {
        "abcdefghij".parse().unwrap()
    }

    fn file(content: &[u8]) -> File {
        File {
            sha256: ContentHash::of(content),
            size: content.len() as u64,
            content_type: ContentType::parse("text/html; charset=utf-8").unwrap(),
        }
    }

    fn manifest(paths: impl IntoIterator<Item = String>) -> Manifest {
        let files =
            paths.into_iter().filter_map(|path| Some((FilePath::parse(path.clone()).ok()?, file(path.as_bytes()))));
        Manifest::new(id(), Timestamp::from_millis(1), "first".to_owned(), files.collect()).unwrap()
    }

    fn text() -> String {
        String::from_utf8(manifest(["index.html".to_owned()]).encode().unwrap()).unwrap()
    }

    fn refusal(document: &str) -> String {
        let error = Manifest::decode(document.as_bytes(), id()).unwrap_err();
        format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default())
    }

    #[test]
    fn the_json_is_as_it_was_from_the_first_release_on() {
        let expected = concat!(
            r#"{"version":1,"id":"abcdefghij","created":1,"message":"first","files":{"index.html":{"#,
            r#""sha256":"0eb547304658805aad788d320f10bf1f292797b5e6d745a3bf617584da017051","size":10,"#,
            r#""content_type":"text/html; charset=utf-8"}}}"#
        );
        assert_eq!(text(), expected);
        assert_eq!(Manifest::decode(expected.as_bytes(), id()).unwrap(), manifest(["index.html".to_owned()]));
    }

    #[test]
    fn hostile_manifests_are_refused() {
        let text = text();
        let hash = ContentHash::of(b"index.html").to_string();
        for (document, says) in [
            (text.replace("index.html\"", "../x\""), "mean other places"),
            (text.replace("index.html\"", "/x\""), "empty segment"),
            (text.replace("index.html\"", ".brim/current\""), "nothing below"),
            (text.replace(&hash, "../../secret"), "64 lower-case"),
            (text.replace(&hash, &hash.to_uppercase()), "64 lower-case"),
            (text.replace("text/html", "text\\r\\nx: y"), "visible ASCII"),
            (text.replace("\"version\":1", "\"version\":2"), "version 2 is not known"),
            (text.replace("\"size\":10", "\"size\":-1"), "-1"),
            (text.replace("\"size\":10", "\"size\":1e300"), "floating point"),
            (text.replace("abcdefghij", "bbbbbbbbbb"), "manifest of bbbbbbbbbb"),
            (text.replace("\"message\"", "\"massage\""), "massage"),
            (text.replace("first", &"x".repeat(1025)), "the message has more than"),
            (text.replace("}}}", "}},\"more\":1}"), "more"),
            ("[".repeat(100_000), "invalid type"),
            (String::new(), "EOF"),
        ] {
            let refusal = refusal(&document);
            assert!(refusal.contains(says), "{says:?} not in {refusal:?}");
        }
        let twice = text.replace(
            "\"files\":{",
            &format!("\"files\":{{\"index.html\":{},", &text[text.find("{\"sha").unwrap()..text.len() - 2]),
        );
        assert!(refusal(&twice).contains("is there twice"), "{}", refusal(&twice));
    }

    #[test]
    fn the_number_of_files_and_the_length_are_bounded() {
        let most = manifest((0..MAX_FILES).map(|number| number.to_string()));
        let document = most.encode().unwrap();
        assert_eq!(Manifest::decode(&document, id()).unwrap(), most);
        let mut files = most.files.clone();
        files.insert(FilePath::parse("one-more").unwrap(), file(b""));
        assert!(matches!(
            Manifest::new(id(), Timestamp::from_millis(0), String::new(), files),
            Err(Error::TooManyFiles)
        ));
        let one_more = String::from_utf8(document)
            .unwrap()
            .replace("\"files\":{", &format!("\"files\":{{\"x\":{},", serde_json::to_string(&file(b"")).unwrap()));
        assert!(refusal(&one_more).contains("more than 100000 files"));
        assert!(matches!(Manifest::decode(&vec![b' '; MAX_MANIFEST_BYTES + 1], id()), Err(Error::TooLong { .. })));
        let long = manifest((0..70_000).map(|number| format!("{number}-{}", "x".repeat(1000))));
        assert!(matches!(long.encode(), Err(Error::TooLarge)));
    }

    #[test]
    fn files_are_found_by_the_text_of_their_path() {
        let manifest = manifest(["a/b.css".to_owned(), "index.html".to_owned()]);
        assert_eq!(manifest.files.get("a/b.css"), Some(&file(b"a/b.css")));
        assert_eq!(manifest.files.get("a"), None);
        assert_eq!(manifest.size(), 17);
    }

    proptest! {
        #[test]
        fn manifests_read_back(paths in prop::collection::vec("[a-z./é\" ]{0,20}", 0..20)) {
            let manifest = manifest(paths);
            prop_assert_eq!(Manifest::decode(&manifest.encode().unwrap(), id()).unwrap(), manifest);
        }
    }
}
