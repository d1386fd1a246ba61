//! `/health/live`, `/health/ready` and `/metrics`.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use tokio::task::JoinHandle;

use crate::telemetry::metrics;

/// The most connections at a time; more wait.
const MAX_CONNECTIONS: usize = 64;
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long requests in flight may take at the end, in seconds. They take milliseconds.
const SHUTDOWN_SECONDS: u64 = 1;

/// Prometheus' text format, <https://prometheus.io/docs/instrumenting/exposition_formats/>.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Tells whether requests can be served, or why not. Must not block.
pub type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// A running listener for health checks and metrics.
pub struct HealthListener {
    handle: ServerHandle,
    task: JoinHandle<io::Result<()>>,
}

impl HealthListener {
    /// Serves on `listener` until stopped. Needs a tokio runtime.
    pub fn start(listener: TcpListener, readiness: Readiness) -> io::Result<Self> {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(Arc::clone(&readiness)))
                .service(web::resource("/health/live").route(web::get().to(live)).route(web::head().to(live)))
                .service(web::resource("/health/ready").route(web::get().to(ready)).route(web::head().to(ready)))
                .service(web::resource("/metrics").route(web::get().to(prometheus)))
        })
        .workers(1)
        .max_connections(MAX_CONNECTIONS)
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .tcp_nodelay(true)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run();
        Ok(Self { handle: server.handle(), task: tokio::spawn(server) })
    }

    /// Stops listening and lets requests in flight end.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        if let Ok(Err(error)) = self.task.await {
            tracing::warn!(%error, "the admin listener ended badly");
        }
    }
}

/// The process answers: nothing else is asked.
async fn live() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("live\n")
}

async fn ready(readiness: web::Data<Readiness>) -> HttpResponse {
    match (readiness.get_ref())() {
        Ok(()) => HttpResponse::Ok().content_type("text/plain").body("ready\n"),
        Err(reason) => HttpResponse::ServiceUnavailable().content_type("text/plain").body(format!("{reason}\n")),
    }
}

async fn prometheus() -> HttpResponse {
    HttpResponse::Ok().content_type(METRICS_TYPE).body(metrics::render())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    async fn ask(address: SocketAddr, request: &'static str) -> String {
        let asking = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "{request} HTTP/1.1\r\nhost: brim\r\nconnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        asking.await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn health_and_metrics_are_served_and_nothing_else() {
        metrics::describe().unwrap();
        metrics::started(crate::clock::Timestamp::from_seconds(1));
        let well = Arc::new(AtomicBool::new(false));
        let readiness: Readiness = {
            let well = Arc::clone(&well);
            Arc::new(move || if well.load(Ordering::SeqCst) { Ok(()) } else { Err("replaying the log".to_owned()) })
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let health = HealthListener::start(listener, readiness).unwrap();

        assert!(ask(address, "GET /health/live").await.starts_with("HTTP/1.1 200"));
        let unready = ask(address, "GET /health/ready").await;
        assert!(unready.starts_with("HTTP/1.1 503") && unready.ends_with("replaying the log\n"), "{unready}");
        well.store(true, Ordering::SeqCst);
        assert!(ask(address, "GET /health/ready").await.starts_with("HTTP/1.1 200"));
        let metrics = ask(address, "GET /metrics").await;
        assert!(
            metrics.contains(METRICS_TYPE) && metrics.contains("# TYPE brim_start_time_seconds gauge"),
            "{metrics}"
        );
        assert!(ask(address, "GET /").await.starts_with("HTTP/1.1 404"));
        assert!(ask(address, "POST /health/live").await.starts_with("HTTP/1.1 405"));
        health.stop().await;
        assert!(TcpStream::connect(address).is_err());
    }
}
