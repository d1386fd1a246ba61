//! One request on its way through an action: what it asks, who asks, and the document that answers it.

use std::net::IpAddr;

use super::Service;
use super::action::{Api, Row};
use super::error::{Code, QueryError};
use super::form::Parameters;
use crate::access::{self, Arn, Cited, Context, Decision, Missing, Principal, Reason, Rules, Source};
use crate::http::head::Head;
use crate::identity::{Identities, Key};
use crate::names::AccountId;
use crate::telemetry::RequestId;
use crate::xml::Writer;

/// An authentic request for a known action.
pub struct Call<'c> {
    pub service: &'c Service,
    pub row: &'static Row,
    pub key: Key,
    pub parameters: Parameters,
    pub id: RequestId,
    pub origin: Origin<'c>,
}

/// Where a request comes from, for conditions of policies.
pub struct Origin<'h> {
    address: Option<IpAddr>,
    secure: bool,
    user_agent: Option<&'h str>,
    referer: Option<&'h str>,
}

impl<'h> Origin<'h> {
    /// `address` is the client's, as text; the connection is TLS where it is `secure`.
    pub fn of(head: &'h Head, address: &str, secure: bool) -> Self {
        let text = |name| head.headers.text(name).ok().flatten();
        Self {
            address: address.parse().ok().map(|address: IpAddr| address.to_canonical()),
            secure,
            user_agent: text("user-agent"),
            referer: text("referer"),
        }
    }
}

impl Call<'_> {
    pub fn identities(&self) -> &Identities {
        &self.service.identities
    }

    /// The account that everything happens in: the caller's.
    pub fn account(&self) -> &AccountId {
        &self.key.account.id
    }

    pub fn principal(&self) -> &Principal {
        &self.key.caller.principal
    }

    /// The facts of the request, as conditions of policies ask for them.
    pub fn context(&self) -> Context<'_> {
        let mut context = Context::at(self.service.clock.now());
        context.push("aws:SecureTransport", self.origin.secure);
        if let Some(address) = self.origin.address {
            context.push("aws:SourceIp", address);
        }
        if let Some(user_agent) = self.origin.user_agent {
            context.push("aws:UserAgent", user_agent);
        }
        if let Some(referer) = self.origin.referer {
            context.push("aws:Referer", referer);
        }
        context
    }

    /// Whether the caller's policies allow another action than the one that the request is.
    pub fn may(&self, action: &str, resource: &Arn) -> bool {
        let rules = Rules::of_account(self.account());
        access::decide(&self.key.caller, action, resource, &self.context(), &rules).allowed
    }

    /// Fails with AccessDenied unless the caller's policies allow the action on `resource`.
    pub fn authorize(&self, resource: &Arn) -> Result<(), QueryError> {
        self.authorize_in(resource, &self.context())
    }

    /// As [`Self::authorize`], with facts beyond those of every request.
    pub fn authorize_in(&self, resource: &Arn, context: &Context<'_>) -> Result<(), QueryError> {
        let rules = Rules::of_account(self.account());
        let decision = access::decide(&self.key.caller, self.row.permission, resource, context, &rules);
        self.hold_to(decision, resource)
    }

    /// Fails with AccessDenied, in AWS's words, where the decision is no. Which statement it was is for the log alone.
    fn hold_to(&self, decision: Decision<'_>, resource: &Arn) -> Result<(), QueryError> {
        if decision.allowed {
            return Ok(());
        }
        let (permission, user) = (self.row.shown_permission(), self.principal().arn().unwrap_or_default());
        let because = match decision.reason {
            Reason::Denied(Cited { source: Source::Session(_), .. }) => {
                "with an explicit deny in a session policy".to_owned()
            }
            Reason::Denied(_) => "with an explicit deny in an identity-based policy".to_owned(),
            Reason::NothingAllows { missing: Missing::Session, .. } => {
                format!("because no session policy allows the {permission} action")
            }
            _ => format!("because no identity-based policy allows the {permission} action"),
        };
        let message =
            format!("User: {user} is not authorized to perform: {permission} on resource: {resource} {because}");
        let code = if self.row.api == Api::Sns { Code::AuthorizationError } else { Code::AccessDenied };
        Err(QueryError::with_message(code, message).caused_by(decision.reason.to_string()))
    }

    /// The document of an action that has a result, which `inside` writes.
    pub fn answer(&self, inside: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut document = self.begin();
        document.nest(self.row.result, inside);
        self.finish(document)
    }

    /// The document of an action that has none.
    pub fn done(&self) -> Vec<u8> {
        self.finish(self.begin())
    }

    fn begin(&self) -> Writer {
        Writer::with_attributes(self.row.response, &[("xmlns", self.row.api.namespace())])
    }

    fn finish(&self, mut document: Writer) -> Vec<u8> {
        document.nest("ResponseMetadata", |metadata| {
            metadata.text("RequestId", self.id.as_str());
        });
        document.finish()
    }
}
