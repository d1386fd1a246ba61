//! What it costs to know who is calling: verifying a typical head with a warm key cache, and decoding chunks.

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use brim::auth::{ChunkDecoder, ChunkPlan, Options, Payload, SigningKeys, parse, payload_of_anonymous, verify};
use brim::clock::Timestamp;
use brim::http::head::Head;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const NOW: Timestamp = Timestamp::from_seconds(1_369_353_600);
const CHUNK: usize = 64 * 1024;
const CHUNKS: usize = 64;

fn put() -> Head {
    let headers = [
        ("host", "127.0.0.1:9000"),
        ("accept-encoding", "identity"),
        ("content-length", "16384"),
        ("content-md5", "4gJE4saaMU4BqNR0kLY+lw=="),
        ("content-type", "application/octet-stream"),
        ("expect", "100-continue"),
        ("x-amz-checksum-crc32", "sOO8/Q=="),
        ("x-amz-meta-mtime", "1369353600.123456789"),
        ("x-amz-sdk-checksum-algorithm", "CRC32"),
    ];
    Head {
        method: "PUT".into(),
        path: "/my-bucket/photos/2013/may/24/IMG%200001.jpeg".into(),
        query: "x-id=PutObject".into(),
        headers: headers.into_iter().collect(),
    }
}

fn get() -> Head {
    let path = "/my-bucket/photos/2013/may/24/IMG%200001.jpeg".into();
    Head {
        method: "GET".into(),
        path,
        query: String::new(),
        headers: [("host", "127.0.0.1:9000")].into_iter().collect(),
    }
}

fn signed(mut head: Head, location: SignatureLocation, body: &str) -> Head {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.signature_location = location;
    settings.expires_in = Some(Duration::from_secs(3600));
    let identity = Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET, None, None, "bench").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("s3")
        .time(SystemTime::UNIX_EPOCH + Duration::from_millis(NOW.as_millis()))
        .settings(settings)
        .build()
        .expect("all parameters are set")
        .into();
    let uri = format!("http://127.0.0.1:9000{}?{}", head.path, head.query);
    let fields: Vec<(&str, &str)> =
        head.headers.iter().map(|(name, value)| (name, std::str::from_utf8(value).expect("ASCII"))).collect();
    let body = SignableBody::Precomputed(body.to_owned());
    let request = SignableRequest::new(&head.method, uri, fields.into_iter(), body).expect("a valid request");
    let (instructions, _) = sign(request, &params).expect("a request that can be signed").into_parts();
    for (name, value) in instructions.params() {
        let separator = if head.query.is_empty() { "" } else { "&" };
        head.query.push_str(&format!("{separator}{name}={}", value.replace('/', "%2F").replace(';', "%3B")));
    }
    for (name, value) in instructions.headers() {
        head.headers.push(name, value);
    }
    head
}

fn verified(head: &Head, keys: &SigningKeys, options: &Options) -> Payload {
    let claim = parse(head, options).expect("a well-formed signature").expect("a signed request");
    verify(&claim, head, None, SECRET, NOW, options, keys).expect("a right signature")
}

fn verification(criterion: &mut Criterion) {
    let keys = SigningKeys::default();
    let options = Options::default();
    let put = signed(put(), SignatureLocation::Headers, &"ab".repeat(32));
    let get = signed(get(), SignatureLocation::QueryParams, "UNSIGNED-PAYLOAD");
    let mut group = criterion.benchmark_group("verify");
    group.bench_function("put with headers", |b| b.iter(|| verified(black_box(&put), &keys, &options)));
    group.bench_function("presigned get", |b| b.iter(|| verified(black_box(&get), &keys, &options)));
    group.bench_function("put with headers, cold keys", |b| {
        b.iter_batched(SigningKeys::default, |keys| verified(&put, &keys, &options), criterion::BatchSize::SmallInput);
    });
    group.finish();
}

/// A body of 64 KiB chunks, as pieces of the size that a socket gives.
fn pieces(signer: Option<&Head>) -> Vec<Bytes> {
    let chunk = Bytes::from(vec![b'x'; CHUNK]);
    let identity = Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET, None, None, "bench").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("s3")
        .time(SystemTime::UNIX_EPOCH + Duration::from_millis(NOW.as_millis()))
        .settings(())
        .build()
        .expect("all parameters are set");
    let authorization = signer.and_then(|head| head.headers.text("authorization").expect("one header"));
    let mut previous = authorization.and_then(|text| text.rsplit_once('=')).map(|(_, seed)| seed.to_owned());
    let mut body = Vec::new();
    for number in 0..=CHUNKS {
        let data = if number < CHUNKS { chunk.clone() } else { Bytes::new() };
        body.extend_from_slice(format!("{:x}", data.len()).as_bytes());
        if let Some(seed) = &mut previous {
            let signature = v4::sign_chunk(&data, seed, &params).expect("a signature").signature().to_owned();
            body.extend_from_slice(format!(";chunk-signature={signature}").as_bytes());
            *seed = signature;
        }
        body.extend_from_slice(b"\r\n");
        body.extend_from_slice(&data);
        if !data.is_empty() {
            body.extend_from_slice(b"\r\n");
        }
    }
    body.extend_from_slice(b"\r\n");
    let body = Bytes::from(body);
    (0..body.len()).step_by(32 * 1024).map(|at| body.slice(at..body.len().min(at + 32 * 1024))).collect()
}

fn decode(plan: ChunkPlan, pieces: &[Bytes]) -> usize {
    let mut decoder = ChunkDecoder::new(plan);
    let mut length = 0;
    for piece in pieces {
        length += decoder.feed(piece.clone()).expect("a well-formed body").iter().map(Bytes::len).sum::<usize>();
    }
    decoder.finish().expect("a complete body");
    length
}

fn decoding(criterion: &mut Criterion) {
    let keys = SigningKeys::default();
    let options = Options::default();
    let mut unsigned_head = get();
    unsigned_head.headers.push("x-amz-decoded-content-length", (CHUNK * CHUNKS).to_string());
    let signed_head = signed(unsigned_head.clone(), SignatureLocation::Headers, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    unsigned_head.headers.push("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let plan = |payload| match payload {
        Payload::Chunked(plan) => plan,
        other => panic!("not chunked: {other:?}"),
    };
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Bytes((CHUNK * CHUNKS) as u64));
    let pieces_signed = pieces(Some(&signed_head));
    group.bench_function("signed chunks", |b| {
        b.iter(|| decode(plan(verified(&signed_head, &keys, &options)), &pieces_signed));
    });
    let pieces_unsigned = pieces(None);
    group.bench_function("unsigned chunks", |b| {
        b.iter(|| decode(plan(payload_of_anonymous(&unsigned_head).expect("a valid head")), &pieces_unsigned));
    });
    group.finish();
}

criterion_group!(benches, verification, decoding);
criterion_main!(benches);
