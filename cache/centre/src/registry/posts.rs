//! What an operator does with posts that are there.

use cache::exchange::is_name;
use serde::{Deserialize, Serialize};
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::{Invitation, RegistryError, changed};
use crate::database::Database;

/// Nothing of this post is taken from here on; what is there stays.
pub async fn revoke(database: &Database, name: &str) -> Result<(), RegistryError> {
    change(database, name, "UPDATE posts SET state = 'revoked' WHERE name = $1").await
}

/// What somebody had to look into is done.
pub async fn clear(database: &Database, name: &str) -> Result<(), RegistryError> {
    let connection = database.connection().await?;
    let sql = "DELETE FROM alarms USING posts WHERE posts.no = alarms.post AND posts.name = $1";
    connection.execute(sql, &[&name]).await?;
    Ok(())
}

async fn change(database: &Database, name: &str, sql: &str) -> Result<(), RegistryError> {
    let mut connection = database.connection().await?;
    let transaction = connection.transaction().await?;
    if transaction.execute(sql, &[&name]).await? == 0 {
        return Err(RegistryError::Unknown(name.to_owned()));
    }
    changed(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Calls a post otherwise. Its device is told with its next enrolment or by its configuration.
pub async fn rename(database: &Database, from: &str, to: &str) -> Result<(), RegistryError> {
    if !is_name(to) {
        return Err(RegistryError::Name(to.to_owned()));
    }
    let mut connection = database.connection().await?;
    let transaction = connection.transaction().await?;
    match transaction.execute("UPDATE posts SET name = $2 WHERE name = $1", &[&from, &to]).await {
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            return Err(RegistryError::Exists(to.to_owned(), "there".to_owned()));
        }
        Ok(0) => return Err(RegistryError::Unknown(from.to_owned())),
        answer => answer?,
    };
    changed(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// A post as `posts list` prints it and `posts restore` reads it: enough to go on after a database was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Name and place.
    #[serde(flatten)]
    pub invitation: Invitation,
    /// `invited`, `enrolled` or `revoked`.
    pub state: String,
    /// The device's key.
    pub key: Option<String>,
    /// The log that is open.
    pub log: Option<Uuid>,
    /// Its newest row here.
    #[serde(default)]
    pub rows: i64,
}

/// All posts, by name.
pub async fn list(database: &Database) -> Result<Vec<Entry>, RegistryError> {
    let connection = database.connection().await?;
    let sql = "SELECT p.name, p.station, p.region, p.lanes, p.state, p.key, l.log, coalesce(l.seq, 0)
        FROM posts p LEFT JOIN logs l ON l.post = p.no AND l.state = 'open' ORDER BY p.name COLLATE \"C\"";
    let entry = |row: &tokio_postgres::Row| Entry {
        invitation: Invitation { post: row.get(0), station: row.get(1), region: row.get(2), lanes: row.get(3) },
        state: row.get(4),
        key: row.get(5),
        log: row.get(6),
        rows: row.get(7),
    };
    Ok(connection.query(sql, &[]).await?.iter().map(entry).collect())
}

/// Puts posts back as `list` had them, with no rows: after a database was lost. Those that are there are left as they are.
pub async fn restore(database: &Database, entries: &[Entry]) -> Result<u64, RegistryError> {
    let mut connection = database.connection().await?;
    let transaction = connection.transaction().await?;
    let mut restored = 0;
    for Entry { invitation, state, key, log, .. } in entries {
        let Invitation { post, station, region, lanes } = invitation;
        let sql = "INSERT INTO posts (name, station, region, lanes, state, key, enrolled) VALUES ($1, $2, $3, $4, $5, $6, now())
            ON CONFLICT DO NOTHING RETURNING no";
        let row = transaction.query_opt(sql, &[post, station, region, lanes, state, key]).await?;
        let Some(row) = row else { continue };
        restored += 1;
        if let (Some(log), Some(key)) = (log, key) {
            let sql = "INSERT INTO logs (log, post, key) VALUES ($1, $2, $3)";
            transaction.execute(sql, &[log, &row.get::<_, i32>(0), key]).await?;
        }
    }
    changed(&transaction).await?;
    transaction.commit().await?;
    Ok(restored)
}
