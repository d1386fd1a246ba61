//! Fields that a behaviour adds to answers or takes out of them.
//!
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-response-headers-policies.html>

use http::Method;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderMap, HeaderName, HeaderValue, ORIGIN,
};

use super::{compress, wildcard};

/// A field to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    pub name: HeaderName,
    pub value: HeaderValue,
    /// Whether it takes the place of the origin's; otherwise that one stays.
    pub overrides: bool,
}

/// What pages of other origins may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// `*`, or origins, in which `*` and `?` are wildcards.
    pub origins: Vec<String>,
    /// The value of `Access-Control-Allow-Methods`, as of the next two.
    pub methods: HeaderValue,
    pub request_headers: Option<HeaderValue>,
    pub exposed_headers: Option<HeaderValue>,
    pub credentials: bool,
    pub max_age_seconds: Option<u64>,
    /// Whether this takes the place of what the origin says; otherwise it counts where the origin says nothing of it.
    pub overrides: bool,
}

/// Everything that a behaviour does to the fields of answers. The values are made once, when the configuration is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponsePolicy {
    pub cors: Option<Cors>,
    /// Security fields and custom ones.
    pub added: Vec<Added>,
    pub removed: Vec<HeaderName>,
}

/// The fields by which an origin answers of itself.
const OF_CORS: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

impl ResponsePolicy {
    pub fn is_empty(&self) -> bool {
        self.cors.is_none() && self.added.is_empty() && self.removed.is_empty()
    }

    /// Carries the policy out on an answer. Fields are removed before others are added, so that one can be replaced.
    pub fn apply(&self, method: &Method, request: &HeaderMap, response: &mut HeaderMap) {
        for name in &self.removed {
            response.remove(name);
        }
        if let Some(cors) = &self.cors {
            cors.apply(method, request, response);
        }
        for added in &self.added {
            if added.overrides || !response.contains_key(&added.name) {
                response.insert(&added.name, added.value.clone());
            }
        }
    }
}

impl Cors {
    /// Whether the answer to a preflight is known without the origin; then it is a 204 with the fields of
    /// [`ResponsePolicy::apply`].
    pub fn answers_preflight(method: &Method, request: &HeaderMap) -> bool {
        method == Method::OPTIONS && request.contains_key(ORIGIN) && request.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    fn apply(&self, method: &Method, request: &HeaderMap, response: &mut HeaderMap) {
        if !self.overrides && OF_CORS.iter().any(|name| response.contains_key(name)) {
            return;
        }
        for name in &OF_CORS {
            response.remove(name);
        }
        // Whoever gets the answer from a cache behind this one may come from somewhere else.
        if !self.is_for_everybody() {
            compress::add_vary(response, &ORIGIN);
        }
        let Some(origin) = request.get(ORIGIN) else { return };
        let Some(allowed) = self.allowed(origin) else { return };
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if self.credentials {
            response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if Self::answers_preflight(method, request) {
            self.apply_to_preflight(response);
        } else if let Some(exposed) = &self.exposed_headers {
            response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }

    fn apply_to_preflight(&self, response: &mut HeaderMap) {
        response.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        if let Some(headers) = &self.request_headers {
            response.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
        }
        if let Some(seconds) = self.max_age_seconds {
            response.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
        }
    }

    fn is_for_everybody(&self) -> bool {
        !self.credentials && self.origins.iter().any(|origin| origin == "*")
    }

    /// The value of `Access-Control-Allow-Origin` for a page of this origin.
    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.is_for_everybody() {
            return Some(HeaderValue::from_static("*"));
        }
        let text = origin.to_str().ok()?;
        self.origins.iter().any(|allowed| wildcard::matches(allowed, text)).then(|| origin.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::rules::testing::headers;

    fn cors(origins: &[&str], overrides: bool) -> Cors {
        Cors {
            origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
            methods: HeaderValue::from_static("GET, HEAD"),
            request_headers: Some(HeaderValue::from_static("x-a")),
            exposed_headers: Some(HeaderValue::from_static("etag")),
            credentials: false,
            max_age_seconds: Some(600),
            overrides,
        }
    }

    fn applied(
        policy: &ResponsePolicy,
        method: &Method,
        request: &[(&str, &str)],
        response: &[(&str, &str)],
    ) -> HeaderMap {
        let mut response = headers(response);
        policy.apply(method, &headers(request), &mut response);
        response
    }

    #[test]
    fn fields_are_taken_out_and_added_over_or_behind_the_origins() {
        let added = |name, overrides| Added {
            name: HeaderName::from_static(name),
            value: HeaderValue::from_static("ours"),
            overrides,
        };
        let policy = ResponsePolicy {
            cors: None,
            added: vec![added("x-over", true), added("x-behind", false), added("server", false)],
            removed: vec![HeaderName::from_static("server"), HeaderName::from_static("x-gone")],
        };
        let origin = [("x-over", "1"), ("x-over", "2"), ("x-behind", "theirs"), ("server", "theirs"), ("x-gone", "")];
        let expected = [("x-over", "ours"), ("x-behind", "theirs"), ("server", "ours")];
        assert_eq!(applied(&policy, &Method::GET, &[], &origin), headers(&expected));
        let added_all = [("x-over", "ours"), ("x-behind", "ours"), ("server", "ours")];
        assert_eq!(applied(&policy, &Method::GET, &[], &[]), headers(&added_all));
        assert!(ResponsePolicy::default().is_empty() && !policy.is_empty());
    }

    #[test]
    fn pages_of_allowed_origins_may_read() {
        let to = |origins: &[&str], origin: &str| {
            let policy = ResponsePolicy { cors: Some(cors(origins, true)), ..ResponsePolicy::default() };
            applied(&policy, &Method::GET, &[("origin", origin)], &[("access-control-allow-origin", "theirs")])
        };
        let allowed = |origin| [("access-control-allow-origin", origin), ("access-control-expose-headers", "etag")];
        assert_eq!(to(&["*"], "https://a.example"), headers(&allowed("*")));
        let varying = [allowed("https://a.example").as_slice(), &[("vary", "origin")]].concat();
        assert_eq!(to(&["https://*.example"], "https://a.example"), headers(&varying));
        assert_eq!(to(&["https://*.example"], "https://a.example.org"), headers(&[("vary", "origin")]));
    }

    #[test]
    fn credentials_are_never_for_every_origin_at_once() {
        let with = Cors { credentials: true, ..cors(&["*"], true) };
        let policy = ResponsePolicy { cors: Some(with), ..ResponsePolicy::default() };
        let response = applied(&policy, &Method::GET, &[("origin", "https://a")], &[]);
        assert_eq!(response["access-control-allow-origin"], "https://a");
        assert_eq!(response["access-control-allow-credentials"], "true");
        assert_eq!(response["vary"], "origin");
    }

    #[test]
    fn a_policy_that_does_not_override_leaves_what_the_origin_says() {
        let policy = ResponsePolicy { cors: Some(cors(&["*"], false)), ..ResponsePolicy::default() };
        let theirs = [("access-control-max-age", "1")];
        assert_eq!(applied(&policy, &Method::GET, &[("origin", "https://a")], &theirs), headers(&theirs));
        assert_eq!(applied(&policy, &Method::GET, &[], &[]), HeaderMap::new());
    }

    #[test]
    fn preflights_are_answered() {
        let request = [("origin", "https://a"), ("access-control-request-method", "GET")];
        assert!(Cors::answers_preflight(&Method::OPTIONS, &headers(&request)));
        assert!(!Cors::answers_preflight(&Method::GET, &headers(&request)));
        assert!(!Cors::answers_preflight(&Method::OPTIONS, &headers(&request[..1])));
        let policy = ResponsePolicy { cors: Some(cors(&["*"], true)), ..ResponsePolicy::default() };
        let expected = [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-methods", "GET, HEAD"),
            ("access-control-allow-headers", "x-a"),
            ("access-control-max-age", "600"),
        ];
        assert_eq!(applied(&policy, &Method::OPTIONS, &request, &[]), headers(&expected));
    }
}
