//! `[[webhooks]]` in the file: endpoints of notifications. Their options are declared in `events::endpoint`.

use std::path::Path;
use std::sync::Arc;

use toml::{Table, Value};

use super::fault::Fault;
use super::kind::ACCOUNT_ID;
use super::tables::{TableReader, label};
use crate::events::endpoint::{
    Definition, EndpointName, EndpointOption, Form, Given, MAX_ENDPOINTS, OPTIONS, OptionFault, option,
};
use crate::names::AccountId;
use crate::private_file;

/// The key of the file's tables of webhooks.
pub const WEBHOOKS: &str = "webhooks";

/// An endpoint of notifications. Its definition has a secret, and the files that it names were there.
#[derive(Debug, Clone)]
pub struct DeclaredWebhook {
    /// The default account where `None`.
    pub account: Option<AccountId>,
    pub name: EndpointName,
    pub definition: Arc<Definition>,
}

/// Gives the webhooks that the value of `webhooks` in the file at `path` declares, and notes what is wrong with them. Reads the
/// files that they name; a path that is not absolute starts where the file is.
pub fn read(value: &Value, path: &Path, faults: &mut Vec<Fault>) -> Vec<DeclaredWebhook> {
    let mut tables = TableReader::of(path, faults);
    let list = tables.list(WEBHOOKS, value);
    if list.len() > MAX_ENDPOINTS {
        tables.fault(WEBHOOKS, format!("there are more than {MAX_ENDPOINTS}"));
        return Vec::new();
    }
    let webhooks: Vec<DeclaredWebhook> =
        list.into_iter().enumerate().filter_map(|(index, table)| webhook(&mut tables, index, table)).collect();
    let named = |webhook: &DeclaredWebhook| match &webhook.account {
        Some(account) => format!("{account}/{}", webhook.name),
        None => webhook.name.to_string(),
    };
    tables.check_names(WEBHOOKS, "name", webhooks.iter().map(named));
    webhooks
}

fn webhook(tables: &mut TableReader<'_>, index: usize, table: &Table) -> Option<DeclaredWebhook> {
    let at = label(WEBHOOKS, index, table.get("name"));
    let file_keys: Vec<String> = OPTIONS.iter().map(EndpointOption::file_key).collect();
    let known: Vec<&str> = ["name", "account"].into_iter().chain(file_keys.iter().map(String::as_str)).collect();
    tables.check_keys(&at, table, &known);
    let name = tables.text(&at, table, "name", true).and_then(|text| {
        let expects = "1 to 80 letters, digits, hyphens and underscores";
        tables.parsed(&at, "name", &format!("{text:?}"), expects, EndpointName::parse(text).ok())
    });
    let account = match tables.text(&at, table, "account", false) {
        None => Some(None),
        Some(text) => {
            let (expects, parsed) = (ACCOUNT_ID.form.expects, (ACCOUNT_ID.parse)(text));
            tables.parsed(&at, "account", &format!("{text:?}"), expects, parsed).map(Some)
        }
    };
    let definition = definition(tables, &at, table);
    Some(DeclaredWebhook { account: account?, name: name?, definition: Arc::new(definition?) })
}

fn definition(tables: &mut TableReader<'_>, at: &str, table: &Table) -> Option<Definition> {
    let (mut given, mut complete) = (Given::default(), true);
    for option in OPTIONS {
        let Some(value) = table.get(&option.file_key()) else { continue };
        match text_of(tables, at, option, value) {
            Some(text) => given.set(option.key, text),
            None => complete = false,
        }
    }
    let mut faults = Vec::new();
    // What could not be read is told already; that it is missing then would be no news.
    let missing = |key: &str| given.get(key).is_none() && table.get(&file_key(key)).is_none();
    if missing("secret") {
        faults.push(OptionFault::Missing { key: "secret".to_owned() });
    }
    let parsed = Definition::parse(&given).map_err(|found| {
        let told = |fault: &OptionFault| matches!(fault, OptionFault::Missing { key } if !missing(key));
        faults.extend(found.into_iter().filter(|fault| !told(fault)));
    });
    faults.iter().for_each(|fault| tables.fault(at, in_the_file(fault)));
    let definition = parsed.ok().filter(|_| complete && faults.is_empty())?;
    match definition.check_files() {
        Ok(()) => Some(definition),
        Err(error) => {
            tables.fault(at, in_words(&error));
            None
        }
    }
}

/// The value as a text; `None` after noting why it is none.
fn text_of(tables: &mut TableReader<'_>, at: &str, option: &EndpointOption, value: &Value) -> Option<String> {
    let key = option.file_key();
    let text = match (option.form, value) {
        (Form::Text | Form::Number, Value::String(text)) => Some(text.clone()),
        (Form::Number, Value::Integer(number)) => Some(number.to_string()),
        (Form::List, Value::Array(items)) => {
            items.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|i| i.join(","))
        }
        (Form::Table, Value::Table(headers)) => lines(headers),
        (Form::Path, Value::String(path)) => Some(beside(tables.file(), path)),
        (Form::File, Value::String(path)) => return secret_of(tables, at, &key, path),
        _ => None,
    };
    if text.is_none() {
        // Not shown: what stands at the wrong place may be a secret.
        tables.fault(at, format!("{key} must be {}", toml_form(option.form)));
    }
    text
}

/// What stands in a file that others cannot read, without the end of its line.
fn secret_of(tables: &mut TableReader<'_>, at: &str, key: &str, path: &str) -> Option<String> {
    let path = beside(tables.file(), path);
    let problem = match private_file::read(Path::new(&path)) {
        Ok(Some(bytes)) => match std::str::from_utf8(&bytes) {
            Ok(text) => return Some(text.trim_end().to_owned()),
            Err(_) => format!("{key}: {path} is no text"),
        },
        Ok(None) => format!("{key}: there is no file {path}"),
        Err(error) => format!("{key}: {error}"),
    };
    tables.fault(at, problem);
    None
}

fn beside(file: &Path, path: &str) -> String {
    file.parent().unwrap_or(Path::new("")).join(path).to_string_lossy().into_owned()
}

/// A header a line; `None` where a value is no text of one line.
fn lines(headers: &Table) -> Option<String> {
    let mut text = String::new();
    for (name, value) in headers {
        let value = value.as_str().filter(|value| !value.contains('\n') && !name.contains([':', '\n']))?;
        text.push_str(&format!("{name}: {value}\n"));
    }
    Some(text)
}

fn toml_form(form: Form) -> &'static str {
    match form {
        Form::Text => "a text",
        Form::Number => "a number",
        Form::List => "a list of texts",
        Form::Table => "a table of texts of one line",
        Form::Path | Form::File => "the path of a file",
    }
}

fn file_key(key: &str) -> String {
    option(key).map_or_else(|| key.to_owned(), EndpointOption::file_key)
}

/// The fault with the keys that the file has.
fn in_the_file(fault: &OptionFault) -> String {
    let mut fault = fault.clone();
    match &mut fault {
        OptionFault::Missing { key }
        | OptionFault::Unknown { key }
        | OptionFault::Value { key, .. }
        | OptionFault::Because { key, .. } => *key = file_key(key),
    }
    fault.to_string()
}

/// An error with what caused it.
fn in_words(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) if !error.to_string().contains(&source.to_string()) => format!("{error}: {source}"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::{ServerConfig, Sources};
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn load(text: &str) -> Result<ServerConfig, Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("brim.toml");
        std::fs::write(&path, text).unwrap();
        private_file::write(&dir.path().join("hook.secret"), format!("{SECRET}\n").as_bytes()).unwrap();
        private_file::write(&dir.path().join("wrong.secret"), b"hunter2").unwrap();
        private_file::write(&dir.path().join("open.secret"), SECRET.as_bytes()).unwrap();
        std::fs::set_permissions(dir.path().join("open.secret"), PermissionsExt::from_mode(0o644)).unwrap();
        let loaded = ServerConfig::load(&Sources { file: Some(path.clone()), ..Sources::default() });
        let (place, dir) = (format!(" (file {})", path.display()), format!("{}/", dir.path().display()));
        loaded.map_err(|found| {
            found.0.iter().map(|fault| fault.to_string().replace(&place, "").replace(&dir, "")).collect()
        })
    }

    #[test]
    fn webhooks_have_an_account_a_name_and_a_definition() {
        let config = load(
            "account_id = '123456789012'\n\
             [[webhooks]]\nname = 'orders'\nurl = 'http://127.0.0.1:8080/hook'\nsecret_file = 'hook.secret'\n\
             headers = { X-Team = 'storage' }\nconcurrency = 2\nretry = ['1s', '2s']\n\
             [[webhooks]]\nname = 'orders'\naccount = '111111111111'\nurl = 'http://a.example'\nsecret_file = 'hook.secret'\n",
        )
        .unwrap();
        let declared = config.declared_webhooks();
        let ids: Vec<String> = declared.iter().map(|declared| declared.id.to_string()).collect();
        assert_eq!(ids, ["123456789012/orders", "111111111111/orders"]);
        let definition = &declared[0].definition;
        assert_eq!(*definition.secret.as_ref().unwrap().reveal(), SECRET);
        assert_eq!((definition.concurrency, definition.retry.schedule.len(), definition.headers.len()), (2, 2, 1));
        assert!(!format!("{config:?}").contains(&SECRET[6..]) && !format!("{config:?}").contains("storage"));
    }

    #[test]
    fn every_fault_is_told_with_its_place_and_no_secret_is() {
        let faults = load(
            "[[webhooks]]\nname = 'a b'\nurl = 'https://me:hunter2@a.example'\n\
             [[webhooks]]\nname = 'b'\nurl = 7\nsecret_file = 'nowhere'\ntimeout = '1ms'\nsercet = 'x'\n\
             [[webhooks]]\nname = 'c'\nurl = 'https://a.example'\nsecret_file = 'wrong.secret'\naccount = '12'\n\
             [[webhooks]]\nname = 'd'\nurl = 'https://a.example'\nsecret_file = 'open.secret'\n\
             [[webhooks]]\nname = 'e'\nurl = 'https://a.example'\nsecret_file = 'hook.secret'\nca_file = 'ca.pem'\n\
             [[webhooks]]\nname = 'f'\nsecret_file = 'hook.secret'\nheaders = { Host = 'hunter2' }\n\
             [[webhooks]]\nurl = 'http://a.example'\nsecret_file = ['hunter2']\n",
        )
        .unwrap_err();
        let expected = [
            "webhooks a b: name is \"a b\", which is not valid; expected 1 to 80 letters",
            "webhooks a b: secret_file must be given",
            "webhooks a b: url: a URL with a user name or a password",
            "webhooks b, sercet: there is no such option",
            "webhooks b: url must be a text",
            "webhooks b: secret_file: there is no file nowhere",
            "webhooks b: timeout is \"1ms\", which is not valid; expected a time from 10ms to 120s",
            "webhooks c: account is \"12\", which is not valid; expected an account id of 12 digits",
            "webhooks c: secret_file is a value, which is not valid; expected whsec_",
            "webhooks d: secret_file: open.secret can be read or written by other users",
            "webhooks e: the authorities in ca.pem",
            "webhooks f: headers: host is set by Brim itself",
            "webhooks f: url must be given",
            "webhooks number 7: name must be given",
            "webhooks number 7: secret_file must be the path of a file",
        ];
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.starts_with(expected), "{fault}\nis not {expected}");
            assert!(!fault.contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn names_are_unique_in_an_account() {
        let twice = "[[webhooks]]\nname = 'a'\nurl = 'http://a.example'\nsecret_file = 'hook.secret'\n".repeat(2);
        assert_eq!(load(&twice).unwrap_err(), ["webhooks: there are two of name a"]);
    }
}
