//! Answers about webhooks, for people.

use crate::admin::{ShownSecret, Webhook, WebhookDetails};
use crate::events::endpoint::{Origin, State};
use crate::events::operate::{Attempt, Breaker, DeadLetter, EndpointStatus, EventSummary, Outcome};
use crate::units::time_text;

/// One webhook a line.
pub fn list(webhooks: &[Webhook]) -> String {
    let mut text = format!(
        "{:<12}  {:<24}  {:<10}  {:>10}  {:>8}  {:>6}  {:>9}  {:>8}  URL\n",
        "ACCOUNT", "NAME", "STATE", "DELIVERED", "FAILED", "DEAD", "BACKLOG", "OLDEST"
    );
    for webhook in webhooks {
        let EndpointStatus { delivered, failed, dead, backlog, .. } = webhook.status;
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
    let EndpointStatus { delivered, failed, dead, gap, backlog, deferred, in_flight, .. } = webhook.status;
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
    rows.push(("delivered", delivered.to_string()));
    rows.push(("failed", failed.to_string()));
    rows.push(("dead", dead.to_string()));
    rows.push(("gap", gap.to_string()));
    rows.push(("backlog", backlog.to_string()));
    rows.push(("deferred", deferred.to_string()));
    rows.push(("in flight", in_flight.to_string()));
    rows.push(("oldest", oldest(&webhook.status)));
    rows.iter().map(|(key, value)| format!("{key:<16}  {value}").trim_end().to_owned() + "\n").collect()
}

/// The same behind the secret, which is not shown again.
pub fn with_secret((webhook, secret): &(WebhookDetails, ShownSecret)) -> String {
    format!("secret            {}\n{}", secret.expose(), details(webhook))
}

pub fn replaying(messages: &Option<u64>) -> String {
    match messages {
        Some(messages) => format!("{messages} messages will be sent once more\n"),
        None => "messages will be sent once more\n".to_owned(),
    }
}

pub fn test(attempt: &Attempt) -> String {
    let answer = attempt.status.map_or_else(|| "no answer".to_owned(), |status| format!("answered {status}"));
    let mut text = format!("{} after {}: {answer}\n", attempt.message, time_text(attempt.took));
    if let Some(error) = &attempt.error {
        text.push_str(&format!("{}\n", error.escape_debug()));
    }
    if !attempt.answer.is_empty() {
        text.push_str(&format!("{}\n", attempt.answer.escape_debug()));
    }
    text
}

/// One attempt a line.
pub fn attempts(attempts: &[Attempt]) -> String {
    let mut text = format!(
        "{:<24}  {:>3}  {:<9}  {:>6}  {:>8}  {:<53}  EVENT\n",
        "AT", "TRY", "OUTCOME", "STATUS", "TOOK", "MESSAGE"
    );
    for attempt in attempts {
        let outcome = match attempt.outcome {
            Outcome::Delivered => "delivered",
            Outcome::Deferred => "deferred",
            Outcome::Dead => "dead",
        };
        let status = attempt.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let line = format!(
            "{}  {:>3}  {outcome:<9}  {status:>6}  {:>8}  {:<53}  {}",
            attempt.at,
            attempt.attempt,
            time_text(attempt.took),
            attempt.message,
            event(attempt.event.as_ref(), attempt.events)
        );
        text.push_str(line.trim_end());
        text.push('\n');
        if let Some(error) = &attempt.error {
            text.push_str(&format!("    {}\n", error.escape_debug()));
        }
    }
    text
}

/// One dead letter a line, and why it was given up.
pub fn dead(letters: &[DeadLetter]) -> String {
    let mut text = format!("{:<24}  {:<24}  {:>5}  {:<53}  EVENT\n", "HAPPENED", "GIVEN UP", "TRIES", "MESSAGE");
    for letter in letters {
        let event = event(letter.event.as_ref(), letter.events);
        let line =
            format!("{}  {}  {:>5}  {:<53}  {event}", letter.at, letter.given_up, letter.attempts, letter.message);
        text.push_str(&format!("{}\n    {}\n", line.trim_end(), letter.error.escape_debug()));
    }
    text
}

fn event(event: Option<&EventSummary>, events: u32) -> String {
    let Some(event) = event else { return "test".to_owned() };
    let more = if events > 1 { format!(" and {} more", events - 1) } else { String::new() };
    format!("{} s3://{}/{}{more}", event.name, event.bucket, event.key.escape_debug())
}

fn state(webhook: &Webhook) -> &'static str {
    match (&webhook.state, webhook.status.breaker) {
        (State::Paused, _) => "paused",
        (State::Disabled { .. }, _) => "disabled",
        (State::Active, Breaker::Closed) => "active",
        (State::Active, Breaker::Open | Breaker::HalfOpen) => "failing",
    }
}

fn oldest(status: &EndpointStatus) -> String {
    status.oldest.map_or_else(|| "-".to_owned(), |age| format!("{:.1}s", age.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
                delivered: 7,
                oldest: Some(Duration::from_millis(1500)),
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
        let attempt = Attempt {
            sequence: 1,
            message: "msg_1".into(),
            at: Timestamp::from_seconds(1),
            attempt: 2,
            event: Some(EventSummary {
                name: "ObjectCreated:Put".into(),
                bucket: "pail".into(),
                key: "a\nb".into(),
                position: 9,
            }),
            events: 3,
            status: Some(500),
            took: Duration::from_millis(12),
            error: Some("answered 500".into()),
            answer: String::new(),
            outcome: Outcome::Deferred,
        };
        let text = attempts(&[attempt]);
        assert!(
            text.contains("ObjectCreated:Put s3://pail/a\\nb and 2 more") && text.contains("    answered 500\n"),
            "{text}"
        );
    }
}
