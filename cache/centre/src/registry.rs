//! The registry: which post has which device key, name and place, and how a device comes to be one.
//!
//! Keys are pinned once, by a one-time token; a lost answer is given again to the same device, and another device with the same token is
//! an alarm. A box whose state was wiped, or that was replaced, is taken on only after the operator said *replace*: its log is
//! another one, the old log is closed, and history stays.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, RwLock},
    time::{Duration, SystemTime},
};

use cache::{
    exchange::{
        Request,
        enrolment::{OneTimeToken, Place},
        is_name,
    },
    log::note::NoteVerifier,
};
use serde::{Deserialize, Serialize};
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::{
    database::{Database, DatabaseError},
    writer::alarm,
};

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

/// A post to be invited: one line of a batch enrolment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Its name.
    pub post: String,
    /// The station it belongs to.
    #[serde(default)]
    pub station: String,
    /// The division code of its region.
    #[serde(default)]
    pub region: String,
    /// Its lanes.
    #[serde(default)]
    pub lanes: Vec<String>,
}

/// Why the registry does not do it.
#[derive(Debug)]
pub enum RegistryError {
    /// The database.
    Database(DatabaseError),
    /// A post cannot be called this.
    Name(String),
    /// A post of this name is there already; its state.
    Exists(String, String),
    /// No post of this name.
    Unknown(String),
    /// The token is unknown, or its time is over.
    Token,
    /// The token was used by another device.
    TokenTaken,
    /// The device's key belongs to another post.
    KeyTaken(String),
    /// The device asks with a log that belongs to another post.
    LogTaken,
    /// This line of a CSV is not `name,station,region,lanes`.
    Line(usize),
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f),
            Self::Name(name) => write!(f, "a post cannot be called {name:?} (one line of at most 128 bytes)"),
            Self::Exists(name, state) => {
                write!(f, "{name} is {state} already; `posts replace` makes a new slip for it")
            }
            Self::Unknown(name) => write!(f, "no post is called {name}"),
            Self::Token => f.write_str("the slip is not known here, or its time is over; ask for a new one"),
            Self::TokenTaken => f.write_str("another device has used this slip"),
            Self::KeyTaken(name) => write!(f, "this device is enrolled as {name}"),
            Self::LogTaken => f.write_str("this log belongs to another post"),
            Self::Line(line) => write!(f, "line {line} is not NAME,STATION,REGION,LANE LANE …"),
        }
    }
}

impl std::error::Error for RegistryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Database(error) => Some(error),
            _ => None,
        }
    }
}

impl From<DatabaseError> for RegistryError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<tokio_postgres::Error> for RegistryError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Reads a CSV of `name,station,region,lanes`, lanes separated by blanks; a first line that begins with `name,` is a heading.
pub fn invitations(csv: &str) -> Result<Vec<Invitation>, RegistryError> {
    let mut invitations = Vec::new();
    for (index, line) in csv.lines().enumerate() {
        let line = line.trim_end_matches('\r');
        if line.trim().is_empty() || (index == 0 && line.trim_start_matches('\u{feff}').starts_with("name,")) {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [post, station, region, lanes] = fields.as_slice() else { return Err(RegistryError::Line(index + 1)) };
        if !is_name(post) {
            return Err(RegistryError::Name((*post).to_owned()));
        }
        invitations.push(Invitation {
            post: (*post).to_owned(),
            station: (*station).to_owned(),
            region: (*region).to_owned(),
            lanes: lanes.split_whitespace().map(str::to_owned).collect(),
        });
    }
    Ok(invitations)
}

/// Invites posts, all or none; a slip's token for each, good for `valid`.
pub async fn invite(
    database: &Database,
    invitations: &[Invitation],
    valid: Duration,
) -> Result<Vec<OneTimeToken>, RegistryError> {
    let mut connection = database.connection().await?;
    let transaction = connection.transaction().await?;
    let mut tokens = Vec::with_capacity(invitations.len());
    for invitation in invitations {
        if !is_name(&invitation.post) {
            return Err(RegistryError::Name(invitation.post.clone()));
        }
        let Invitation { post, station, region, lanes } = invitation;
        let sql = "INSERT INTO posts (name, station, region, lanes) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING no";
        let Some(row) = transaction.query_opt(sql, &[post, station, region, lanes]).await? else {
            let state = transaction.query_one("SELECT state FROM posts WHERE name = $1", &[post]).await?.get(0);
            return Err(RegistryError::Exists(post.clone(), state));
        };
        tokens.push(token(&transaction, row.get(0), valid).await?);
    }
    changed(&transaction).await?;
    transaction.commit().await?;
    Ok(tokens)
}

/// A new slip for a post that is there: its device was replaced or wiped. Slips that were not used yet end.
pub async fn replace(database: &Database, name: &str, valid: Duration) -> Result<OneTimeToken, RegistryError> {
    let mut connection = database.connection().await?;
    let transaction = connection.transaction().await?;
    let row = transaction.query_opt("SELECT no FROM posts WHERE name = $1 FOR UPDATE", &[&name]).await?;
    let post: i32 = row.ok_or_else(|| RegistryError::Unknown(name.to_owned()))?.get(0);
    transaction.execute("DELETE FROM tokens WHERE post = $1 AND key IS NULL", &[&post]).await?;
    let token = token(&transaction, post, valid).await?;
    transaction.commit().await?;
    Ok(token)
}

async fn token(
    transaction: &deadpool_postgres::Transaction<'_>,
    post: i32,
    valid: Duration,
) -> Result<OneTimeToken, RegistryError> {
    let token = OneTimeToken::draw().expect("a machine that runs a database has randomness");
    let (hash, until) = (token.hash(), SystemTime::now() + valid);
    let sql = "INSERT INTO tokens (hash, post, until) VALUES ($1, $2, $3)";
    transaction.execute(sql, &[&hash.as_slice(), &post, &until]).await?;
    Ok(token)
}

async fn changed(transaction: &deadpool_postgres::Transaction<'_>) -> Result<(), RegistryError> {
    transaction.execute("UPDATE store SET generation = generation + 1", &[]).await?;
    Ok(())
}

/// Takes a device's token and pins its key, in one transaction. The same device may ask again.
pub async fn enrol(
    database: &Database,
    request: &Request,
    upload: &str,
    centre_keys: &[String],
) -> Result<(i32, Place), RegistryError> {
    let mut connection = database.connection().await?;
    let transaction = connection.transaction().await?;
    let sql = "SELECT t.post, t.key, t.until > now(), p.name, p.station, p.region, p.lanes, p.key
        FROM tokens t JOIN posts p ON p.no = t.post WHERE t.hash = $1 FOR UPDATE OF t, p";
    let Some(row) = transaction.query_opt(sql, &[&request.token.hash().as_slice()]).await? else {
        return Err(RegistryError::Token);
    };
    let (post, used, valid): (i32, Option<String>, bool) = (row.get(0), row.get(1), row.get(2));
    let place = Place {
        post: row.get(3),
        station: row.get(4),
        region: row.get(5),
        lanes: row.get(6),
        upload: upload.to_owned(),
        centre_keys: centre_keys.to_vec(),
    };
    let key = request.device.to_string();
    match used {
        Some(used) if used == key => return Ok((post, place)),
        Some(_) => {
            let detail = format!("a second device ({}) showed the slip of {}", request.device.name(), place.post);
            alarm(&transaction, post, "slip-taken", &detail).await?;
            transaction.commit().await?;
            return Err(RegistryError::TokenTaken);
        }
        None if !valid => return Err(RegistryError::Token),
        None => {}
    }
    let other = transaction.query_opt("SELECT no, name FROM posts WHERE key = $1 AND no <> $2", &[&key, &post]).await?;
    if let Some(other) = other {
        let name: String = other.get(1);
        let detail = format!("the device of {name} asked to be {} as well", place.post);
        alarm(&transaction, other.get(0), "double-key", &detail).await?;
        transaction.commit().await?;
        return Err(RegistryError::KeyTaken(name));
    }
    transaction
        .execute("UPDATE tokens SET key = $2 WHERE hash = $1", &[&request.token.hash().as_slice(), &key])
        .await?;
    let sql = "UPDATE posts SET key = $2, build = $3, state = 'enrolled', enrolled = now() WHERE no = $1";
    transaction.execute(sql, &[&post, &key, &request.build]).await?;
    transaction
        .execute("UPDATE logs SET state = 'closed' WHERE post = $1 AND log <> $2", &[&post, &request.log])
        .await?;
    let sql =
        "INSERT INTO logs (log, post, key) VALUES ($1, $2, $3) ON CONFLICT (log) DO UPDATE SET state = 'open', key = $3
        WHERE logs.post = $2";
    if transaction.execute(sql, &[&request.log, &post, &key]).await? == 0 {
        return Err(RegistryError::LogTaken);
    }
    transaction.execute("DELETE FROM alarms WHERE post = $1 AND kind = 'other-log'", &[&post]).await?;
    transaction.execute("DELETE FROM health WHERE post = $1", &[&post]).await?;
    changed(&transaction).await?;
    transaction.commit().await?;
    Ok((post, place))
}

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
        FROM posts p LEFT JOIN logs l ON l.post = p.no AND l.state = 'open' ORDER BY p.name";
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_invites_many_and_names_the_line_that_is_none() {
        let csv = "name,station,region,lanes\r\nGZS 1,Guangzhou South,440100,1 2\r\n广州南站 2,广州南站,440100,1\n\n";
        let read = invitations(csv).expect("a list");
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].post.as_str(), read[0].lanes.len(), read[1].post.as_str()), ("GZS 1", 2, "广州南站 2"));
        assert!(matches!(invitations("a,b,c,d\na,b\n"), Err(RegistryError::Line(2))));
        assert!(matches!(invitations(",b,c,d\n"), Err(RegistryError::Name(_))));
    }
}
