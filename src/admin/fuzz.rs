//! Fuzz target: lines of the operator protocol, either way.

use super::Command;
use super::wire::Line;
use crate::fuzz::{self, Mutated};

#[test]
fn lines() {
    let seeds = [
        r#"{"command":"key.create","description":"laptop \u00e9"}"#,
        r#"{"command":"key.list","after":null}"#,
        r#"{"command":"key.disable","access_key_id":"BRIMA"}"#,
        r#"{"ok":{"created_key":{"access_key_id":"BRIMA","secret_access_key":"a-secret"}}}"#,
        r#"{"ok":{"keys":{"keys":[{"access_key_id":"A","status":"active","created":1,"description":""}],"after":"A"}}}"#,
        r#"{"command":"policy.explain","caller":{"user":{"account":null,"name":"bob"}},"action":"s3:GetObject","resource":"pail/a","version":null,"conditions":[["aws:SourceIp","::1"]]}"#,
        r#"{"command":"site","work":{"do":"add","domain":"www.example.com","bucket":"pail"}}"#,
        r#"{"ok":{"domains":{"domains":[{"domain":"a.b","bucket":"pail","source":"configuration","state":"in_force"}],"after":"a.b"}}}"#,
        r#"{"ok":"done"}"#,
        r#"{"error":"there is no access key A"}"#,
    ];
    let words =
        ["{", "}", "[", "]", "\"", "\\u0000", "\\ud800", ":", ",", "null", "true", "1e400", "\"command\":", "\"ok\":"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|line| {
        fuzz::promptly(|| {
            if let Ok(command) = serde_json::from_slice::<Command>(line) {
                let again = serde_json::to_string(&command).unwrap();
                assert!(!again.contains('\n'), "a line stays a line");
                assert_eq!(serde_json::from_str::<Command>(&again).unwrap(), command);
            }
            if let Ok(line) = serde_json::from_slice::<Line>(line) {
                let again = line.encode();
                assert_eq!(again.iter().filter(|byte| **byte == b'\n').count(), 1, "a line stays a line");
                assert!(serde_json::from_slice::<Line>(&again).is_ok_and(|read| read == line));
            }
        });
    });
}
