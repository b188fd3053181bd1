-- Which keys of the centre a post was told: an old key goes when no enrolled post lacks the new one.
ALTER TABLE posts ADD COLUMN centre_keys text[] NOT NULL DEFAULT '{}';

-- A row may hold an escaped NUL, which JSON allows and PostgreSQL cannot unescape: one such row must not end a query over all others.
CREATE OR REPLACE VIEW scans AS
SELECT p.name AS post, e.seq, e.at, b ->> 'lane' AS lane, b ->> 'direction' AS direction, b ->> 'verdict' AS verdict,
       b ->> 'reason' AS reason, b ->> 'issuer' AS issuer, (b ->> 'list_age_s')::bigint AS list_age_s,
       (b ->> 'time_to_verdict_us')::bigint / 1000.0 AS time_to_verdict_ms, b ->> 'time_trust' AS time_trust
FROM entries e JOIN logs l ON l.no = e.log JOIN posts p ON p.no = l.post,
     LATERAL (SELECT CASE WHEN position('\u0000' IN e.body) = 0 THEN e.body::json END AS b) j
WHERE e.body LIKE '{"v":_,"kind":"scan",%';
