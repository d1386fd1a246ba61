//! Managed policies, with their versions.

use super::attachments::{Managed, check_document, missing_managed};
use super::entities::{check_description, count_up, cut};
use super::generate::UniqueId;
use super::limits::{MAX_MANAGED_POLICY, MAX_POLICIES, MAX_POLICY_VERSIONS, Quota};
use super::names::{check_name, check_path, folded};
use super::record::{PolicyRecord, VersionRecord};
use super::rows::Row;
use super::{
    Error, Holds, Identities, Listing, ManagedPolicy, NewPolicy, PolicyVersion, Scope, Wanted, What, builtin, table,
};
use crate::access::PolicyKind;
use crate::clock::Timestamp;
use crate::kv::Commit;
use crate::names::AccountId;

impl Identities {
    /// Makes a managed policy with its first version.
    pub async fn create_policy(&self, new: NewPolicy) -> Result<ManagedPolicy, Error> {
        check_name(What::Policy, &new.name)?;
        check_path(&new.path)?;
        check_description(&new.description)?;
        check_document(&new.document, PolicyKind::Identity, MAX_MANAGED_POLICY)?;
        let account = &self.known_account(&new.account)?.id;
        let record = &first_version(new, self.clock.now())?;
        self.change(|| async move {
            let key = table::policy(account, &record.name);
            if self.row::<PolicyRecord>(key.clone()).await?.is_some() {
                return Err(Error::Exists { what: What::Policy, name: record.name.clone() });
            }
            let mut counts = self.counts(account).await?;
            count_up(&mut counts.record.policies, Quota::Policies, MAX_POLICIES)?;
            let row = Row::new(key, record.clone());
            Ok((counts.replace(row.replace(Commit::new())), record.managed(account)))
        })
        .await
    }

    /// Gives a managed policy, the account's own or AWS's, or [`Error::NoSuch`].
    pub async fn policy(&self, arn: &str) -> Result<ManagedPolicy, Error> {
        match self.managed(arn).await?.ok_or_else(|| missing_managed(arn))? {
            Managed::Builtin(builtin) => Ok(builtin.managed()),
            Managed::Own(row) => Ok(row.record.managed(&account_of(arn)?)),
        }
    }

    /// One page of the managed policies that an account may attach: AWS's own first.
    pub async fn policies(
        &self,
        account: &AccountId,
        scope: Scope,
        wanted: &Wanted<'_>,
    ) -> Result<Listing<ManagedPolicy>, Error> {
        let mut found: Vec<(String, ManagedPolicy)> = Vec::new();
        // AWS's stand before every name: no name of a policy holds a slash.
        let own_after = wanted.after.filter(|after| !after.starts_with(AWS_MARKER));
        if scope != Scope::Local && own_after.is_none() {
            let builtins = builtin::BUILTINS.iter().map(|builtin| (aws_marker(builtin.name), builtin.managed()));
            found.extend(builtins.filter(|(marker, _)| wanted.after.is_none_or(|after| marker.as_str() > after)));
        }
        let mut more = false;
        if scope != Scope::Aws {
            let (rows, more_rows) = self.page(&table::policies(account), own_after, wanted.limit).await?;
            found.extend(rows.into_iter().map(|(name, record): (_, PolicyRecord)| (name, record.managed(account))));
            more = more_rows;
        }
        Ok(cut(found, more, wanted, |policy| policy.path.as_str()))
    }

    /// Removes a managed policy that is attached nowhere and has no version beside the default one.
    pub async fn delete_policy(&self, arn: &str) -> Result<(), Error> {
        let account = &account_of(arn)?;
        self.change(|| async move {
            let row = self.own_policy(arn).await?;
            let conflict = |holds| Error::DeleteConflict { what: What::Policy, name: row.record.name.clone(), holds };
            if row.record.attachments > 0 {
                return Err(conflict(Holds::Attachments));
            }
            if row.record.versions.len() > 1 {
                return Err(conflict(Holds::Versions));
            }
            let mut counts = self.counts(account).await?;
            counts.record.policies = counts.record.policies.saturating_sub(1);
            Ok((counts.replace(row.remove(Commit::new())), ()))
        })
        .await
    }

    /// The versions of a managed policy, the newest first.
    pub async fn policy_versions(&self, arn: &str) -> Result<Vec<PolicyVersion>, Error> {
        match self.managed(arn).await?.ok_or_else(|| missing_managed(arn))? {
            Managed::Builtin(builtin) => Ok(vec![builtin_version(builtin)]),
            Managed::Own(row) => {
                let default = row.record.default_version;
                Ok(row.record.versions.into_iter().rev().map(|version| version.shown(default)).collect())
            }
        }
    }

    /// Gives a version with its document, or [`Error::NoSuch`].
    pub async fn policy_version(&self, arn: &str, number: u32) -> Result<PolicyVersion, Error> {
        let versions = self.policy_versions(arn).await?;
        versions.into_iter().find(|version| version.number == number).ok_or_else(|| missing_version(number))
    }

    /// Adds a version; with `as_default` it counts from the next request on.
    pub async fn create_policy_version(
        &self,
        arn: &str,
        document: &str,
        as_default: bool,
    ) -> Result<PolicyVersion, Error> {
        check_document(document, PolicyKind::Identity, MAX_MANAGED_POLICY)?;
        let now = self.clock.now();
        self.change(|| async move {
            let mut row = self.own_policy(arn).await?;
            let record = &mut row.record;
            if record.versions.len() >= MAX_POLICY_VERSIONS {
                return Err(Error::Limit { quota: Quota::VersionsPerPolicy, limit: MAX_POLICY_VERSIONS });
            }
            let version = VersionRecord { number: record.next_version, created: now, document: document.to_owned() };
            record.next_version = record.next_version.saturating_add(1);
            record.versions.push(version.clone());
            if as_default {
                (record.default_version, record.updated) = (version.number, now);
            }
            let shown = version.shown(record.default_version);
            Ok((row.replace(Commit::new()), shown))
        })
        .await
    }

    /// Makes another version count, from the next request on.
    pub async fn set_default_policy_version(&self, arn: &str, number: u32) -> Result<(), Error> {
        let now = self.clock.now();
        self.change(|| async move {
            let mut row = self.own_policy(arn).await?;
            if !row.record.versions.iter().any(|version| version.number == number) {
                return Err(missing_version(number));
            }
            (row.record.default_version, row.record.updated) = (number, now);
            Ok((row.replace(Commit::new()), ()))
        })
        .await
    }

    /// Removes a version that is not the default one.
    pub async fn delete_policy_version(&self, arn: &str, number: u32) -> Result<(), Error> {
        self.change(|| async move {
            let mut row = self.own_policy(arn).await?;
            if row.record.default_version == number {
                return Err(Error::DefaultVersion(number));
            }
            let before = row.record.versions.len();
            row.record.versions.retain(|version| version.number != number);
            if row.record.versions.len() == before {
                return Err(missing_version(number));
            }
            Ok((row.replace(Commit::new()), ()))
        })
        .await
    }

    async fn own_policy(&self, arn: &str) -> Result<Row<PolicyRecord>, Error> {
        match self.managed(arn).await?.ok_or_else(|| missing_managed(arn))? {
            Managed::Builtin(_) => Err(Error::Unmodifiable(arn.to_owned())),
            Managed::Own(row) => Ok(*row),
        }
    }
}

/// What markers of AWS's policies start with.
const AWS_MARKER: &str = "/aws/";

fn aws_marker(name: &str) -> String {
    format!("{AWS_MARKER}{}", folded(name))
}

fn first_version(new: NewPolicy, now: Timestamp) -> Result<PolicyRecord, Error> {
    Ok(PolicyRecord {
        name: new.name,
        path: new.path,
        id: UniqueId::ManagedPolicy.generate()?,
        description: new.description,
        created: now,
        updated: now,
        attachments: 0,
        versions: vec![VersionRecord { number: 1, created: now, document: new.document }],
        default_version: 1,
        next_version: 2,
    })
}

fn builtin_version(builtin: &builtin::Builtin) -> PolicyVersion {
    let created = Timestamp::from_seconds(0);
    PolicyVersion { number: 1, created, document: builtin.document.to_owned(), is_default: true }
}

/// The account that an ARN of an own policy names; AWS's cannot be changed.
fn account_of(arn: &str) -> Result<AccountId, Error> {
    match super::parse_policy_arn(arn) {
        Some((Some(account), _)) => Ok(account),
        Some((None, _)) => Err(Error::Unmodifiable(arn.to_owned())),
        None => Err(missing_managed(arn)),
    }
}

fn missing_version(number: u32) -> Error {
    Error::NoSuch { what: What::PolicyVersion, name: format!("v{number}") }
}

impl PolicyRecord {
    fn managed(&self, account: &AccountId) -> ManagedPolicy {
        ManagedPolicy {
            account: Some(account.clone()),
            name: self.name.clone(),
            path: self.path.clone(),
            id: self.id.clone(),
            description: self.description.clone(),
            created: self.created,
            updated: self.updated,
            attachments: Some(self.attachments),
            default_version: self.default_version,
        }
    }

    /// The document that counts; `None` where the record is damaged.
    pub(super) fn default_document(&self) -> Option<&str> {
        let default = self.versions.iter().find(|version| version.number == self.default_version)?;
        Some(&default.document)
    }
}

impl VersionRecord {
    fn shown(self, default: u32) -> PolicyVersion {
        let Self { number, created, document } = self;
        PolicyVersion { number, created, document, is_default: number == default }
    }
}
