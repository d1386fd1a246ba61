//! The options of an endpoint, each declared once: what the file, the commands and the documentation have is derived from these
//! rows. To add an option, add a row.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::definition::{Batch, Definition, GivenLimits, OnFull, Ordering, RetryPolicy, Tls};
use super::given::Given;
use super::headers;
use super::url::EndpointUrl;
use crate::events::record::Format;
use crate::events::sign::SigningSecret;
use crate::tls;
use crate::units::duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The most requests of one endpoint that may be under way.
pub const MAX_CONCURRENCY: usize = 256;
/// The most events of one request.
pub const MAX_BATCH: usize = 100;
/// The most attempts behind the first.
pub const MAX_RETRIES: usize = 100;

/// One option: what it must look like, and what it is for.
pub struct EndpointOption {
    /// The key in the file; the flag is the same with hyphens.
    pub key: &'static str,
    pub form: Form,
    /// Completes "expected ...".
    pub expects: &'static str,
    /// What counts where nobody gives one, for people to read.
    pub default: &'static str,
    pub doc: &'static str,
    /// Whether values must never be shown, and rest sealed.
    pub secret: bool,
    /// Who may give it.
    pub givers: Givers,
    set: fn(&mut Draft, &str) -> Result<(), Wrong>,
}

/// How an option is written in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    /// A whole number, or text.
    Number,
    /// The path of a file of the server; in the file, a relative one starts where that is.
    Path,
    /// A list of texts, which are separated by commas elsewhere.
    List,
    /// A table of names and values; `Name: value` a line elsewhere.
    Table,
    /// The path of a file that holds the value; the key has `_file` behind it.
    File,
}

/// Who may give an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Givers {
    Everyone,
    /// The file and the operator: it names files of the server.
    Operators,
    /// The file alone: commands have another way.
    TheFile,
}

/// Why a value is not one.
enum Wrong {
    /// It is not what the row expects.
    Form,
    Because(String),
}

/// One thing that is wrong with what was given. Secrets are not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionFault {
    #[error("{key} must be given")]
    Missing { key: String },
    #[error("there is no option {key}")]
    Unknown { key: String },
    #[error("{key} is {value}, which is not valid; expected {expected}")]
    Value { key: String, value: String, expected: &'static str },
    #[error("{key}: {why}")]
    Because { key: String, why: String },
}

/// A definition that grows.
#[derive(Default)]
struct Draft {
    url: Option<EndpointUrl>,
    format: Format,
    secret: Option<SigningSecret>,
    previous_secret: Option<SigningSecret>,
    authorization: Option<http::HeaderValue>,
    headers: Vec<(http::HeaderName, http::HeaderValue)>,
    concurrency: Option<usize>,
    ordering: Ordering,
    batch: Batch,
    timeout: Option<Duration>,
    retry: RetryPolicy,
    limits: GivenLimits,
    ca: Option<PathBuf>,
    client_cert: Option<PathBuf>,
    client_key: Option<PathBuf>,
}

/// Every option, in the order of the documentation.
pub const OPTIONS: &[EndpointOption] = &[
    EndpointOption {
        key: "url",
        form: Form::Text,
        expects: "an http or https URL without user name and password",
        default: "",
        doc: "Where messages are posted to; must be given. It is shown in lists: a token belongs into `authorization_file`",
        secret: false,
        givers: Givers::Everyone,
        set: |draft, text| {
            draft.url = Some(EndpointUrl::parse(text).map_err(because)?);
            Ok(())
        },
    },
    EndpointOption {
        key: "format",
        form: Form::Text,
        expects: "s3, minio, cloudevents-binary, cloudevents-structured or eventbridge",
        default: "s3",
        doc: "How messages look",
        secret: false,
        givers: Givers::Everyone,
        set: |draft, text| {
            let word = serde_json::Value::String(text.to_owned());
            draft.format = serde_json::from_value(word).map_err(|_| Wrong::Form)?;
            Ok(())
        },
    },
    EndpointOption {
        key: "secret",
        form: Form::File,
        expects: "whsec_ and the base64 of 24 to 64 bytes",
        default: "",
        doc: "What messages are signed with: `whsec_` and the base64 of 24 to 64 random bytes. Must be given in the file; commands \
              make one and show it once",
        secret: true,
        givers: Givers::Everyone,
        set: |draft, text| {
            draft.secret = Some(SigningSecret::parse(text).map_err(|_| Wrong::Form)?);
            Ok(())
        },
    },
    EndpointOption {
        key: "previous_secret",
        form: Form::File,
        expects: "whsec_ and the base64 of 24 to 64 bytes",
        default: "",
        doc: "Another secret that signs as well, for as long as it is given: the one before, until every receiver has the new one",
        secret: true,
        givers: Givers::TheFile,
        set: |draft, text| {
            draft.previous_secret = Some(SigningSecret::parse(text).map_err(|_| Wrong::Form)?);
            Ok(())
        },
    },
    EndpointOption {
        key: "authorization",
        form: Form::File,
        expects: "the value of the header Authorization, such as Bearer TOKEN, in one line",
        default: "",
        doc: "The value of the header `Authorization`, such as `Bearer TOKEN`",
        secret: true,
        givers: Givers::Everyone,
        set: |draft, text| {
            draft.authorization = Some(headers::sensitive(text).ok_or(Wrong::Form)?);
            Ok(())
        },
    },
    EndpointOption {
        key: "headers",
        form: Form::Table,
        expects: "up to 20 headers, none of which Brim sets itself",
        default: "",
        doc: "Headers of every request, up to 20. Their values are never shown",
        secret: true,
        givers: Givers::Everyone,
        set: |draft, text| {
            draft.headers = headers::parse(text).map_err(because)?;
            Ok(())
        },
    },
    EndpointOption {
        key: "concurrency",
        form: Form::Number,
        expects: "a number from 1 to 256",
        default: "8",
        doc: "How many requests may be under way at a time",
        secret: false,
        givers: Givers::Everyone,
        set: |draft, text| {
            draft.concurrency = Some(number(text, 1..=MAX_CONCURRENCY)?);
            Ok(())
        },
    },
    EndpointOption {
        key: "ordering",
        form: Form::Text,
        expects: "none or key",
        default: "none",
        doc: "`key`: what happened to a key is delivered in that order, and what fails holds up what is behind it of that key",
        secret: false,
        givers: Givers::Everyone,
        set: |draft, text| {
            draft.ordering = match text {
                "none" => Ordering::None,
                "key" => Ordering::Key,
                _ => return Err(Wrong::Form),
            };
            Ok(())
        },
    },
    EndpointOption {
        key: "batch",
        form: Form::Number,
        expects: "a number from 1 to 100",
        default: "1",
        doc: "The most events of one request; they have 64 KiB together at most. Only `s3` and `cloudevents-structured` take several",
        secret: false,
        givers: Givers::Everyone,
        set: |draft, text| {
            draft.batch.most = number(text, 1..=MAX_BATCH)?;
            Ok(())
        },
    },
    EndpointOption {
        key: "batch_linger",
        form: Form::Text,
        expects: "a time from 1ms to 60s, such as 500ms",
        default: "1s",
        doc: "How long an event waits for others, where a request may have several",
        secret: false,
        givers: Givers::Everyone,
        set: |draft, text| {
            draft.batch.linger = time(text, Duration::from_millis(1)..=Duration::from_secs(60))?;
            Ok(())
        },
    },
    EndpointOption {
        key: "timeout",
        form: Form::Text,
        expects: "a time from 10ms to 120s, such as 15s",
        default: "15s",
        doc: "How long an attempt may take as a whole",
        secret: false,
        givers: Givers::Everyone,
        set: |draft, text| {
            draft.timeout = Some(time(text, Duration::from_millis(10)..=Duration::from_secs(120))?);
            Ok(())
        },
    },
    EndpointOption {
        key: "retry",
        form: Form::List,
        expects: "up to 100 times from 1ms to 7d, such as 5s,5m,30m",
        default: "5s,5m,30m,2h,5h,10h,14h,20h,24h",
        doc: "The waits before the second attempt, the third and so on, up to 100; an empty list tries once. What fails then is a \
              dead letter",
        secret: false,
        givers: Givers::Everyone,
        set: |draft, text| {
            draft.retry.schedule = schedule(text)?;
            Ok(())
        },
    },
    EndpointOption {
        key: "retry_max_age",
        form: Form::Text,
        expects: "a time from 1s to 30d, such as 4d",
        default: "4d",
        doc: "How old an event may become before it is a dead letter, whatever attempts are left",
        secret: false,
        givers: Givers::Everyone,
        set: |draft, text| {
            draft.retry.max_age = time(text, Duration::from_secs(1)..=30 * DAY)?;
            Ok(())
        },
    },
    EndpointOption {
        key: "backlog_entries",
        form: Form::Number,
        expects: "a number from 1 to 1000000000000",
        default: "events.backlog_entries",
        doc: "How many entries of the change log the endpoint may be behind",
        secret: false,
        givers: Givers::Everyone,
        set: |draft, text| {
            draft.limits.entries = Some(number(text, 1..=1_000_000_000_000)?);
            Ok(())
        },
    },
    EndpointOption {
        key: "backlog_age",
        form: Form::Text,
        expects: "a time from 1s to 365d, such as 7d",
        default: "events.backlog_age",
        doc: "How long it may be behind",
        secret: false,
        givers: Givers::Everyone,
        set: |draft, text| {
            draft.limits.age = Some(time(text, Duration::from_secs(1)..=365 * DAY)?);
            Ok(())
        },
    },
    EndpointOption {
        key: "on_full",
        form: Form::Text,
        expects: "drop-oldest or reject-writes",
        default: "drop-oldest",
        doc: "What happens beyond. `drop-oldest`: the oldest events are left out and counted; `reject-writes`: requests that \
              would change what the endpoint hears of are answered with 503 until it has caught up",
        secret: false,
        // Whoever may have all writes of a bucket refused is its operator.
        givers: Givers::Operators,
        set: |draft, text| {
            draft.limits.on_full = match text {
                "drop-oldest" => OnFull::DropOldest,
                "reject-writes" => OnFull::RejectWrites,
                _ => return Err(Wrong::Form),
            };
            Ok(())
        },
    },
    EndpointOption {
        key: "ca_file",
        form: Form::Path,
        expects: "the path of a file",
        default: "",
        doc: "A file of certificates in PEM that the receiver is trusted by, in place of the system's",
        secret: false,
        givers: Givers::Operators,
        set: |draft, text| {
            draft.ca = Some(path(text)?);
            Ok(())
        },
    },
    EndpointOption {
        key: "client_cert",
        form: Form::Path,
        expects: "the path of a file",
        default: "",
        doc: "A file in PEM with the certificate that Brim shows to the receiver, then those in between; needs `client_key`",
        secret: false,
        givers: Givers::Operators,
        set: |draft, text| {
            draft.client_cert = Some(path(text)?);
            Ok(())
        },
    },
    EndpointOption {
        key: "client_key",
        form: Form::Path,
        expects: "the path of a file",
        default: "",
        doc: "A file in PEM with its private key, which other users of the machine must not be able to read",
        secret: false,
        givers: Givers::Operators,
        set: |draft, text| {
            draft.client_key = Some(path(text)?);
            Ok(())
        },
    },
];

impl EndpointOption {
    /// The key as it stands in the file.
    pub fn file_key(&self) -> String {
        match self.form {
            Form::File => format!("{}_file", self.key),
            _ => self.key.to_owned(),
        }
    }
}

/// The row of `key`.
pub fn option(key: &str) -> Option<&'static EndpointOption> {
    OPTIONS.iter().find(|option| option.key == key)
}

impl Definition {
    /// Checks what was given, and tells everything that is wrong with it. Opens no file.
    pub fn parse(given: &Given) -> Result<Self, Vec<OptionFault>> {
        let (mut draft, mut faults) = (Draft::default(), Vec::new());
        for (key, text) in given.iter() {
            match option(key) {
                None => faults.push(OptionFault::Unknown { key: key.to_owned() }),
                Some(option) => faults.extend(option.apply(&mut draft, text).err()),
            }
        }
        if given.get("url").is_none() {
            faults.push(OptionFault::Missing { key: "url".to_owned() });
        }
        match draft.finish() {
            Ok(definition) if faults.is_empty() => definition.ok_or(faults),
            Ok(_) => Err(faults),
            Err(fault) => Err([faults, vec![fault]].concat()),
        }
    }
}

impl EndpointOption {
    fn apply(&self, draft: &mut Draft, text: &str) -> Result<(), OptionFault> {
        (self.set)(draft, text).map_err(|wrong| match wrong {
            Wrong::Form => OptionFault::Value {
                key: self.key.to_owned(),
                value: if self.secret { "a value".to_owned() } else { format!("{text:?}") },
                expected: self.expects,
            },
            Wrong::Because(why) => OptionFault::Because { key: self.key.to_owned(), why },
        })
    }
}

impl Draft {
    /// The definition; `None` without a URL, which is a fault of its own.
    fn finish(self) -> Result<Option<Definition>, OptionFault> {
        let Some(url) = self.url else { return Ok(None) };
        let identity = match (self.client_cert, self.client_key) {
            (Some(chain), Some(key)) => Some(tls::Identity { chain, key }),
            (None, None) => None,
            (Some(_), None) => return Err(OptionFault::Missing { key: "client_key".to_owned() }),
            (None, Some(_)) => return Err(OptionFault::Missing { key: "client_cert".to_owned() }),
        };
        if !url.is_tls() && (self.ca.is_some() || identity.is_some()) {
            let why = "certificates are given, and the URL does not begin with https://".to_owned();
            return Err(OptionFault::Because { key: "url".to_owned(), why });
        }
        if self.batch.most > 1 && !self.format.takes_several() {
            let format = self.format.as_str();
            let why = format!(
                "requests of the format {format} have one event each: leave batch out, or choose s3 or cloudevents-structured"
            );
            return Err(OptionFault::Because { key: "batch".to_owned(), why });
        }
        Ok(Some(Definition {
            url,
            format: self.format,
            secret: self.secret,
            previous_secret: self.previous_secret,
            authorization: self.authorization,
            headers: self.headers,
            concurrency: self.concurrency.unwrap_or(8),
            ordering: self.ordering,
            batch: self.batch,
            timeout: self.timeout.unwrap_or(Duration::from_secs(15)),
            retry: self.retry,
            limits: self.limits,
            tls: Tls { authorities: self.ca.map(tls::Authorities::File).unwrap_or_default(), identity },
        }))
    }
}

fn because(error: impl std::error::Error) -> Wrong {
    Wrong::Because(error.to_string())
}

fn number<N: FromStr + PartialOrd>(text: &str, range: RangeInclusive<N>) -> Result<N, Wrong> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.filter(|number| range.contains(number)).ok_or(Wrong::Form)
}

fn time(text: &str, range: RangeInclusive<Duration>) -> Result<Duration, Wrong> {
    duration(text).filter(|time| range.contains(time)).ok_or(Wrong::Form)
}

fn schedule(text: &str) -> Result<Vec<Duration>, Wrong> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let range = Duration::from_millis(1)..=7 * DAY;
    let waits: Vec<Duration> =
        text.split(',').map(|wait| time(wait.trim(), range.clone())).collect::<Result<_, _>>()?;
    if waits.len() <= MAX_RETRIES { Ok(waits) } else { Err(Wrong::Form) }
}

fn path(text: &str) -> Result<PathBuf, Wrong> {
    if text.is_empty() || text.contains('\0') { Err(Wrong::Form) } else { Ok(PathBuf::from(text)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Given {
        let mut given = Given::default();
        pairs.iter().for_each(|(key, text)| given.set(key, *text));
        given
    }

    fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
        Definition::parse(&given(pairs)).unwrap_err().iter().map(OptionFault::to_string).collect()
    }

    #[test]
    fn a_url_is_enough() {
        let definition = Definition::parse(&given(&[("url", "https://a.example/")])).unwrap();
        assert_eq!((definition.concurrency, definition.timeout.as_secs()), (8, 15));
        assert_eq!((definition.batch.most, definition.ordering), (1, Ordering::None));
        assert_eq!(definition.retry.schedule.len(), 9);
        assert!(definition.retry.schedule.iter().sum::<Duration>() < definition.retry.max_age);
    }

    #[test]
    fn documented_defaults_are_those_that_count() {
        let plain = Definition::parse(&given(&[("url", "https://a.example/")])).unwrap();
        for key in [
            "format",
            "concurrency",
            "ordering",
            "batch",
            "batch_linger",
            "timeout",
            "retry",
            "retry_max_age",
            "on_full",
        ] {
            let default = option(key).unwrap().default;
            let named = Definition::parse(&given(&[("url", "https://a.example/"), (key, default)])).unwrap();
            assert_eq!(format!("{named:?}"), format!("{plain:?}"), "{key}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_and_no_secret_is() {
        let found = faults(&[
            ("url", "https://me:hunter2@a.example/"),
            ("authorization", "hunter2\nhunter2"),
            ("secret", "hunter2"),
            ("headers", "Host: hunter2"),
            ("concurrency", "257"),
            ("timeout", "1ms"),
            ("retry", "5s,forever"),
            ("retry_max_age", "31d"),
            ("ordering", "strict"),
            ("colour", "red"),
        ]);
        assert_eq!(found.len(), 10, "{found:#?}");
        assert!(found.iter().all(|fault| !fault.contains("hunter2")), "{found:#?}");
        assert!(
            found.contains(&"concurrency is \"257\", which is not valid; expected a number from 1 to 256".to_owned())
        );
        assert!(found.contains(&"there is no option colour".to_owned()));
        assert_eq!(faults(&[]), ["url must be given"]);
    }

    #[test]
    fn certificates_need_each_other_and_https() {
        assert_eq!(faults(&[("url", "https://a.example"), ("client_cert", "a.pem")]), ["client_key must be given"]);
        let plain = faults(&[("url", "http://a.example"), ("ca_file", "a.pem")]);
        assert!(plain[0].contains("does not begin with https://"), "{plain:?}");
    }

    #[test]
    fn only_formats_that_take_several_events_have_them_together() {
        let batched =
            |format| Definition::parse(&given(&[("url", "https://a.example"), ("format", format), ("batch", "2")]));
        assert!(batched("s3").is_ok() && batched("cloudevents-structured").is_ok());
        for format in ["minio", "cloudevents-binary", "eventbridge"] {
            let told = batched(format).unwrap_err()[0].to_string();
            assert!(told.starts_with(&format!("batch: requests of the format {format} have one event each")), "{told}");
        }
    }

    #[test]
    fn a_schedule_may_be_empty_and_is_bounded() {
        let retries = |text: &str| Definition::parse(&given(&[("url", "https://a.example"), ("retry", text)]));
        assert!(retries("").unwrap().retry.schedule.is_empty());
        assert_eq!(retries("20ms, 1s").unwrap().retry.schedule, [20, 1000].map(Duration::from_millis));
        assert!(retries(&["1s"; MAX_RETRIES].join(",")).is_ok());
        assert!(
            retries(&["1s"; MAX_RETRIES + 1].join(",")).is_err() && retries("0s").is_err() && retries("8d").is_err()
        );
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_without_panic(index in 0..OPTIONS.len(), text in "\\PC{0,40}") {
            let _ = Definition::parse(&given(&[("url", "https://a.example"), (OPTIONS[index].key, &text)]));
        }
    }
}
