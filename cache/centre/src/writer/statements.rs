//! What a group adds, as few statements however many posts it is of: rows are copied, everything else is one `unnest` a table.

use std::pin::pin;

use cache::log::chain::Head;
use deadpool_postgres::Transaction;
use tokio_postgres::{
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};

use super::{moment, signed, sums::add_sums};
use crate::{database::DatabaseError, facts::Sums};

/// A log's head as it is locked while its group is written.
pub(super) struct Locked {
    pub(super) no: i32,
    pub(super) post: i32,
    pub(super) enrolled: bool,
    pub(super) stored: Head,
    pub(super) head: Head,
}

/// What a group adds, collected before it is written.
#[derive(Default)]
pub(super) struct Additions<'g> {
    pub(super) rows: Vec<(i32, Head, i64, &'g str)>,
    pub(super) anchors: Vec<(i32, i64, &'g str)>,
    pub(super) holes: Vec<(i32, u64, Head, &'g str)>,
    pub(super) sums: Sums,
}

/// Adds a group's rows, anchors, holes and sums.
pub(super) async fn add(transaction: &Transaction<'_>, additions: &Additions<'_>) -> Result<(), DatabaseError> {
    if !additions.rows.is_empty() {
        let statement = transaction.prepare_cached("COPY entries (log, seq, at, hash, body) FROM STDIN BINARY").await?;
        let sink = transaction.copy_in(&statement).await?;
        let types = [Type::INT4, Type::INT8, Type::TIMESTAMPTZ, Type::BYTEA, Type::TEXT];
        let mut copy = pin!(BinaryCopyInWriter::new(sink, &types));
        for (log, head, at_ms, body) in &additions.rows {
            let hash = head.hash.as_slice();
            let row: [&(dyn ToSql + Sync); 5] = [log, &signed(head.seq), &moment(*at_ms), &hash, body];
            copy.as_mut().write(&row).await?;
        }
        copy.as_mut().finish().await?;
    }
    if !additions.anchors.is_empty() {
        let logs: Vec<i32> = additions.anchors.iter().map(|(log, ..)| *log).collect();
        let seqs: Vec<i64> = additions.anchors.iter().map(|(_, seq, _)| *seq).collect();
        let notes: Vec<&str> = additions.anchors.iter().map(|(.., note)| *note).collect();
        let sql =
            "INSERT INTO anchors SELECT * FROM unnest($1::int[], $2::bigint[], $3::text[]) ON CONFLICT DO NOTHING";
        let statement = transaction.prepare_cached(sql).await?;
        transaction.execute(&statement, &[&logs, &seqs, &notes]).await?;
    }
    for (log, first, after, note) in &additions.holes {
        let sql = "INSERT INTO holes (log, first, last, hash, note) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        let hash = after.hash.as_slice();
        transaction.execute(sql, &[log, &signed(*first), &signed(after.seq), &hash, note]).await?;
    }
    add_sums(transaction, &additions.sums).await
}

/// Moves the heads that have moved, always in the same order.
pub(super) async fn advance(
    transaction: &Transaction<'_>,
    heads: impl Iterator<Item = &Locked>,
) -> Result<(), DatabaseError> {
    let mut moved: Vec<&Locked> = heads.filter(|locked| locked.head != locked.stored).collect();
    if moved.is_empty() {
        return Ok(());
    }
    moved.sort_unstable_by_key(|locked| locked.no);
    let logs: Vec<i32> = moved.iter().map(|locked| locked.no).collect();
    let seqs: Vec<i64> = moved.iter().map(|locked| signed(locked.head.seq)).collect();
    let hashes: Vec<&[u8]> = moved.iter().map(|locked| locked.head.hash.as_slice()).collect();
    let sql = "UPDATE logs SET seq = u.seq, hash = u.hash, arrived = now()
        FROM unnest($1::int[], $2::bigint[], $3::bytea[]) u (no, seq, hash) WHERE logs.no = u.no";
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, &[&logs, &seqs, &hashes]).await?;
    Ok(())
}
