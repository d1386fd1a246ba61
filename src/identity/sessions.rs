//! Temporary credentials: AssumeRole and GetSessionToken.

use std::time::Duration;

use super::generate;
use super::limits::{
    DEFAULT_ROLE_SESSION, DEFAULT_USER_SESSION, MAX_ROOT_SESSION, MAX_SESSION_POLICY, MAX_SESSION_POLICY_ARNS,
    MAX_USER_SESSION, MIN_SESSION, Quota, policy_characters,
};
use super::names::{parse_role_arn, valid_session_name};
use super::record::Detail;
use super::token::{Session, SessionOf};
use super::{Error, Identities, Key, SecretKey};
use crate::access::{Arn, Context, Policy, PolicyKind, Principal, may_assume};
use crate::clock::Timestamp;
use crate::names::AccountId;

/// Credentials that end by themselves. Given out once: nothing of them is stored.
#[derive(Debug, Clone)]
pub struct Temporary {
    pub access_key_id: String,
    pub secret: SecretKey,
    /// To be sent with every request. As secret as the secret.
    pub session_token: String,
    pub expires: Timestamp,
}

/// What AssumeRole is asked for.
#[derive(Debug, Clone, Default)]
pub struct AssumeRole<'r> {
    pub role_arn: &'r str,
    pub session_name: &'r str,
    /// An hour where nothing is asked for.
    pub duration: Option<Duration>,
    /// Narrows the session.
    pub policy: Option<&'r str>,
    /// Managed policies of the role's account, or AWS's, that narrow the session.
    pub policy_arns: Vec<String>,
}

/// A session of a role.
#[derive(Debug, Clone)]
pub struct AssumedRole {
    pub credentials: Temporary,
    /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub arn: String,
    /// `AROA...:SESSION`.
    pub id: String,
    /// How full the room for session policies is, in percent, rounded up; `None` where there are none.
    pub packed_policy_percent: Option<u32>,
}

impl Identities {
    /// Gives credentials of a role, if its trust policy, and where that asks for it the caller's own policies, let `caller`
    /// have them. `context` is the request's, with `sts:ExternalId` and `sts:RoleSessionName` where they were given.
    pub async fn assume_role(
        &self,
        caller: &Key,
        request: &AssumeRole<'_>,
        context: &Context<'_>,
    ) -> Result<AssumedRole, Error> {
        if caller.root {
            return Err(Error::RootAssumesRole);
        }
        if !valid_session_name(request.session_name) {
            return Err(Error::SessionName(request.session_name.to_owned()));
        }
        let refused = || Error::NotTrusted {
            caller: caller.caller.principal.arn().unwrap_or_default(),
            role: request.role_arn.to_owned(),
        };
        let name = parse_role_arn(request.role_arn).ok_or_else(refused)?;
        self.account(&name.account).ok_or_else(refused)?;
        let record = self.stored(&name).await?.ok_or_else(refused)?.record;
        let arn = record.entity(&name.account).arn();
        let Detail::Role { trust, max_session_seconds, .. } = &record.detail else { return Err(refused()) };
        let stored = |source| Error::StoredPolicy { name: format!("role {}, trust policy", record.name), source };
        let trust = Policy::parse(trust.as_bytes(), PolicyKind::Trust).map_err(stored)?;
        // The path counts: an ARN with another one names nothing.
        let role = Arn::parse(request.role_arn).filter(|role| role.as_str() == arn).ok_or_else(refused)?;
        if !may_assume(&caller.caller, &role, &trust, context).allowed {
            return Err(refused());
        }

        let chained = matches!(caller.caller.principal, Principal::AssumedRole { .. });
        let most = Duration::from_secs((*max_session_seconds).into());
        let most = if chained { most.min(MAX_ROOT_SESSION) } else { most };
        let duration = within(request.duration.unwrap_or(DEFAULT_ROLE_SESSION), most)?;
        let packed_policy_percent = self.check_session_policies(&name.account, request).await?;

        let session = request.session_name.to_owned();
        let id = format!("{}:{session}", record.id);
        let assumed = format!("arn:aws:sts::{}:assumed-role/{}/{session}", name.account, record.name);
        let of = SessionOf::Role { name: record.name, id: record.id, session };
        let policy = request.policy.map(str::to_owned);
        let credentials = self.issue(name.account, of, duration, policy, request.policy_arns.clone())?;
        Ok(AssumedRole { credentials, arn: assumed, id, packed_policy_percent })
    }

    /// Gives temporary credentials of the user, or the account's root, that asks: 12 hours where nothing else is asked for,
    /// one hour at most for a root.
    pub async fn get_session_token(&self, caller: &Key, duration: Option<Duration>) -> Result<Temporary, Error> {
        if caller.is_temporary() {
            return Err(Error::Temporary);
        }
        let duration = within(duration.unwrap_or(DEFAULT_USER_SESSION), MAX_USER_SESSION)?;
        let account = caller.account.id.clone();
        match &caller.caller.principal {
            Principal::Root { .. } => {
                self.issue(account, SessionOf::Root, duration.min(MAX_ROOT_SESSION), None, Vec::new())
            }
            Principal::User { name, .. } => {
                let of = SessionOf::User { name: name.clone(), id: caller.caller.user_id.clone() };
                self.issue(account, of, duration, None, Vec::new())
            }
            Principal::Anonymous | Principal::AssumedRole { .. } => Err(Error::Temporary),
        }
    }

    fn issue(
        &self,
        account: AccountId,
        of: SessionOf,
        duration: Duration,
        policy: Option<String>,
        policy_arns: Vec<String>,
    ) -> Result<Temporary, Error> {
        let (access_key_id, secret) = (generate::temporary_key_id()?, generate::secret()?);
        // Whole seconds, as answers show it.
        let expires = Timestamp::from_seconds(self.clock.now().plus(duration).as_seconds());
        let session = Session { secret: secret.expose().to_owned(), account, of, expires, policy, policy_arns };
        let session_token = self.tokens.seal(&access_key_id, &session)?;
        Ok(Temporary { access_key_id, secret, session_token, expires })
    }

    /// How full the room for session policies is; an error where they are not valid, too long, or not there.
    async fn check_session_policies(
        &self,
        account: &AccountId,
        request: &AssumeRole<'_>,
    ) -> Result<Option<u32>, Error> {
        if request.policy.is_none() && request.policy_arns.is_empty() {
            return Ok(None);
        }
        if request.policy_arns.len() > MAX_SESSION_POLICY_ARNS {
            return Err(Error::Limit { quota: Quota::SessionPolicies, limit: MAX_SESSION_POLICY_ARNS });
        }
        let mut characters = request.policy.map_or(0, policy_characters);
        characters += request.policy_arns.iter().map(String::len).sum::<usize>();
        if characters > MAX_SESSION_POLICY {
            return Err(Error::Limit { quota: Quota::PolicySize, limit: MAX_SESSION_POLICY });
        }
        if let Some(policy) = request.policy {
            Policy::parse(policy.as_bytes(), PolicyKind::Session).map_err(Error::Policy)?;
        }
        for arn in &request.policy_arns {
            self.attachable(account, arn).await?;
        }
        Ok(Some((characters * 100).div_ceil(MAX_SESSION_POLICY) as u32))
    }
}

fn within(duration: Duration, most: Duration) -> Result<Duration, Error> {
    match (MIN_SESSION..=most).contains(&duration) {
        true => Ok(duration),
        false => Err(Error::Duration { least: MIN_SESSION.as_secs(), most: most.as_secs() }),
    }
}
