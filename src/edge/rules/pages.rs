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

    /// Gives what to send in place of an answer with `status` to a request for `path`; `None` for the answer itself. If
    /// the page cannot be had, the origin's answer is to be sent after all; a page is never replaced by another.
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

/// Whether a path can be a place within an application: its last segment has no extension. A script that is missing
/// must not be answered with a page.
fn is_route(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    let extension = last.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_none_or(|extension| extension.is_empty() || extension.len() > 8 || extension.contains('%'))
        || last.to_ascii_lowercase().ends_with(".html")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Pages {
        let page = |status, path: &str, answer: Option<u16>| ErrorPage {
            status: StatusCode::from_u16(status).unwrap(),
            path: path.to_owned(),
            answer: answer.map(|answer| StatusCode::from_u16(answer).unwrap()),
        };
        let errors = vec![page(404, "/404.html", None), page(503, "/busy.html", Some(200)), page(404, "/other", None)];
        Pages::new(errors, Some("/index.html".to_owned()))
    }

    #[test]
    fn errors_have_pages_and_places_within_an_application_have_its_page() {
        let pages = pages();
        for (method, path, status, expected) in [
            (Method::GET, "/about", 404, Some(("/index.html", 200))),
            (Method::GET, "/about", 403, Some(("/index.html", 200))),
            (Method::HEAD, "/users/1/", 404, Some(("/index.html", 200))),
            (Method::GET, "/about.html", 404, Some(("/index.html", 200))),
            (Method::POST, "/about", 404, Some(("/404.html", 404))),
            (Method::GET, "/app.3fa9.js", 404, Some(("/404.html", 404))),
            (Method::GET, "/app.js", 403, None),
            (Method::GET, "/about", 500, None),
            (Method::GET, "/about", 503, Some(("/busy.html", 200))),
            (Method::GET, "/busy.html", 503, None),
            (Method::GET, "/index.html", 403, None),
            (Method::GET, "/about", 200, None),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let instead = pages.instead(&method, path, status);
            let instead = instead.map(|instead| (instead.path, instead.status.as_u16()));
            assert_eq!(instead, expected, "{method} {path} {status}");
        }
        assert!(Pages::default().is_empty() && !pages.is_empty());
        assert_eq!(Pages::default().instead(&Method::GET, "/about", StatusCode::NOT_FOUND), None);
    }
}
