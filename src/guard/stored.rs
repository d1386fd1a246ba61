//! Actions on stored objects: those that have names of their own for versions, and those in which the object has a say.

/// What a request that names a version needs instead.
const OF_A_VERSION: [(&str, &str); 8] = [
    ("s3:GetObject", "s3:GetObjectVersion"),
    ("s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"),
    ("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
    ("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
    ("s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
    ("s3:PutObjectTagging", "s3:PutObjectVersionTagging"),
    ("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"),
    ("s3:DeleteObject", "s3:DeleteObjectVersion"),
];

/// The action for a version where one is named.
pub fn versioned<'a>(action: &'a str, version: Option<&str>) -> &'a str {
    let found = version.and_then(|_| OF_A_VERSION.iter().find(|(plain, _)| *plain == action));
    found.map_or(action, |(_, versioned)| versioned)
}

/// Whether a stored object may have a say: in its list, its owner or its tags.
pub fn reads_object(action: &str) -> bool {
    OF_A_VERSION.iter().any(|(plain, versioned)| [*plain, *versioned].contains(&action))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_objects_have_a_say_where_they_are_read_annotated_or_deleted() {
        for action in ["s3:GetObject", "s3:GetObjectVersionAcl", "s3:PutObjectTagging", "s3:DeleteObject"] {
            assert!(reads_object(action), "{action}");
        }
        for action in ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListBucket"] {
            assert!(!reads_object(action), "{action}");
        }
    }
}
