//! What clients get in place of an origin's error: a page of the same site, fetched the way that its own path is.

use std::sync::Arc;

use http::header::{ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, COOKIE, HeaderMap, USER_AGENT};
use http::{Method, Request, StatusCode, Uri, Version};

use super::Engine;
use super::answer::{Answer, Viewer};
use crate::edge::site::{Behaviour, Site};

/// What of a request is needed to send a page in place of its answer.
pub(super) struct Page {
    method: Method,
    path: String,
    version: Version,
    headers: HeaderMap,
}

impl Page {
    /// `None` where no page ever takes the place of an answer.
    pub fn of_request<B>(behaviour: &Behaviour, request: &Request<B>) -> Option<Self> {
        if behaviour.pages.is_empty() {
            return None;
        }
        let mut headers = HeaderMap::new();
        for name in [ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, COOKIE, USER_AGENT] {
            headers.extend(request.headers().get(&name).map(|value| (name, value.clone())));
        }
        let (method, version) = (request.method().clone(), request.version());
        Some(Self { method, path: request.uri().path().to_owned(), version, headers })
    }

    /// Gives the page where there is one for this answer; the answer itself where there is none, or the page cannot be had.
    pub async fn replace(
        self,
        engine: &Engine,
        site: &Arc<Site>,
        behaviour: &Arc<Behaviour>,
        viewer: &Viewer,
        answer: Answer,
    ) -> Answer {
        let status = answer.response.status();
        let Some(instead) = behaviour.pages.instead(&self.method, &self.path, status) else { return answer };
        let Ok(uri) = instead.path.parse::<Uri>() else { return answer };
        let mut parts = Request::new(()).into_parts().0;
        parts.method = if self.method == Method::HEAD { Method::HEAD } else { Method::GET };
        (parts.uri, parts.version, parts.headers) = (uri, self.version, self.headers);
        let its_behaviour = site.behaviour(instead.path);
        let mut page = match its_behaviour.cached.enabled {
            true => Box::pin(engine.answer_from_cache(site, its_behaviour, viewer, parts)).await,
            false => {
                let request = Request::from_parts(parts, crate::edge::origin::empty());
                Box::pin(engine.pass(site, its_behaviour, viewer, request)).await
            }
        };
        if page.response.status() != StatusCode::OK {
            return answer;
        }
        *page.response.status_mut() = instead.status;
        page.outcome.origin = page.outcome.origin.or(answer.outcome.origin);
        page
    }
}
