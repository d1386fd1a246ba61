//! The body of CreateInvalidation.

use serde::Deserialize;

use super::error::{ApiError, Code};
use crate::feed::{Scope, Target};
use crate::xml::read::{Bounds, from_body};

/// The most items of a batch, and of all batches in progress of a distribution.
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html>
pub const MAX_ITEMS: usize = 3000;
/// The most wildcards of all batches in progress of a distribution.
pub const MAX_WILDCARDS: usize = 15;
/// The most bytes of a body.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The longest reference, in bytes.
const MAX_REFERENCE_BYTES: usize = 1024;

const BOUNDS: Bounds = Bounds { bytes: MAX_BODY_BYTES, elements: MAX_ITEMS + 16 };

/// What is to be invalidated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub reference: String,
    /// As they were given.
    pub items: Vec<String>,
    /// What they mean, in their order.
    pub targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "Paths")]
    paths: Option<Paths>,
    #[serde(rename = "CallerReference")]
    reference: Option<String>,
}

#[derive(Deserialize)]
struct Paths {
    #[serde(rename = "Quantity")]
    quantity: Option<String>,
    #[serde(rename = "Items")]
    items: Option<Items>,
}

#[derive(Deserialize)]
struct Items {
    #[serde(rename = "Path", default)]
    paths: Vec<String>,
}

impl Batch {
    /// Reads a body.
    /// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_InvalidationBatch.html>
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Err(ApiError::new(Code::MissingBody));
        }
        let document: Document = from_body(body, "InvalidationBatch", BOUNDS).map_err(|error| match error {
            crate::xml::read::MalformedXml::TooManyElements(_) => ApiError::new(Code::BatchTooLarge),
            error => error.into(),
        })?;
        let reference = document.reference.filter(|text| !text.is_empty() && text.len() <= MAX_REFERENCE_BYTES);
        let reference = reference.ok_or_else(|| invalid("The parameter CallerReference is required."))?;
        let paths = document.paths.ok_or_else(|| invalid("The parameter Paths is required."))?;
        let items = paths.items.map(|items| items.paths).unwrap_or_default();
        let quantity: Option<usize> = paths.quantity.and_then(|text| text.trim().parse().ok());
        if quantity != Some(items.len()) {
            return Err(ApiError::new(Code::InconsistentQuantities));
        }
        if items.len() > MAX_ITEMS {
            return Err(ApiError::new(Code::BatchTooLarge));
        }
        if items.is_empty() {
            return Err(invalid("Your request must contain at least one invalidation path."));
        }
        let targets = items.iter().map(|item| Target::parse(item)).collect::<Result<_, _>>()?;
        Ok(Self { reference, items, targets })
    }

    /// The same as purges of a site.
    pub fn purges(&self, site: &str) -> Vec<crate::feed::Purge> {
        let purge = |target: &Target| crate::feed::Purge {
            scope: Scope::Site(site.to_owned()),
            target: target.clone(),
            soft: false,
        };
        self.targets.iter().map(purge).collect()
    }
}

/// How many of these items stand for more than one path.
pub fn wildcards<'i>(items: impl IntoIterator<Item = &'i String>) -> usize {
    items.into_iter().filter(|item| Target::parse(item).is_ok_and(|target| target.is_wildcard())).count()
}

fn invalid(message: &'static str) -> ApiError {
    ApiError::with_message(Code::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(quantity: &str, paths: &[&str], reference: &str) -> String {
        let paths: String = paths.iter().map(|path| format!("<Path>{path}</Path>")).collect();
        format!(
            "<InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Paths><Quantity>{quantity}\
             </Quantity><Items>{paths}</Items></Paths><CallerReference>{reference}</CallerReference></InvalidationBatch>"
        )
    }

    #[test]
    fn paths_wildcards_and_tags_mix() {
        let batch = Batch::parse(body("3", &["/a%20b", "/images/*", "#Shop"], "r1").as_bytes()).unwrap();
        assert_eq!((batch.reference.as_str(), batch.items[2].as_str()), ("r1", "#Shop"));
        let expected = [Target::Path("/a%20b".into()), Target::Prefix("/images/".into()), Target::Tag("shop".into())];
        assert_eq!(batch.targets, expected);
        assert_eq!(wildcards(&batch.items), 1);
    }

    #[test]
    fn what_is_wrong_has_cloudfront_s_code() {
        let many: Vec<&str> = vec!["/a"; MAX_ITEMS + 1];
        for (body, code) in [
            (String::new(), Code::MissingBody),
            ("<InvalidationBatch>".to_owned(), Code::MalformedInput),
            ("<Other/>".to_owned(), Code::MalformedInput),
            (body("2", &["/a"], "r"), Code::InconsistentQuantities),
            (body("x", &["/a"], "r"), Code::InconsistentQuantities),
            (body("0", &[], "r"), Code::InvalidArgument),
            (body("1", &["a"], "r"), Code::InvalidArgument),
            (body("1", &["/a*b"], "r"), Code::InvalidArgument),
            (body("1", &["/a"], ""), Code::InvalidArgument),
            (body("3001", &many, "r"), Code::BatchTooLarge),
        ] {
            assert_eq!(Batch::parse(body.as_bytes()).unwrap_err().code, code, "{}", &body[..body.len().min(200)]);
        }
    }
}
