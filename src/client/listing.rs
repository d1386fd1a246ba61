//! Listings of objects.

use super::request::Request;
use super::{Client, Error, xml};
use crate::clock::Timestamp;
use crate::http::percent::decode_query;
use crate::names::BucketName;

/// One page of a listing.
#[derive(Debug)]
pub struct Page {
    pub objects: Vec<Listed>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    /// In bytes.
    pub size: u64,
    /// When it was stored, by the service's clock.
    pub modified: Timestamp,
    /// That time as the service wrote it.
    pub modified_text: String,
}

impl Client {
    /// Lists a page of the objects whose keys begin with `prefix`, from `token` on.
    pub async fn list_objects(&self, bucket: &BucketName, prefix: &str, token: Option<&str>) -> Result<Page, Error> {
        let request =
            Request::new("ListObjectsV2", "GET", bucket).query("list-type", "2").query("encoding-type", "url");
        let mut request = request.query("prefix", prefix);
        if let Some(token) = token {
            request = request.query("continuation-token", token);
        }
        let answer = self.send(&request).await?;
        let list: xml::ListBucketResult = xml::read("a listing", &answer.body)?;
        let objects = list.contents.into_iter().map(listed).collect::<Option<Vec<_>>>();
        let wrong = || Error::Answer { what: "a listing".to_owned(), source: None };
        Ok(Page { objects: objects.ok_or_else(wrong)?, next: list.next_continuation_token })
    }

    /// Lists every object whose key begins with `prefix`, page after page, at most `most` of them.
    pub async fn list_all(&self, bucket: &BucketName, prefix: &str, most: usize) -> Result<Vec<Listed>, Error> {
        let mut listed = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = self.list_objects(bucket, prefix, token.as_deref()).await?;
            listed.extend(page.objects);
            if listed.len() > most {
                return Err(Error::TooMany { most, prefix: format!("{bucket}/{prefix}") });
            }
            match page.next {
                // A token that stays the same would go on for ever.
                Some(next) if token.as_ref() != Some(&next) => token = Some(next),
                _ => return Ok(listed),
            }
        }
    }
}

fn listed(contents: xml::Contents) -> Option<Listed> {
    let key = String::from_utf8(decode_query(&contents.key).ok()?.into_owned()).ok()?;
    let modified: jiff::Timestamp = contents.last_modified.parse().ok()?;
    let modified = Timestamp::from_millis(u64::try_from(modified.as_millisecond()).ok()?);
    Some(Listed { key, size: contents.size, modified, modified_text: contents.last_modified })
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Scripted, answer};
    use super::*;

    #[tokio::test]
    async fn more_objects_than_are_wanted_are_no_fault_of_the_settings() {
        let contents =
            "<Contents><Key>k</Key><LastModified>2026-01-01T00:00:00Z</LastModified><Size>1</Size></Contents>";
        let page = answer(200, &format!("<ListBucketResult>{}</ListBucketResult>", contents.repeat(3)));
        let server = Scripted::start(vec![Some(page.clone()), Some(page)]);
        let (client, bucket) = (server.client(), BucketName::parse("site").unwrap());
        assert_eq!(client.list_all(&bucket, "p/", 3).await.unwrap().len(), 3);
        let error = client.list_all(&bucket, "p/", 2).await.unwrap_err();
        assert!(matches!(error, Error::TooMany { most: 2, .. }), "{error}");
        assert_eq!(error.to_string(), "more than 2 objects are below site/p/");
    }
}
