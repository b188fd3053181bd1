//! A mirror on the web: plain files over HTTP or HTTPS, one connection kept for all of them. Nothing it says is believed unverified.

use std::{collections::BTreeMap, io::Read, path::PathBuf, time::Duration};

use host::{config, peer, retry_after};
use trustlist::tuf::Answer;
use ureq::{Agent, Body, Proxy, config::AutoHeaderValue, http::Response};

use crate::{error::Error, lists::Mirror};

/// Slowest link that is waited for while a target comes, in bytes a second: a modem's. Slower is a server that crawls on purpose.
const CRAWL: u64 = 2048;

/// How mirrors on the web are reached.
#[derive(Clone, Debug)]
pub struct MirrorAccess {
    /// How long a request may take; a target's, whose length was signed, is given its time on top.
    pub timeout: Duration,
    /// The proxy; that of the environment (`https_proxy`, `no_proxy`) when absent.
    pub proxy: Option<String>,
    /// Authorities that vouch for mirrors (PEM); the web's when absent.
    pub ca: Option<PathBuf>,
}

impl From<&config::Sync> for MirrorAccess {
    fn from(sync: &config::Sync) -> MirrorAccess {
        MirrorAccess { timeout: sync.timeout, proxy: sync.proxy.as_ref().map(|url| url.0.clone()), ca: sync.ca.clone() }
    }
}

/// A server that is overloaded is left in peace for as long as it asks (`Retry-After`, RFC 9110 §10.2.3), within these bounds: none
/// may silence a gate for good.
const SHORTEST_PEACE: Duration = Duration::from_secs(30);
const LONGEST_PEACE: Duration = Duration::from_secs(6 * 3600);

/// A page that says "not found" is read up to here. Stops endless regrets.
const LONGEST_REGRET: u64 = 16 * 1024;

/// Longest entity tag that is kept. Stops a server that has its own words stored here.
const LONGEST_TAG: usize = 256;

/// A mirror by its address.
pub struct WebMirror {
    agent: Agent,
    base: String,
    timeout: Duration,
    peace: Option<Duration>,
    /// Whether the server answered what it was asked last.
    is_there: bool,
}

/// What came of a request that was made on the condition that something has changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// It is as it was (RFC 9110 §15.4.5).
    NotModified,
    /// An answer, and the tag by which to ask the next time.
    Answer(Answer, Option<String>),
}

/// What is kept of mirrors between rounds: connections, and the sessions by which TLS is resumed (RFC 8446 §2.2).
#[derive(Default)]
pub struct Connections(BTreeMap<String, Agent>);

impl Connections {
    /// A mirror by its address, over what is kept of it.
    ///
    /// # Errors
    /// As [`WebMirror::new`].
    pub fn mirror(&mut self, base: &str, way: &MirrorAccess) -> Result<WebMirror, Error> {
        let agent = match self.0.get(base) {
            Some(agent) => agent.clone(),
            None => agent(way)?,
        };
        self.0.insert(base.to_owned(), agent.clone());
        Ok(WebMirror::over(agent, base, way))
    }
}

fn agent(way: &MirrorAccess) -> Result<Agent, Error> {
    // Without `Accept` everything is accepted (RFC 9110 §12.5.1), nobody needs to know what asks, and forty bytes a request are saved.
    let mut config = Agent::config_builder()
        .max_redirects(3)
        .http_status_as_error(false)
        .accept(AutoHeaderValue::None)
        .accept_encoding(AutoHeaderValue::None)
        .user_agent(AutoHeaderValue::None);
    if let Some(proxy) = &way.proxy {
        let proxy = Proxy::new(proxy).map_err(|error| Error::Proxy(proxy.clone(), error))?;
        config = config.proxy(Some(proxy));
    }
    if let Some(path) = &way.ca {
        config = config.tls_config(peer::vouched_for_by(path).map_err(Error::Authorities)?);
    }
    Ok(config.build().into())
}

impl WebMirror {
    /// Connects with the first file.
    ///
    /// # Errors
    /// When the proxy's address or the authorities' file is wrong.
    pub fn new(base: &str, way: &MirrorAccess) -> Result<WebMirror, Error> {
        Ok(WebMirror::over(agent(way)?, base, way))
    }

    fn over(agent: Agent, base: &str, way: &MirrorAccess) -> WebMirror {
        let base = base.trim_end_matches('/').to_owned();
        WebMirror { agent, base, timeout: way.timeout, peace: None, is_there: false }
    }

    /// How long a file may take. Only a target's limit is its length; metadata's is a bound, and a small file would be waited for
    /// as though it were large.
    fn patience(&self, path: &str, limit: u64) -> Duration {
        let is_target = path.split('/').nth(1) == Some("targets");
        self.timeout + Duration::from_secs(if is_target { limit / CRAWL } else { 0 })
    }
}

/// A path as it stands in an address (RFC 3986 §2): names of targets may hold anything a file's name can.
fn in_url(path: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/+".contains(&byte);
    path.bytes().fold(String::with_capacity(path.len()), |mut url, byte| {
        if kept(byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
        url
    })
}

impl WebMirror {
    /// Asks for a file, and says by its tag which one is known already (RFC 9110 §13.1.2).
    pub(super) fn ask(&mut self, path: &str, limit: u64, known: Option<&str>) -> Reply {
        let url = format!("{}/{}", self.base, in_url(path));
        let patience = self.patience(path, limit);
        let request = self.agent.get(&url);
        let request = match known {
            Some(tag) => request.header("If-None-Match", tag),
            None => request,
        };
        // Texts become shorter by it; status lists and what changed in them are deflated already.
        let request = if path.ends_with(".json") { request.header("Accept-Encoding", "gzip") } else { request };
        let request = request.config().timeout_recv_response(Some(self.timeout)).timeout_connect(Some(self.timeout));
        let answered = request.timeout_global(Some(patience)).build().call();
        self.is_there = answered.is_ok();
        match answered {
            Err(error) => Reply::Answer(Answer::Unreachable(format!("{url}: {error}")), None),
            Ok(mut response) => match response.status().as_u16() {
                200 => {
                    let tag = response.headers().get("etag").and_then(|tag| tag.to_str().ok());
                    let tag = tag.filter(|tag| tag.len() <= LONGEST_TAG).map(str::to_owned);
                    let answer = match body(&mut response, limit) {
                        Ok(bytes) => Answer::Bytes(bytes),
                        Err(error) => {
                            self.is_there = false;
                            Answer::Unreachable(format!("{url}: {error}"))
                        }
                    };
                    Reply::Answer(answer, tag)
                }
                304 if known.is_some() => Reply::NotModified,
                403 | 404 | 410 => {
                    // Read to its end, or the connection cannot be used again.
                    let _ = response.body_mut().with_config().limit(LONGEST_REGRET).read_to_vec();
                    Reply::Answer(Answer::NotFound, None)
                }
                status => {
                    // The server as a whole, or the one behind it, and not this file alone.
                    self.is_there = !matches!(status, 429 | 502..=504);
                    if matches!(status, 429 | 503) {
                        self.peace = Some(peace(&response));
                    }
                    let _ = response.body_mut().with_config().limit(LONGEST_REGRET).read_to_vec();
                    Reply::Answer(Answer::Unreachable(format!("{url}: answered {status}")), None)
                }
            },
        }
    }
}

/// Reads one byte beyond the limit at the most. A file that is longer is a fault of whoever made it, not of the server.
fn body(response: &mut Response<Body>, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    response.body_mut().with_config().limit(u64::MAX).reader().take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn peace(response: &Response<Body>) -> Duration {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    retry_after::wait(header("retry-after"), header("date")).unwrap_or_default().clamp(SHORTEST_PEACE, LONGEST_PEACE)
}

impl Mirror for WebMirror {
    fn is_there(&self) -> bool {
        self.is_there
    }

    fn asks_for_peace(&self) -> Option<Duration> {
        self.peace
    }

    fn fetch(&mut self, path: &str, limit: u64) -> Answer {
        match self.ask(path, limit, None) {
            Reply::Answer(answer, _) => answer,
            Reply::NotModified => Answer::NotFound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_target_is_given_its_time_and_metadata_is_not() {
        let way = MirrorAccess { timeout: Duration::from_secs(20), proxy: None, ca: None };
        let web = WebMirror::new("http://mirror.example/trust/", &way).expect("a mirror");
        assert_eq!(web.patience("440000/metadata/timestamp.json", 1 << 20).as_secs(), 20);
        assert_eq!(web.patience("440000/targets/status/ab.1", 1 << 20).as_secs(), 20 + 512);
    }

    #[test]
    fn names_that_no_address_can_have_are_written_so_that_it_can() {
        for (name, url) in [
            ("440000/metadata/2.root.json", "440000/metadata/2.root.json"),
            ("440000/targets/ab.a b", "440000/targets/ab.a%20b"),
            ("a?b#c%d", "a%3Fb%23c%25d"),
            ("粤", "%E7%B2%A4"),
        ] {
            assert_eq!(in_url(name), url);
        }
    }

    #[test]
    fn a_proxy_or_an_authority_that_cannot_be_used_is_named_with_its_key() {
        let way = |proxy: Option<&str>, ca: Option<&str>| MirrorAccess {
            timeout: Duration::from_secs(1),
            proxy: proxy.map(str::to_owned),
            ca: ca.map(PathBuf::from),
        };
        for (way, key) in [(way(Some("gopher://x"), None), "sync.proxy"), (way(None, Some("/nowhere.pem")), "sync.ca")]
        {
            let failure = WebMirror::new("https://mirror.example", &way).err().expect("it is refused");
            assert!(failure.to_string().contains(key), "{failure}");
        }
    }
}
