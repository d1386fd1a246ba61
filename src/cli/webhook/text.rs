//! Answers about webhooks, for people.

use crate::admin::{Letter, ShownSecret, Tested, Webhook, WebhookDetails};
use crate::events::deliver::{BreakerState, Counts, Delivery, EndpointStatus, Outcome};
use crate::events::endpoint::{Origin, State};

/// One webhook a line.
pub fn list(webhooks: &[Webhook]) -> String {
    let mut text = format!(
        "{:<12}  {:<24}  {:<10}  {:>10}  {:>8}  {:>6}  {:>9}  {:>8}  URL\n",
        "ACCOUNT", "NAME", "STATE", "DELIVERED", "FAILED", "DEAD", "BACKLOG", "OLDEST"
    );
    for webhook in webhooks {
        let EndpointStatus { counts: Counts { delivered, failed, dead, .. }, backlog, .. } = webhook.status;
        text.push_str(&format!(
            "{}  {:<24}  {:<10}  {delivered:>10}  {failed:>8}  {dead:>6}  {backlog:>9}  {:>8}  {}\n",
            webhook.account,
            webhook.name,
            state(webhook),
            oldest(&webhook.status),
            webhook.url
        ));
    }
    text
}

/// A webhook with its options and counts.
pub fn details(details: &WebhookDetails) -> String {
    let webhook = &details.webhook;
    let EndpointStatus { counts, backlog, deferred, in_flight, replays, .. } = webhook.status;
    let origin = match webhook.origin {
        Origin::File => "the configuration file",
        Origin::Operator => "an operator",
        Origin::Tenant => "the account",
    };
    let mut rows = vec![
        ("name", webhook.name.to_string()),
        ("account", webhook.account.to_string()),
        ("arn", details.arn.clone()),
        ("made by", origin.to_owned()),
        ("created", details.created.to_string()),
        ("state", state(webhook).to_owned()),
    ];
    if let State::Disabled { reason } = &webhook.state {
        rows.push(("disabled for", reason.escape_debug().to_string()));
    }
    if let Some(topic) = &webhook.topic {
        rows.push(("topic", topic.to_string()));
    }
    rows.extend(details.options.iter().map(|(key, value)| (key.as_str(), value.clone())));
    rows.push(("delivered", counts.delivered.to_string()));
    rows.push(("failed", counts.failed.to_string()));
    rows.push(("dead", counts.dead.to_string()));
    rows.push(("left out", counts.skipped.to_string()));
    rows.push(("backlog", backlog.to_string()));
    rows.push(("deferred", deferred.to_string()));
    rows.push(("in flight", in_flight.to_string()));
    rows.push(("replays", replays.to_string()));
    rows.push(("oldest", oldest(&webhook.status)));
    if let Some(gap) = &webhook.status.gap {
        rows.push(("last gap", format!("{} entries at {}, up to position {}", gap.entries, gap.at, gap.to)));
    }
    if let Some(failure) = &webhook.status.last_failure {
        rows.push(("last failure", failure.escape_debug().to_string()));
    }
    rows.iter().map(|(key, value)| format!("{key:<16}  {value}").trim_end().to_owned() + "\n").collect()
}

/// The same behind the secret, which is not shown again.
pub fn with_secret((webhook, secret): &(WebhookDetails, ShownSecret)) -> String {
    format!("secret            {}\n{}", secret.expose(), details(webhook))
}

pub fn test(tested: &Tested) -> String {
    let answer = tested.status.map_or_else(|| "no answer".to_owned(), |status| format!("answered {status}"));
    let mut text = format!("{} after {} ms: {answer}\n", tested.message, tested.millis);
    for line in tested.error.iter().chain(Some(&tested.answer).filter(|answer| !answer.is_empty())) {
        text.push_str(&format!("{}\n", line.escape_debug()));
    }
    text
}

/// One attempt a line, and why it failed below it.
pub fn attempts(attempts: &[Delivery]) -> String {
    let mut text = format!(
        "{:<24}  {:>3}  {:<9}  {:>6}  {:>8}  {:<44}  EVENT\n",
        "AT", "TRY", "OUTCOME", "STATUS", "TOOK", "MESSAGE"
    );
    for attempt in attempts {
        let outcome = match attempt.outcome {
            Outcome::Delivered => "delivered",
            Outcome::Retry(_) => "deferred",
            Outcome::Dead => "dead",
            Outcome::Test { .. } => "test",
        };
        let status = attempt.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let about = about(&attempt.bucket, &attempt.key, attempt.events as usize);
        let took = format!("{} ms", attempt.millis);
        let line = format!(
            "{}  {:>3}  {outcome:<9}  {status:>6}  {took:>8}  {:<44}  {about}",
            attempt.at, attempt.attempt, attempt.message
        );
        text.push_str(line.trim_end());
        text.push('\n');
        if let Some(error) = &attempt.error {
            text.push_str(&format!("    {}\n", error.escape_debug()));
        }
    }
    text
}

/// One dead letter a line, and why it was given up below it.
pub fn dead(letters: &[Letter]) -> String {
    let mut text = format!("{:<24}  {:>5}  {:<44}  EVENT\n", "HAPPENED", "TRIES", "MESSAGE");
    for letter in letters {
        let about = about(&letter.bucket, &letter.key, letter.events);
        let line = format!("{}  {:>5}  {:<44}  {about}", letter.at, letter.attempts, letter.message);
        text.push_str(&format!("{}\n    {}\n", line.trim_end(), letter.error.escape_debug()));
    }
    text
}

fn about(bucket: &str, key: &str, events: usize) -> String {
    let more = if events > 1 { format!(" and {} more", events - 1) } else { String::new() };
    if bucket.is_empty() { String::new() } else { format!("s3://{bucket}/{}{more}", key.escape_debug()) }
}

fn state(webhook: &Webhook) -> &'static str {
    match (&webhook.state, webhook.status.breaker) {
        (State::Paused, _) => "paused",
        (State::Disabled { .. }, _) => "disabled",
        (State::Active, BreakerState::Closed) => "active",
        (State::Active, BreakerState::Open(_) | BreakerState::HalfOpen) => "failing",
    }
}

fn oldest(status: &EndpointStatus) -> String {
    match status.oldest_age_millis {
        0 => "-".to_owned(),
        millis => format!("{:.1}s", millis as f64 / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::events::endpoint::EndpointName;
    use crate::names::AccountId;

    fn webhook(state: State) -> Webhook {
        Webhook {
            account: AccountId::default(),
            name: EndpointName::parse("orders").unwrap(),
            url: "https://a.example/hook".into(),
            origin: Origin::File,
            topic: None,
            state,
            status: EndpointStatus {
                counts: Counts { delivered: 7, ..Counts::default() },
                oldest_age_millis: 1500,
                ..EndpointStatus::default()
            },
        }
    }

    #[test]
    fn lists_show_one_webhook_per_line() {
        let text = list(&[webhook(State::Active)]);
        assert_eq!(
            text.lines().nth(1).unwrap(),
            "000000000000  orders                    active               7         0       0          0      1.5s  https://a.example/hook"
        );
    }

    #[test]
    fn details_have_every_option_and_the_reason_for_which_it_is_disabled() {
        let shown = details(&WebhookDetails {
            webhook: webhook(State::Disabled { reason: "410 Gone\u{1b}".into() }),
            created: Timestamp::from_seconds(1),
            arn: "arn:aws:sqs:us-east-1:000000000000:orders".into(),
            options: vec![("url".into(), "https://a.example/hook".into())],
        });
        for line in
            ["disabled for      410 Gone\\u{1b}", "url               https://a.example/hook", "oldest            1.5s"]
        {
            assert!(shown.lines().any(|shown| shown == line), "{line}\nnot in\n{shown}");
        }
    }

    #[test]
    fn attempts_show_what_they_were_about_and_why_they_failed() {
        let attempt = Delivery {
            message: "msg_1".into(),
            at: Timestamp::from_seconds(1),
            attempt: 2,
            bucket: "pail".into(),
            key: "a\nb".into(),
            events: 3,
            status: Some(500),
            millis: 12,
            error: Some("answered 500".into()),
            answer: String::new(),
            outcome: Outcome::Retry(Timestamp::from_seconds(2)),
        };
        let text = attempts(&[attempt]);
        assert!(text.contains("s3://pail/a\\nb and 2 more") && text.contains("    answered 500\n"), "{text}");
    }
}
