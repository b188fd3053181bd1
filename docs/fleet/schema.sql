-- Tables of an operations centre. Apply once:  psql -d fleet -f schema.sql
-- A row is kept as the exact text the post chained (type json, not jsonb); columns are generated from it.

CREATE TABLE IF NOT EXISTS checkpoint_rows (
    post        text        NOT NULL,
    seq         bigint      NOT NULL,
    hash        bytea       NOT NULL,
    received    timestamptz NOT NULL DEFAULT now(),
    body        json        NOT NULL,
    id                 uuid        PRIMARY KEY GENERATED ALWAYS AS ((body ->> 'id')::uuid) STORED,
    kind               text        GENERATED ALWAYS AS (body ->> 'kind') STORED,
    at                 timestamptz GENERATED ALWAYS AS (to_timestamp((body ->> 'at_ms')::bigint / 1000.0)) STORED,
    lane               text        GENERATED ALWAYS AS (body ->> 'lane') STORED,
    verdict            text        GENERATED ALWAYS AS (body ->> 'verdict') STORED,
    reason             text        GENERATED ALWAYS AS (body ->> 'reason') STORED,
    issuer             text        GENERATED ALWAYS AS (body ->> 'issuer') STORED,
    list_age           interval    GENERATED ALWAYS AS (make_interval(secs => (body ->> 'list_age_s')::double precision)) STORED,
    time_to_verdict_ms double precision GENERATED ALWAYS AS ((body ->> 'time_to_verdict_us')::bigint / 1000.0) STORED
);
CREATE INDEX IF NOT EXISTS checkpoint_rows_at ON checkpoint_rows (at) WHERE kind = 'scan';
CREATE INDEX IF NOT EXISTS checkpoint_rows_lane ON checkpoint_rows (post, lane, at DESC) WHERE kind = 'scan';

-- Signed heads of each post's chain: what a post's log is held against later.
CREATE TABLE IF NOT EXISTS checkpoint_anchors (
    post     text        NOT NULL,
    received timestamptz NOT NULL DEFAULT now(),
    note     text        NOT NULL,
    PRIMARY KEY (post, note)
);

-- Which posts are there, by birth and last will.
CREATE TABLE IF NOT EXISTS checkpoint_posts (
    post    text        PRIMARY KEY,
    state   text        NOT NULL,
    version text,
    since   timestamptz NOT NULL DEFAULT now()
);
