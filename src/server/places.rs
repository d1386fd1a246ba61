//! Where an endpoint listens: in the clear, and over TLS where that is configured.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::http_listener::{Endpoint, HttpListener, Socket};
use super::start::StartError;
use crate::config::ServerConfig;
use crate::process::ReadyLine;
use crate::tls::{CertificateKeeper, HTTP_1_1, Handshakes, server_configuration};

/// A bound address, and the option that names it.
pub struct Place {
    pub key: &'static str,
    /// With the port that was taken.
    pub address: SocketAddr,
    pub listener: TcpListener,
}

/// The bound addresses of an endpoint.
pub struct Places {
    plain: Place,
    tls: Option<Place>,
}

/// An endpoint that serves.
pub struct Served {
    name: &'static str,
    listener: HttpListener,
    plain: SocketAddr,
    tls: Option<SocketAddr>,
}

impl Place {
    pub fn bind(key: &'static str, address: SocketAddr) -> Result<Self, StartError> {
        let failed = |source: io::Error| StartError::Listen { key, address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { key, address, listener })
    }
}

impl Places {
    /// Binds both addresses, each with its option's key.
    pub fn bind(
        plain: (&'static str, SocketAddr),
        tls: (&'static str, Option<SocketAddr>),
    ) -> Result<Self, StartError> {
        let plain = Place::bind(plain.0, plain.1)?;
        let tls = tls.1.map(|address| Place::bind(tls.0, address)).transpose()?;
        Ok(Self { plain, tls })
    }

    /// The port of TLS.
    pub fn tls_port(&self) -> Option<u16> {
        self.tls.as_ref().map(|place| place.address.port())
    }

    /// Serves `endpoint` on both.
    pub fn serve<E: Endpoint>(
        self,
        endpoint: E,
        certificates: &CertificateKeeper,
        config: &ServerConfig,
    ) -> Result<Served, StartError> {
        let Place { key, address: plain, listener } = self.plain;
        let mut sockets = vec![Socket { listener, tls: None }];
        let tls = self.tls.as_ref().map(|place| place.address);
        if let Some(place) = self.tls {
            sockets.push(Socket { listener: place.listener, tls: Some(handshakes(E::NAME, certificates, config)?) });
        }
        let listener = HttpListener::start(sockets, endpoint, config).map_err(|source| StartError::Listen {
            key,
            address: plain,
            source,
        })?;
        Ok(Served { name: E::NAME, listener, plain, tls })
    }
}

impl Served {
    /// Names the address in the clear.
    pub fn tell_plain(&self, line: ReadyLine) -> ReadyLine {
        line.with(self.name, format!("http://{}", self.plain))
    }

    /// Names the address over TLS, if there is one.
    pub fn tell_tls(&self, line: ReadyLine) -> ReadyLine {
        match self.tls {
            Some(address) => line.with(&format!("{}_tls", self.name), format!("https://{address}")),
            None => line,
        }
    }

    pub async fn stop(self) {
        self.listener.stop().await;
    }
}

/// What makes TLS of the connections of `listener`.
fn handshakes(
    listener: &'static str,
    keeper: &CertificateKeeper,
    config: &ServerConfig,
) -> Result<Handshakes, StartError> {
    let configuration = server_configuration(Arc::clone(&keeper.certificates), &[HTTP_1_1]).map_err(StartError::Tls)?;
    let limits = &config.limits;
    // Half: those who only knock leave room for those who are inside.
    Ok(Handshakes::new(listener, configuration, limits.head_timeout, limits.connections.div_ceil(2)))
}
