//! The database: connections, the schema's state, which store this is, and partitions by day.
//!
//! PostgreSQL is reached over a local socket or a loopback address: TLS to it belongs to a tunnel.

use std::{collections::BTreeSet, fmt, time::Duration};

use deadpool_postgres::{Config, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime};
use tokio_postgres::{Client, NoTls, error::SqlState};
use uuid::Uuid;

mod migrations {
    refinery::embed_migrations!("migrations");
}

/// Longest wait for a connection: a gate is told to come again instead.
const WAIT: Duration = Duration::from_secs(5);
/// Days ahead of today that have a partition before the first row arrives.
const AHEAD: i32 = 3;

/// Why the database did not do what was asked.
#[derive(Debug)]
pub enum DatabaseError {
    /// The connection string cannot be read.
    Settings(tokio_postgres::Error),
    /// No connection in time.
    Connection(PoolError),
    /// A statement failed, or the connection was lost.
    Statement(tokio_postgres::Error),
    /// The schema could not be brought up to date.
    Migration(Box<refinery::Error>),
    /// The schema is missing or older than this program.
    NotMigrated,
    /// `fsync` is off: what it says is committed may be lost with the power.
    NotDurable,
}

impl DatabaseError {
    /// Whether a value that was to be stored is at fault (SQLSTATE classes 22, data exception, and 23, constraint), and not the database.
    #[must_use]
    pub fn is_about_values(&self) -> bool {
        let Self::Statement(error) = self else { return false };
        error.code().is_some_and(|code| code.code().starts_with("22") || code.code().starts_with("23"))
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(error) => write!(f, "database: the settings cannot be read: {error}"),
            Self::Connection(error) => write!(f, "database: no connection: {error}"),
            Self::Statement(error) => match error.as_db_error() {
                Some(error) => write!(f, "database: {} ({})", error.message(), error.code().code()),
                None => write!(f, "database: {error}"),
            },
            Self::Migration(error) => write!(f, "database: the schema cannot be brought up to date: {error}"),
            Self::NotMigrated => f.write_str("database: no schema, or an older one; run `checkpoint-centre migrate`"),
            Self::NotDurable => f.write_str(
                "database: fsync is off, so what it acknowledges may be lost; no receipt can be given (set fsync = on)",
            ),
        }
    }
}

impl std::error::Error for DatabaseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Settings(error) | Self::Statement(error) => Some(error),
            Self::Connection(error) => Some(error),
            Self::Migration(error) => Some(error),
            Self::NotMigrated | Self::NotDurable => None,
        }
    }
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Statement(error)
    }
}

impl From<PoolError> for DatabaseError {
    fn from(error: PoolError) -> Self {
        Self::Connection(error)
    }
}

/// Connections to one database.
#[derive(Clone, Debug)]
pub struct Database {
    pool: Pool,
}

/// A connection, given back when it is dropped.
pub type Connection = deadpool_postgres::Client;

impl Database {
    /// From a connection string, `host=/run/postgresql dbname=centre`. Connects with the first question.
    pub fn new(settings: &str, connections: usize) -> Result<Database, DatabaseError> {
        let mut config: tokio_postgres::Config = settings.parse().map_err(DatabaseError::Settings)?;
        config.connect_timeout(WAIT).application_name("checkpoint-centre");
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let limits = Config { pool: Some(deadpool_postgres::PoolConfig::new(connections)), ..Config::new() };
        let pool = Pool::builder(manager)
            .config(limits.get_pool_config())
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .build()
            .expect("a runtime is named, which is all that timeouts ask for");
        Ok(Database { pool })
    }

    /// A connection.
    pub async fn connection(&self) -> Result<Connection, DatabaseError> {
        Ok(self.pool.get().await?)
    }

    /// Brings the schema up to date. Returns how many steps that took.
    pub async fn migrate(&self) -> Result<usize, DatabaseError> {
        let mut connection = self.connection().await?;
        let client: &mut Client = &mut connection;
        let report = migrations::migrations::runner()
            .run_async(client)
            .await
            .map_err(|error| DatabaseError::Migration(Box::new(error)))?;
        Ok(report.applied_migrations().len())
    }

    /// Which store this is. A database that was restored elsewhere, or to an earlier moment, is another: it draws a new id, so that
    /// posts send again what the lost one had acknowledged.
    pub async fn store(&self) -> Result<Uuid, DatabaseError> {
        let connection = self.connection().await?;
        let durable: String = connection.query_one("SHOW fsync", &[]).await?.get(0);
        if durable != "on" {
            return Err(DatabaseError::NotDurable);
        }
        let system: String = connection.query_one(SYSTEM, &[]).await?.get(0);
        let drawn = connection
            .query_opt(
                "INSERT INTO store (system) VALUES ($1) ON CONFLICT (one) DO UPDATE
                 SET id = gen_random_uuid(), since = now(), system = $1 WHERE store.system <> $1 RETURNING id, now() - since",
                &[&system],
            )
            .await
            .map_err(missing_schema)?;
        if drawn.is_some() {
            ::log::warn!(
                "this database is new, or a restored copy: it has a new store id, posts send again what it lacks"
            );
        }
        Ok(connection.query_one("SELECT id FROM store", &[]).await?.get(0))
    }

    /// A receipt that this store gave covers more than it holds: it was put back to an earlier state. Draws a new id.
    pub async fn forgotten(&self, store: Uuid) -> Result<Uuid, DatabaseError> {
        let connection = self.connection().await?;
        connection.execute("UPDATE store SET id = gen_random_uuid(), since = now() WHERE id = $1", &[&store]).await?;
        Ok(connection.query_one("SELECT id FROM store", &[]).await?.get(0))
    }

    /// Makes the partition of a day (counted from 1970) unless it is there. Rows of that day that lie in the default partition, because
    /// a clock ran ahead, are moved into it: left there, one such row would keep the day's partition from being made for everybody.
    pub async fn make_day(&self, day: i32) -> Result<(), DatabaseError> {
        let mut connection = self.connection().await?;
        let (name, from, to) = (partition(day), date(day), date(day + 1));
        let bounds = format!("FOR VALUES FROM ('{from}') TO ('{to}')");
        let made =
            connection.batch_execute(&format!("CREATE TABLE IF NOT EXISTS {name} PARTITION OF entries {bounds}")).await;
        match made {
            Err(error) if error.code() == Some(&SqlState::CHECK_VIOLATION) => {}
            // Two fronts at once: one of them made it.
            Err(error) if error.code() == Some(&SqlState::DUPLICATE_TABLE) => return Ok(()),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => return Ok(()),
            answer => return Ok(answer?),
        }
        let transaction = connection.transaction().await?;
        transaction
            .batch_execute(&format!(
                "LOCK TABLE entries IN SHARE ROW EXCLUSIVE MODE;
                 CREATE TABLE {name} (LIKE entries);
                 WITH moved AS (DELETE FROM entries_other WHERE at >= '{from}' AND at < '{to}' RETURNING log, seq, at, hash, body)
                 INSERT INTO {name} (log, seq, at, hash, body) SELECT log, seq, at, hash, body FROM moved;
                 ALTER TABLE entries ATTACH PARTITION {name} {bounds}"
            ))
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Partitions for the days to come, and none for those whose time is over: they are detached, then dropped; rows are never
    /// deleted one by one. What clocks of other ages wrote lies in the default partition and goes with the rows that were written after it,
    /// which is what is known of its age. Returns the days that are there.
    pub async fn sweep(&self, today: i32, retention_days: i32) -> Result<BTreeSet<i32>, DatabaseError> {
        for day in today - 1..=today + AHEAD {
            self.make_day(day).await?;
        }
        let connection = self.connection().await?;
        let mut days = BTreeSet::new();
        for row in connection.query(PARTITIONS, &[]).await? {
            let name: String = row.get(0);
            let Some(day) = name.strip_prefix("entries_d").and_then(|day| day.parse::<i32>().ok()) else { continue };
            if day < today - retention_days {
                connection.batch_execute(&strays(&name)).await?;
                connection
                    .batch_execute(&format!("ALTER TABLE entries DETACH PARTITION {name}; DROP TABLE {name}"))
                    .await?;
                ::log::info!("rows of {} are forgotten after {retention_days} days", date(day));
            } else {
                days.insert(day);
            }
        }
        Ok(days)
    }
}

/// Identifies the cluster and its history: a restored or promoted copy has another timeline, a reloaded dump another system.
const SYSTEM: &str =
    "SELECT s.system_identifier || '/' || c.timeline_id || '/' || d.oid FROM pg_control_system() s, pg_control_checkpoint() c,
     pg_database d WHERE d.datname = current_database()";
const PARTITIONS: &str = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'entries'::regclass";

/// Forgets rows in the default partition that their log wrote before a row of a day that is being forgotten.
fn strays(partition: &str) -> String {
    format!(
        "DELETE FROM entries_other o USING (SELECT log, max(seq) AS last FROM {partition} GROUP BY log) p
         WHERE o.log = p.log AND o.seq < p.last"
    )
}

fn missing_schema(error: tokio_postgres::Error) -> DatabaseError {
    if error.code() == Some(&SqlState::UNDEFINED_TABLE) { DatabaseError::NotMigrated } else { error.into() }
}

fn partition(day: i32) -> String {
    format!("entries_d{day}")
}

/// `2021-02-01 00:00:00+00` of a day counted from 1970.
fn date(day: i32) -> String {
    let at = jiff::Timestamp::from_second(i64::from(day) * 86_400).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%d 00:00:00+00").to_string()
}
