//! Where a site's own objects are in its bucket. None of them is ever served.

use super::content::ContentHash;
use super::id::DeployId;

/// What every key of a site's own objects begins with.
pub const PREFIX: &str = ".brim/";
/// The key of the site's options.
pub const OPTIONS: &str = ".brim/site.toml";
/// The key of the pointer to the live deploy.
pub const CURRENT: &str = ".brim/current";
/// What the keys of files begin with.
pub const FILES: &str = ".brim/files/";
/// What the keys of manifests begin with.
pub const DEPLOYS: &str = ".brim/deploys/";

const MANIFEST_SUFFIX: &str = ".json";

/// The key of the file with this content.
pub fn file_key(sha256: &ContentHash) -> String {
    format!("{FILES}{sha256}")
}

/// The key of a deploy's manifest.
pub fn manifest_key(id: &DeployId) -> String {
    format!("{DEPLOYS}{id}{MANIFEST_SUFFIX}")
}

/// The content of the file that has this key; `None` where it is no file's key.
pub fn parse_file_key(key: &str) -> Option<ContentHash> {
    key.strip_prefix(FILES)?.parse().ok()
}

/// The deploy whose manifest has this key; `None` where it is no manifest's key.
pub fn parse_manifest_key(key: &str) -> Option<DeployId> {
    key.strip_prefix(DEPLOYS)?.strip_suffix(MANIFEST_SUFFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back() {
        let (hash, id) = (ContentHash::of(b"x"), DeployId::from_random([7; 10]));
        assert_eq!(parse_file_key(&file_key(&hash)), Some(hash));
        assert_eq!(parse_manifest_key(&manifest_key(&id)), Some(id));
        assert_eq!(manifest_key(&id), ".brim/deploys/hhhhhhhhhh.json");
        for key in ["", CURRENT, FILES, ".brim/files/x", ".brim/deploys/hhhhhhhhhh", "x.brim/deploys/hhhhhhhhhh.json"] {
            assert_eq!((parse_file_key(key), parse_manifest_key(key)), (None, None), "{key}");
        }
        assert!([OPTIONS, CURRENT, FILES, DEPLOYS].iter().all(|key| key.starts_with(PREFIX)));
    }
}
