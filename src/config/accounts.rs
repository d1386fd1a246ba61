//! `[[account]]` in the file: accounts with their users, keys and policies.
//!
//! Every fault is noted with its place; no secret is ever part of one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::{Table, Value};

use super::fault::Fault;
use super::kind::{ACCESS_KEY_ID, ACCOUNT_ID, SECRET_ACCESS_KEY};
use super::tables::{TableReader, label};
use crate::identity::{
    Account, DeclaredAccount, DeclaredPolicy, DeclaredUser, GivenKey, What, check_name, check_path, valid_canonical_id,
};

/// The key of the file's tables of accounts.
pub const ACCOUNT: &str = "account";

/// The most bytes that are read of a policy's file: above the longest policy.
const MAX_POLICY_FILE_BYTES: u64 = 64 * 1024;
/// The longest display name and e-mail, in characters.
const MAX_NAME_CHARACTERS: usize = 256;

const ACCOUNT_KEYS: &[&str] = &["id", "display_name", "email", "canonical_id", "key", "user"];
const USER_KEYS: &[&str] = &["name", "path", "root", "keys", "policies"];
const KEY_KEYS: &[&str] = &["access_key_id", "secret_access_key"];
const POLICY_KEYS: &[&str] = &["name", "document", "file"];

/// Gives the accounts that the value of `account` in the file at `path` declares, and notes what is wrong with them.
pub fn read(value: &Value, path: &Path, faults: &mut Vec<Fault>) -> Vec<DeclaredAccount> {
    let mut reader = AccountReader { tables: TableReader::of(path, faults), key_ids: BTreeMap::new() };
    let accounts: Vec<DeclaredAccount> = reader
        .tables
        .list(ACCOUNT, value)
        .into_iter()
        .enumerate()
        .filter_map(|(index, table)| reader.account(index, table))
        .collect();
    reader.check_unique(&accounts);
    accounts
}

struct AccountReader<'r> {
    tables: TableReader<'r>,
    /// Where each access key id was given first.
    key_ids: BTreeMap<String, String>,
}

impl AccountReader<'_> {
    fn account(&mut self, index: usize, table: &Table) -> Option<DeclaredAccount> {
        let at = label("account", index, table.get("id"));
        self.tables.check_keys(&at, table, ACCOUNT_KEYS);
        let id = self.tables.text(&at, table, "id", true).and_then(|text| {
            self.tables.parsed(&at, "id", &format!("{text:?}"), ACCOUNT_ID.form.expects, (ACCOUNT_ID.parse)(text))
        });
        let display_name = self.name(&at, table, "display_name");
        let email = self.name(&at, table, "email");
        let canonical_id = self.tables.text(&at, table, "canonical_id", false).and_then(|text| {
            let valid = valid_canonical_id(text).then(|| text.to_owned());
            self.tables.parsed(&at, "canonical_id", &format!("{text:?}"), "64 lower-case hex digits", valid)
        });
        let keys = self.keys(&at, "key", table);
        let users = self.tables.nested(&at, "user", table);
        let users: Vec<DeclaredUser> =
            users.into_iter().enumerate().filter_map(|(index, table)| self.user(&at, index, table)).collect();
        self.tables.check_names(&at, "user", users.iter().map(|user| user.name.to_ascii_lowercase()));

        let mut account = Account::plain(id?);
        account.display_name = display_name.unwrap_or(account.display_name);
        account.canonical_id = canonical_id.unwrap_or(account.canonical_id);
        account.email = email;
        Some(DeclaredAccount { account, keys, users })
    }

    fn user(&mut self, account: &str, index: usize, table: &Table) -> Option<DeclaredUser> {
        let at = format!("{account}, {}", label("user", index, table.get("name")));
        self.tables.check_keys(&at, table, USER_KEYS);
        let name = self.tables.text(&at, table, "name", true).and_then(|text| {
            let valid = check_name(What::User, text).is_ok().then(|| text.to_owned());
            self.tables.parsed(&at, "name", &format!("{text:?}"), "1 to 64 letters, digits and +=,.@_-", valid)
        });
        let path = self.tables.text(&at, table, "path", false).unwrap_or("/").to_owned();
        if check_path(&path).is_err() {
            self.tables
                .fault(&at, format!("path is {path:?}, which is not valid; expected / or words between slashes"));
        }
        let root = match table.get("root") {
            None => false,
            Some(Value::Boolean(root)) => *root,
            Some(other) => {
                self.tables.fault(&at, format!("root is {other}, which is not valid; expected true or false"));
                false
            }
        };
        let keys = self.keys(&at, "keys", table);
        let policies = self.tables.nested(&at, "policies", table);
        let policies: Vec<DeclaredPolicy> =
            policies.into_iter().enumerate().filter_map(|(index, table)| self.policy(&at, index, table)).collect();
        self.tables.check_names(&at, "policy", policies.iter().map(|policy| policy.name.clone()));
        Some(DeclaredUser { name: name?, path, root, keys, policies })
    }

    fn keys(&mut self, of: &str, key: &str, table: &Table) -> Vec<GivenKey> {
        let tables = self.tables.nested(of, key, table);
        tables.into_iter().enumerate().filter_map(|(index, table)| self.key(of, index, table)).collect()
    }

    fn key(&mut self, of: &str, index: usize, table: &Table) -> Option<GivenKey> {
        let at = format!("{of}, {}", label("key", index, table.get("access_key_id")));
        self.tables.check_keys(&at, table, KEY_KEYS);
        let id = self.tables.text(&at, table, "access_key_id", true).and_then(|text| {
            let expects = ACCESS_KEY_ID.form.expects;
            self.tables.parsed(
                &at,
                "access_key_id",
                &format!("{text:?}"),
                expects,
                (ACCESS_KEY_ID.parse)(text).flatten(),
            )
        });
        let secret = self.tables.text(&at, table, "secret_access_key", true).and_then(|text| {
            let expects = SECRET_ACCESS_KEY.form.expects;
            self.tables.parsed(
                &at,
                "secret_access_key",
                "the value",
                expects,
                (SECRET_ACCESS_KEY.parse)(text).flatten(),
            )
        });
        let access_key_id = id?;
        if let Some(first) = self.key_ids.insert(access_key_id.clone(), at.clone()) {
            self.tables.fault(&at, format!("the same access key id is at {first}"));
        }
        Some(GivenKey { access_key_id, secret: secret? })
    }

    fn policy(&mut self, of: &str, index: usize, table: &Table) -> Option<DeclaredPolicy> {
        let at = format!("{of}, {}", label("policy", index, table.get("name")));
        self.tables.check_keys(&at, table, POLICY_KEYS);
        let name = self.tables.text(&at, table, "name", true).and_then(|text| {
            let valid = check_name(What::UserPolicy, text).is_ok().then(|| text.to_owned());
            self.tables.parsed(&at, "name", &format!("{text:?}"), "1 to 128 letters, digits and +=,.@_-", valid)
        });
        let given = self.tables.text(&at, table, "document", false).map(str::to_owned);
        let file = self.tables.text(&at, table, "file", false);
        let document = match (given, file) {
            (Some(document), None) => document,
            (None, Some(file)) => self.policy_file(&at, file)?,
            _ => {
                self.tables.fault(&at, "either document or file must be given");
                return None;
            }
        };
        match DeclaredPolicy::parse(&name?, &document) {
            Ok(policy) => Some(policy),
            Err(error) => {
                self.tables.fault(&at, error.to_string());
                None
            }
        }
    }

    /// Reads a policy's file; a path that is not absolute starts where the configuration file is.
    fn policy_file(&mut self, at: &str, file: &str) -> Option<String> {
        let path = self.tables.file().parent().unwrap_or(Path::new("")).join(file);
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(MAX_POLICY_FILE_BYTES + 1).read_to_string(&mut text));
        match read {
            Ok(bytes) if bytes as u64 <= MAX_POLICY_FILE_BYTES => return Some(text),
            Ok(_) => self.tables.fault(at, format!("{} has more than {MAX_POLICY_FILE_BYTES} bytes", path.display())),
            Err(error) => self.tables.fault(at, format!("{}: {error}", path.display())),
        }
        None
    }

    /// A text for people to read: not empty, of one line.
    fn name(&mut self, at: &str, table: &Table, key: &str) -> Option<String> {
        let text = self.tables.text(at, table, key, false)?;
        let fits = (1..=MAX_NAME_CHARACTERS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        let valid = fits.then(|| text.to_owned());
        self.tables.parsed(at, key, &format!("{text:?}"), "1 to 256 characters without control characters", valid)
    }

    fn check_unique(&mut self, accounts: &[DeclaredAccount]) {
        let all = || accounts.iter().map(|declared| &declared.account);
        self.tables.check_names(ACCOUNT, "id", all().map(|account| account.id.to_string()));
        self.tables.check_names(ACCOUNT, "canonical_id", all().map(|account| account.canonical_id.clone()));
        self.tables.check_names(
            ACCOUNT,
            "email",
            all().filter_map(|account| Some(account.email.as_ref()?.to_ascii_lowercase())),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ServerConfig, Sources};
    use super::*;

    const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

    fn load(text: &str) -> Result<ServerConfig, Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("brim.toml");
        std::fs::write(&path, text).unwrap();
        std::fs::write(dir.path().join("policy.json"), POLICY).unwrap();
        let loaded = ServerConfig::load(&Sources { file: Some(path.clone()), ..Sources::default() });
        let place = format!(" (file {})", path.display());
        loaded.map_err(|faults| faults.0.iter().map(|fault| fault.to_string().replace(&place, "")).collect())
    }

    #[test]
    fn accounts_have_users_keys_and_policies() {
        let text = format!(
            "account_id = '123456789012'\n\
             [[account]]\nid = '123456789012'\ndisplay_name = 'Example'\nemail = 'a@example.com'\n\
             canonical_id = '{id}'\n\
             [[account.key]]\naccess_key_id = 'ROOT2'\nsecret_access_key = 'secret-of-root'\n\
             [[account.user]]\nname = 'Bob'\npath = '/team/'\n\
             keys = [{{ access_key_id = 'BOB1', secret_access_key = 'secret-of-bob' }},\n\
                     {{ access_key_id = 'BOB2', secret_access_key = 'secret-of-bob' }}]\n\
             policies = [{{ name = 'a', document = '{POLICY}' }}, {{ name = 'b', file = 'policy.json' }}]\n\
             [[account.user]]\nname = 'admin'\nroot = true\n\
             [[account]]\nid = '111111111111'\n",
            id = "ab".repeat(32),
        );
        let config = load(&text).unwrap();
        let [first, second] = &config.accounts[..] else { panic!("{:?}", config.accounts) };
        assert_eq!((first.account.display_name.as_str(), first.keys.len()), ("Example", 1));
        assert_eq!(first.account.canonical_id, "ab".repeat(32));
        let [bob, admin] = &first.users[..] else { panic!("{:?}", first.users) };
        assert_eq!((bob.name.as_str(), bob.path.as_str(), bob.root, bob.keys.len()), ("Bob", "/team/", false, 2));
        assert_eq!(bob.policies.iter().map(|policy| policy.document.as_str()).collect::<Vec<_>>(), [POLICY; 2]);
        assert!(admin.root);
        assert_eq!(second.account, Account::plain("111111111111".parse().unwrap()));
    }

    #[test]
    fn the_documented_example_is_a_valid_file() {
        let page = include_str!("../../docs/identity.md");
        let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let config = load(example).unwrap();
        assert_eq!(config.accounts.iter().map(|account| account.users.len()).collect::<Vec<_>>(), [2, 0]);
    }

    #[test]
    fn all_faults_are_reported_at_once_each_with_its_place() {
        let faults = load(
            "[[account]]\nid = '12'\ncolour = 1\n[[account.user]]\npath = 'x'\nroot = 'yes'\n\
             [[account]]\nid = '222222222222'\nemial = 'x'\n\
             [[account.user]]\nname = 'a b'\n[[account.user]]\nname = 'eve'\n\
             policies = [{ name = 'p' }, { name = 'q', document = '{' }, { name = 'r', file = 'nowhere' }]\n",
        )
        .unwrap_err();
        for expected in [
            "account 12: id is \"12\", which is not valid; expected an account id of 12 digits",
            "account 12, colour: there is no such option",
            "account 12, user number 1: name must be given",
            "account 12, user number 1: path is \"x\", which is not valid",
            "account 12, user number 1: root is \"yes\", which is not valid",
            "account 222222222222, emial: there is no such option; did you mean email?",
            "account 222222222222, user a b: name is \"a b\", which is not valid",
            "account 222222222222, user eve, policy p: either document or file must be given",
            "account 222222222222, user eve, policy q: the policy document is not valid",
            "account 222222222222, user eve, policy r: ",
        ] {
            assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{expected}\nnot in {faults:#?}");
        }
        assert_eq!(faults.len(), 10, "{faults:#?}");
    }

    #[test]
    fn no_fault_shows_a_secret() {
        let faults = load(
            "[[account]]\nid = '222222222222'\nkey = [{ access_key_id = 'A', secret_access_key = 'hunter2 hunter2' },\n\
             { secret_access_key = ['hunter2hunter2'], hunter = 1 }, 'hunter2']\nuser = 'hunter2'\n",
        )
        .unwrap_err();
        assert!(faults.len() >= 2 && faults.iter().all(|fault| !fault.contains("hunter2")), "{faults:#?}");
    }

    #[test]
    fn names_that_must_be_unique_are() {
        let twice = "[[account]]\nid = '222222222222'\nemail = 'a@example.com'\n\
                     key = [{ access_key_id = 'SAME', secret_access_key = 'a-secret' }]\n\
                     user = [{ name = 'bob' }, { name = 'BOB' }]\n";
        let faults = load(&format!("{twice}{}", twice.replace("a@example", "A@example"))).unwrap_err();
        for expected in [
            "account 222222222222, key SAME: the same access key id is at account 222222222222, key SAME",
            "account 222222222222: there are two of user bob",
            "account: there are two of id 222222222222",
            "account: there are two of canonical_id ",
            "account: there are two of email a@example.com",
        ] {
            assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{expected}\nnot in {faults:#?}");
        }
    }

    #[test]
    fn a_declared_key_is_not_the_root_key() {
        let faults = load(
            "[root]\naccess_key_id = 'SAME'\nsecret_access_key = 'root-secret'\n\
             [[account]]\nid = '222222222222'\nkey = [{ access_key_id = 'SAME', secret_access_key = 'a-secret' }]\n",
        )
        .unwrap_err();
        assert_eq!(faults, ["account 222222222222: access key SAME is root.access_key_id, too"]);
    }
}
