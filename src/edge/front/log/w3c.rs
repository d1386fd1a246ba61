//! CloudFront's format: the W3C extended log file format, fields between tabs.
//!
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html>

use std::fmt::Write;

use http::Version;

use super::super::super::engine::Found;
use super::record::Record;
use crate::clock::Timestamp;

/// The first lines of every file.
pub const HEAD: &str = "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem \
    sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header \
    cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type \
    cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type \
    sc-content-type sc-content-len sc-range-start sc-range-end\n";

/// Appends the line of `record`, which the edge called `location` answered.
pub fn append(line: &mut String, record: &Record, location: &str) {
    let (date, time) = date_and_time(record.at);
    let result = result_type(record);
    let detailed = if record.broken { "ClientCommError" } else { result };
    let (range_start, range_end) = match record.range {
        Some((first, last)) => (first.to_string(), last.to_string()),
        None => ("-".to_owned(), "-".to_owned()),
    };
    let length = record.content_length.map_or_else(|| "-".to_owned(), |length| length.to_string());
    let fields: [&str; 33] = [
        &date,
        &time,
        &encoded(location),
        &(record.answer_head_bytes + record.sent).to_string(),
        &record.client.ip().to_string(),
        record.method.as_str(),
        &encoded(&record.host),
        &encoded(&record.path),
        record.status.as_str(),
        &optional(record.referer.as_deref()),
        &optional(record.user_agent.as_deref()),
        &optional(record.query.as_deref()),
        // Cookies are not logged.
        "-",
        result,
        record.id.as_str(),
        &encoded(&record.host),
        if record.secure { "https" } else { "http" },
        &(record.head_bytes + record.received).to_string(),
        &seconds(record.taken),
        &optional(record.forwarded_for.as_deref()),
        record.tls.map_or("-", |tls| tls.protocol),
        record.tls.map_or("-", |tls| tls.cipher),
        result,
        protocol_version(record.version),
        // There is no field-level encryption.
        "-",
        "-",
        &record.client.port().to_string(),
        &seconds(record.to_first_byte),
        detailed,
        &optional(record.content_type.as_deref()),
        &length,
        &range_start,
        &range_end,
    ];
    line.push_str(&fields.join("\t"));
    line.push('\n');
}

/// Collapsed requests count as hits, as with CloudFront.
pub fn result_type(record: &Record) -> &'static str {
    let status = record.status.as_u16();
    match record.outcome.result {
        _ if status == 429 => "LimitExceeded",
        Found::Hit | Found::StaleHit => "Hit",
        Found::RefreshHit => "RefreshHit",
        // To HTTPS, by the edge itself.
        Found::Pass if record.outcome.origin.is_none() && matches!(status, 301 | 308) => "Redirect",
        Found::Error => "Error",
        Found::Miss | Found::Pass if status >= 400 => "Error",
        Found::Miss if record.outcome.collapsed => "Hit",
        Found::Miss | Found::Pass => "Miss",
    }
}

fn date_and_time(at: Timestamp) -> (String, String) {
    let text = at.to_string();
    match text.split_once('T') {
        Some((date, time)) => (date.to_owned(), time.get(..8).unwrap_or("-").to_owned()),
        None => ("-".to_owned(), "-".to_owned()),
    }
}

fn seconds(duration: std::time::Duration) -> String {
    format!("{:.3}", duration.as_secs_f64())
}

fn protocol_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

fn optional(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).map_or_else(|| "-".to_owned(), encoded)
}

/// Percent-encodes what CloudFront does: all but visible ASCII, and of that `"`, `#`, `<`, `>`, `\`, `^`, `` ` ``, `{`, `|`, `}`
/// and `%` unless it is that of an escape. Nothing that a client sends can end a field or a line.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0..=0x20 | 0x7f..=0xff => {
                write!(encoded, "%{byte:02X}").expect("writing to a String does not fail");
            }
            _ => encoded.push(char::from(byte)),
        }
    }
    if encoded.is_empty() { "-".to_owned() } else { encoded }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn a_line_has_33_fields_and_nothing_in_it_ends_one() {
        let mut line = String::new();
        append(&mut line, &record(), "brim-edge");
        assert_eq!(HEAD.lines().nth(1).unwrap().split(' ').count(), 34);
        let fields: Vec<&str> = line.trim_end().split('\t').collect();
        assert_eq!(fields.len(), 33, "{line}");
        assert_eq!(fields[0..3], ["2026-11-18", "11:06:40", "brim-edge"]);
        assert_eq!(fields[4..9], ["192.0.2.1", "GET", "www.example.com", "/a%20b/%C3%BC", "206"]);
        assert_eq!(fields[10], "A%20%22tester%22%091");
        assert_eq!(fields[11..14], ["x=1&Signature=-&Policy=-", "-", "Hit"]);
        assert_eq!(fields[15..17], ["www.example.com", "https"]);
        assert_eq!(fields[20..24], ["TLSv1.3", "TLS_AES_128_GCM_SHA256", "Hit", "HTTP/1.1"]);
        assert_eq!(fields[26..33], ["4711", "0.003", "Hit", "text/plain", "10", "5", "14"]);
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn results_have_cloudfronts_names() {
        let result = |result: Found, status: u16, collapsed: bool| {
            let mut record = record();
            record.status = http::StatusCode::from_u16(status).unwrap();
            record.outcome.result = result;
            record.outcome.collapsed = collapsed;
            result_type(&record)
        };
        assert_eq!(result(Found::Miss, 200, false), "Miss");
        assert_eq!(result(Found::Miss, 200, true), "Hit");
        assert_eq!(result(Found::Miss, 404, false), "Error");
        assert_eq!(result(Found::Hit, 404, false), "Hit");
        assert_eq!(result(Found::RefreshHit, 200, false), "RefreshHit");
        assert_eq!(result(Found::Error, 502, false), "Error");
        assert_eq!(result(Found::Pass, 301, false), "Redirect");
        assert_eq!(result(Found::Error, 429, false), "LimitExceeded");
    }
}
