//! The data directory: whether it is one, and who can read it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Diagnosis;
use crate::server::data_dir::{CREDENTIALS, KV, MARKER, MASTER_KEY};
use crate::server::marker::Marker;

const GROUP: u32 = 0o070;
const OTHERS: u32 = 0o007;

/// Whether there is a data directory, and a server on it.
pub fn presence(path: &Path, served: bool) -> Diagnosis {
    const SUBJECT: &str = "data directory";
    let shown = path.display();
    match Marker::read(&path.join(MARKER)) {
        Ok(Some(_)) if served => Diagnosis::ok(SUBJECT, format!("{shown}, in use by a running server")),
        Ok(Some(_)) => Diagnosis::ok(SUBJECT, format!("{shown}, no server runs on it")),
        Ok(None) if path.join(KV).exists() => Diagnosis::bad(
            SUBJECT,
            format!("{shown} holds data but its marker {MARKER} is gone"),
            "restore that file from a backup of the directory",
        ),
        Ok(None) => Diagnosis::ok(SUBJECT, format!("{shown} does not exist yet: the first start makes it")),
        Err(error) => Diagnosis::bad(SUBJECT, error.to_string(), "see the message"),
    }
}

/// Whether others can read what they must not.
pub fn permissions(path: &Path) -> Vec<Diagnosis> {
    const SUBJECT: &str = "permissions";
    let mut faults = Vec::new();
    for name in ["", MASTER_KEY, CREDENTIALS] {
        let file = if name.is_empty() { path.to_owned() } else { path.join(name) };
        match fs::metadata(&file) {
            Ok(metadata) => faults.extend(of_file(&file, &metadata, name.is_empty())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let advice = "run this as the user that the server runs as";
                faults.push(Diagnosis::warn(SUBJECT, format!("{}: {error}", file.display()), advice));
            }
        }
    }
    if faults.is_empty() {
        faults.push(Diagnosis::ok(SUBJECT, "nobody else can read the directory's secrets"));
    }
    faults
}

fn of_file(path: &Path, metadata: &fs::Metadata, directory: bool) -> Option<Diagnosis> {
    const SUBJECT: &str = "permissions";
    let (mode, shown) = (metadata.mode(), path.display());
    let advice = format!("chmod {} {shown}", if directory { "700" } else { "600" });
    // The files guard themselves: the server refuses them when others can read them.
    if mode & OTHERS != 0 && !directory {
        return Some(Diagnosis::bad(SUBJECT, format!("{shown} can be read or written by other users"), advice));
    }
    if mode & (OTHERS | GROUP) != 0 {
        return Some(Diagnosis::warn(SUBJECT, format!("{shown} is open to others (mode {:o})", mode & 0o777), advice));
    }
    let user = rustix::process::geteuid().as_raw();
    (metadata.uid() != user).then(|| {
        let found = format!("{shown} belongs to user {} and this is user {user}", metadata.uid());
        Diagnosis::warn(SUBJECT, found, "run the server and its commands as the directory's owner")
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Health;
    use super::*;

    #[test]
    fn secrets_open_to_others_are_bad() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(permissions(dir.path())[0].health, Health::Ok);
        let key = dir.path().join(MASTER_KEY);
        fs::write(&key, "").unwrap();
        for (mode, health) in [(0o600, Health::Ok), (0o640, Health::Warn), (0o604, Health::Bad)] {
            fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(permissions(dir.path())[0].health, health, "{mode:o}");
        }
    }

    #[test]
    fn a_lost_marker_is_bad_and_a_directory_to_be_made_is_not() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(presence(&dir.path().join("new"), false).health, Health::Ok);
        fs::create_dir(dir.path().join(KV)).unwrap();
        assert_eq!(presence(dir.path(), false).health, Health::Bad);
    }
}
