//! An endpoint as people are shown it: every option by its key, no secret.

use super::definition::{Endpoint, OnFull, Ordering};
use crate::clock::Timestamp;
use crate::tls::Authorities;
use crate::units::time_text;

impl Endpoint {
    /// Every option with its value, in the order of the documentation; those that are not given, and secrets, by what can be
    /// said of them.
    pub fn shown(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let word = |value: serde_json::Result<serde_json::Value>| match value {
            Ok(serde_json::Value::String(word)) => word,
            _ => String::new(),
        };
        let retries: Vec<String> = self.retry.schedule.iter().map(|wait| time_text(*wait)).collect();
        let ordering = match self.ordering {
            Ordering::None => "none",
            Ordering::Key => "key",
        };
        let on_full = match self.limits.on_full {
            OnFull::DropOldest => "drop-oldest",
            OnFull::RejectWrites => "reject-writes",
        };
        let mut shown = vec![
            ("url", self.url.to_string()),
            ("format", word(serde_json::to_value(self.format))),
            ("secrets", self.secrets_shown(now)),
            ("authorization", self.authorization.as_ref().map_or("none", |_| "given").to_owned()),
            ("headers", self.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")),
            ("concurrency", self.concurrency.to_string()),
            ("ordering", ordering.to_owned()),
            ("batch", self.batch.most.to_string()),
            ("batch_linger", time_text(self.batch.linger)),
            ("timeout", time_text(self.timeout)),
            ("retry", retries.join(",")),
            ("retry_max_age", time_text(self.retry.max_age)),
            ("backlog_entries", self.limits.entries.to_string()),
            ("backlog_age", time_text(self.limits.age)),
            ("on_full", on_full.to_owned()),
        ];
        if let Authorities::File(path) = &self.tls.authorities {
            shown.push(("ca_file", path.display().to_string()));
        }
        if let Some(identity) = &self.tls.identity {
            shown.push(("client_cert", identity.chain.display().to_string()));
            shown.push(("client_key", identity.key.display().to_string()));
        }
        shown
    }

    fn secrets_shown(&self, now: Timestamp) -> String {
        match self.secrets.previous.as_ref().filter(|(_, until)| now < *until) {
            None => "one".to_owned(),
            Some((_, until)) if until.as_millis() == u64::MAX => "two, for as long as the file has both".to_owned(),
            Some((_, until)) => format!("two, the one before until {until}"),
        }
    }
}
