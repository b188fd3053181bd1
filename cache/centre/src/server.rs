//! The doors: HTTPS for posts (HTTP/1.1 and 2), plain HTTP on a loopback address for the board and for proxies that end TLS.

use std::{fmt, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Semaphore,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, ServerConfig},
};
use tower_service::Service;

/// Connections at once: 50,000 gates keep theirs.
const CONNECTIONS: usize = 65_000;
/// Longest wait for a handshake or a request's head: who connects and says nothing is let go.
const PATIENCE: Duration = Duration::from_secs(15);
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 32;

/// Why a door cannot be opened.
#[derive(Debug)]
pub enum DoorError {
    /// A certificate or key file.
    Pem(PathBuf, rustls_pki_types::pem::Error),
    /// The certificate and the key are no pair.
    Tls(rustls::Error),
    /// The address.
    Address(SocketAddr, io::Error),
}

impl fmt::Display for DoorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Tls(error) => write!(f, "certificate and key: {error}"),
            Self::Address(address, error) => write!(f, "cannot listen on {address}: {error}"),
        }
    }
}

impl std::error::Error for DoorError {}

/// Reads a certificate chain and its key (PEM).
pub fn tls(certificate: PathBuf, key: PathBuf) -> Result<TlsAcceptor, DoorError> {
    let pem = |path: &PathBuf, error| DoorError::Pem(path.clone(), error);
    let chain = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| pem(&certificate, error))?;
    let secret = PrivateKeyDer::from_pem_file(&key).map_err(|error| pem(&key, error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(DoorError::Tls)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Takes an address.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, DoorError> {
    TcpListener::bind(address).await.map_err(|error| DoorError::Address(address, error))
}

/// Serves until the future is dropped.
pub async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, routes: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or the peer has gone: a pause lets connections end.
                ::log::debug!("a connection was not taken: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (tls, routes) = (tls.clone(), routes.clone());
        tokio::spawn(async move {
            let _place = place;
            let _ = stream.set_nodelay(true);
            match tls {
                None => connection(stream, from, routes).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                        connection(stream, from, routes).await;
                    }
                }
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, from: SocketAddr, routes: Router) {
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(from));
        let mut routes = routes.clone();
        // A router is always ready.
        async move { Service::call(&mut routes, request.map(Body::new)).await }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE * 40).max_buf_size(64 * 1024);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS).keep_alive_interval(Some(PATIENCE * 4));
    // How a connection ended is the peer's business; what was committed on it was answered or will be asked for.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}
