//! The website endpoint: challenges and what the plain listener owes to HTTPS come first, every other request goes to
//! [`crate::website`].

use std::sync::Arc;

use actix_http::Request;
use actix_web::{HttpRequest, HttpResponse, web};

use super::front::Front;
use super::http_listener::Endpoint;
use crate::transport::head::{Secured, is_secure};
use crate::website::{Service, serve};

/// What answers the requests of websites. Clones share it.
#[derive(Clone)]
pub struct Websites {
    pub service: Arc<Service>,
    pub front: Arc<Front>,
}

impl Endpoint for Websites {
    const NAME: &'static str = "website";

    async fn answer(&self, http: HttpRequest, _: web::Payload) -> HttpResponse {
        let secure = is_secure(&http);
        if let Some(answer) = self.front.answer(http.head(), secure) {
            return answer;
        }
        serve::handle(http, Arc::clone(&self.service), secure).await
    }

    async fn admit_early(&self, request: Request) -> Result<Request, HttpResponse> {
        let secure = request.conn_data::<Secured>().is_some();
        match serve::refuse_early(request.head(), &self.service, secure).await {
            Some(refused) => Err(refused),
            None => Ok(request),
        }
    }
}
