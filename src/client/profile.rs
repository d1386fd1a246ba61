//! The files that AWS's tools keep profiles in: `[section]` lines, and `name = value` lines below them.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use std::collections::BTreeMap;

/// A profile's settings, their names in lower case.
pub type Profile = BTreeMap<String, String>;

/// Gives the settings below every `[name]`, the later before the earlier; `None` where the text has no such section.
/// Indented lines belong to the setting above them and are left out; lines that are none of this are passed over, as AWS's
/// tools do.
pub fn section(text: &str, name: &str) -> Option<Profile> {
    let mut found: Option<Profile> = None;
    let mut inside = false;
    for line in text.lines() {
        let indented = line.starts_with([' ', '\t']);
        let line = without_comment(line).trim();
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            inside = header.0.split_whitespace().eq(name.split_whitespace());
            if inside {
                found.get_or_insert_default();
            }
            continue;
        }
        let (true, false, Some((name, value))) = (inside, indented, line.split_once('=')) else { continue };
        if let Some(profile) = &mut found {
            profile.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

/// A comment begins a line, or follows white space: a secret may have the characters too.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    let comment = [" #", " ;", "\t#", "\t;"].iter().filter_map(|start| line.find(start)).min();
    comment.map_or(line, |at| &line[..at])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "# mine\n[default]\naws_access_key_id=A\naws_secret_access_key = s/e#c+r;t==  # old\n\n\
        [work]\r\nAWS_ACCESS_KEY_ID = W\r\ns3 =\r\n  endpoint_url = http://nested\r\nnonsense\r\n\
        [ profile  dev ]\nregion = eu-north-1\n[default]\nregion = x\n";

    #[test]
    fn profiles_are_read_as_aws_reads_them() {
        let default = section(FILE, "default").unwrap();
        assert_eq!(default["aws_access_key_id"], "A");
        assert_eq!(default["aws_secret_access_key"], "s/e#c+r;t==");
        assert_eq!(default["region"], "x");
        let work = section(FILE, "work").unwrap();
        assert_eq!((work["aws_access_key_id"].as_str(), work.get("endpoint_url")), ("W", None));
        assert_eq!(section(FILE, "profile dev").unwrap()["region"], "eu-north-1");
        assert_eq!(section(FILE, "dev"), None);
        assert_eq!(section("", "default"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(name in "[a-z]{1,8}", key in "[a-z_]{1,8}", value in "[A-Za-z0-9/+=#;]{0,20}") {
            prop_assume!(!value.starts_with(['#', ';']));
            let text = format!("[other]\n{key} = no\n[{name}x]\n{key} = no\n[{name}]\n{key} = {value}\n");
            prop_assert_eq!(&section(&text, &name).unwrap()[&key], &value);
        }

        #[test]
        fn any_text_is_read(text in "[\\[\\]= #;a\n\r\té]{0,60}") {
            let _ = section(&text, "a");
        }
    }
}
