//! Framed bodies of the documentation, of an independent signer, and of nobody sane.

use aws_sigv4::http_request::SignableBody;
use bytes::Bytes;
use proptest::prelude::*;

use super::line::MAX_LINE_BYTES;
use super::trailer::MAX_TRAILER_BYTES;
use super::*;
use crate::auth::testing::{ACCESS_KEY_ID, Signer, head, verified};
use crate::auth::{Error, Payload, payload_of_anonymous};

/// What comes out of a body: its bytes and its trailers.
type Decoded = Result<(Vec<u8>, Trailers), Error>;

fn decode(plan: ChunkPlan, body: &[u8], pieces: impl IntoIterator<Item = usize>) -> Decoded {
    let mut decoder = ChunkDecoder::new(plan);
    let mut decoded = Vec::new();
    let mut rest = body;
    for length in pieces.into_iter().chain([body.len()]) {
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        rest = behind;
        for data in decoder.feed(Bytes::copy_from_slice(piece))? {
            assert!(!data.is_empty());
            decoded.extend_from_slice(&data);
        }
    }
    Ok((decoded, decoder.finish()?))
}

fn unsigned(length: u64, trailer: &str) -> ChunkPlan {
    let length = length.to_string();
    let mut head = head("PUT", "/b/k", &[("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")]);
    head.headers.push("x-amz-decoded-content-length", length);
    head.headers.push("x-amz-trailer", trailer);
    match payload_of_anonymous(&head).unwrap() {
        Payload::Chunked(plan) => plan,
        other => panic!("{other:?}"),
    }
}

/// The plan of a signed request, and the seed that its chunks continue.
fn signed(length: usize, trailer: Option<&str>) -> (ChunkPlan, String) {
    let length = length.to_string();
    let mut head = head("PUT", "/b/k", &[("host", "localhost"), ("x-amz-decoded-content-length", &length)]);
    let mode = match trailer {
        Some(names) => {
            head.headers.push("x-amz-trailer", names);
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
        }
        None => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    };
    let seed = Signer::default().sign(&mut head, SignableBody::Precomputed(mode.to_owned()));
    match verified(&head).unwrap() {
        Payload::Chunked(plan) => (plan, seed),
        other => panic!("{other:?}"),
    }
}

fn documented(signed_headers: &str, seed: &str, extra: &[(&str, &str)]) -> ChunkPlan {
    let scope = "20130524/us-east-1/s3/aws4_request";
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/{scope},SignedHeaders={signed_headers},Signature={seed}");
    let mut head = head(
        "PUT",
        "/examplebucket/chunkObject.txt",
        &[
            ("Host", "s3.amazonaws.com"),
            ("x-amz-date", "20130524T000000Z"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("Authorization", &authorization),
            ("Content-Encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
            ("Content-Length", "66824"),
        ],
    );
    for (name, value) in extra {
        head.headers.push(name, *value);
    }
    match verified(&head).unwrap() {
        Payload::Chunked(plan) => plan,
        other => panic!("{other:?}"),
    }
}

fn documented_body(signatures: [&str; 3], trailer: &str) -> Vec<u8> {
    let [first, second, last] = signatures;
    let mut body = format!("10000;chunk-signature={first}\r\n").into_bytes();
    body.extend_from_slice(&[b'a'; 65_536]);
    body.extend_from_slice(format!("\r\n400;chunk-signature={second}\r\n").as_bytes());
    body.extend_from_slice(&[b'a'; 1024]);
    body.extend_from_slice(format!("\r\n0;chunk-signature={last}\r\n{trailer}\r\n").as_bytes());
    body
}

#[test]
fn the_documented_upload_decodes() {
    let plan = documented(
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
         x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        &[("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")],
    );
    let body = documented_body(
        [
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ],
        "",
    );
    assert_eq!(body.len(), 66_824);
    assert_eq!(plan.decoded_length(), 66_560);
    assert_eq!(decode(plan, &body, [70_000]).unwrap(), (vec![b'a'; 66_560], Trailers::default()));
}

#[test]
fn the_documented_upload_with_a_trailer_decodes() {
    for line_end in ["\r\n", "\n\r\n"] {
        let plan = documented(
            "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;\
             x-amz-trailer",
            "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
            &[
                ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
                ("x-amz-trailer", "x-amz-checksum-crc32c"),
            ],
        );
        let signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
        let body = documented_body(
            [
                "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
                "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
                "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
            ],
            &format!("x-amz-checksum-crc32c:sOO8/Q=={line_end}x-amz-trailer-signature:{signature}\r\n"),
        );
        let (decoded, trailers) = decode(plan, &body, [1, 65_600]).unwrap();
        assert_eq!(decoded, [b'a'; 66_560]);
        assert_eq!(trailers.get("x-amz-checksum-crc32c"), Some("sOO8/Q=="));
    }
}

#[test]
fn bodies_of_an_independent_signer_decode_at_every_split() {
    let chunks: [&[u8]; 3] = [b"first chunk", b"\r\n0;chunk-signature=\r\n", b"x"];
    let length = chunks.concat().len();
    let trailer = [("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-a", "b")];
    for trailer in [None, Some(&trailer[..]), Some(&[])] {
        let names = trailer.map(|fields| fields.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(","));
        let (_, seed) = signed(length, names.as_deref());
        let body = Signer::default().frame(&chunks, &seed, trailer);
        for split in 0..=body.len() {
            let (decoded, trailers) = decode(signed(length, names.as_deref()).0, &body, [split]).unwrap();
            assert_eq!(decoded, chunks.concat());
            assert!(trailers.iter().eq(trailer.unwrap_or_default().iter().copied()));
        }
        let byte_by_byte = decode(signed(length, names.as_deref()).0, &body, vec![1; body.len()]).unwrap();
        assert_eq!(byte_by_byte.0, chunks.concat());
    }
}

#[test]
fn a_signed_body_with_any_byte_changed_is_refused() {
    let chunks: [&[u8]; 2] = [b"first", b"second"];
    let trailer = [("x-amz-checksum-crc32", "AAAAAA==")];
    let (_, seed) = signed(11, Some("x-amz-checksum-crc32"));
    let body = Signer::default().frame(&chunks, &seed, Some(&trailer));
    let expected = (chunks.concat(), Some("AAAAAA==".to_owned()));
    for position in 0..body.len() {
        for flip in [1, 0x20, 0x80] {
            let mut changed = body.clone();
            changed[position] ^= flip;
            // A change of case in a size or a name changes nothing.
            if let Ok((decoded, trailers)) = decode(signed(11, Some("x-amz-checksum-crc32")).0, &changed, []) {
                let checksum = trailers.get("x-amz-checksum-crc32").map(str::to_owned);
                assert_eq!((decoded, checksum), expected, "byte {position}");
            }
        }
    }
}

#[test]
fn signed_chunks_cannot_be_dropped_reordered_or_taken_from_elsewhere() {
    let frame = |chunks: &[&[u8]], seed: &str| Signer::default().frame(chunks, seed, None);
    let (_, seed) = signed(4, None);
    let whole = frame(&[b"aa", b"bb"], &seed);
    // Both chunks take as many bytes: line, two bytes of data, line end.
    let length = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1 + 2 + 2;
    let reordered = [&whole[length..2 * length], &whole[..length], &whole[2 * length..]].concat();
    assert!(matches!(decode(signed(4, None).0, &reordered, []), Err(Error::ChunkSignatureDoesNotMatch)));
    let dropped = [&whole[..length], &whole[2 * length..]].concat();
    assert!(matches!(decode(signed(2, None).0, &dropped, []), Err(Error::ChunkSignatureDoesNotMatch)));
    let elsewhere = frame(&[b"aa", b"bb"], &"0".repeat(64));
    assert!(matches!(decode(signed(4, None).0, &elsewhere, []), Err(Error::ChunkSignatureDoesNotMatch)));
    let unsigned = b"4\r\naabb\r\n0\r\n\r\n";
    assert!(matches!(decode(signed(4, None).0, unsigned, []), Err(Error::MalformedChunk(_))));
}

#[test]
fn a_signed_trailer_needs_its_signature_last() {
    let trailer = [("x-amz-checksum-crc32", "AAAAAA==")];
    let (_, seed) = signed(1, Some("x-amz-checksum-crc32"));
    let body = String::from_utf8(Signer::default().frame(&[b"a"], &seed, Some(&trailer))).unwrap();
    let (front, signature) = body.split_once("x-amz-trailer-signature").unwrap();
    let (chunks, checksum) = front.split_at(front.find("x-amz-checksum").unwrap());
    let signature = format!("x-amz-trailer-signature{}", signature.trim_end());
    let plan = || signed(1, Some("x-amz-checksum-crc32")).0;
    assert!(decode(plan(), body.as_bytes(), []).is_ok());
    for changed in [
        format!("{chunks}{checksum}\r\n"),
        format!("{chunks}{signature}\r\n{checksum}\r\n"),
        format!("{chunks}{signature}\r\n\r\n"),
        format!("{chunks}{checksum}{signature}\r\n{signature}\r\n\r\n"),
    ] {
        assert!(matches!(decode(plan(), changed.as_bytes(), []), Err(Error::MalformedTrailer(_))), "{changed}");
    }
    let other = body.replace("AAAAAA==", "AAAAAB==");
    assert!(matches!(decode(plan(), other.as_bytes(), []), Err(Error::ChunkSignatureDoesNotMatch)));
}

#[test]
fn unsigned_bodies_decode_with_the_line_ends_that_clients_send() {
    for end in ["\r\n", "\n\r\n\r\n", "\r\n\r\n", "\n"] {
        let body = format!("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nx-amz-checksum-crc32: AAAAAA== {end}");
        let (decoded, trailers) = decode(unsigned(5, "x-amz-checksum-crc32"), body.as_bytes(), []).unwrap();
        assert_eq!((decoded.as_slice(), trailers.get("x-amz-checksum-crc32")), (&b"abcde"[..], Some("AAAAAA==")));
    }
    assert_eq!(decode(unsigned(0, ""), b"0\r\n\r\n", []).unwrap(), (Vec::new(), Trailers::default()));
}

#[test]
fn a_body_must_hold_exactly_the_announced_bytes() {
    for body in [
        &b""[..],
        b"3",
        b"3\r\n",
        b"3\r\nab",
        b"3\r\nabc",
        b"3\r\nabc\r\n",
        b"3\r\nabc\r\n0",
        b"3\r\nabc\r\n0\r\n",
        b"3\r\nabc\r\n0\r\n\r",
        b"2\r\nab\r\n0\r\n\r\n",
        b"4\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
        b"ffffffffffffffff\r\nabc",
    ] {
        let result = decode(unsigned(3, ""), body, []);
        assert!(matches!(result, Err(Error::IncompleteBody { announced: 3 })), "{}", body.escape_ascii());
    }
}

#[test]
fn broken_framing_is_malformed() {
    for body in [&b"3\nabc\r\n0\r\n\r\n"[..], b"3\r\nabc\n0\r\n\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"\r\n", b"g\r\n"] {
        let result = decode(unsigned(3, ""), body, []);
        assert!(matches!(result, Err(Error::MalformedChunk(_))), "{}", body.escape_ascii());
    }
}

#[test]
fn nothing_but_the_announced_fields_may_follow_the_last_chunk() {
    let announced = "x-amz-checksum-crc32";
    for trailer in [
        "\r\n",
        "garbage\r\n\r\n",
        "x-amz-checksum-crc32:a\r\nx-amz-checksum-crc32:a\r\n\r\n",
        "x-amz-checksum-crc32:a\r\nx-amz-checksum-sha1:a\r\n\r\n",
        "x-amz-checksum-crc32:a\r\n\r\nmore\r\n",
        "x-amz-checksum-crc32:a\r\nx-amz-trailer-signature:a\r\n\r\n",
        "x-amz-checksum-crc32:a\rb\r\n\r\n",
    ] {
        let body = format!("1\r\na\r\n0\r\n{trailer}");
        let result = decode(unsigned(1, announced), body.as_bytes(), []);
        assert!(matches!(result, Err(Error::MalformedTrailer(_))), "{trailer}");
    }
    assert!(matches!(decode(unsigned(0, announced), b"0\r\n\xff\r\n", []), Err(Error::MalformedTrailer(_))));
}

#[test]
fn lines_and_trailers_are_bounded() {
    let line = |length: usize| format!("0;{}\r\n\r\n", "x".repeat(length - 4));
    assert!(decode(unsigned(0, ""), line(MAX_LINE_BYTES).as_bytes(), []).is_ok());
    for pieces in [vec![], vec![1; MAX_LINE_BYTES + 3]] {
        let result = decode(unsigned(0, ""), line(MAX_LINE_BYTES + 1).as_bytes(), pieces);
        assert!(matches!(result, Err(Error::MalformedChunk("a line is too long"))));
    }
    let blank = |length: usize| format!("0\r\n{}", "\n".repeat(length));
    assert!(decode(unsigned(0, ""), blank(MAX_TRAILER_BYTES).as_bytes(), []).is_ok());
    let result = decode(unsigned(0, ""), blank(MAX_TRAILER_BYTES + 1).as_bytes(), []);
    assert!(matches!(result, Err(Error::MalformedTrailer("it is too long"))));
}

#[test]
fn a_decoder_that_failed_stays_failed() {
    let mut decoder = ChunkDecoder::new(unsigned(0, ""));
    assert!(decoder.feed(Bytes::from_static(b"x")).is_ok());
    assert!(decoder.feed(Bytes::from_static(b"\r\n")).is_err());
    assert!(decoder.feed(Bytes::from_static(b"0\r\n\r\n")).is_err());
    assert!(decoder.finish().is_err());
}

#[test]
fn debug_output_shows_neither_key_nor_signature() {
    let (plan, seed) = signed(1, None);
    let text = format!("{plan:?}");
    assert!(text.contains("decoded_length: 1") && !text.contains(&seed));
}

proptest! {
    #[test]
    fn unsigned_bodies_decode_at_any_splits(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..8),
        pieces in proptest::collection::vec(0_usize..30, 0..40),
    ) {
        let (body, content) = unsigned_body(&chunks);
        let expected = decode(unsigned(content.len() as u64, "x-amz-checksum-crc32"), &body, []).unwrap();
        prop_assert_eq!(&expected.0, &content);
        let split = decode(unsigned(content.len() as u64, "x-amz-checksum-crc32"), &body, pieces).unwrap();
        prop_assert_eq!(split, expected);
    }

    #[test]
    fn a_changed_byte_in_an_unsigned_body_never_moves_the_framing(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 1..5),
        position in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let (mut body, content) = unsigned_body(&chunks);
        let position = position.index(body.len());
        body[position] = byte;
        if let Ok((decoded, _)) = decode(unsigned(content.len() as u64, "x-amz-checksum-crc32"), &body, []) {
            // Content is the checksum's job: all that can have changed is one byte in its place.
            prop_assert_eq!(decoded.len(), content.len());
            prop_assert!(decoded.iter().zip(&content).filter(|(left, right)| left != right).count() <= 1);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_never_exceed_the_announcement(
        body in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'2'), any::<u8>()], 0..60),
    ) {
        if let Ok((decoded, _)) = decode(unsigned(2, ""), &body, [7, 3]) {
            prop_assert_eq!(decoded.len(), 2);
        }
    }
}

fn unsigned_body(chunks: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
    let mut body = Vec::new();
    for chunk in chunks {
        body.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
    (body, chunks.concat())
}
