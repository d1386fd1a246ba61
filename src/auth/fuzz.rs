//! Fuzz targets: signatures in every place, and chunked bodies in every mode.

use std::sync::LazyLock;
use std::time::Duration;

use aws_sigv4::http_request::SignableBody;
use bytes::Bytes;

use super::testing::{NOW, SECRET, Signer, claim, head};
use super::{
    ChunkDecoder, ChunkPlan, Error, Options, Payload, SigningKeys, Trailers, parse, payload_of_anonymous, verify,
};
use crate::clock::Timestamp;
use crate::fuzz::{self, Mutated};
use crate::http::fuzz as http_fuzz;
use crate::http::head::Head;
use crate::http::percent;

static KEYS: LazyLock<SigningKeys> = LazyLock::new(SigningKeys::default);

/// Requests that verify, signed by an independent signer, and S3's own examples of version 2.
fn signed_requests() -> Vec<Head> {
    let host = ("host", "bucket.s3.localhost");
    let mut plain = head("GET", "/photos/a%20b//..?prefix=x%2Fy&max-keys=2", &[host, ("range", "bytes=0-9")]);
    Signer::default().sign(&mut plain, SignableBody::Bytes(b""));
    let mut chunked = head("PUT", "/b/k", &[host, ("x-amz-decoded-content-length", "66560")]);
    let mode = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".to_owned();
    Signer::default().sign(&mut chunked, SignableBody::Precomputed(mode));
    let mut presigned = head("GET", "/b/k?response-content-type=text%2Fplain", &[host]);
    Signer::default().presign(&mut presigned, Duration::from_secs(60), SignableBody::UnsignedPayload);
    let dated = ("date", "Tue, 27 Mar 2007 19:36:42 +0000");
    let v2 = head(
        "GET",
        "/awsexamplebucket1/photos/puppy.jpg",
        &[host, dated, ("authorization", "AWS AKIAIOSFODNN7EXAMPLE:qgk2+6Sv9/oM7G3qLEjTH1a1l1g=")],
    );
    let v2_query = head(
        "GET",
        "/awsexamplebucket1/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620",
        &[host],
    );
    vec![plain, chunked, presigned, v2, v2_query]
}

/// What a signature vouches for, read naively: what was asked, whichever way it is spelled.
#[derive(Debug, PartialEq)]
struct Asked {
    method: String,
    path: Vec<u8>,
    query: Vec<(Vec<u8>, Vec<u8>)>,
    content_sha256: Option<Vec<u8>>,
}

impl Asked {
    fn by(head: &Head) -> Self {
        let decode = |text: &str| percent::decode_lenient(&text.replace('+', " ")).into_owned();
        let parameters = percent::parameters(&head.query);
        let mut query: Vec<_> = parameters.map(|p| (decode(p.name), decode(p.value.unwrap_or_default()))).collect();
        query.sort();
        Self {
            method: head.method.clone(),
            path: percent::decode_lenient(&head.path).into_owned(),
            query,
            content_sha256: head.headers.all("x-amz-content-sha256").next().map(<[u8]>::to_vec),
        }
    }
}

#[test]
fn signatures() {
    let requests = signed_requests();
    let v2_times = [NOW, Timestamp::from_seconds(1_175_024_202), Timestamp::from_seconds(1_175_139_600)];
    let accepted = |head: &Head| {
        let options = Options::default();
        let claim = parse(head, &options).ok().flatten()?;
        assert!(!format!("{claim:?}").is_empty());
        v2_times.into_iter().find_map(|now| verify(&claim, head, None, SECRET, now, &options, &KEYS).ok())
    };
    assert!(requests[..4].iter().all(|request| accepted(request).is_some()), "the seeds are signed right");
    let known: Vec<_> = requests.iter().map(Asked::by).collect();
    let words = [
        "X-Amz-Signature=",
        "X-Amz-Credential=",
        "X-Amz-Expires=",
        "X-Amz-SignedHeaders=",
        "AWS4-HMAC-SHA256 ",
        "Credential=",
        "SignedHeaders=host",
        "Signature=",
        "AWSAccessKeyId=",
        "Expires=",
        "AWS ",
        "\nauthorization: ",
        "\nx-amz-date: ",
        "\nx-amz-content-sha256: ",
        "&",
        ";",
        "/aws4_request",
    ];
    let seeds = requests.iter().map(http_fuzz::text_of);
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        let Some(head) = http_fuzz::head(input) else { return };
        fuzz::promptly(|| {
            let _ = payload_of_anonymous(&head);
            if accepted(&head).is_some() {
                // Whatever verifies asks for what was signed. Version 2 leaves body and most of the query out.
                let asked = Asked::by(&head);
                let v2 = head.query.contains("AWSAccessKeyId") || text_has(&head, "authorization", b"AWS ");
                let same = |known: &Asked| known.method == asked.method && known.path == asked.path;
                assert!(known.iter().any(|known| *known == asked || (v2 && same(known))), "{asked:?}");
            }
        });
    });
}

fn text_has(head: &Head, name: &str, start: &[u8]) -> bool {
    head.headers.all(name).any(|value| value.starts_with(start))
}

/// The three forms of a chunked body, for a decoded length and a trailer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Unsigned,
    Signed,
    SignedTrailer,
}

const TRAILER: [(&str, &str); 1] = [("x-amz-checksum-crc32", "AAAAAA==")];

/// The head of an upload in some mode, signed, and what its chunks continue.
struct Upload {
    mode: Mode,
    head: Head,
    seed: String,
}

impl Upload {
    fn new(mode: Mode) -> Self {
        let length = content().len().to_string();
        let mut head = head("PUT", "/b/k", &[("host", "localhost"), ("x-amz-decoded-content-length", &length)]);
        let name = match mode {
            Mode::Unsigned => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            Mode::Signed => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Mode::SignedTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        };
        if mode != Mode::Signed {
            head.headers.push("x-amz-trailer", TRAILER[0].0);
        }
        let seed = Signer::default().sign(&mut head, SignableBody::Precomputed(name.to_owned()));
        Self { mode, head, seed }
    }

    fn plan(&self) -> ChunkPlan {
        let claim = claim(&self.head).expect("a signed head");
        match verify(&claim, &self.head, None, SECRET, NOW, &Options::default(), &KEYS) {
            Ok(Payload::Chunked(plan)) => plan,
            other => panic!("{other:?}"),
        }
    }

    fn body(&self) -> Vec<u8> {
        let content = content();
        let chunks = [&content[..1], &content[1..257], &content[257..]];
        if self.mode != Mode::Unsigned {
            let trailer = (self.mode == Mode::SignedTrailer).then_some(&TRAILER[..]);
            return Signer::default().frame(&chunks, &self.seed, trailer);
        }
        let mut body = Vec::new();
        for chunk in chunks {
            body.extend(format!("{:x}\r\n", chunk.len()).bytes());
            body.extend(chunk);
            body.extend(b"\r\n");
        }
        body.extend(format!("0\r\n{}:{}\r\n\r\n", TRAILER[0].0, TRAILER[0].1).bytes());
        body
    }
}

fn content() -> Vec<u8> {
    (0..700_u32).map(|number| (number * 7 % 251) as u8).collect()
}

type Decoded = Result<(Vec<u8>, Trailers), Error>;

fn decode<'b>(plan: ChunkPlan, pieces: impl IntoIterator<Item = &'b [u8]>) -> Decoded {
    let (mut decoder, mut decoded) = (ChunkDecoder::new(plan), Vec::new());
    for piece in pieces {
        for data in decoder.feed(Bytes::copy_from_slice(piece))? {
            assert!(!data.is_empty());
            decoded.extend_from_slice(&data);
        }
    }
    Ok((decoded, decoder.finish()?))
}

/// The content of an unsigned body, read as a whole: chunks, the last chunk, the lines of the trailer.
fn model(mut body: &[u8], length: usize) -> Option<(Vec<u8>, String)> {
    let mut content = Vec::new();
    loop {
        let end = body.iter().position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(body[..=end].strip_suffix(b"\r\n")?).ok().filter(|_| end < 256)?;
        let (size, extensions) = line.split_once(';').unwrap_or((line, ""));
        let signatures = extensions.split(';').filter(|part| part.trim().starts_with("chunk-signature=")).count();
        if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) || signatures > 1 {
            return None;
        }
        let size = usize::from_str_radix(size, 16).ok()?;
        body = &body[end + 1..];
        if size == 0 {
            break;
        }
        content.extend(body.get(..size)?);
        body = body[size..].strip_prefix(b"\r\n")?;
    }
    let trailer = std::str::from_utf8(body).ok().filter(|_| body.len() <= 16 * 1024)?.strip_suffix('\n')?;
    let lines = trailer.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).filter(|line| !line.is_empty());
    let fields: Vec<_> = lines.map(|line| line.split_once(':')).collect::<Option<_>>()?;
    match fields.as_slice() {
        [(name, value)]
            if name.eq_ignore_ascii_case(TRAILER[0].0) && !value.contains('\r') && content.len() == length =>
        {
            Some((content, value.trim_matches([' ', '\t']).to_owned()))
        }
        _ => None,
    }
}

#[test]
fn chunked_bodies() {
    let content = content();
    let uploads = [Mode::Unsigned, Mode::Signed, Mode::SignedTrailer].map(Upload::new);
    let bodies = uploads.each_ref().map(Upload::body);
    for (upload, body) in uploads.iter().zip(&bodies) {
        assert_eq!(decode(upload.plan(), [&body[..]]).unwrap().0, content, "the seeds are framed right");
    }
    let words = [
        "0\r\n",
        "\r\n0\r\n\r\n",
        ";chunk-signature=",
        "x-amz-checksum-crc32:",
        "x-amz-trailer-signature:",
        "1\r\na\r\n",
    ];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(bodies, &words)).for_each(|input| {
        fuzz::promptly(|| uploads.iter().for_each(|upload| decodes_one_way(upload, input, &content)));
    });
}

/// However the body is cut, the same comes out: what the model says, or what was signed.
fn decodes_one_way(upload: &Upload, input: &[u8], content: &[u8]) {
    let whole = decode(upload.plan(), [input]);
    let cut = decode(upload.plan(), fuzz::pieces(input));
    match (&whole, &cut) {
        (Ok(whole), Ok(cut)) => assert_eq!(whole, cut),
        (Err(_), Err(_)) => (),
        other => panic!("it depends on how the body is cut: {other:?}"),
    }
    if upload.mode == Mode::Unsigned {
        let value = |trailers: &Trailers| trailers.get(TRAILER[0].0).expect("the announced field").to_owned();
        let found = whole.ok().map(|(data, trailers)| (data, value(&trailers)));
        assert_eq!(found, model(input, content.len()));
    } else if let Ok((data, _)) = whole {
        assert_eq!(data, content, "nobody but the signer makes a body that is accepted");
    }
}
