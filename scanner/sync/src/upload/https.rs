//! Rows as JSON lines over HTTPS: one `POST` a batch, `application/x-ndjson`, answered with any 2xx once all rows are kept.
//!
//! | answer | means |
//! |---|---|
//! | 2xx | every row is kept |
//! | 400, 409, 413, 415, 422 | the rows are not acceptable: smaller batches find the guilty one, which becomes a dead letter |
//! | anything else, or none | not now: tried again later |
//!
//! That is how a receiver speaks that signs no receipts. One that does ([`super::receipts`]) is asked below the same address, at
//! `/v1/batch` and `/v1/health`.
//!
//! A missing endpoint (404) or a wrong token (401, 403) says nothing about the rows, so nothing is given up for it.

use std::time::Duration;

use cache::outbox::Item;
use host::{peer::PeerError, retry_after};
use ureq::Agent;

use super::{
    Centre, Options,
    receipts::{Errand, Reply},
    scheduler::Answer,
};

/// What is kept of an answer's text.
const ANSWER: u64 = 400;
/// Longest note that a centre answers with.
const NOTE: u64 = cache::exchange::MAX_NOTE as u64;

/// An endpoint that takes JSON lines.
pub struct Endpoint {
    agent: Agent,
    url: String,
    post: String,
    token: Option<String>,
}

impl Endpoint {
    /// Reads certificate and token; connects with the first batch.
    pub fn new(options: &Options) -> Result<Endpoint, PeerError> {
        let peer = options.peer();
        Ok(Endpoint {
            agent: peer.agent()?,
            url: options.url.clone(),
            post: options.post.clone(),
            token: peer.read_secret()?,
        })
    }

    fn send(&self, body: String) -> Answer {
        let mut request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/x-ndjson")
            .header("user-agent", format!("checkpointd/{}", host::BUILD));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        match request.send(body) {
            Err(error) => Answer::Again(format!("{}: {error}", self.url)),
            Ok(mut response) => {
                let status = response.status().as_u16();
                let text = response.body_mut().with_config().limit(ANSWER).read_to_string().unwrap_or_default();
                judge(status, text.trim())
            }
        }
    }
}

fn judge(status: u16, text: &str) -> Answer {
    let said = if text.is_empty() { status.to_string() } else { format!("{status} {text}") };
    match status {
        200..=299 => Answer::Accepted,
        400 | 409 | 413 | 415 | 422 => Answer::Refused(said),
        _ => Answer::Again(said),
    }
}

impl Centre for Endpoint {
    fn deliver(&mut self, items: &[Item]) -> Answer {
        let mut body = String::new();
        for item in items {
            body.push_str(&item.line(&self.post));
            body.push('\n');
        }
        self.send(body)
    }

    fn anchor(&mut self, note: &str) -> Answer {
        let post = serde_json::to_string(&self.post).expect("a text always serialises");
        let note = serde_json::to_string(note).expect("a text always serialises");
        self.send(format!("{{\"post\":{post},\"anchor\":{note}}}\n"))
    }

    fn exchange(&mut self, errand: Errand, body: Vec<u8>) -> Result<Reply, String> {
        let base = self.url.trim_end_matches('/');
        let (url, encoding) = match errand {
            Errand::Batch => (format!("{base}/v1/batch"), "gzip"),
            Errand::Health => (format!("{base}/v1/health"), "identity"),
        };
        let request = self
            .agent
            .post(&url)
            .header("content-type", "application/x-ndjson")
            .header("content-encoding", encoding)
            .header("user-agent", format!("checkpointd/{}", host::BUILD));
        let mut response = request.send(&body[..]).map_err(|error| format!("{url}: {error}"))?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after = retry_after::wait(header("retry-after"), header("date"));
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(NOTE).read_to_string();
        let text = text.map_err(|error| format!("{url}: {status}, and then {error}"))?;
        Ok(Reply { status, text, retry_after })
    }

    fn idle(&mut self, at_most: Duration) {
        std::thread::sleep(at_most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_about_the_rows_refuses_them_and_an_answer_about_the_server_does_not() {
        for status in [200, 201, 204] {
            assert_eq!(judge(status, ""), Answer::Accepted);
        }
        for status in [400, 413, 422] {
            assert_eq!(judge(status, "no"), Answer::Refused(format!("{status} no")));
        }
        for status in [301, 401, 403, 404, 408, 429, 500, 502, 503] {
            assert_eq!(judge(status, ""), Answer::Again(status.to_string()), "{status} deletes nothing");
        }
    }
}
