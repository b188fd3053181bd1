//! Tables and numbered migrations of the scan log.
//!
//! `entries.body` is the only place where a row says anything; every other column of a scan is generated from it. The view
//! `scans` is what a person opens with `sqlite3`.

use rusqlite::{Connection, TransactionBehavior};

/// Marks the file as ours (SQLite's `application_id`): "ckpd".
pub(super) const APPLICATION_ID: i64 = 0x636b_7064;

/// Each brings the schema from its index to the next number. Never edited once released, only appended to.
pub(super) const MIGRATIONS: &[&str] = &[
    // 1
    "CREATE TABLE entries (
        seq      INTEGER PRIMARY KEY,
        body     TEXT NOT NULL,
        previous BLOB NOT NULL CHECK (length(previous) = 32),
        hash     BLOB NOT NULL CHECK (length(hash) = 32),
        id       TEXT    GENERATED ALWAYS AS (body ->> '$.id') VIRTUAL,
        kind     TEXT    GENERATED ALWAYS AS (body ->> '$.kind') VIRTUAL,
        at_ms    INTEGER GENERATED ALWAYS AS (body ->> '$.at_ms') VIRTUAL,
        token    TEXT    GENERATED ALWAYS AS (body ->> '$.token') VIRTUAL,
        scan     TEXT    GENERATED ALWAYS AS (body ->> '$.scan') VIRTUAL
    ) STRICT;
    CREATE UNIQUE INDEX entries_id ON entries (id);
    CREATE INDEX entries_at ON entries (at_ms);
    CREATE INDEX entries_token ON entries (token, at_ms) WHERE token IS NOT NULL;
    CREATE INDEX entries_scan ON entries (scan) WHERE scan IS NOT NULL;

    CREATE VIEW scans AS SELECT
        seq, id,
        strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,
        body ->> '$.time_trust' AS time_trust,
        body ->> '$.lane' AS lane,
        body ->> '$.direction' AS direction,
        body ->> '$.verdict' AS verdict,
        body ->> '$.reason' AS reason,
        body ->> '$.detail' AS detail,
        body ->> '$.issuer' AS issuer,
        body ->> '$.kid' AS kid,
        body ->> '$.format' AS format,
        body ->> '$.route' AS route,
        body ->> '$.list_generation' AS list_generation,
        body ->> '$.list_age_s' AS list_age_s,
        token,
        body ->> '$.time_to_verdict_us' AS time_to_verdict_us,
        body ->> '$.passage' AS passage,
        at_ms, previous, hash
    FROM entries WHERE kind = 'scan';

    CREATE TABLE anchors (
        seq  INTEGER PRIMARY KEY,
        note TEXT NOT NULL,
        sent INTEGER NOT NULL DEFAULT 0
    ) STRICT;

    CREATE TABLE day_keys (
        day INTEGER PRIMARY KEY,
        key BLOB NOT NULL CHECK (length(key) = 32)
    ) STRICT;

    -- state: 0 pending, 1 in flight, 2 acknowledged, 3 dead letter
    CREATE TABLE outbox (
        seq      INTEGER PRIMARY KEY,
        state    INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        answer   TEXT
    ) STRICT;
    CREATE INDEX outbox_open ON outbox (state, seq) WHERE state <> 2;

    CREATE TABLE meta (
        name  TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;",
    // 2: a row writes its own page and one of an index, and nothing else. The index begins with the hour, so that the rows of an hour
    // share their pages of it; lookups by time go over `hours`, which says where each hour's rows lie, and by id over the newest rows.
    "DROP INDEX entries_id;
    DROP INDEX entries_at;
    DROP INDEX entries_token;
    ALTER TABLE entries ADD COLUMN hour INTEGER GENERATED ALWAYS AS ((body ->> '$.at_ms') / 3600000) VIRTUAL;
    ALTER TABLE entries ADD COLUMN tag TEXT GENERATED ALWAYS AS (substr(body ->> '$.token', 1, 16)) VIRTUAL;
    CREATE INDEX entries_tag ON entries (hour, tag) WHERE tag IS NOT NULL;

    DROP VIEW scans;
    CREATE VIEW scans AS SELECT
        seq, id,
        strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,
        body ->> '$.time_trust' AS time_trust,
        body ->> '$.lane' AS lane,
        body ->> '$.direction' AS direction,
        body ->> '$.verdict' AS verdict,
        body ->> '$.reason' AS reason,
        body ->> '$.detail' AS detail,
        body ->> '$.issuer' AS issuer,
        body ->> '$.kid' AS kid,
        body ->> '$.format' AS format,
        body ->> '$.route' AS route,
        body ->> '$.list_generation' AS list_generation,
        body ->> '$.list_age_s' AS list_age_s,
        token,
        body ->> '$.time_to_verdict_us' AS time_to_verdict_us,
        coalesce(body ->> '$.passage', 'unobserved') AS passage,
        at_ms, previous, hash
    FROM entries WHERE kind = 'scan';

    -- lived_ms: how long this device had lived when the anchor was written
    ALTER TABLE anchors ADD COLUMN lived_ms INTEGER;

    -- rows in no range and in no dead letter are pending
    CREATE TABLE outbox_sent (
        first INTEGER PRIMARY KEY,
        last  INTEGER NOT NULL CHECK (last >= first)
    ) STRICT;
    INSERT INTO outbox_sent SELECT min(seq), max(seq) FROM
        (SELECT seq, seq - row_number() OVER (ORDER BY seq) AS island FROM outbox WHERE state = 2) GROUP BY island;
    CREATE TABLE dead_letters (
        seq    INTEGER PRIMARY KEY,
        answer TEXT
    ) STRICT;
    INSERT INTO dead_letters SELECT seq, answer FROM outbox WHERE state = 3;
    DROP TABLE outbox;
    -- for people with sqlite3: 0 pending, 2 sent or acknowledged, 3 dead letter
    CREATE VIEW outbox AS SELECT e.seq,
        CASE WHEN d.seq IS NOT NULL THEN 3
             WHEN EXISTS (SELECT 1 FROM outbox_sent s WHERE e.seq BETWEEN s.first AND s.last) THEN 2 ELSE 0 END AS state,
        d.answer
    FROM entries e LEFT JOIN dead_letters d USING (seq);

    -- what happened in each hour at each lane, up to the row that `meta.rolled_up` names
    CREATE TABLE hours (
        hour    INTEGER NOT NULL,
        lane    TEXT NOT NULL,
        first   INTEGER NOT NULL,
        last    INTEGER NOT NULL,
        verdicts TEXT NOT NULL,
        times   BLOB NOT NULL,
        PRIMARY KEY (hour, lane)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO meta SELECT 'floor_seq', coalesce(max(seq), 0) FROM entries;",
];

/// The newest schema this release knows.
pub(super) const NEWEST: i64 = MIGRATIONS.len() as i64;

/// Brings the schema up to date, all steps in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    let found = version(connection)?;
    if found == NEWEST {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", NEWEST)?;
    transaction.commit()
}

pub(super) fn version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
