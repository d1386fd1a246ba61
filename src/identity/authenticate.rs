//! From an access key id to who calls: the key, and every policy that speaks of its holder.

use std::sync::Arc;

use super::attachments::Managed;
use super::cache::Generation;
use super::declared::root_caller;
use super::record::{Detail, EntityRecord, KeyHolder};
use super::token::{SessionOf, digest_of};
use super::{Account, EntityName, Error, Identities, KEYS, Key, SecretKey, Status, keys};
use crate::access::{Attached, Caller, Policy, PolicyKind, Principal};
use crate::names::AccountId;

/// Whoever a key stands for, found at last.
struct Found {
    caller: Arc<Caller>,
    account: Arc<Account>,
    root: bool,
}

impl Identities {
    /// Gives the active key with this id, and who calls with it. Reads and decrypts once, then answers from memory until
    /// anything changes.
    ///
    /// `token` is the session token: temporary credentials need theirs, and no other key may come with one. Fails with
    /// [`Error::InvalidToken`] or [`Error::ExpiredToken`]. `None`: there is no such key, or it is disabled, or its user, role
    /// or account is gone.
    pub async fn authenticate(&self, access_key_id: &str, token: Option<&str>) -> Result<Option<Key>, Error> {
        match token {
            Some(token) => self.temporary(access_key_id, token).await,
            None => self.lasting(access_key_id).await,
        }
    }

    /// The user as a caller, judged as what he signs is judged. Fails with [`Error::NoSuch`].
    pub async fn caller_of_user(&self, account: &AccountId, user: &str) -> Result<Arc<Caller>, Error> {
        let account = self.known_account(account)?;
        let name = EntityName::user(&account.id, user);
        match self.declared().user(&name) {
            Some(user) if user.root => return Ok(root_caller(&account)),
            Some(user) => return Ok(user.caller(&account)),
            None => {}
        }
        let generation = self.cache.generation();
        let id = self.stored(&name).await?.ok_or_else(|| name.missing())?.record.id;
        let found = self.user_caller(&name, &id, generation).await?;
        found.map(|found| found.caller).ok_or_else(|| name.missing())
    }

    /// The account itself as a caller. Fails with [`Error::NoSuch`].
    pub fn caller_of_root(&self, account: &AccountId) -> Result<Arc<Caller>, Error> {
        Ok(root_caller(&*self.known_account(account)?))
    }

    async fn lasting(&self, access_key_id: &str) -> Result<Option<Key>, Error> {
        if let Some(key) = self.declared().key(access_key_id) {
            return Ok(Some(key.clone()));
        }
        let generation = match self.cache.key(access_key_id, None) {
            Ok(key) => return Ok(Some(key)),
            Err(generation) => generation,
        };
        let Some(row) = self.kv.get(KEYS, access_key_id.as_bytes()).await? else { return Ok(None) };
        let record = keys::decode(access_key_id, &row)?;
        if record.status != Status::Active {
            return Ok(None);
        }
        let secret = self.unseal(access_key_id, &record)?;
        let Some(Found { caller, account, root }) = self.holder(&record.holder, generation).await? else {
            return Ok(None);
        };
        let key = Key { access_key_id: access_key_id.into(), secret, caller, account, root, expires: None };
        self.cache.keep_key(&key, None, generation);
        Ok(Some(key))
    }

    async fn temporary(&self, access_key_id: &str, token: &str) -> Result<Option<Key>, Error> {
        let digest = Some(digest_of(token));
        let generation = match self.cache.key(access_key_id, digest) {
            Ok(key) => return self.unexpired(key).map(Some),
            Err(generation) => generation,
        };
        let session = self.tokens.open(access_key_id, token)?;
        let secret = SecretKey::parse(&session.secret).ok_or(Error::InvalidToken)?;
        let holder = SessionHolder { account: &session.account, of: &session.of };
        let Some(Found { caller, account, root }) = self.session_holder(holder, generation).await? else {
            return Ok(None);
        };
        let session_policies = self.session_policies(&session.policy, &session.policy_arns, generation).await?;
        let caller = Arc::new(Caller { session_policies, ..(*caller).clone() });
        let expires = Some(session.expires);
        let key =
            self.unexpired(Key { access_key_id: access_key_id.into(), secret, caller, account, root, expires })?;
        self.cache.keep_key(&key, digest, generation);
        Ok(Some(key))
    }

    fn unexpired(&self, key: Key) -> Result<Key, Error> {
        match key.expires {
            Some(expires) if expires <= self.clock.now() => Err(Error::ExpiredToken),
            _ => Ok(key),
        }
    }

    async fn holder(&self, holder: &KeyHolder, generation: Generation) -> Result<Option<Found>, Error> {
        match holder {
            KeyHolder::DefaultAccount => Ok(Some(root(self.default_account()))),
            KeyHolder::Account(account) => Ok(self.account(account).map(root)),
            KeyHolder::User { account, name, id } => {
                self.user_caller(&EntityName::user(account, name), id, generation).await
            }
        }
    }

    async fn session_holder(&self, holder: SessionHolder<'_>, generation: Generation) -> Result<Option<Found>, Error> {
        let SessionHolder { account, of } = holder;
        match of {
            SessionOf::Root => Ok(self.account(account).map(root)),
            SessionOf::User { name, id } => self.user_caller(&EntityName::user(account, name), id, generation).await,
            SessionOf::Role { name, id, session } => {
                self.role_caller(&EntityName::role(account, name), id, session, generation).await
            }
        }
    }

    /// The user as a caller; `None` where the account is gone, or the user is, or is another one of the same name.
    async fn user_caller(&self, name: &EntityName, id: &str, generation: Generation) -> Result<Option<Found>, Error> {
        let Some(account) = self.account(&name.account) else { return Ok(None) };
        if let Some(user) = self.declared().user(name) {
            let same = user.entity(&name.account).id == id;
            return Ok(same.then(|| Found { caller: user.caller(&account), account, root: false }));
        }
        let Some(row) = self.stored(name).await?.filter(|row| row.record.id == id) else { return Ok(None) };
        let user = row.record;
        let mut policies = self.policies_of("user", name, &user, generation).await?;
        if let Detail::User { groups, .. } = &user.detail {
            for group in groups {
                let group = EntityName::group(&name.account, group);
                // One that was deleted meanwhile says nothing any more.
                if let Some(row) = self.stored(&group).await? {
                    policies.extend(self.policies_of("group", &group, &row.record, generation).await?);
                }
            }
        }
        let EntityRecord { name, path, id, .. } = user;
        let principal = Principal::User { account: account.id.clone(), path, name };
        Ok(Some(found(principal, id, policies, account)))
    }

    async fn role_caller(
        &self,
        name: &EntityName,
        id: &str,
        session: &str,
        generation: Generation,
    ) -> Result<Option<Found>, Error> {
        let Some(account) = self.account(&name.account) else { return Ok(None) };
        let Some(row) = self.stored(name).await?.filter(|row| row.record.id == id) else { return Ok(None) };
        let policies = self.policies_of("role", name, &row.record, generation).await?;
        let EntityRecord { name, path, id, .. } = row.record;
        let session = session.to_owned();
        let user_id = format!("{id}:{session}");
        let principal = Principal::AssumedRole { account: account.id.clone(), path, role: name, session };
        Ok(Some(found(principal, user_id, policies, account)))
    }

    /// The inline and the managed policies of one entity, parsed.
    async fn policies_of(
        &self,
        kind: &str,
        name: &EntityName,
        record: &EntityRecord,
        generation: Generation,
    ) -> Result<Vec<Attached>, Error> {
        let mut policies = Vec::with_capacity(record.inline.len() + record.attached.len());
        for inline in &record.inline {
            let title = format!("{kind} {}, inline policy {}", record.name, inline.name);
            let kept_as = format!("{} {title}", name.account);
            let policy = self.parsed(kept_as, &inline.document, generation)?;
            policies.push(Attached { name: title, policy });
        }
        for arn in &record.attached {
            // One that was deleted meanwhile was detached before.
            if let Some(policy) = self.managed_policy(arn, generation).await? {
                policies.push(Attached { name: format!("{kind} {}, managed policy {arn}", record.name), policy });
            }
        }
        Ok(policies)
    }

    /// What narrows a session; `None` where nothing does.
    pub(super) async fn session_policies(
        &self,
        policy: &Option<String>,
        arns: &[String],
        generation: Generation,
    ) -> Result<Option<Arc<[Attached]>>, Error> {
        if policy.is_none() && arns.is_empty() {
            return Ok(None);
        }
        let mut policies = Vec::new();
        if let Some(document) = policy {
            let name = "session policy".to_owned();
            let policy = Policy::parse(document.as_bytes(), PolicyKind::Session)
                .map_err(|source| Error::StoredPolicy { name: name.clone(), source })?;
            policies.push(Attached { name, policy: Arc::new(policy) });
        }
        for arn in arns {
            // A policy that is gone allows nothing any more: the session keeps only what the others allow.
            if let Some(policy) = self.managed_policy(arn, generation).await? {
                policies.push(Attached { name: format!("session policy {arn}"), policy });
            }
        }
        Ok(Some(policies.into()))
    }

    async fn managed_policy(&self, arn: &str, generation: Generation) -> Result<Option<Arc<Policy>>, Error> {
        if let Some(policy) = self.cache.policy(arn) {
            return Ok(Some(policy));
        }
        match self.managed(arn).await? {
            None => Ok(None),
            Some(Managed::Builtin(builtin)) => self.parsed(arn.to_owned(), builtin.document, generation).map(Some),
            Some(Managed::Own(row)) => {
                let damaged = || Error::Record(format!("policy {arn}"));
                let document = row.record.default_document().ok_or_else(damaged)?;
                self.parsed(arn.to_owned(), document, generation).map(Some)
            }
        }
    }

    /// The policy, parsed once for everyone whom it speaks of.
    fn parsed(&self, kept_as: String, document: &str, generation: Generation) -> Result<Arc<Policy>, Error> {
        if let Some(policy) = self.cache.policy(&kept_as) {
            return Ok(policy);
        }
        let parsed = Policy::parse(document.as_bytes(), PolicyKind::Identity);
        let policy = parsed.map_err(|source| Error::StoredPolicy { name: kept_as.clone(), source })?;
        let policy = Arc::new(policy);
        self.cache.keep_policy(kept_as, Arc::clone(&policy), generation);
        Ok(policy)
    }
}

/// Whom a session stands for.
struct SessionHolder<'s> {
    account: &'s AccountId,
    of: &'s SessionOf,
}

fn root(account: Arc<Account>) -> Found {
    Found { caller: root_caller(&account), account, root: true }
}

fn found(principal: Principal, user_id: String, policies: Vec<Attached>, account: Arc<Account>) -> Found {
    let canonical_id = account.canonical_id.clone();
    let caller = Caller { principal, user_id, canonical_id, policies: policies.into(), session_policies: None };
    Found { caller: Arc::new(caller), account, root: false }
}
