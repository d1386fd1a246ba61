//! `brim site password`: the line that puts a site behind a password.

use std::io::{self, BufRead, IsTerminal, Read};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

use super::shown::show;
use super::target;
use crate::cli::Failure;
use crate::site::options::Options;
use crate::site::password::Hash;
use zeroize::Zeroizing;

/// The longest password, in bytes.
const MAX_BYTES: u64 = 1024;

pub fn command() -> Command {
    Command::new("password")
        .about("Prints the line of .brim/site.toml that asks for a password")
        .long_about(
            "Asks for a password, or reads the first line of standard input where that is no terminal, and prints the line of \
             .brim/site.toml that asks visitors for it. The password itself is not in it.",
        )
        .after_help("Exit status: 0 done, 1 failed, 2 wrong command line.")
        .arg(Arg::new("user").long("user").value_name("NAME").default_value("visitor").help("The name that visitors give"))
        .arg(Arg::new("preview").long("preview").action(ArgAction::SetTrue).help("For previews of deploys only"))
        .arg(target::json())
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let user = matches.get_one::<String>("user").ok_or("no name")?;
    let option = if matches.get_flag("preview") { "preview_password" } else { "password" };
    let hash = Hash::make(&asked()?)?.to_string();
    let line = line(option, user, &hash);
    // What is printed is what will be read: a name that cannot be one is found here.
    if let Err(faults) = Options::parse(&line) {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        return Err(Failure::Refused(faults.join("; ")));
    }
    show(matches.get_flag("json"), &json!({ "option": option, "user": user, "hash": hash }), &line)
}

fn line(option: &str, user: &str, hash: &str) -> String {
    let text = |text: &str| toml::Value::String(text.to_owned()).to_string();
    format!("{option} = {{ user = {}, hash = {} }}\n", text(user), text(hash))
}

/// The password: typed twice on a terminal, without being shown.
fn asked() -> Result<Zeroizing<String>, Failure> {
    if !io::stdin().is_terminal() {
        let mut line = Zeroizing::new(String::new());
        io::stdin().lock().take(MAX_BYTES + 1).read_line(&mut line)?;
        return checked(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()));
    }
    let typed = |prompt: &str| -> io::Result<Zeroizing<String>> {
        eprint!("{prompt}: ");
        console::Term::stderr().read_secure_line().map(Zeroizing::new)
    };
    let password = checked(typed("password")?)?;
    match *typed("once more")? == *password {
        true => Ok(password),
        false => Err(Failure::from("the two are not the same")),
    }
}

fn checked(password: Zeroizing<String>) -> Result<Zeroizing<String>, Failure> {
    match password.len() as u64 {
        0 => Err(Failure::from("there is no password")),
        1..=MAX_BYTES => Ok(password),
        _ => Err(Failure::from(format!("a password has at most {MAX_BYTES} bytes"))),
    }
}
