//! Lists in pages: `Marker` and `MaxItems` in, `IsTruncated` and `Marker` out.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::{Code, QueryError};
use super::form::Parameters;
use crate::identity::{MAX_PAGE, Wanted};
use crate::xml::Writer;

/// How many items a page has when nothing is said, and at most.
const DEFAULT_ITEMS: u32 = 100;
const MAX_ITEMS: u32 = 1000;

/// The longest marker that is read.
const MAX_MARKER_BYTES: usize = 1024;

/// Which page is asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// What the page before ended with.
    pub after: Option<String>,
    pub limit: usize,
}

impl Page {
    pub fn parse(parameters: &Parameters) -> Result<Self, QueryError> {
        let limit = parameters.number("MaxItems", 1..=MAX_ITEMS)?.unwrap_or(DEFAULT_ITEMS);
        let after = parameters.get("Marker").map(decode).transpose()?;
        Ok(Self { after, limit: limit as usize })
    }

    /// The page of a list of SNS, which is told nothing but where to go on.
    pub fn of_token(parameters: &Parameters) -> Result<Self, QueryError> {
        let token = parameters.get("NextToken").filter(|token| !token.is_empty());
        let after = token.map(decode).transpose();
        let invalid = |_| QueryError::with_message(Code::InvalidParameter, "Invalid parameter: NextToken");
        Ok(Self { after: after.map_err(invalid)?, limit: DEFAULT_ITEMS as usize })
    }

    /// The page as the identities give it, of what has this prefix of its path.
    pub fn wanted<'p>(&'p self, path_prefix: &'p str) -> Wanted<'p> {
        Wanted { path_prefix, after: self.after.as_deref(), limit: self.limit.min(MAX_PAGE) }
    }

    /// The page of a list that is known whole and in order, and what the next one starts behind.
    pub fn cut<T>(&self, items: Vec<T>, name: impl Fn(&T) -> &str) -> (Vec<T>, Option<String>) {
        let behind = |item: &T| self.after.as_deref().is_none_or(|after| name(item) > after);
        let mut rest: Vec<T> = items.into_iter().filter(behind).collect();
        let more = rest.len() > self.limit;
        rest.truncate(self.limit);
        let next = rest.last().filter(|_| more).map(|last| name(last).to_owned());
        (rest, next)
    }
}

/// Writes whether there is more, and the marker that asks for it.
pub fn write_end(writer: &mut Writer, next: Option<&str>) {
    writer.flag("IsTruncated", next.is_some());
    writer.optional("Marker", next.map(|next| URL_SAFE_NO_PAD.encode(next)).as_deref());
}

/// Writes the token that asks for what is behind the page, where there is more.
pub fn write_next_token(writer: &mut Writer, next: Option<&str>) {
    writer.optional("NextToken", next.map(|next| URL_SAFE_NO_PAD.encode(next)).as_deref());
}

fn decode(marker: &str) -> Result<String, QueryError> {
    let short = Some(marker).filter(|marker| (1..=MAX_MARKER_BYTES).contains(&marker.len()));
    let bytes = short.and_then(|marker| URL_SAFE_NO_PAD.decode(marker).ok());
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| QueryError::with_message(Code::ValidationError, "Invalid Marker."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(body: &str) -> Result<Page, QueryError> {
        Page::parse(&Parameters::parse("", body.as_bytes()).unwrap())
    }

    fn marker(document: Writer) -> Option<String> {
        let document = String::from_utf8(document.finish()).unwrap();
        let (_, rest) = document.split_once("<Marker>")?;
        Some(rest.split_once('<').unwrap().0.to_owned())
    }

    #[test]
    fn pages_have_bounds() {
        assert_eq!(page("").unwrap(), Page { after: None, limit: 100 });
        assert_eq!(page("MaxItems=1000").unwrap().limit, 1000);
        for body in ["MaxItems=0", "MaxItems=1001", "MaxItems=-1", "MaxItems=x", "Marker=", "Marker=%2F", "Marker=_w"] {
            assert!(page(body).is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn pages_joined_give_the_list(names in proptest::collection::btree_set("[a-c日]{1,4}", 0..12), limit in 1_usize..5) {
            let names: Vec<String> = names.into_iter().collect();
            let (mut joined, mut next) = (Vec::new(), None::<String>);
            loop {
                let more = next.map(|marker| format!("&Marker={marker}")).unwrap_or_default();
                let page = page(&format!("MaxItems={limit}{more}")).unwrap();
                let (items, after) = page.cut(names.clone(), |name| name);
                prop_assert!(items.len() == limit || after.is_none());
                joined.extend(items);
                let mut document = Writer::with_attributes("Page", &[]);
                write_end(&mut document, after.as_deref());
                next = marker(document);
                if next.is_none() {
                    break;
                }
            }
            prop_assert_eq!(joined, names);
        }
    }
}
