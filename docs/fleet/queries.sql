-- What an operations centre asks. Each query stands alone; `-- name:` lines are for tools.
-- In psql, `\watch 10` after a query makes it a dashboard.

-- name: scans per lane and hour
SELECT post, lane, date_trunc('hour', at) AS hour, count(*) AS scans,
       count(*) FILTER (WHERE verdict = 'admit')  AS admitted,
       count(*) FILTER (WHERE verdict = 'refer')  AS referred,
       count(*) FILTER (WHERE verdict = 'refuse') AS refused,
       round(percentile_disc(0.95) WITHIN GROUP (ORDER BY time_to_verdict_ms)) AS p95_ms
FROM checkpoint_rows
WHERE kind = 'scan' AND at > now() - interval '1 day'
GROUP BY post, lane, hour ORDER BY hour DESC, post, lane;

-- name: refer rate by reason
SELECT reason, count(*) AS scans,
       round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS share_of_referred,
       round(100.0 * count(*) / (SELECT count(*) FROM checkpoint_rows
                                 WHERE kind = 'scan' AND at > now() - interval '1 day'), 2) AS share_of_all
FROM checkpoint_rows
WHERE kind = 'scan' AND verdict = 'refer' AND at > now() - interval '1 day'
GROUP BY reason ORDER BY scans DESC;

-- name: lanes silent for ten minutes
SELECT r.post, r.lane, max(r.at) AS last_scan, now() - max(r.at) AS silent_for, p.state
FROM checkpoint_rows r LEFT JOIN checkpoint_posts p USING (post)
WHERE r.kind = 'scan' AND r.at > now() - interval '1 day'
GROUP BY r.post, r.lane, p.state
HAVING max(r.at) < now() - interval '10 minutes'
ORDER BY silent_for DESC;

-- name: lists older than a day
SELECT DISTINCT ON (post, issuer) post, issuer, justify_hours(list_age + (now() - at)) AS list_is_now, at AS last_used
FROM checkpoint_rows
WHERE kind = 'scan' AND issuer IS NOT NULL AND list_age IS NOT NULL AND at > now() - interval '1 day'
  AND list_age > interval '1 day'
ORDER BY post, issuer, at DESC;

-- name: rows still missing from a post
SELECT post, seq + 1 AS first_missing, next - 1 AS last_missing
FROM (SELECT post, seq, lead(seq) OVER (PARTITION BY post ORDER BY seq) AS next FROM checkpoint_rows) gaps
WHERE next > seq + 1 ORDER BY post, first_missing;
