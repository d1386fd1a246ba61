//! Fuzz target: parameters that say where a page, a copy or a part begins.

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use super::list::{self, Encoding};
use super::{copy, multipart, part, versions};
use crate::fuzz::{self, Mutated};
use crate::s3::query::Query;
use crate::s3::xml::input::CompleteMultipartUpload;

/// The most objects of a page.
const MAX_KEYS: usize = 1000;

#[test]
fn parameters() {
    let seeds = [
        "list-type=2&prefix=a%2Fb&delimiter=%2F&max-keys=10&continuation-token=YS9i&encoding-type=url",
        "marker=a+b&max-keys=2147483647&fetch-owner=true&start-after=%E2%82%AC",
        "uploads&key-marker=k&upload-id-marker=00000000000000000000000000000000",
        "versions&key-marker=k&version-id-marker=AAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAA",
        "bytes=0-5242879",
        "/bucket/a%20key/%2F?versionId=null",
        "YS9i4oKs",
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"d41d8cd98f00b204e9800998ecf8427e\"</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part></CompleteMultipartUpload>",
    ];
    let words = [
        "&",
        "=",
        "max-keys=",
        "continuation-token=",
        "upload-id-marker=",
        "version-id-marker=",
        "null",
        "bytes=",
        "-",
        "%2F",
        "?versionId=",
        "_w",
        "YQ",
    ];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        fuzz::promptly(|| {
            if let Ok(query) = Query::parse(text) {
                pages_are_bounded(&query);
            }
            tokens_come_back(text);
            if let Ok((first, last)) = part::parse_range(text) {
                assert!(first <= last && last < u64::MAX);
            }
            if let Ok(source) = copy::parse_source(text) {
                let version = source.version.map(|version| format!("?versionId={version}")).unwrap_or_default();
                let key = percent_encode(source.key.as_bytes(), NON_ALPHANUMERIC);
                let again =
                    copy::parse_source(&format!("{}/{key}{version}", source.bucket)).expect("it names the same");
                assert_eq!((again.bucket, again.key, again.version), (source.bucket, source.key, source.version));
            }
            if let Ok(complete) = CompleteMultipartUpload::from_body(input) {
                complete.parts.into_iter().for_each(|part| _ = multipart::listed_part(part));
            }
        });
    });
}

fn pages_are_bounded(query: &Query) {
    let _ = (multipart::marker(query), Encoding::parse(query));
    if let Ok(list) = versions::parse(query) {
        assert!(list.limit <= MAX_KEYS && list.delimiter.is_none_or(|delimiter| !delimiter.is_empty()));
    }
    for after in [Some(String::new()), query.get("continuation-token").and_then(|token| list::parse_token(token).ok())]
    {
        let Some(list) = after.and_then(|after| list::parse(query, after).ok()) else { continue };
        assert!(list.limit <= MAX_KEYS && list.delimiter.is_none_or(|delimiter| !delimiter.is_empty()));
    }
}

/// Every key has one token, and every token one key.
fn tokens_come_back(text: &str) {
    if !text.is_empty() {
        assert_eq!(list::parse_token(&list::make_token(text)).ok().as_deref(), Some(text));
    }
    if let Ok(after) = list::parse_token(text) {
        assert_eq!(list::make_token(&after), text);
    }
}
