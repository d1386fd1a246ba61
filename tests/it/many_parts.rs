//! An upload of 10,000 parts over HTTP. Their bytes are few, so completing is refused; that as many parts make an object
//! is tested in the store, with parts that take no room.

use futures_util::{StreamExt, stream};

use crate::harness::Server;

const PARTS: u32 = 10_000;
const AT_ONCE: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_parts_are_taken_listed_and_judged() {
    let server = Server::start_with(&[("BRIM_STORE_SWEEP_INTERVAL", "100ms"), ("BRIM_STORE_DURABILITY", "relaxed")]);
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    let id = client.post(&format!("{target}?uploads="), "").await.element("UploadId").unwrap();

    let uploads = stream::iter(1..=PARTS).map(|number| {
        let (client, part) = (client.clone(), format!("{target}?partNumber={number}&uploadId={id}"));
        async move {
            let answer = client.put(&part, number.to_string()).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            (number, answer.header("etag").unwrap().to_owned())
        }
    });
    let mut etags: Vec<_> = uploads.buffer_unordered(AT_ONCE).collect().await;
    etags.sort();
    for number in ["0", "10001", "65536", "-1"] {
        let answer = client.put(&format!("{target}?partNumber={number}&uploadId={id}"), "x").await;
        assert_eq!(answer.error(), (400, "InvalidArgument".into()), "{number}");
    }

    let (mut marker, mut listed) = ("0".to_owned(), Vec::new());
    loop {
        let page = client.get(&format!("{target}?uploadId={id}&part-number-marker={marker}")).await;
        let numbers = page.elements("PartNumber").into_iter().map(|number| number.parse().unwrap());
        let tags = page.elements("ETag").into_iter().map(|tag| tag.replace("&quot;", "\""));
        listed.extend(numbers.zip(tags));
        if page.element("IsTruncated").as_deref() == Some("false") {
            break;
        }
        marker = page.element("NextPartNumberMarker").unwrap();
    }
    assert!(listed == etags, "{} parts are listed", listed.len());

    let document = |etags: &[(u32, String)]| {
        let part = |(number, etag): &(u32, String)| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
        };
        format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", etags.iter().map(part).collect::<String>())
    };
    let completion = format!("{target}?uploadId={id}");
    let refused = client.post(&completion, document(&etags)).await;
    assert_eq!(refused.error(), (400, "EntityTooSmall".into()), "{}", refused.text());
    let one_more = [&etags[..], &[(PARTS + 1, etags[0].1.clone())]].concat();
    assert_eq!(client.post(&completion, document(&one_more)).await.error(), (400, "MalformedXML".into()));
    let last = client.post(&completion, document(&etags[9_999..])).await;
    assert!(last.element("ETag").is_some_and(|etag| etag.contains("-1")), "{}", last.text());
    assert_eq!(client.get(&target).await.text(), "10000");
}
