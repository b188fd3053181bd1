//! One kept connection to a centre, HTTP/1.1, over TLS where the address says so.

use std::{fmt, io, path::Path, sync::Arc, time::Duration};

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, ClientConfig, RootCertStore},
};

/// Longest wait for a connection or an answer.
const WAIT: Duration = Duration::from_secs(30);
/// Longest answer that is read.
const ANSWER: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The address is none.
    Address(String),
    /// The authority's certificate.
    Authority(rustls_pki_types::pem::Error),
    /// The connection.
    Connection(io::Error),
    /// HTTP.
    Http(hyper::Error),
    /// In time.
    Time,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address} is no address of a centre (http://HOST:PORT or https://…)"),
            Self::Authority(error) => write!(f, "the authority's certificate: {error}"),
            Self::Connection(error) => write!(f, "no connection: {error}"),
            Self::Http(error) => write!(f, "no answer: {error}"),
            Self::Time => f.write_str("no answer in time"),
        }
    }
}

impl std::error::Error for NoAnswer {}

impl From<hyper::Error> for NoAnswer {
    fn from(error: hyper::Error) -> Self {
        Self::Http(error)
    }
}

/// Where a centre is.
#[derive(Clone)]
pub struct Address {
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
}

impl Address {
    /// Of a URL; `ca` vouches for the centre's certificate.
    pub fn parse(url: &str, ca: Option<&Path>) -> Result<Address, NoAnswer> {
        let bad = || NoAnswer::Address(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
        let authority = rest.trim_end_matches('/');
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| bad())?),
            None => (authority, if scheme == "https" { 443 } else { 80 }),
        };
        let tls = match scheme {
            "http" => None,
            "https" => Some(connector(ca)?),
            _ => return Err(bad()),
        };
        Ok(Address { host: host.to_owned(), port, tls })
    }

    /// A connection.
    pub async fn connect(&self) -> Result<Connection, NoAnswer> {
        let connecting = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(NoAnswer::Connection)?;
            stream.set_nodelay(true).map_err(NoAnswer::Connection)?;
            match &self.tls {
                None => Connection::over(stream, &self.host).await,
                Some(tls) => {
                    let name =
                        ServerName::try_from(self.host.clone()).map_err(|_| NoAnswer::Address(self.host.clone()))?;
                    let stream = tls.connect(name, stream).await.map_err(NoAnswer::Connection)?;
                    Connection::over(stream, &self.host).await
                }
            }
        };
        tokio::time::timeout(WAIT, connecting).await.map_err(|_| NoAnswer::Time)?
    }
}

fn connector(ca: Option<&Path>) -> Result<TlsConnector, NoAnswer> {
    let mut roots = RootCertStore::empty();
    if let Some(ca) = ca {
        let chain = CertificateDer::pem_file_iter(ca).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        roots.add_parsable_certificates(chain.map_err(NoAnswer::Authority)?);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows the protocol's versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A kept connection.
pub struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    host: String,
}

/// What a centre answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP's number.
    pub status: u16,
    /// The text.
    pub text: String,
    /// Seconds to wait.
    pub retry_after: Option<u64>,
}

impl Connection {
    async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        host: &str,
    ) -> Result<Connection, NoAnswer> {
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Connection { sender, host: host.to_owned() })
    }

    /// Asks, and waits for the answer.
    pub async fn post(&mut self, path: &str, body: Vec<u8>, gzip: bool) -> Result<Answer, NoAnswer> {
        let mut request = Request::post(path).header(header::HOST, &self.host);
        if gzip {
            request = request.header(header::CONTENT_ENCODING, "gzip");
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|_| NoAnswer::Address(path.to_owned()))?;
        let asking = async {
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            let status = response.status().as_u16();
            let retry_after =
                response.headers().get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
            let body = response.into_body().collect().await?.to_bytes();
            let text = String::from_utf8_lossy(&body[..body.len().min(ANSWER)]).into_owned();
            Ok(Answer { status, text, retry_after })
        };
        tokio::time::timeout(WAIT, asking).await.map_err(|_| NoAnswer::Time)?
    }
}
