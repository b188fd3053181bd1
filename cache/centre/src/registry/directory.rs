//! What a front knows of the posts, in memory, refreshed when the registry has changed.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
    time::Duration,
};

use cache::log::note::NoteVerifier;

use crate::database::{Database, DatabaseError};

/// A post that may send rows.
#[derive(Clone, Debug)]
pub struct Enrolled {
    /// Its number.
    pub no: i32,
    /// Its device's key.
    pub device: NoteVerifier,
}

/// What a front knows of the posts: who may send, and with which key it is checked.
#[derive(Clone, Debug)]
pub struct Directory {
    database: Database,
    known: Arc<RwLock<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    generation: i64,
    /// By name: the key's text, and what was read from it.
    posts: HashMap<String, (String, Enrolled)>,
}

impl Directory {
    /// Reads all posts.
    pub async fn load(database: &Database) -> Result<Directory, DatabaseError> {
        let directory = Directory { database: database.clone(), known: Arc::default() };
        directory.refresh().await?;
        Ok(directory)
    }

    /// A post by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Enrolled> {
        Some(self.known.read().ok()?.posts.get(name)?.1.clone())
    }

    /// Reads the posts again if the registry has changed since.
    pub async fn refresh(&self) -> Result<(), DatabaseError> {
        let connection = self.database.connection().await?;
        let generation: i64 = connection.query_one("SELECT generation FROM store", &[]).await?.get(0);
        let unchanged = self.known.read().is_ok_and(|known| known.generation == generation && !known.posts.is_empty());
        if unchanged {
            return Ok(());
        }
        let rows = connection.query("SELECT no, name, key FROM posts WHERE state = 'enrolled'", &[]).await?;
        let Ok(mut known) = self.known.write() else { return Ok(()) };
        // Reading a key costs a square root on a curve: of fifty thousand posts those that did not change are not read again.
        let mut before = std::mem::take(&mut known.posts);
        known.posts = rows
            .iter()
            .filter_map(|row| {
                let (no, name, text): (i32, String, String) = (row.get(0), row.get(1), row.get::<_, Option<_>>(2)?);
                let enrolled = match before.remove(&name) {
                    Some((known, enrolled)) if known == text && enrolled.no == no => enrolled,
                    _ => Enrolled { no, device: text.parse().ok()? },
                };
                Some((name, (text, enrolled)))
            })
            .collect();
        known.generation = generation;
        Ok(())
    }

    /// Takes note of one post that was enrolled here, at once.
    pub fn learn(&self, name: &str, enrolled: Enrolled) {
        if let Ok(mut known) = self.known.write() {
            known.posts.insert(name.to_owned(), (enrolled.device.to_string(), enrolled));
        }
    }

    /// Refreshes for ever: a change by a command, or at another front, is noticed within `every`.
    pub async fn follow(self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            if let Err(error) = self.refresh().await {
                ::log::debug!("the registry is not refreshed: {error}");
            }
        }
    }
}
