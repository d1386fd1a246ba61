//! One object of JSON a line.

use serde::Serialize;

use super::record::Record;

#[derive(Serialize)]
struct Line<'r> {
    time: String,
    edge: &'r str,
    site: &'r str,
    request_id: &'r str,
    client: String,
    method: &'r str,
    protocol: String,
    secure: bool,
    tls: Option<&'r str>,
    host: &'r str,
    path: &'r str,
    query: Option<&'r str>,
    referer: Option<&'r str>,
    user_agent: Option<&'r str>,
    forwarded_for: Option<&'r str>,
    status: u16,
    result: &'r str,
    collapsed: bool,
    origin_status: Option<u16>,
    origin_seconds: Option<f64>,
    content_type: Option<&'r str>,
    sent_bytes: u64,
    received_bytes: u64,
    broken: bool,
    first_byte_seconds: f64,
    seconds: f64,
}

/// Appends the line of `record`, which the edge called `location` answered.
pub fn append(line: &mut String, record: &Record, location: &str) {
    let origin = record.outcome.origin;
    let object = Line {
        time: record.at.to_string(),
        edge: location,
        site: &record.site,
        request_id: record.id.as_str(),
        client: record.client.to_string(),
        method: record.method.as_str(),
        protocol: format!("{:?}", record.version),
        secure: record.secure,
        tls: record.tls.map(|tls| tls.protocol),
        host: &record.host,
        path: &record.path,
        query: record.query.as_deref(),
        referer: record.referer.as_deref(),
        user_agent: record.user_agent.as_deref(),
        forwarded_for: record.forwarded_for.as_deref(),
        status: record.status.as_u16(),
        result: record.outcome.result.label(),
        collapsed: record.outcome.collapsed,
        origin_status: origin.and_then(|origin| origin.status).map(|status| status.as_u16()),
        origin_seconds: origin.map(|origin| origin.first_byte.as_secs_f64()),
        content_type: record.content_type.as_deref(),
        sent_bytes: record.sent,
        received_bytes: record.received,
        broken: record.broken,
        first_byte_seconds: record.to_first_byte.as_secs_f64(),
        seconds: record.taken.as_secs_f64(),
    };
    // Texts, numbers and switches alone: nothing that JSON cannot say.
    line.push_str(&serde_json::to_string(&object).unwrap_or_default());
    line.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;

    #[test]
    fn a_line_is_one_object() {
        let mut line = String::new();
        super::append(&mut line, &record(), "edge-1");
        assert_eq!(line.matches('\n').count(), 1);
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["user_agent"], "A \"tester\"\t1");
        assert_eq!((&object["status"], &object["result"]), (&206.into(), &"hit".into()));
        assert_eq!(object["query"], "x=1&Signature=-&Policy=-");
    }
}
