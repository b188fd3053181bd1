//! What a room sees: a page sorted by who needs somebody, and metrics for whoever is woken at night.

mod metrics;
pub mod need;
mod page;
pub mod questions;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use jiff::tz::TimeZone;
use tokio::sync::Mutex;

use crate::{database::Database, front::Front};
use questions::Snapshot;

/// However many look at it, the database is asked this often.
const FRESH: Duration = Duration::from_secs(3);

/// The board.
pub struct Board {
    database: Database,
    front: Arc<Front>,
    zone: TimeZone,
    last: Mutex<Option<(Instant, Arc<Snapshot>)>>,
}

impl Board {
    /// A board whose times are in this zone.
    #[must_use]
    pub fn new(database: Database, front: Arc<Front>, zone: TimeZone) -> Board {
        Board { database, front, zone, last: Mutex::new(None) }
    }

    /// What the database says now, or a moment ago; none when it does not answer: what was true then is not shown as true now.
    async fn snapshot(&self) -> Option<Arc<Snapshot>> {
        let mut last = self.last.lock().await;
        if let Some((at, snapshot)) = &*last
            && at.elapsed() < FRESH
        {
            return Some(snapshot.clone());
        }
        match Snapshot::take(&self.database).await {
            Ok(snapshot) => {
                let snapshot = Arc::new(snapshot);
                *last = Some((Instant::now(), snapshot.clone()));
                Some(snapshot)
            }
            Err(error) => {
                ::log::warn!("the board: {error}");
                *last = None;
                None
            }
        }
    }
}

/// The page and the metrics.
pub fn routes(board: Arc<Board>) -> Router {
    Router::new().route("/", get(page_of)).route("/metrics", get(metrics_of)).with_state(board)
}

async fn page_of(State(board): State<Arc<Board>>) -> Html<String> {
    let trouble = board.front.way.counts().trouble.read().map(|trouble| trouble.clone()).unwrap_or_default();
    let snapshot = board.snapshot().await;
    Html(page::page(snapshot.as_deref(), &trouble, &board.zone))
}

async fn metrics_of(State(board): State<Arc<Board>>) -> Response {
    let Some(snapshot) = board.snapshot().await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response();
    };
    match metrics::text(&snapshot, &board.front) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
