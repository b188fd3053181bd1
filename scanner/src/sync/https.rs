//! A mirror on the web: plain files over HTTP or HTTPS, one connection kept for all of them. Nothing it says is believed unverified.

use std::time::Duration;

use trustlist::tuf::Answer;
use ureq::Agent;

use crate::lists::Mirror;

/// A page that says "not found" is read up to here. Stops endless regrets.
const LONGEST_REGRET: u64 = 16 * 1024;

/// A mirror by its address.
pub struct Web {
    agent: Agent,
    base: String,
}

impl Web {
    /// Connects with the first file.
    #[must_use]
    pub fn new(base: &str, timeout: Duration) -> Web {
        let config = Agent::config_builder().timeout_global(Some(timeout)).max_redirects(3).http_status_as_error(false);
        Web { agent: config.build().into(), base: base.trim_end_matches('/').to_owned() }
    }
}

impl Mirror for Web {
    fn fetch(&mut self, path: &str, limit: u64) -> Answer {
        let url = format!("{}/{path}", self.base);
        match self.agent.get(&url).call() {
            Err(error) => Answer::Unreachable(format!("{url}: {error}")),
            Ok(mut response) if matches!(response.status().as_u16(), 403 | 404 | 410) => {
                // Read to its end, or the connection cannot be used again.
                let _ = response.body_mut().with_config().limit(LONGEST_REGRET).read_to_vec();
                Answer::NotFound
            }
            Ok(response) if response.status().as_u16() != 200 => {
                Answer::Unreachable(format!("{url}: answered {}", response.status()))
            }
            Ok(mut response) => match response.body_mut().with_config().limit(limit + 1).read_to_vec() {
                Ok(bytes) => Answer::Bytes(bytes),
                Err(error) => Answer::Unreachable(format!("{url}: {error}")),
            },
        }
    }
}
