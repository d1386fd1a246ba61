//! One endpoint, several transports: requests signed for IAM or STS go to [`crate::query`], those of edges to
//! [`crate::edges`], those for streams of events to [`crate::streams`], those for CloudFront to [`crate::cloudfront`], all others to [`crate::s3`].

use std::sync::Arc;

use actix_http::{HttpMessage, Request};
use actix_web::{HttpRequest, HttpResponse, web};

use super::http_listener::Endpoint;
use crate::edges::Edges;
use crate::guard::Origin;
use crate::http::head::Head;
use crate::transport::head::{Secured, head_of};
use crate::{cloudfront, edges, feed, query, s3, streams};

/// What answers the requests of the endpoint. Clones share it.
#[derive(Clone)]
pub struct Transports {
    pub cloudfront: Arc<cloudfront::Service>,
    pub edges: Arc<Edges>,
    pub s3: Arc<s3::Service>,
    pub streams: Arc<streams::Service>,
    pub query: Arc<query::Service>,
}

impl Endpoint for Transports {
    const NAME: &'static str = "s3";

    async fn answer(&self, http: HttpRequest, payload: web::Payload) -> HttpResponse {
        // The path first: hardly any request of S3 is read twice.
        if http.uri().path() == "/" && self.is_for_query(&head_of(http.method(), http.uri(), http.headers())) {
            return query::serve::handle(http, payload, Arc::clone(&self.query)).await;
        }
        if http.uri().path().starts_with(feed::PATH)
            && self.edges.is_addressed(&head_of(http.method(), http.uri(), http.headers()))
        {
            return edges::serve::handle(http, payload, Arc::clone(&self.edges)).await;
        }
        if http.uri().path() == streams::PATH
            && self.streams.is_addressed(&head_of(http.method(), http.uri(), http.headers()))
        {
            return streams::serve::handle(http, Arc::clone(&self.streams)).await;
        }
        if cloudfront::serve::may_be_addressed(http.uri().path())
            && self.cloudfront.is_addressed(&head_of(http.method(), http.uri(), http.headers()))
        {
            return cloudfront::serve::handle(http, payload, Arc::clone(&self.cloudfront)).await;
        }
        s3::serve::handle(http, payload, Arc::clone(&self.s3)).await
    }

    async fn admit_early(&self, request: Request) -> Result<Request, HttpResponse> {
        let head = head_of(request.method(), request.uri(), request.headers());
        if self.is_for_query(&head) {
            return match self.query.refuse_early(&head).await {
                Some(refused) => Err(refused),
                None => Ok(request),
            };
        }
        if self.edges.is_addressed(&head) {
            return match self.edges.refuse_early(&head).await {
                Some(refused) => Err(refused),
                None => Ok(request),
            };
        }
        if self.cloudfront.is_addressed(&head) {
            return match self.cloudfront.refuse_early(&head).await {
                Some(refused) => Err(refused),
                None => Ok(request),
            };
        }
        let secure = request.conn_data::<Secured>().is_some();
        match self.s3.admit(&head, Origin::of(request.head().peer_addr, secure)).await {
            Ok(admitted) => {
                request.extensions_mut().insert(s3::serve::Early(admitted));
                Ok(request)
            }
            Err(refused) => Err(s3::serve::refuse_early(&self.s3, &head, &refused).await),
        }
    }
}

impl Transports {
    fn is_for_query(&self, head: &Head) -> bool {
        self.query.is_addressed(head, self.s3.is_for_bucket(head))
    }
}
