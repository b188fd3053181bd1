//! Another machine on the network: its address, who vouches for its certificate, and what proves to it who we are.
//!
//! Used by whoever speaks with one: rows on their way to a centre, and gates behind a controller. Nothing on the way to a verdict.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use ureq::{
    Agent,
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

/// How to reach it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// With scheme, host and port.
    pub url: String,
    /// Authorities that vouch for its certificate (PEM); the web's when absent.
    pub ca: Option<PathBuf>,
    /// User name.
    pub user: Option<String>,
    /// File whose first line is the password or token.
    pub secret: Option<PathBuf>,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

/// It cannot be reached the way it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerError {
    /// Another scheme, or no host.
    Url(String),
    /// A file that cannot be read, or holds something else.
    File(PathBuf, String),
    /// Keys of a centre that are none, too many, or missing.
    Keys(String),
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{url:?} must be mqtt://, mqtts://, https:// or http:// with a host"),
            Self::File(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Keys(why) => write!(
                f,
                "upload.centre_keys: {why}; pin what the centre prints when it starts, or say receipts = \"none\" where it \
                 signs none"
            ),
        }
    }
}

impl std::error::Error for PeerError {}

impl Peer {
    /// The secret's first line.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn read_secret(&self) -> Result<Option<String>, PeerError> {
        let Some(path) = &self.secret else { return Ok(None) };
        let wrong = |why: String| PeerError::File(path.clone(), why);
        let text = fs::read_to_string(path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => wrong("is no text in UTF-8: save it as that".to_owned()),
            _ => wrong(error.to_string()),
        })?;
        // Editors of another system begin a file with the mark of its byte order, which is no part of a password.
        match text.trim_start_matches('\u{feff}').lines().next() {
            None | Some("") => Err(wrong("its first line, which is the secret, is empty".to_owned())),
            Some(secret) => Ok(Some(secret.to_owned())),
        }
    }

    /// For requests to it. It follows no redirects: an address is what the installer wrote.
    ///
    /// # Errors
    /// When the authorities' file cannot be used.
    pub fn agent(&self) -> Result<Agent, PeerError> {
        let mut config =
            Agent::config_builder().timeout_global(Some(self.timeout)).http_status_as_error(false).max_redirects(0);
        if let Some(path) = &self.ca {
            config = config.tls_config(vouched_for_by(path)?);
        }
        Ok(config.build().into())
    }
}

/// TLS that believes the authorities of a PEM file alone.
///
/// # Errors
/// When the file cannot be read, or holds no certificate.
pub fn vouched_for_by(authorities: &Path) -> Result<TlsConfig, PeerError> {
    let roots = RootCerts::new_with_certs(&certificates(authorities)?);
    Ok(TlsConfig::builder().root_certs(roots).build())
}

/// The certificates of a PEM file: at least one.
fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, PeerError> {
    let failed = |why: String| PeerError::File(path.to_owned(), why);
    let pem = fs::read(path).map_err(|error| failed(error.to_string()))?;
    let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(failed("holds no certificate (expected PEM)".to_owned()));
    }
    Ok(certificates)
}

#[cfg(feature = "mqtt")]
pub use broker::Broker;

#[cfg(feature = "mqtt")]
mod broker {
    use std::{path::Path, sync::Arc, time::Duration};

    use rumqttc::{
        ConnectAuth, MqttOptions, TlsConfiguration, Transport,
        tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer},
    };

    use super::{Peer, PeerError, certificates};

    /// An MQTT 5 broker, its files read.
    #[derive(Clone)]
    pub struct Broker {
        host: String,
        port: u16,
        tls: Option<Arc<ClientConfig>>,
        login: Option<(String, String)>,
        timeout: Duration,
    }

    impl Broker {
        /// Reads address, certificate and password.
        ///
        /// # Errors
        /// When one of them cannot be used.
        pub fn new(peer: &Peer) -> Result<Broker, PeerError> {
            let wrong = || PeerError::Url(peer.url.clone());
            let (scheme, rest) = peer.url.split_once("://").ok_or_else(wrong)?;
            let authority = rest.split('/').next().unwrap_or_default();
            let secure = scheme == "mqtts";
            let (host, port) = match authority.rsplit_once(':') {
                Some((host, port)) if !host.ends_with(':') => (host, port.parse().map_err(|_| wrong())?),
                _ => (authority, if secure { 8883 } else { 1883 }),
            };
            if host.is_empty() {
                return Err(wrong());
            }
            let password = peer.read_secret()?.unwrap_or_default();
            Ok(Broker {
                host: host.trim_matches(['[', ']']).to_owned(),
                port,
                tls: if secure { Some(tls(peer.ca.as_deref())?) } else { None },
                login: peer.user.clone().map(|user| (user, password)),
                timeout: peer.timeout,
            })
        }

        /// For a connection under this name; the broker calls the last will after one and a half keep-alives without a word.
        #[must_use]
        pub fn options(&self, name: String, keep_alive: Duration) -> MqttOptions {
            let mut mqtt = MqttOptions::new(name, (self.host.as_str(), self.port));
            // MQTT 5 §3.1.2.10: a keep-alive is a number of seconds in two bytes.
            mqtt.set_keep_alive(u16::try_from(keep_alive.as_secs()).unwrap_or(u16::MAX));
            mqtt.set_connect_timeout(self.timeout.max(Duration::from_secs(1)));
            if let Some((username, password)) = self.login.clone() {
                mqtt.set_auth(ConnectAuth::UsernamePassword { username, password: password.into() });
            }
            if let Some(tls) = &self.tls {
                mqtt.set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::clone(tls))));
            }
            mqtt
        }
    }

    fn tls(ca: Option<&Path>) -> Result<Arc<ClientConfig>, PeerError> {
        let mut roots = RootCertStore::empty();
        let Some(path) = ca else {
            return Err(PeerError::File(
                "ca".into(),
                "mqtts:// needs the authority of the broker's certificate".into(),
            ));
        };
        let certificates = certificates(path)?;
        let (taken, _) = roots.add_parsable_certificates(
            certificates.iter().map(|certificate| CertificateDer::from(certificate.der().to_vec())),
        );
        if taken == 0 {
            return Err(PeerError::File(path.to_owned(), "holds no certificate of an authority".to_owned()));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| PeerError::File(path.to_owned(), error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}
