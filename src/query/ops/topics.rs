//! Topics: what bucket notifications can be sent to by their ARNs.

use super::sns::{self, attributes, because, invalid, no_topic, required, topic_arn, topic_named, write_attributes};
use crate::events::endpoint::TopicName;
use crate::query::call::Call;
use crate::query::error::{Code, QueryError};
use crate::query::page::{Page, write_next_token};

/// The most topics of an account.
const MAX_TOPICS_OF_ACCOUNT: usize = 100;

/// Idempotent: gives the ARN of the topic that there is.
/// <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>
pub async fn create_topic(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let name = TopicName::parse(required(&call.parameters, "Name")?).map_err(|_| invalid("Topic Name"))?;
    let arn = topic_arn(call, name.as_str());
    call.authorize(&arn)?;
    for (key, value) in attributes(&call.parameters)? {
        match (key, value) {
            ("FifoTopic", "false") | ("DisplayName", "") => {}
            ("FifoTopic", _) => return Err(because("Attributes", "FIFO topics are not implemented")),
            _ => return Err(because("Attributes", &format!("{key} is not implemented"))),
        }
    }
    let _counted = call.service.subscribing.lock().await;
    let endpoints = &call.service.endpoints;
    if !endpoints.has_topic(call.account(), &name) && endpoints.topics(call.account()).len() >= MAX_TOPICS_OF_ACCOUNT {
        return Err(QueryError::new(Code::TopicLimitExceeded));
    }
    endpoints.create_topic(call.account(), &name).await.map_err(|error| sns::failed(error, "Name"))?;
    Ok(call.answer(|result| {
        result.text("TopicArn", arn.as_str());
    }))
}

/// Idempotent; the subscriptions go with the topic.
/// <https://docs.aws.amazon.com/sns/latest/api/API_DeleteTopic.html>
pub async fn delete_topic(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let name = topic_named(call)?;
    let removed = call.service.endpoints.remove_topic(call.account(), &name).await;
    removed.map_err(|error| sns::failed(error, "TopicArn"))?;
    Ok(call.done())
}

pub fn list_topics(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    call.authorize(&sns::all_topics(call))?;
    let page = Page::of_token(&call.parameters)?;
    let (topics, next) = page.cut(call.service.endpoints.topics(call.account()), TopicName::as_str);
    Ok(call.answer(|result| {
        result.nest("Topics", |list| {
            for topic in &topics {
                list.nest("member", |member| {
                    member.text("TopicArn", topic_arn(call, topic.as_str()).as_str());
                });
            }
        });
        write_next_token(result, next.as_deref());
    }))
}

pub fn get_topic_attributes(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let name = topic_named(call)?;
    let endpoints = &call.service.endpoints;
    if !endpoints.has_topic(call.account(), &name) {
        return Err(no_topic());
    }
    let of_account = endpoints.of_account(call.account());
    let subscriptions = of_account.iter().filter(|endpoint| endpoint.topic.as_ref() == Some(&name)).count();
    let attributes = [
        ("TopicArn", topic_arn(call, name.as_str()).to_string()),
        ("Owner", call.account().to_string()),
        ("DisplayName", String::new()),
        ("SubscriptionsConfirmed", subscriptions.to_string()),
        ("SubscriptionsPending", "0".to_owned()),
        ("SubscriptionsDeleted", "0".to_owned()),
    ];
    Ok(call.answer(|result| write_attributes(result, &attributes)))
}

/// Topics tell of changes in buckets, and nobody else speaks through them.
pub fn publish() -> Result<Vec<u8>, QueryError> {
    let message = "Topics of this server tell of changes in buckets and of nothing else: messages cannot be published.";
    Err(QueryError::with_message(Code::NotImplemented, message))
}
