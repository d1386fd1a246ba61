//! Fuzz targets: manifests, pointers and preview labels, which anybody with a key may write.

use super::{File, Manifest, Pointer, file_key, is_preview_shaped, parse_file_key, parse_preview_label, preview_label};
use crate::fuzz::{self, Mutated};

const MANIFEST: &str = concat!(
    r#"{"version":1,"id":"abcdefghij","created":1,"message":"m","files":{"index.html":{"#,
    r#""sha256":"0eb547304658805aad788d320f10bf1f292797b5e6d745a3bf617584da017051","size":10,"content_type":"text/html"}}}"#
);
const POINTER: &str =
    r#"{"version":1,"deploy":"bbbbbbbbbb","at":7,"previous":[{"deploy":"aaaaaaaaaa","until":86400007}]}"#;

#[test]
fn manifests() {
    let words = ["../", "/", ".brim/", "\\u0000", "\\r\\n", "\"files\":{", "\"size\":", "},", "[[[[", "\"a\":"];
    let id = "abcdefghij".parse().expect("an identifier");
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new([MANIFEST], &words)).for_each(|input| {
        let Ok(manifest) = fuzz::promptly(|| Manifest::decode(input, id)) else { return };
        for (path, File { sha256, content_type, .. }) in &manifest.files {
            assert!(!path.as_str().starts_with('/') && !format!("/{path}/").contains("/../"), "{path}");
            assert!(!content_type.as_str().contains(['\r', '\n', '\0']), "{content_type}");
            assert_eq!(parse_file_key(&file_key(sha256)), Some(*sha256));
        }
        let document = manifest.encode().expect("what was read is short enough");
        assert_eq!(Manifest::decode(&document, id).expect("what is written reads back"), manifest);
    });
}

#[test]
fn pointers() {
    let words = ["\"previous\":[", "{\"deploy\":\"aaaaaaaaaa\",\"until\":0},", "null"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new([POINTER], &words)).for_each(|input| {
        let Ok(pointer) = fuzz::promptly(|| Pointer::decode(input)) else { return };
        assert_eq!(Pointer::decode(&pointer.encode()).expect("what is written reads back"), pointer);
    });
}

#[test]
fn preview_labels() {
    let seeds = ["abcdefghij--docs", "abcdefghij--5ozre67vy7cljzblkfyq6skgyh"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &["--"])).for_each(|input| {
        let Ok(label) = std::str::from_utf8(input) else { return };
        let parsed = fuzz::promptly(|| parse_preview_label(label));
        assert_eq!(parsed.is_some(), is_preview_shaped(label));
        let Some((id, rest)) = parsed else { return };
        assert_eq!(format!("{id}--{}", rest.as_str()), label);
        if let Some(bucket) = rest.as_bucket().filter(|bucket| rest.means(bucket)) {
            assert_eq!(preview_label(&id, &bucket), label);
        }
    });
}
