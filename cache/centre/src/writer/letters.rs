//! Dead letters and alarms: what will never be taken is kept, the newest of each post, and somebody is told.

use cache::exchange::Refusal;
use deadpool_postgres::Transaction;

use super::Letter;
use crate::database::DatabaseError;

/// Dead letters kept of one post, the newest.
const LETTERS: i64 = 20;
/// What is kept of a dead letter.
const LETTER: usize = 64 * 1024;

/// Keeps a letter.
pub(super) async fn bury(transaction: &Transaction<'_>, letter: &Letter) -> Result<(), DatabaseError> {
    let (reason, digest) = (letter.reason.code(), letter.digest.0.as_slice());
    let bytes = &letter.bytes[..letter.bytes.len().min(LETTER)];
    transaction
        .execute(
            "INSERT INTO dead_letters (post, log, reason, detail, digest, bytes) VALUES ($1, $2, $3, $4, $5, $6)",
            &[&letter.post, &letter.log, &reason, &letter.detail, &digest, &bytes],
        )
        .await?;
    transaction
        .execute(
            "DELETE FROM dead_letters WHERE post = $1 AND no <= (SELECT no FROM dead_letters WHERE post = $1
             ORDER BY no DESC OFFSET $2 LIMIT 1)",
            &[&letter.post, &LETTERS],
        )
        .await?;
    if letter.reason != Refusal::Fork {
        alarm(transaction, letter.post, reason, &letter.detail).await?;
    }
    Ok(())
}

/// Raises an alarm of a post, or counts it once more.
pub async fn alarm(
    transaction: &Transaction<'_>,
    post: i32,
    kind: &str,
    detail: &str,
) -> Result<(), tokio_postgres::Error> {
    let sql = "INSERT INTO alarms AS a (post, kind, detail) VALUES ($1, $2, $3) ON CONFLICT (post, kind)
        DO UPDATE SET last = now(), times = a.times + 1, detail = excluded.detail";
    transaction.execute(sql, &[&post, &kind, &detail]).await?;
    Ok(())
}
