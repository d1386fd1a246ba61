//! What a request for a stream asks for.

use super::refusal::Refusal;
use crate::events::stream::{Filter, Start, parse_patterns};
use crate::feed::Position;
use crate::http::head::Head;
use crate::http::percent;
use crate::names::BucketName;

/// Parameters of a query string that belong to the signature.
const SIGNATURE: &str = "X-Amz-";

/// The most parameters of a request.
const MAX_PARAMETERS: usize = 100;

/// Names the last position that a reader saw: readers of server-sent events send it when they come back.
const LAST_EVENT_ID: &str = "last-event-id";

/// Which changes, and from where on.
#[derive(Debug, PartialEq, Eq)]
pub struct Ask {
    pub filter: Filter,
    pub start: Start,
}

/// The parameters, as they came.
#[derive(Default)]
struct Given {
    bucket: Option<String>,
    prefix: Option<String>,
    suffix: Option<String>,
    after: Option<String>,
    events: Vec<String>,
}

impl Ask {
    pub fn parse(head: &Head) -> Result<Self, Refusal> {
        let given = Given::parse(&head.query)?;
        let bucket = given.bucket.map(|name| BucketName::parse(&name).map_err(|_| Refusal::Bucket(name)));
        let patterns = parse_patterns(given.events.iter().flat_map(|list| list.split(',')))?;
        // What a reader saw last counts more than where it began.
        let last = head.headers.text(LAST_EVENT_ID)?.filter(|text| !text.is_empty());
        let start = match last.or(given.after.as_deref()) {
            Some(position) => Start::After(position.parse::<Position>()?),
            None => Start::Now,
        };
        let (prefix, suffix) = (given.prefix.unwrap_or_default(), given.suffix.unwrap_or_default());
        Ok(Self { filter: Filter { bucket: bucket.transpose()?, prefix, suffix, patterns }, start })
    }
}

impl Given {
    fn parse(query: &str) -> Result<Self, Refusal> {
        let mut given = Self::default();
        for (count, parameter) in percent::parameters(query).enumerate() {
            let name = decode(parameter.name)?;
            if name.starts_with(SIGNATURE) {
                continue;
            }
            if count >= MAX_PARAMETERS {
                return Err(Refusal::Malformed("there are too many parameters"));
            }
            let value = decode(parameter.value.unwrap_or_default())?;
            let place = match name.as_str() {
                "events" => {
                    given.events.push(value);
                    continue;
                }
                "bucket" => &mut given.bucket,
                "prefix" => &mut given.prefix,
                "suffix" => &mut given.suffix,
                "after" => &mut given.after,
                _ => return Err(Refusal::Parameter(name)),
            };
            if place.replace(value).is_some() {
                return Err(Refusal::Malformed("a parameter is given more than once"));
            }
        }
        Ok(given)
    }
}

fn decode(text: &str) -> Result<String, Refusal> {
    let malformed = Refusal::Malformed("a parameter is not UTF-8 in percent-encoding");
    let Ok(bytes) = percent::decode_query(text) else { return Err(malformed) };
    String::from_utf8(bytes.into_owned()).map_err(|_| malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::rules::EventPattern;
    use crate::names::LogId;

    fn ask(query: &str, last: Option<&str>) -> Result<Ask, &'static str> {
        let headers = last.into_iter().map(|last| ("last-event-id", last)).collect();
        let head = Head { query: query.to_owned(), headers, ..Head::default() };
        Ask::parse(&head).map_err(|refusal| refusal.code().1)
    }

    #[test]
    fn a_query_says_which_changes_and_the_last_id_counts_over_where_it_began() {
        let position = Position { log: LogId([7; 16]), offset: 5 };
        let earlier = Position { offset: 4, ..position };
        let query = format!(
            "bucket=pail&prefix=a%2Fb+c&suffix=.jpg&events=s3:ObjectCreated:Put&events=s3:ObjectRemoved:*,s3:ObjectAcl:Put\
             &after={earlier}&X-Amz-Date=x"
        );
        let asked = ask(&query, Some(&position.to_string())).unwrap();
        assert_eq!(asked.start, Start::After(position));
        assert_eq!(asked.filter.bucket.as_ref().map(|bucket| bucket.as_str()), Some("pail"));
        assert_eq!((asked.filter.prefix.as_str(), asked.filter.suffix.as_str()), ("a/b c", ".jpg"));
        assert_eq!(asked.filter.patterns.len(), 3);
        assert_eq!(ask(&query, Some("")).unwrap().start, Start::After(earlier));
        let all = ask("", None).unwrap();
        assert_eq!((all.start, all.filter.patterns), (Start::Now, vec![EventPattern::Every]));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for query in
            ["bucket=_b", "events=s3:Nonsense:*", "after=5", "after=", "limit=1", "bucket=aaa&bucket=bbb", "prefix=%ff"]
        {
            assert_eq!(ask(query, None), Err("InvalidRequest"), "{query}");
        }
        assert_eq!(ask("", Some("no position")), Err("InvalidRequest"));
        assert!(ask(&"events=s3:ObjectCreated:*&".repeat(MAX_PARAMETERS + 1), None).is_err());
    }
}
