//! Posts that come over an MQTT 5 broker: the same bytes, the same checks and the same answers as over HTTPS.
//!
//! | topic | who | holds |
//! |---|---|---|
//! | `checkpoint/<post>/batch` | post | a batch, gzip |
//! | `checkpoint/<post>/health` | post | a health line |
//! | `checkpoint/<post>/receipt` | centre, retained, QoS 1 | the newest receipt or refusal |
//! | `checkpoint/<post>/later` | centre | `SECONDS WHY`: when to come again |
//!
//! The broker's acknowledgement means nothing here: a post sends a batch again until a receipt covers it, and sends the next one
//! after it, so that a broker that loses everything loses time, and one that keeps everything keeps one batch a post.

use std::{
    fmt, fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    net::{IpAddr, Ipv6Addr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use cache::exchange::batch::gunzip;
use rumqttc::{
    AsyncClient, ConnectAuth, Event, MqttOptions, Packet, PublishOptions, QoS, TlsConfiguration, Transport,
    tokio_rustls::rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, pem::PemObject},
    },
};
use tokio::sync::Semaphore;

use crate::front::{Answer, Front};

/// Batches that are looked at side by side; the rest waits at the broker.
const AT_ONCE: usize = 256;
/// Pause before the broker is looked for again.
const PAUSE: Duration = Duration::from_secs(2);
const KEEP_ALIVE: u16 = 15;
/// Largest message: a batch that does not compress, with its topic.
const MESSAGE: u32 = (4 << 20) + 4096;

/// A broker.
#[derive(Clone, Debug)]
pub struct Broker {
    /// `mqtt://HOST:PORT` or `mqtts://…`.
    pub url: String,
    /// Who vouches for its certificate (PEM); needed for `mqtts`.
    pub ca: Option<PathBuf>,
    /// User name, and a file with the password.
    pub login: Option<(String, PathBuf)>,
    /// First part of the topics.
    pub topic: String,
}

/// Why there is no way to a broker.
#[derive(Debug)]
pub enum BrokerError {
    /// The address is none.
    Address(String),
    /// A file.
    File(PathBuf, io::Error),
    /// The authority's certificate.
    Authority(PathBuf),
    /// The client does not take these settings.
    Settings(String),
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(url) => write!(f, "{url} is no broker (mqtt://HOST:PORT or mqtts://HOST:PORT)"),
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Authority(path) => write!(f, "{}: no certificate of an authority", path.display()),
            Self::Settings(error) => write!(f, "broker: {error}"),
        }
    }
}

impl std::error::Error for BrokerError {}

impl Broker {
    fn options(&self) -> Result<MqttOptions, BrokerError> {
        let bad = || BrokerError::Address(self.url.clone());
        let (scheme, rest) = self.url.split_once("://").ok_or_else(bad)?;
        let (host, port) = match rest.trim_end_matches('/').rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| bad())?),
            None => (rest, if scheme == "mqtts" { 8883 } else { 1883 }),
        };
        let mut options = MqttOptions::new(format!("checkpoint-centre-{}", std::process::id()), (host, port));
        options.set_keep_alive(KEEP_ALIVE);
        options.set_max_packet_size(Some(MESSAGE));
        match scheme {
            "mqtt" => {}
            "mqtts" => {
                options.set_transport(Transport::Tls(TlsConfiguration::Rustls(self.tls()?)));
            }
            _ => return Err(bad()),
        }
        if let Some((username, path)) = &self.login {
            let password = fs::read_to_string(path).map_err(|error| BrokerError::File(path.clone(), error))?;
            let password = password.lines().next().unwrap_or_default().to_owned().into();
            options.set_auth(ConnectAuth::UsernamePassword { username: username.clone(), password });
        }
        Ok(options)
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, BrokerError> {
        let path = self.ca.clone().ok_or_else(|| BrokerError::Address(format!("{} without a CA", self.url)))?;
        let certificates = CertificateDer::pem_file_iter(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut roots = RootCertStore::empty();
        let (taken, _) =
            roots.add_parsable_certificates(certificates.map_err(|_| BrokerError::Authority(path.clone()))?);
        if taken == 0 {
            return Err(BrokerError::Authority(path));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| BrokerError::Settings(error.to_string()))?;
        Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    }

    /// Serves posts over the broker, for ever: a broker that goes away is looked for again.
    pub async fn serve(self, front: Arc<Front>) -> Result<(), BrokerError> {
        let options = self.options()?;
        let (client, mut events) = AsyncClient::builder(options)
            .capacity(AT_ONCE * 2)
            .try_build()
            .map_err(|error| BrokerError::Settings(error.to_string()))?;
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut alone = false;
        loop {
            let message = match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    ::log::info!("posts are heard over {}", self.url);
                    alone = false;
                    for what in ["batch", "health"] {
                        let filter = format!("{}/+/{what}", self.topic);
                        let _ = client.subscribe(filter, QoS::AtLeastOnce).await;
                    }
                    continue;
                }
                Ok(Event::Incoming(Packet::Publish(message))) => message,
                Ok(_) => continue,
                Err(error) => {
                    if !alone {
                        ::log::warn!("{}: {error}; it is looked for again", self.url);
                    }
                    alone = true;
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let topic = String::from_utf8_lossy(&message.topic).into_owned();
            let Some((post, what)) = named(&self.topic, &topic) else { continue };
            let (post, what) = (post.to_owned(), what.to_owned());
            let Ok(place) = places.clone().acquire_owned().await else { return Ok(()) };
            let (front, client, prefix) = (front.clone(), client.clone(), self.topic.clone());
            tokio::spawn(async move {
                let _place = place;
                let answer = answer(&front, &post, &what, &message.payload).await;
                if let Some((last, retain, text)) = spelt(answer) {
                    let options = PublishOptions::at_least_once().retain(retain);
                    // A broker that has gone takes the answer with it; the post asks again.
                    let _ = client.publish(format!("{prefix}/{post}/{last}"), text, options).await;
                }
            });
        }
    }
}

/// Post and kind of a topic.
fn named<'t>(prefix: &str, topic: &'t str) -> Option<(&'t str, &'t str)> {
    let (post, what) = topic.strip_prefix(prefix)?.strip_prefix('/')?.split_once('/')?;
    (!post.is_empty() && matches!(what, "batch" | "health")).then_some((post, what))
}

async fn answer(front: &Front, post: &str, what: &str, payload: &[u8]) -> Answer {
    let from = address(post);
    if what == "health" {
        return match std::str::from_utf8(payload) {
            Ok(note) if cache::exchange::Health::claimed_post(note) == Some(post) => front.health(note, from),
            _ => front.stranger(from, "no health line of this post\n"),
        };
    }
    let inflated = if payload.starts_with(&[0x1f, 0x8b]) { gunzip(payload) } else { Ok(payload.to_vec()) };
    match inflated {
        Ok(bytes) => front.batch(bytes, from).await,
        Err(error) => front.stranger(from, &format!("{error}\n")),
    }
}

/// The topic's last part, whether it is retained, and the text; nothing where nothing has to be said.
fn spelt(answer: Answer) -> Option<(&'static str, bool, String)> {
    match answer.status {
        200 | 409 | 422 => Some(("receipt", true, answer.text)),
        204 => None,
        _ => Some(("later", false, format!("{} {}", answer.retry_after.unwrap_or(60), answer.text))),
    }
}

/// Behind a broker, who proves nothing is known by the topic, which the broker's access list binds to a login: each is an address of
/// its own (RFC 4193), so that one that floods is not its neighbours' loss.
fn address(post: &str) -> IpAddr {
    let mut hasher = DefaultHasher::new();
    post.hash(&mut hasher);
    IpAddr::V6(Ipv6Addr::from((0xfd << 120) | u128::from(hasher.finish())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_names_a_post_and_what_it_sends_and_nothing_else_is_heard() {
        assert_eq!(named("checkpoint", "checkpoint/gate-3/batch"), Some(("gate-3", "batch")));
        for other in
            ["checkpoint/gate-3/receipt", "checkpoint//batch", "checkpoints/g/batch", "checkpoint/a/b/batch", ""]
        {
            assert_eq!(named("checkpoint", other), None, "{other}");
        }
    }

    #[test]
    fn only_what_is_signed_is_retained() {
        let answer = |status| Answer { status, text: "text".to_owned(), retry_after: None };
        assert_eq!(spelt(answer(200)), Some(("receipt", true, "text".to_owned())));
        assert_eq!(spelt(answer(503)), Some(("later", false, "60 text".to_owned())));
        assert_eq!(spelt(answer(204)), None);
    }
}
