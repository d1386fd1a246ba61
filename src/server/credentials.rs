//! The root key: from the configuration, or kept in `DIR/credentials`, in the format of AWS's credentials files so that
//! `AWS_SHARED_CREDENTIALS_FILE=DIR/credentials aws s3 ls` works.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::data_dir::DataDir;
use crate::config::RootOptions;
use crate::identity::{self, RootKey, SecretKey, valid_access_key_id};
use crate::private_file;

const PROFILE: &str = "[default]";
const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";

/// Why there is no root key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{path} has no valid {ID} and {SECRET} in its profile {PROFILE}: mend it, or remove it to have a new root key made"
    )]
    Damaged { path: PathBuf },
    #[error(transparent)]
    Generate(#[from] identity::Error),
    #[error(transparent)]
    File(#[from] private_file::Error),
}

/// The root key, and the file that holds it if it is not from the configuration.
#[derive(Debug)]
pub struct Root {
    pub key: RootKey,
    pub file: Option<PathBuf>,
}

/// Gives the configured root key; otherwise the one in `DIR/credentials`, made here if there is none.
pub fn root_key(dir: &DataDir, options: &RootOptions, region: &str) -> Result<Root, Error> {
    if let Some(key) = options.key() {
        return Ok(Root { key, file: None });
    }
    let path = dir.credentials();
    let key = read_or_make(&path, region)?;
    Ok(Root { key, file: Some(path) })
}

fn read_or_make(path: &Path, region: &str) -> Result<RootKey, Error> {
    if let Some(text) = private_file::read(path)? {
        return parse(&text).ok_or_else(|| Error::Damaged { path: path.to_owned() });
    }
    let key = RootKey::generate()?;
    // Durable before it is used: a key that was handed out works after a crash, too.
    private_file::write(path, format(&key, region).as_bytes())?;
    Ok(key)
}

/// With the region, for clients that make buckets: without one, version 2 of the AWS CLI names a region of its own.
fn format(key: &RootKey, region: &str) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "# The root key of this brim, made at its first start: whoever has it may do everything.\n\
         # To have a new one made, remove this file and start brim again.\n\
         {PROFILE}\n{ID} = {}\n{SECRET} = {}\nregion = {region}\n",
        key.access_key_id(),
        key.secret().expose()
    ))
}

/// Reads the profile `default`; other profiles and settings are the user's own affair.
fn parse(text: &[u8]) -> Option<RootKey> {
    let text = std::str::from_utf8(text).ok()?;
    let (mut in_profile, mut id, mut secret) = (false, None, None);
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            in_profile = line == PROFILE;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| in_profile) else { continue };
        match name.trim() {
            ID => id = Some(value.trim()).filter(|id| valid_access_key_id(id)),
            SECRET => secret = SecretKey::parse(value.trim()),
            _ => {}
        }
    }
    Some(RootKey::new(id?, secret?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_made_once_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials");
        let made = read_or_make(&path, "eu-west-1").unwrap();
        let read = read_or_make(&path, "eu-west-1").unwrap();
        assert_eq!(made.access_key_id(), read.access_key_id());
        assert_eq!(made.secret(), read.secret());
        assert!(std::fs::read_to_string(&path).unwrap().contains("\nregion = eu-west-1\n"));
    }

    #[test]
    fn only_the_default_profile_counts() {
        let text = b"[other]\naws_access_key_id=nope\n[default]\n; a comment\nregion = us-east-1\n\
            aws_access_key_id = AKIA1\naws_secret_access_key=s3cr=t/+x\n[last]\naws_access_key_id = no";
        let key = parse(text).unwrap();
        assert_eq!((key.access_key_id(), key.secret().expose()), ("AKIA1", "s3cr=t/+x"));
        for wrong in ["", "[default]\naws_access_key_id = AKIA1\n", "[default]\naws_secret_access_key = s3cr=t/+x\n"] {
            assert!(parse(wrong.as_bytes()).is_none(), "{wrong}");
        }
        assert!(parse(&[0xff]).is_none());
    }
}
