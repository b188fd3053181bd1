//! The board's sums: what newly taken rows add to lanes, hours, reasons and lists, in the transaction that takes them.

use std::time::SystemTime;

use deadpool_postgres::Transaction;

use super::moment;
use crate::{database::DatabaseError, facts::Sums};

/// Adds them. Keys are ordered, so that two writers never wait for each other crosswise.
pub(super) async fn add_sums(transaction: &Transaction<'_>, sums: &Sums) -> Result<(), DatabaseError> {
    if sums.hours.is_empty() {
        return Ok(());
    }
    let posts: Vec<i32> = sums.lanes.keys().map(|(post, _)| *post).collect();
    let lanes: Vec<&str> = sums.lanes.keys().map(|(_, lane)| &**lane).collect();
    let last: Vec<SystemTime> = sums.lanes.values().map(|at| moment(*at)).collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO lanes SELECT * FROM unnest($1::int[], $2::text[], $3::timestamptz[]) ON CONFLICT (post, lane)
             DO UPDATE SET last_scan = greatest(lanes.last_scan, excluded.last_scan)",
        )
        .await?;
    transaction.execute(&statement, &[&posts, &lanes, &last]).await?;

    let posts: Vec<i32> = sums.hours.keys().map(|(post, ..)| *post).collect();
    let lanes: Vec<&str> = sums.hours.keys().map(|(_, lane, _)| &**lane).collect();
    let hours: Vec<SystemTime> = sums.hours.keys().map(|(.., hour)| moment(*hour)).collect();
    let column = |of: fn(&crate::facts::Hour) -> i32| sums.hours.values().map(of).collect::<Vec<i32>>();
    let (scans, admitted) = (column(|hour| hour.scans), column(|hour| hour.admitted));
    let (referred, refused) = (column(|hour| hour.referred), column(|hour| hour.refused));
    let verdict_us: Vec<i64> = sums.hours.values().map(|hour| hour.verdict_us).collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO lane_hours AS h SELECT * FROM unnest($1::int[], $2::text[], $3::timestamptz[], $4::int[], $5::int[],
             $6::int[], $7::int[], $8::bigint[]) ON CONFLICT (post, lane, hour) DO UPDATE SET scans = h.scans + excluded.scans,
             admitted = h.admitted + excluded.admitted, referred = h.referred + excluded.referred,
             refused = h.refused + excluded.refused, verdict_us = h.verdict_us + excluded.verdict_us",
        )
        .await?;
    transaction
        .execute(&statement, &[&posts, &lanes, &hours, &scans, &admitted, &referred, &refused, &verdict_us])
        .await?;

    let posts: Vec<i32> = sums.reasons.keys().map(|(post, ..)| *post).collect();
    let days: Vec<i32> = sums.reasons.keys().map(|(_, day, ..)| *day).collect();
    let verdicts: Vec<&str> = sums.reasons.keys().map(|(_, _, verdict, _)| &**verdict).collect();
    let reasons: Vec<&str> = sums.reasons.keys().map(|(.., reason)| &**reason).collect();
    let scans: Vec<i32> = sums.reasons.values().copied().collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO reason_days AS r SELECT post, date '1970-01-01' + day, verdict, reason, scans
             FROM unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::int[]) u (post, day, verdict, reason, scans)
             ON CONFLICT (post, day, verdict, reason) DO UPDATE SET scans = r.scans + excluded.scans",
        )
        .await?;
    transaction.execute(&statement, &[&posts, &days, &verdicts, &reasons, &scans]).await?;

    let posts: Vec<i32> = sums.lists.keys().map(|(post, ..)| *post).collect();
    let days: Vec<i32> = sums.lists.keys().map(|(_, day, _)| *day).collect();
    let issuers: Vec<&str> = sums.lists.keys().map(|(.., issuer)| &**issuer).collect();
    let scans: Vec<i32> = sums.lists.values().map(|lists| lists.scans).collect();
    let old: Vec<i32> = sums.lists.values().map(|lists| lists.old).collect();
    let oldest: Vec<i64> = sums.lists.values().map(|lists| lists.oldest).collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO list_days AS l SELECT post, date '1970-01-01' + day, issuer, scans, old, oldest
             FROM unnest($1::int[], $2::int[], $3::text[], $4::int[], $5::int[], $6::bigint[]) u (post, day, issuer, scans, old, oldest)
             ON CONFLICT (post, day, issuer) DO UPDATE SET scans = l.scans + excluded.scans, old = l.old + excluded.old,
             oldest = greatest(l.oldest, excluded.oldest)",
        )
        .await?;
    transaction.execute(&statement, &[&posts, &days, &issuers, &scans, &old, &oldest]).await?;
    Ok(())
}
