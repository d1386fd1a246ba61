//! What clients get in place of an origin's error.
//!
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/GeneratingCustomErrorResponses.html>

use http::{Method, StatusCode};

/// The statuses that CloudFront lets have a page of their own.
pub const MAY_HAVE_PAGES: [u16; 11] = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504];

/// A page in place of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    /// The origin's status.
    pub status: StatusCode,
    /// A path of the same site, with its leading slash. It is fetched through the behaviour that it matches itself.
    pub path: String,
    /// What the client gets; `None` for the origin's status.
    pub answer: Option<StatusCode>,
}

/// The pages of a site, and whether it is an application of one page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pages {
    errors: Vec<ErrorPage>,
    single_page: Option<String>,
}

/// What to send in place of an origin's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instead<'p> {
    pub path: &'p str,
    pub status: StatusCode,
}

impl Pages {
    /// Of two pages for one status the first counts. `single_page` is the path that answers whatever is no file.
    pub fn new(errors: Vec<ErrorPage>, single_page: Option<String>) -> Self {
        Self { errors, single_page }
    }

    /// Whether no answer is ever replaced.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty() && self.single_page.is_none()
    }

    /// Gives what to send in place of an answer with `status` to a request for `path`; `None` for the answer itself. If the
    /// page cannot be had, the origin's answer is to be sent after all; a page is never replaced by another.
    pub fn instead(&self, method: &Method, path: &str, status: StatusCode) -> Option<Instead<'_>> {
        if let Some(page) = self.single_page.as_deref()
            && is_read(method)
            && matches!(status.as_u16(), 403 | 404)
            && is_route(path)
            && path != page
        {
            return Some(Instead { path: page, status: StatusCode::OK });
        }
        let page = self.errors.iter().find(|page| page.status == status && page.path != path)?;
        Some(Instead { path: &page.path, status: page.answer.unwrap_or(status) })
    }
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// Whether a path can be a place within an application: its last segment has no extension. A script that is missing must
/// not be answered with a page.
fn is_route(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    let extension = last.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_none_or(|extension| extension.is_empty() || extension.len() > 8 || extension.contains('%'))
        || last.to_ascii_lowercase().ends_with(".html")
}
