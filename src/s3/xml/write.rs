//! S3's documents: what [`crate::xml`] writes, in S3's namespace.

pub use crate::xml::{DECLARATION, Writer};

/// The namespace of S3's answers.
pub const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

impl Writer {
    /// Begins a document whose root element is in S3's namespace.
    pub fn new(root: &'static str) -> Self {
        Self::with_attributes(root, &[("xmlns", NAMESPACE)])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::s3::xml::read::{Bounds, from_body};

    #[test]
    fn documents_have_declaration_namespace_and_nesting() {
        let mut writer = Writer::new("ListBucketResult");
        writer.text("Name", "b").number("KeyCount", 1).flag("IsTruncated", false).optional("Marker", None);
        writer.nest("Contents", |object| {
            object.optional("Key", Some("k")).text("ETag", "\"e\"");
        });
        writer.nest_with("Grantee", &[("xsi:type", "Group")], |_| {}).text("Prefix", "");
        let document = String::from_utf8(writer.finish()).unwrap();
        assert_eq!(
            document,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><KeyCount>1</KeyCount>\
             <IsTruncated>false</IsTruncated><Contents><Key>k</Key><ETag>&quot;e&quot;</ETag></Contents>\
             <Grantee xsi:type=\"Group\"></Grantee><Prefix></Prefix></ListBucketResult>"
        );
    }

    #[derive(Debug, Deserialize)]
    struct Page {
        #[serde(rename = "@mark", default)]
        mark: String,
        #[serde(rename = "Key", default)]
        keys: Vec<String>,
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            keys in proptest::collection::vec("[\u{1}-\u{ff}\u{d7ff}\u{e000}\u{fffe}\u{ffff}\u{10000}]{0,20}", 0..5),
            mark in "[ -~é]{0,10}",
        ) {
            let mut writer = Writer::with_attributes("Page", &[("mark", &mark)]);
            for key in &keys {
                writer.text("Key", key);
            }
            let page: Page = from_body(&writer.finish(), "Page", Bounds::CONFIGURATION).unwrap();
            prop_assert_eq!(page.keys, keys);
            prop_assert_eq!(page.mark, mark);
        }
    }
}
