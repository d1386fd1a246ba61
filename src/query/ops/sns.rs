//! What topics and their subscriptions share: ARNs, attributes and refusals, in SNS's words.
//!
//! A subscription is an endpoint of the account that hears what its topic is told, called by what it is made of: the same
//! URL under the same topic is the same subscription, however often it is asked for.

use aws_lc_rs::digest;

use crate::access::{Arn, PARTITION};
use crate::events::endpoint::{self, Endpoint, EndpointId, EndpointName, Endpoints, TopicName};
use crate::names::AccountId;
use crate::query::call::Call;
use crate::query::error::{Code, QueryError};
use crate::query::form::Parameters;
use crate::transport::sentence;
use crate::xml::Writer;

/// How many elements the ARN of a topic has; that of a subscription has one more.
const TOPIC_ELEMENTS: usize = 6;

/// The topic that a request names: one of the caller's account, whether it is there or not.
pub fn topic_named(call: &Call<'_>) -> Result<TopicName, QueryError> {
    let text = required(&call.parameters, "TopicArn")?;
    let elements = elements(text, "TopicArn")?;
    let name = name_of(call, &elements, "TopicArn")?;
    if elements.len() > TOPIC_ELEMENTS {
        return Err(invalid("Topic Name"));
    }
    call.authorize(&arn(elements[3], elements[4], elements[5]))?;
    own(call, elements[4], text)?;
    Ok(name)
}

/// The subscription that a request names, with its topic; the permission is for the topic.
pub fn subscription_named(call: &Call<'_>) -> Result<(EndpointId, TopicName), QueryError> {
    let text = required(&call.parameters, "SubscriptionArn")?;
    let elements = elements(text, "SubscriptionArn")?;
    let topic = name_of(call, &elements, "SubscriptionArn")?;
    let name = elements.get(TOPIC_ELEMENTS).filter(|_| elements.len() == TOPIC_ELEMENTS + 1);
    let name = name.and_then(|name| EndpointName::parse(name).ok()).ok_or_else(|| invalid("SubscriptionId"))?;
    call.authorize(&arn(elements[3], elements[4], elements[5]))?;
    own(call, elements[4], text)?;
    Ok((EndpointId { account: call.account().clone(), name }, topic))
}

/// The subscription of this name, where it is the topic's.
pub fn find(endpoints: &Endpoints, id: &EndpointId, topic: &TopicName) -> Option<std::sync::Arc<Endpoint>> {
    endpoints.get(id).filter(|endpoint| endpoint.topic.as_ref() == Some(topic))
}

/// Everything of the kind that the caller's account has: what lists are for.
pub fn all_topics(call: &Call<'_>) -> Arn {
    arn(&call.service.options.region, call.account().as_str(), "*")
}

pub fn topic_arn(call: &Call<'_>, topic: &str) -> Arn {
    arn(&call.service.options.region, call.account().as_str(), topic)
}

pub fn subscription_arn(call: &Call<'_>, topic: &TopicName, name: &EndpointName) -> String {
    format!("{}:{name}", topic_arn(call, topic.as_str()))
}

fn arn(region: &str, account: &str, resource: &str) -> Arn {
    Arn::parse(&format!("arn:{PARTITION}:sns:{region}:{account}:{resource}")).expect("six elements that begin with arn")
}

fn elements<'t>(text: &'t str, parameter: &str) -> Result<Vec<&'t str>, QueryError> {
    let elements: Vec<&str> = text.split(':').collect();
    if elements.len() < TOPIC_ELEMENTS {
        let count = elements.len();
        return Err(because(parameter, &format!("An ARN must have at least {TOPIC_ELEMENTS} elements, not {count}")));
    }
    Ok(elements)
}

/// The name of the topic in an ARN of this server's region.
fn name_of(call: &Call<'_>, elements: &[&str], parameter: &str) -> Result<TopicName, QueryError> {
    let is_here = elements[..3] == ["arn", PARTITION, "sns"] && elements[3] == call.service.options.region;
    if !is_here || elements[4].parse::<AccountId>().is_err() {
        return Err(invalid(parameter));
    }
    TopicName::parse(elements[5]).map_err(|_| invalid("Topic Name"))
}

/// Topics have no policies of their own: nobody else may do anything with them.
fn own(call: &Call<'_>, account: &str, resource: &str) -> Result<(), QueryError> {
    if account == call.account().as_str() {
        return Ok(());
    }
    let (user, action) = (call.principal().arn().unwrap_or_default(), call.row.shown_permission());
    let message = format!(
        "User: {user} is not authorized to perform: {action} on resource: {resource} because no resource-based policy \
         allows the {action} action"
    );
    Err(QueryError::with_message(Code::AuthorizationError, message))
}

/// The name of the subscription of a URL under a topic, in the form of a UUID (version 8 of RFC 9562).
pub fn subscription_name(topic: &TopicName, url: &str) -> EndpointName {
    let hash = digest::digest(&digest::SHA256, format!("{topic} {url}").as_bytes());
    let mut bytes: [u8; 16] = hash.as_ref().first_chunk().copied().unwrap_or_default();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    EndpointName::parse(&parts.join("-")).expect("36 digits and hyphens are a name")
}

/// The attributes that a request gives: `Attributes.entry.1.key`, `Attributes.entry.1.value` and so on.
pub fn attributes(parameters: &Parameters) -> Result<Vec<(&str, &str)>, QueryError> {
    let mut attributes = Vec::new();
    loop {
        let place = format!("Attributes.entry.{}", attributes.len() + 1);
        match (parameters.get(&format!("{place}.key")), parameters.get(&format!("{place}.value"))) {
            (Some(key), value) => attributes.push((key, value.unwrap_or_default())),
            (None, _) => break,
        }
    }
    let given = parameters.names().filter(|name| name.starts_with("Attributes.") && name.ends_with(".key")).count();
    if given > attributes.len() {
        return Err(because("Attributes", "the entries are not numbered from 1"));
    }
    Ok(attributes)
}

pub fn write_attributes(result: &mut Writer, attributes: &[(&str, String)]) {
    result.nest("Attributes", |map| {
        for (key, value) in attributes {
            map.nest("entry", |entry| {
                entry.text("key", key).text("value", value);
            });
        }
    });
}

pub fn required<'p>(parameters: &'p Parameters, name: &str) -> Result<&'p str, QueryError> {
    parameters.get(name).filter(|text| !text.is_empty()).ok_or_else(|| because(name, "no value for required parameter"))
}

pub fn invalid(what: &str) -> QueryError {
    QueryError::with_message(Code::InvalidParameter, format!("Invalid parameter: {what}"))
}

pub fn because(parameter: &str, reason: &str) -> QueryError {
    invalid(&format!("{parameter} Reason: {reason}"))
}

pub fn no_topic() -> QueryError {
    QueryError::with_message(Code::NotFound, "Topic does not exist")
}

/// What went wrong with endpoints, where the request's `parameter` is to blame for what can be blamed on it.
pub fn failed(error: endpoint::Error, parameter: &str) -> QueryError {
    use endpoint::Error as E;
    match error {
        E::NoSuch(_) => QueryError::with_message(Code::NotFound, "Subscription does not exist"),
        E::NoSuchTopic(_) => no_topic(),
        E::ManyTopics => QueryError::new(Code::TopicLimitExceeded),
        E::ManyEndpoints => QueryError::new(Code::SubscriptionLimitExceeded),
        E::Exists(_) | E::IsTopic(_) | E::Declared(_) | E::Options(_) | E::Forbidden(_) | E::OperatorsOnly(_) => {
            because(parameter, &sentence(&error.to_string()))
        }
        E::Tls(_)
        | E::Rotation
        | E::LongReason(_)
        | E::Sealed(_)
        | E::Record(_)
        | E::Random
        | E::Stopped(_)
        | E::Kv(_) => QueryError::new(Code::InternalError).caused_by(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_called_by_what_it_is_made_of() {
        let topic = |name: &str| TopicName::parse(name).unwrap();
        let one = subscription_name(&topic("a"), "https://a.example/");
        assert_eq!(one, subscription_name(&topic("a"), "https://a.example/"));
        assert_ne!(one, subscription_name(&topic("b"), "https://a.example/"));
        assert_ne!(one, subscription_name(&topic("a"), "https://a.example/b"));
        let parts: Vec<usize> = one.as_str().split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
    }

    #[test]
    fn attributes_are_numbered_from_one() {
        let parsed = |body: &str| Parameters::parse("", body.as_bytes()).unwrap();
        let given = parsed("Attributes.entry.2.key=b&Attributes.entry.2.value=2&Attributes.entry.1.key=a");
        assert_eq!(attributes(&given).unwrap(), [("a", ""), ("b", "2")]);
        assert!(attributes(&parsed("")).unwrap().is_empty());
        assert!(attributes(&parsed("Attributes.entry.2.key=b")).is_err());
    }
}
