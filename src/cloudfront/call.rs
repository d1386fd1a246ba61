//! One request on its way through an operation: what it asks, who asks, and whether he may.

use super::Service;
use super::error::{ApiError, Code};
use super::route::Operation;
use crate::access::{self, Arn, Context, Rules};
use crate::guard::Origin;
use crate::http::head::Head;
use crate::http::percent;
use crate::identity::Key;
use crate::names::AccountId;
use crate::store::change::Cause;
use crate::store::distributions::{DistributionId, DistributionRecord, InvalidationId};
use crate::telemetry::RequestId;

/// The most items of a page, and how many there are where nobody says.
const MAX_PAGE: usize = 100;

/// An authentic request.
pub struct Call<'c> {
    pub service: &'c Service,
    pub operation: Operation,
    pub key: Key,
    pub head: &'c Head,
    pub body: &'c [u8],
    pub origin: Origin,
    pub id: RequestId,
}

/// A document, with what goes before it.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub document: Vec<u8>,
}

impl Call<'_> {
    /// The account that everything happens in: the caller's.
    pub fn account(&self) -> &AccountId {
        &self.key.account.id
    }

    /// The distribution that is named, once the caller may do what he asks with it.
    pub async fn distribution(&self, id: Option<&str>) -> Result<(DistributionId, DistributionRecord), ApiError> {
        let named = id.ok_or_else(|| ApiError::new(Code::NoSuchDistribution))?;
        let named = percent::decode_lenient(named);
        let named = String::from_utf8_lossy(&named);
        // Its own id; or that of the site, which whoever runs the edge knows better.
        let id = named.parse().unwrap_or_else(|_| DistributionId::of(self.account(), &named));
        self.authorize(&id.to_string())?;
        Ok((id, self.service.store.distribution(self.account(), id).await?))
    }

    /// Fails unless the caller's policies allow the operation on a distribution, or on all (`*`).
    pub fn authorize(&self, distribution: &str) -> Result<(), ApiError> {
        let (account, permission) = (self.account(), self.operation.permission());
        let resource = format!("arn:aws:cloudfront::{account}:distribution/{distribution}");
        let mut context = Context::at(self.service.clock.now());
        context.push("aws:SecureTransport", self.origin.secure);
        if let Some(address) = self.origin.address {
            context.push("aws:SourceIp", address);
        }
        let rules = Rules::of_account(account);
        let may = |arn: &Arn| access::decide(&self.key.caller, permission, arn, &context, &rules).allowed;
        if Arn::parse(&resource).is_some_and(|arn| may(&arn)) {
            return Ok(());
        }
        let user = self.key.caller.principal.arn().unwrap_or_default();
        let message = format!(
            "User: {user} is not authorized to perform: {permission} on resource: {resource} because no identity-based \
             policy allows the {permission} action"
        );
        Err(ApiError::with_message(Code::AccessDenied, message))
    }

    /// The value of a query parameter; the first, where there are several.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let given = percent::parameters(&self.head.query).find(|given| given.name == name)?;
        let value = percent::decode_query(given.value.unwrap_or_default()).ok()?;
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    /// How many items a page may have.
    pub fn page_size(&self) -> Result<usize, ApiError> {
        match self.parameter("MaxItems") {
            None => Ok(MAX_PAGE),
            Some(text) => match text.parse() {
                Ok(number @ 1..) => Ok(MAX_PAGE.min(number)),
                _ => Err(ApiError::with_message(Code::InvalidArgument, "The parameter MaxItems is not valid.")),
            },
        }
    }

    /// Who and what is behind a change, for the change log.
    pub fn cause(&self) -> Cause {
        Cause {
            principal: self.key.caller.user_id.clone(),
            source_address: self.origin.address.map(|address| address.to_string()).unwrap_or_default(),
            request_id: self.id.as_str().to_owned(),
        }
    }

    /// An invalidation's id as it was given.
    pub fn invalidation_id(text: Option<&str>) -> Result<InvalidationId, ApiError> {
        text.and_then(|text| text.parse().ok()).ok_or_else(|| ApiError::new(Code::NoSuchInvalidation))
    }
}

impl Answer {
    pub fn ok(document: Vec<u8>) -> Self {
        Self { status: 200, headers: Vec::new(), document }
    }
}
