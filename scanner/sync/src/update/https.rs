//! A mirror on the web: plain files over HTTP or HTTPS, one connection kept for all of them. Nothing it says is believed unverified.

use std::{path::PathBuf, time::Duration};

use host::{config, peer};
use trustlist::tuf::Answer;
use ureq::{Agent, Proxy, config::AutoHeaderValue};

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

/// A mirror by its address.
pub struct WebMirror {
    agent: Agent,
    base: String,
    timeout: Duration,
    peace: Option<Duration>,
}

impl WebMirror {
    /// Connects with the first file.
    ///
    /// # Errors
    /// When the proxy's address or the authorities' file is wrong.
    pub fn new(base: &str, way: &MirrorAccess) -> Result<WebMirror, Error> {
        // Without `Accept` everything is accepted (RFC 9110 §12.5.1), and thirteen bytes a request are saved.
        let mut config =
            Agent::config_builder().max_redirects(3).http_status_as_error(false).accept(AutoHeaderValue::None);
        if let Some(proxy) = &way.proxy {
            let proxy = Proxy::new(proxy).map_err(|error| Error::Proxy(proxy.clone(), error))?;
            config = config.proxy(Some(proxy));
        }
        if let Some(path) = &way.ca {
            config = config.tls_config(peer::vouched_for_by(path).map_err(Error::Authorities)?);
        }
        let base = base.trim_end_matches('/').to_owned();
        Ok(WebMirror { agent: config.build().into(), base, timeout: way.timeout, peace: None })
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

impl Mirror for WebMirror {
    fn asks_for_peace(&self) -> Option<Duration> {
        self.peace
    }

    fn fetch(&mut self, path: &str, limit: u64) -> Answer {
        let url = format!("{}/{}", self.base, in_url(path));
        let patience = self.patience(path, limit);
        let request = self.agent.get(&url).config();
        let request = request.timeout_recv_response(Some(self.timeout)).timeout_connect(Some(self.timeout));
        match request.timeout_global(Some(patience)).build().call() {
            Err(error) => Answer::Unreachable(format!("{url}: {error}")),
            Ok(mut response) if matches!(response.status().as_u16(), 403 | 404 | 410) => {
                // Read to its end, or the connection cannot be used again.
                let _ = response.body_mut().with_config().limit(LONGEST_REGRET).read_to_vec();
                Answer::NotFound
            }
            Ok(response) if response.status().as_u16() != 200 => {
                if matches!(response.status().as_u16(), 429 | 503) {
                    let seconds = response
                        .headers()
                        .get("retry-after")
                        .and_then(|value| value.to_str().ok()?.trim().parse().ok());
                    self.peace = Some(Duration::from_secs(seconds.unwrap_or(0)).clamp(SHORTEST_PEACE, LONGEST_PEACE));
                }
                Answer::Unreachable(format!("{url}: answered {}", response.status()))
            }
            Ok(mut response) => match response.body_mut().with_config().limit(limit + 1).read_to_vec() {
                Ok(bytes) => Answer::Bytes(bytes),
                Err(error) => Answer::Unreachable(format!("{url}: {error}")),
            },
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
