//! Fuzz target: forms that are taken for actions.

use super::action::{Api, Row};
use super::form::Parameters;
use super::page::Page;
use crate::fuzz::{self, Mutated};

#[test]
fn forms() {
    let seeds = [
        "Action=CreateUser&Version=2010-05-08&UserName=a%2Bb&Path=%2Fteam%2F",
        "Action=ListUsers&Version=2010-05-08&PathPrefix=%2F&MaxItems=10&Marker=YWxpY2U",
        "Action=AssumeRole&Version=2011-06-15&PolicyArns.member.1.arn=a&PolicyArns.member.2.arn=b&DurationSeconds=900",
        "Action=PutUserPolicy&Version=2010-05-08&PolicyDocument=%7B%22Statement%22%3A+%5B%5D%7D&X-Amz-Date=x",
    ];
    let words = ["&", "=", "%2F", "%", "Action=", "Version=", ".member.1", "&MaxItems=", "&Marker=", "X-Amz-"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        fuzz::promptly(|| read(input));
    });
}

fn read(input: &[u8]) {
    let Ok(parameters) = Parameters::parse("", input) else { return };
    for api in [Api::Iam, Api::Sts, Api::Sns] {
        if let Ok(row) = Row::find(api, &parameters) {
            assert_eq!(parameters.get("Action"), Some(row.action.name()));
            if row.refuse_others(&parameters).is_ok() {
                assert!(
                    parameters.names().count() <= row.parameters.len() + 2
                        || row.parameters.iter().any(|name| name.contains('N'))
                );
            }
        }
    }
    let _ = (Page::parse(&parameters), parameters.members("PolicyArns", "arn"));
}
