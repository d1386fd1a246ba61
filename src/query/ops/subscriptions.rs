//! Subscriptions: the URLs that hear what a topic is told.
//!
//! There is nothing to confirm, since every delivery is signed: who owns a subscription reads its secret from the attribute
//! `BrimSigningSecret`, which needs a permission of its own, and gives it to the receiver.

use std::sync::Arc;

use super::sns::{
    self, attributes, because, find, invalid, no_topic, required, subscription_arn, subscription_name,
    subscription_named, topic_arn, topic_named, write_attributes,
};
use crate::events::endpoint::{self, Endpoint, EndpointId, EndpointUrl, Given, NewEndpoint, Origin, State, TopicName};
use crate::query::call::Call;
use crate::query::error::{Code, QueryError};
use crate::query::page::{Page, write_next_token};
use crate::xml::Writer;

/// The most subscriptions of an account.
const MAX_SUBSCRIPTIONS_OF_ACCOUNT: usize = 100;

/// The permission to read what deliveries are signed with, beside that to read the other attributes: of the topic.
const READ_SECRET: &str = "brim:ReadSigningSecret";

/// Protocols of SNS that topics of this server are not told by.
const OTHER_PROTOCOLS: [&str; 7] = ["application", "email", "email-json", "firehose", "lambda", "sms", "sqs"];

/// Idempotent: gives the ARN of the subscription that there is.
/// <https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html>
pub async fn subscribe(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let topic = topic_named(call)?;
    call.parameters.flag("ReturnSubscriptionArn")?;
    let url = url(call)?;
    for (key, value) in attributes(&call.parameters)? {
        match key {
            "RawMessageDelivery" if value.eq_ignore_ascii_case("true") => {}
            "RawMessageDelivery" => {
                return Err(because("Attributes", "messages are always raw: RawMessageDelivery is true"));
            }
            _ => return Err(because("Attributes", &format!("{key} is not implemented"))),
        }
    }
    let name = subscription_name(&topic, &url.to_string());
    let arn = subscription_arn(call, &topic, &name);
    make(call, EndpointId { account: call.account().clone(), name }, topic, &url).await?;
    Ok(call.answer(|result| {
        result.text("SubscriptionArn", &arn);
    }))
}

fn url(call: &Call<'_>) -> Result<EndpointUrl, QueryError> {
    let protocol = required(&call.parameters, "Protocol")?;
    match protocol {
        "http" | "https" => {}
        other if OTHER_PROTOCOLS.contains(&other) => {
            return Err(because("Protocol", "topics of this server tell http and https endpoints alone"));
        }
        other => {
            let other: String = other.chars().take(64).collect();
            return Err(invalid(&format!("Amazon SNS does not support this protocol string: {other}")));
        }
    }
    let text = required(&call.parameters, "Endpoint")?;
    if !text.strip_prefix(protocol).is_some_and(|rest| rest.starts_with("://")) {
        return Err(invalid("Endpoint must match the specified protocol"));
    }
    EndpointUrl::parse(text).map_err(|error| because("Endpoint", &error.to_string()))
}

async fn make(call: &Call<'_>, id: EndpointId, topic: TopicName, url: &EndpointUrl) -> Result<(), QueryError> {
    let _counted = call.service.subscribing.lock().await;
    let endpoints = &call.service.endpoints;
    if !endpoints.has_topic(call.account(), &topic) {
        return Err(no_topic());
    }
    if find(endpoints, &id, &topic).is_some() {
        return Ok(());
    }
    if subscriptions(call).len() >= MAX_SUBSCRIPTIONS_OF_ACCOUNT {
        return Err(QueryError::new(Code::SubscriptionLimitExceeded));
    }
    let mut given = Given::default();
    given.set("url", url.to_string());
    match endpoints.add(NewEndpoint { id, origin: Origin::Tenant, topic: Some(topic), given }).await {
        Ok(_) => Ok(()),
        Err(error) => Err(sns::failed(error, "Endpoint")),
    }
}

/// Idempotent, as at AWS.
/// <https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html>
pub async fn unsubscribe(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let (id, topic) = subscription_named(call)?;
    if find(&call.service.endpoints, &id, &topic).is_some() {
        match call.service.endpoints.remove(&id).await {
            // Somebody else was faster.
            Ok(()) | Err(endpoint::Error::NoSuch(_)) => {}
            Err(error) => return Err(sns::failed(error, "SubscriptionArn")),
        }
    }
    Ok(call.done())
}

pub fn list_subscriptions(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    call.authorize(&sns::all_topics(call))?;
    list(call, subscriptions(call))
}

pub fn list_subscriptions_by_topic(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let topic = topic_named(call)?;
    if !call.service.endpoints.has_topic(call.account(), &topic) {
        return Err(no_topic());
    }
    let mut listed = subscriptions(call);
    listed.retain(|endpoint| endpoint.topic.as_ref() == Some(&topic));
    list(call, listed)
}

/// Every subscription of the caller's account, by name.
fn subscriptions(call: &Call<'_>) -> Vec<Arc<Endpoint>> {
    let mut endpoints = call.service.endpoints.of_account(call.account());
    endpoints.retain(|endpoint| endpoint.topic.is_some());
    endpoints
}

fn list(call: &Call<'_>, listed: Vec<Arc<Endpoint>>) -> Result<Vec<u8>, QueryError> {
    let page = Page::of_token(&call.parameters)?;
    let (listed, next) = page.cut(listed, |endpoint| endpoint.id.name.as_str());
    Ok(call.answer(|result| {
        result.nest("Subscriptions", |list| {
            for endpoint in &listed {
                list.nest("member", |member| write(call, member, endpoint));
            }
        });
        write_next_token(result, next.as_deref());
    }))
}

fn write(call: &Call<'_>, member: &mut Writer, endpoint: &Endpoint) {
    for (key, value) in identity(call, endpoint) {
        member.text(key, &value);
    }
}

/// What lists and attributes tell alike.
fn identity(call: &Call<'_>, endpoint: &Endpoint) -> Vec<(&'static str, String)> {
    let Some(topic) = &endpoint.topic else { return Vec::new() };
    vec![
        ("SubscriptionArn", subscription_arn(call, topic, &endpoint.id.name)),
        ("Owner", endpoint.id.account.to_string()),
        ("Protocol", if endpoint.url.is_tls() { "https" } else { "http" }.to_owned()),
        ("Endpoint", endpoint.url.to_string()),
        ("TopicArn", topic_arn(call, topic.as_str()).to_string()),
    ]
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html>
pub fn get_subscription_attributes(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let (id, topic) = subscription_named(call)?;
    let Some(endpoint) = find(&call.service.endpoints, &id, &topic) else {
        return Err(QueryError::with_message(Code::NotFound, "Subscription does not exist"));
    };
    let mut attributes = identity(call, &endpoint);
    let state = match &endpoint.state {
        State::Active => "active".to_owned(),
        State::Paused => "paused".to_owned(),
        State::Disabled { reason } => format!("disabled: {reason}"),
    };
    attributes.extend([
        ("PendingConfirmation", "false".to_owned()),
        ("ConfirmationWasAuthenticated", "true".to_owned()),
        ("RawMessageDelivery", "true".to_owned()),
        ("BrimState", state),
    ]);
    if call.may(READ_SECRET, &topic_arn(call, topic.as_str())) {
        attributes.push(("BrimSigningSecret", endpoint.secrets.current.reveal().to_string()));
    }
    Ok(call.answer(|result| write_attributes(result, &attributes)))
}
