//! One order: a challenge answered, a certificate received. RFC 8555 section 7.4.

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewOrder, Order, OrderStatus, RetryPolicy,
};

use super::Error;
use super::ledger::Reached;
use crate::names::HostName;
use crate::tls::challenges::{Challenges, Offered};

/// How an order's state is asked for.
const POLLING: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(500)).backoff(1.5).timeout(Duration::from_secs(120));

/// A certificate that an authority issued.
pub struct Issued {
    /// In PEM, new for this certificate.
    pub key: String,
    /// In PEM, the certificate of the host first.
    pub chain: String,
}

/// Orders a certificate for `host`, and notes once the authority took the order. Dropping it ends the order: the authority
/// forgets what nobody finishes.
pub async fn issue(
    account: &Account,
    host: &HostName,
    challenges: &Challenges,
    reached: &mut Reached,
) -> Result<Issued, Error> {
    let hosts = [Identifier::Dns(host.as_str().to_owned())];
    let mut order = account.new_order(&NewOrder::new(&hosts)).await?;
    *reached = Reached::Order;
    let offered = answer_challenges(&mut order, challenges).await?;
    let status = order.poll_ready(&POLLING).await;
    if !matches!(status, Ok(OrderStatus::Ready)) {
        return Err(match reason(&mut order).await {
            Some(reason) => Error::Invalid(reason),
            None => status.map_or_else(Error::from, |status| Error::Invalid(format!("the order is {status:?}"))),
        });
    }
    drop(offered);
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&POLLING).await?;
    Ok(Issued { key, chain })
}

/// Offers an answer to the challenge of each authorization that is still to be given, then says so.
async fn answer_challenges(order: &mut Order, challenges: &Challenges) -> Result<Vec<Offered>, Error> {
    let mut offered = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization.challenge(ChallengeType::Http01).ok_or(Error::NoChallenge)?;
        offered.push(challenges.offer(&challenge.token, challenge.key_authorization().as_str()));
        challenge.set_ready().await?;
    }
    Ok(offered)
}

/// What the authority says was wrong with a challenge.
async fn reason(order: &mut Order) -> Option<String> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let state = authorization.refresh().await.ok()?;
        let problem = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = problem {
            return Some(problem.to_string());
        }
    }
    None
}
