//! CloudFront's format: the W3C extended log file format, fields between tabs.
//!
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html>

use std::fmt::{Display, Write};
use std::time::Duration;

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

/// Makes lines.
pub struct Form {
    /// What the edge calls itself, as it is written.
    location: String,
    /// The second of the line before, and its date and time: most lines share them with the one before.
    second: u64,
    date_and_time: String,
}

/// The fields of a line, one after the other.
struct Fields<'l>(&'l mut String);

impl Form {
    pub fn new(location: &str) -> Self {
        let mut encoded = String::new();
        Fields(&mut encoded).encoded(location);
        Self { location: encoded.trim_end().to_owned(), second: u64::MAX, date_and_time: String::new() }
    }

    /// Appends the line of `record`.
    pub fn append(&mut self, line: &mut String, record: &Record) {
        self.tell_time(record.at);
        let mut fields = Fields(line);
        fields.plain(&self.date_and_time);
        fields.plain(&self.location);
        fields.shown(record.answer_head_bytes + record.sent);
        fields.shown(record.client.ip());
        fields.plain(record.method.as_str());
        fields.encoded(&record.host);
        fields.encoded(&record.path);
        fields.shown(record.status.as_u16());
        fields.optional(record.referer.as_deref());
        fields.optional(record.user_agent.as_deref());
        fields.optional(record.query.as_deref());
        // Cookies are not logged.
        fields.none();
        append_result(&mut fields, record);
        line.pop();
        line.push('\n');
    }

    fn tell_time(&mut self, at: Timestamp) {
        let second = at.as_millis() / 1000;
        if second != self.second {
            let (date, time) = date_and_time(at);
            (self.second, self.date_and_time) = (second, format!("{date}\t{time}"));
        }
    }
}

/// The fields from `x-edge-result-type` on.
fn append_result(fields: &mut Fields<'_>, record: &Record) {
    let result = result_type(record);
    fields.plain(result);
    fields.plain(record.id.as_str());
    fields.encoded(&record.host);
    fields.plain(if record.secure { "https" } else { "http" });
    fields.shown(record.head_bytes + record.received);
    fields.seconds(record.taken);
    fields.optional(record.forwarded_for.as_deref());
    fields.plain(record.tls.map_or("-", |tls| tls.protocol));
    fields.plain(record.tls.map_or("-", |tls| tls.cipher));
    fields.plain(result);
    fields.plain(protocol_version(record.version));
    // There is no field-level encryption: neither status nor fields.
    fields.none();
    fields.none();
    fields.shown(record.client.port());
    fields.seconds(record.to_first_byte);
    fields.plain(if record.broken { "ClientCommError" } else { result });
    fields.optional(record.content_type.as_deref());
    fields.number(record.content_length);
    fields.number(record.range.map(|(first, _)| first));
    fields.number(record.range.map(|(_, last)| last));
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

fn protocol_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

impl Fields<'_> {
    /// What needs no encoding and is not empty.
    fn plain(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\t');
    }

    fn none(&mut self) {
        self.plain("-");
    }

    fn shown(&mut self, what: impl Display) {
        write!(self.0, "{what}\t").expect("writing to a String does not fail");
    }

    fn number(&mut self, number: Option<u64>) {
        match number {
            Some(number) => self.shown(number),
            None => self.none(),
        }
    }

    fn seconds(&mut self, duration: Duration) {
        let millis = (duration.as_micros() + 500) / 1000;
        self.shown(format_args!("{}.{:03}", millis / 1000, millis % 1000));
    }

    fn optional(&mut self, text: Option<&str>) {
        self.encoded(text.unwrap_or_default());
    }

    /// Percent-encodes what CloudFront does: all but visible ASCII, and of that `"`, `#`, `<`, `>`, `\`, `^`, `` ` ``, `{`, `|`,
    /// `}` and `%` unless it is that of an escape. Nothing that a client sends can end a field or a line.
    fn encoded(&mut self, text: &str) {
        if text.is_empty() {
            return self.none();
        }
        for byte in text.bytes() {
            match byte {
                b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0..=0x20 | 0x7f..=0xff => {
                    write!(self.0, "%{byte:02X}").expect("writing to a String does not fail");
                }
                _ => self.0.push(char::from(byte)),
            }
        }
        self.0.push('\t');
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn a_line_has_33_fields_and_nothing_in_it_ends_one() {
        let mut line = String::new();
        Form::new("brim-edge").append(&mut line, &record());
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
