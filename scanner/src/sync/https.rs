//! A mirror on the web: plain files over HTTP or HTTPS, one connection kept for all of them. Nothing it says is believed unverified.

use std::time::Duration;

use trustlist::tuf::Answer;
use ureq::{Agent, Error};

use crate::lists::Mirror;

/// A mirror by its address.
pub struct Web {
    agent: Agent,
    base: String,
}

impl Web {
    /// Connects with the first file.
    #[must_use]
    pub fn new(base: &str, timeout: Duration) -> Web {
        let config = Agent::config_builder().timeout_global(Some(timeout)).max_redirects(3);
        Web { agent: config.build().into(), base: base.trim_end_matches('/').to_owned() }
    }
}

impl Mirror for Web {
    fn fetch(&mut self, path: &str, limit: u64) -> Answer {
        let url = format!("{}/{path}", self.base);
        match self.agent.get(&url).call() {
            Err(Error::StatusCode(403 | 404 | 410)) => Answer::NotFound,
            Err(error) => Answer::Unreachable(format!("{url}: {error}")),
            Ok(mut response) => match response.body_mut().with_config().limit(limit + 1).read_to_vec() {
                Ok(bytes) => Answer::Bytes(bytes),
                Err(error) => Answer::Unreachable(format!("{url}: {error}")),
            },
        }
    }
}
