//! Environment variables: which of them are meant for us.

use std::ffi::OsString;

use super::fault::{Fault, Source};

/// The variables whose names begin with `prefix`. An empty one counts as not given, as `docker compose` passes unset
/// variables on empty.
pub fn variables(prefix: &str, environment: &[(OsString, OsString)], faults: &mut Vec<Fault>) -> Vec<(String, String)> {
    let mut ours = Vec::new();
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with(prefix)) else { continue };
        match value.to_str() {
            Some("") => {}
            Some(value) => ours.push((name.to_owned(), value.to_owned())),
            None => faults.push(Fault::File {
                place: Source::Environment(name.to_owned()),
                problem: "the value is not UTF-8".to_owned(),
            }),
        }
    }
    ours
}

/// Whether Kubernetes or Docker made the variable for a service named `brim` or `brim-...`, as in
/// `BRIM_SERVICE_HOST` or `BRIM_PORT_9000_TCP_ADDR`; such variables must not stop a start.
pub fn is_service_link(name: &str, value: &str) -> bool {
    if name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT") {
        return true;
    }
    match name.split_once("_PORT") {
        Some((_, "")) => value.contains("://"),
        Some((_, rest)) => rest.strip_prefix('_').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())),
        None => false,
    }
}
