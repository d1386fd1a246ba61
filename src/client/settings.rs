//! Which service, with which key: from flags, the environment, and the files of AWS's tools, in this order.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>

use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::Error;
use super::endpoint::Endpoint;
use super::profile::{Profile, section};
use crate::signer::Credentials;

/// The endpoint where none is named: a server that was started without options.
const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:9000";
const DEFAULT_REGION: &str = "us-east-1";
const DEFAULT_PROFILE: &str = "default";
/// The longest file of profiles, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub profile: Option<String>,
    pub endpoint_url: Option<String>,
    pub region: Option<String>,
    pub ca_bundle: Option<PathBuf>,
}

/// What there is besides the command line: handed in, so that tests decide it.
pub struct Surroundings<'a> {
    /// Gives a variable's value.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// Everything that a client needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    pub endpoint: Endpoint,
    pub region: String,
    pub credentials: Credentials,
    /// A PEM file of the authorities to trust instead of the machine's.
    pub ca_bundle: Option<PathBuf>,
}

impl Settings {
    /// Puts the settings together. Fails where there is no key, or something is wrong with what is named.
    pub fn resolve(flags: &Flags, surroundings: &Surroundings<'_>) -> Result<Self, Error> {
        let variable = |name: &str| (surroundings.variable)(name).filter(|value| !value.is_empty());
        let files = Files::read(flags, &variable)?;
        let region = flags.region.clone();
        let region = region.or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
        let endpoint = flags.endpoint_url.clone();
        let endpoint = endpoint.or_else(|| variable("AWS_ENDPOINT_URL_S3")).or_else(|| variable("AWS_ENDPOINT_URL"));
        let endpoint = endpoint.or_else(|| files.setting("endpoint_url"));
        let ca_bundle = flags.ca_bundle.clone().or_else(|| variable("AWS_CA_BUNDLE").map(PathBuf::from));
        Ok(Self {
            endpoint: endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT).parse()?,
            region: region.or_else(|| files.setting("region")).unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            credentials: credentials(flags, &variable, &files)?,
            ca_bundle: ca_bundle.or_else(|| files.setting("ca_bundle").map(PathBuf::from)),
        })
    }
}

/// A profile that is named on the command line goes before keys in the environment; one that is named there does not.
fn credentials(flags: &Flags, variable: &dyn Fn(&str) -> Option<String>, files: &Files) -> Result<Credentials, Error> {
    if flags.profile.is_none()
        && let Some(access_key) = variable("AWS_ACCESS_KEY_ID")
    {
        let secret_key = variable("AWS_SECRET_ACCESS_KEY");
        let missing = || Error::Settings("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not".to_owned());
        return Ok(Credentials {
            access_key,
            secret_key: Zeroizing::new(secret_key.ok_or_else(missing)?),
            session_token: variable("AWS_SESSION_TOKEN").map(Zeroizing::new),
        });
    }
    files.credentials()
}

/// What the two files say of one profile.
struct Files {
    name: String,
    /// The credentials file, where there is a home to look for it.
    path: Option<PathBuf>,
    credentials: Option<Profile>,
    config: Option<Profile>,
}

impl Files {
    fn read(flags: &Flags, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let name = flags.profile.clone().or_else(|| variable("AWS_PROFILE"));
        let name = name.unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
        let path = |override_name: &str, file: &str| {
            let home = || variable("HOME").map(|home| Path::new(&home).join(".aws").join(file));
            variable(override_name).map(PathBuf::from).or_else(home)
        };
        let credentials_path = path("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let config_section = if name == DEFAULT_PROFILE { name.clone() } else { format!("profile {name}") };
        let config_text = read(path("AWS_CONFIG_FILE", "config").as_deref())?;
        Ok(Self {
            credentials: read(credentials_path.as_deref())?.and_then(|text| section(&text, &name)),
            config: config_text.and_then(|text| section(&text, &config_section)),
            path: credentials_path,
            name,
        })
    }

    fn setting(&self, name: &str) -> Option<String> {
        let profiles = [&self.credentials, &self.config];
        let value = profiles.into_iter().flatten().find_map(|profile| profile.get(name));
        value.filter(|value| !value.is_empty()).cloned()
    }

    fn credentials(&self) -> Result<Credentials, Error> {
        match (self.setting("aws_access_key_id"), self.setting("aws_secret_access_key")) {
            (Some(access_key), Some(secret_key)) => Ok(Credentials {
                access_key,
                secret_key: Zeroizing::new(secret_key),
                session_token: self.setting("aws_session_token").map(Zeroizing::new),
            }),
            _ => Err(Error::Settings(self.no_key())),
        }
    }

    fn no_key(&self) -> String {
        let name = &self.name;
        let elsewhere = ["credential_process", "sso_session", "sso_start_url", "role_arn", "web_identity_token_file"];
        if let Some(setting) = elsewhere.into_iter().find(|setting| self.setting(setting).is_some()) {
            return format!(
                "the profile {name:?} gets its key by {setting}, which this command does not: \
                 `aws configure export-credentials --profile {name} --format env` prints one"
            );
        }
        let place = self.path.as_ref().map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
        format!(
            "no key: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set, nor has {place} the profile {name:?}; \
             AWS_SHARED_CREDENTIALS_FILE names another file (a server keeps its root key in DIR/credentials), --profile \
             another profile"
        )
    }
}

/// A file's text; `None` where it is not there.
fn read(path: Option<&Path>) -> Result<Option<String>, Error> {
    let Some(path) = path else { return Ok(None) };
    let text = std::fs::metadata(path).and_then(|metadata| match metadata.len() > MAX_FILE_BYTES {
        true => Err(io::Error::other(format!("it has more than {MAX_FILE_BYTES} bytes"))),
        false => std::fs::read_to_string(path),
    });
    match text {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(flags: &Flags, home: &Path, variables: &[(&str, &str)]) -> Result<Settings, Error> {
        let home = home.to_str().unwrap();
        let variable = |name: &str| {
            let home = [("HOME", home)];
            let found = variables.iter().chain(&home).find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::resolve(flags, &Surroundings { variable: &variable })
    }

    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(home.path().join(".aws").join(name), text).unwrap();
        write(
            "credentials",
            "[default]\naws_access_key_id=D\naws_secret_access_key=d\n\
             [work]\naws_access_key_id=W\naws_secret_access_key=w\naws_session_token=t\n",
        );
        write(
            "config",
            "[profile work]\nregion=eu-north-1\nendpoint_url=https://work.example\n[profile sso]\nsso_session=x\n",
        );
        home
    }

    #[test]
    fn flags_go_before_the_environment_and_that_before_files() {
        let home = home();
        let settings = resolve(&Flags::default(), home.path(), &[]).unwrap();
        assert_eq!((settings.credentials.access_key.as_str(), settings.region.as_str()), ("D", "us-east-1"));
        assert_eq!(settings.endpoint.to_string(), "http://127.0.0.1:9000");

        let environment = [("AWS_ACCESS_KEY_ID", "E"), ("AWS_SECRET_ACCESS_KEY", "e"), ("AWS_REGION", "r")];
        let settings = resolve(&Flags::default(), home.path(), &environment).unwrap();
        assert_eq!((settings.credentials.access_key.as_str(), settings.region.as_str()), ("E", "r"));
        assert_eq!(settings.credentials.secret_key.as_str(), "e");

        let work = Flags { profile: Some("work".into()), ..Flags::default() };
        let settings = resolve(&work, home.path(), &environment).unwrap();
        assert_eq!((settings.credentials.access_key.as_str(), settings.region.as_str()), ("W", "r"));
        assert_eq!(settings.credentials.session_token.unwrap().as_str(), "t");
        assert_eq!(settings.endpoint.to_string(), "https://work.example");

        let settings = resolve(&Flags::default(), home.path(), &[("AWS_PROFILE", "work")]).unwrap();
        assert_eq!((settings.credentials.access_key.as_str(), settings.region.as_str()), ("W", "eu-north-1"));

        let urls = [("AWS_ENDPOINT_URL", "http://a"), ("AWS_ENDPOINT_URL_S3", "http://b")];
        assert_eq!(resolve(&work, home.path(), &urls).unwrap().endpoint.to_string(), "http://b");
        let flags = Flags { endpoint_url: Some("http://c".into()), ..work };
        assert_eq!(resolve(&flags, home.path(), &urls).unwrap().endpoint.to_string(), "http://c");
    }

    #[test]
    fn what_is_missing_is_said() {
        let home = home();
        let error = |profile: &str, variables: &[(&str, &str)]| {
            let flags =
                Flags { profile: Some(profile.into()).filter(|name: &String| !name.is_empty()), ..Flags::default() };
            resolve(&flags, home.path(), variables).unwrap_err().to_string()
        };
        assert!(error("absent", &[]).contains(".aws/credentials the profile \"absent\""), "{}", error("absent", &[]));
        assert!(error("sso", &[]).contains("aws configure export-credentials --profile sso"));
        assert!(error("", &[("AWS_ACCESS_KEY_ID", "E")]).contains("AWS_SECRET_ACCESS_KEY is not"));
        assert!(error("work", &[("AWS_ENDPOINT_URL", "work.example")]).contains("http://"));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let home = home();
        let shown = format!("{:?}", resolve(&Flags::default(), home.path(), &[]).unwrap());
        assert!(shown.contains("Credentials(D)") && !shown.contains("\"d\""), "{shown}");
    }
}
