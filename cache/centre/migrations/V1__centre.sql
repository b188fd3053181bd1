-- The centre's memory. Rows are kept once, as the text the post chained; everything a board asks is a head, a roll-up or a registry entry,
-- written in the transaction that takes the rows.

-- Which store this is: posts learn from another id that what they had been told is void.
CREATE TABLE store (
    one        boolean     PRIMARY KEY DEFAULT true CHECK (one),
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    since      timestamptz NOT NULL DEFAULT now(),
    -- The database system and timeline the id was drawn for: a restored copy has others.
    system     text        NOT NULL,
    -- Grows with each change of the registry, so that every front notices.
    generation bigint      NOT NULL DEFAULT 0
);

CREATE TABLE posts (
    no       integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     text        NOT NULL UNIQUE,
    station  text        NOT NULL DEFAULT '',
    region   text        NOT NULL DEFAULT '',
    lanes    text[]      NOT NULL DEFAULT '{}',
    -- The device's key; a key belongs to one post.
    key      text        UNIQUE,
    build    text,
    state    text        NOT NULL DEFAULT 'invited' CHECK (state IN ('invited', 'enrolled', 'revoked')),
    invited  timestamptz NOT NULL DEFAULT now(),
    enrolled timestamptz
);

-- One-time tokens, hashed. A used one stays, so that the same device may ask again and another is noticed.
CREATE TABLE tokens (
    hash  bytea       PRIMARY KEY,
    post  integer     NOT NULL REFERENCES posts ON DELETE CASCADE,
    until timestamptz NOT NULL,
    key   text
);

-- The heads: one row a log, locked by whoever appends, and the only judge of what is new.
CREATE TABLE logs (
    no      integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    log     uuid        NOT NULL UNIQUE,
    post    integer     NOT NULL REFERENCES posts,
    key     text        NOT NULL,
    state   text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    seq     bigint      NOT NULL DEFAULT 0,
    hash    bytea       NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    begun   timestamptz NOT NULL DEFAULT now(),
    arrived timestamptz
) WITH (fillfactor = 60);
CREATE INDEX logs_post ON logs (post);

-- By the row's own day, which a row that is sent again keeps. No unique key: over partitions by day it would promise nothing.
CREATE TABLE entries (
    log  integer     NOT NULL,
    seq  bigint      NOT NULL,
    at   timestamptz NOT NULL,
    hash bytea       NOT NULL,
    body text        NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX entries_place ON entries (log, seq);
-- What clocks of 1970 and 2038 wrote.
CREATE TABLE entries_other PARTITION OF entries DEFAULT;

CREATE VIEW scans AS
SELECT p.name AS post, e.seq, e.at, b ->> 'lane' AS lane, b ->> 'direction' AS direction, b ->> 'verdict' AS verdict,
       b ->> 'reason' AS reason, b ->> 'issuer' AS issuer, (b ->> 'list_age_s')::bigint AS list_age_s,
       (b ->> 'time_to_verdict_us')::bigint / 1000.0 AS time_to_verdict_ms, b ->> 'time_trust' AS time_trust
FROM entries e JOIN logs l ON l.no = e.log JOIN posts p ON p.no = l.post, LATERAL (SELECT e.body::json AS b) j
WHERE e.body LIKE '{"v":_,"kind":"scan",%';

-- The device's signed heads, never deleted: what is left of a chain is held against them.
CREATE TABLE anchors (
    log  integer NOT NULL,
    seq  bigint  NOT NULL,
    note text    NOT NULL,
    PRIMARY KEY (log, seq)
);
-- Rows a post gave up before the centre had them.
CREATE TABLE holes (
    log   integer     NOT NULL,
    first bigint      NOT NULL,
    last  bigint      NOT NULL,
    -- The hash at `last`, which the next row is chained to, and the device's word.
    hash  bytea       NOT NULL,
    note  text        NOT NULL,
    seen  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (log, first)
);
-- Two signed histories of one log: both heads are kept.
CREATE TABLE forks (
    log       integer     NOT NULL,
    first_bad bigint      NOT NULL,
    held      text        NOT NULL,
    other     text        NOT NULL,
    seen      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (log, other)
);
CREATE TABLE dead_letters (
    no     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    post   integer     NOT NULL REFERENCES posts ON DELETE CASCADE,
    log    uuid,
    reason text        NOT NULL,
    detail text        NOT NULL,
    digest bytea       NOT NULL,
    bytes  bytea       NOT NULL,
    seen   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letters_post ON dead_letters (post, no);
-- What somebody has to look into; one a post and kind, until it is cleared.
CREATE TABLE alarms (
    post   integer     NOT NULL REFERENCES posts ON DELETE CASCADE,
    kind   text        NOT NULL,
    since  timestamptz NOT NULL DEFAULT now(),
    last   timestamptz NOT NULL DEFAULT now(),
    times  bigint      NOT NULL DEFAULT 1,
    detail text        NOT NULL,
    PRIMARY KEY (post, kind)
);

CREATE TABLE health (
    post    integer     PRIMARY KEY REFERENCES posts ON DELETE CASCADE,
    log     uuid        NOT NULL,
    counter bigint      NOT NULL,
    at      timestamptz NOT NULL,
    trust   text        NOT NULL,
    arrived timestamptz NOT NULL DEFAULT now(),
    vitals  json        NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE lanes (
    post      integer     NOT NULL,
    lane      text        NOT NULL,
    last_scan timestamptz NOT NULL,
    PRIMARY KEY (post, lane)
) WITH (fillfactor = 60);
CREATE TABLE lane_hours (
    post     integer     NOT NULL,
    lane     text        NOT NULL,
    hour     timestamptz NOT NULL,
    scans    integer     NOT NULL,
    admitted integer     NOT NULL,
    referred integer     NOT NULL,
    refused  integer     NOT NULL,
    verdict_us bigint    NOT NULL,
    PRIMARY KEY (post, lane, hour)
) WITH (fillfactor = 70);
CREATE INDEX lane_hours_hour ON lane_hours (hour);
CREATE TABLE reason_days (
    post    integer NOT NULL,
    day     date    NOT NULL,
    verdict text    NOT NULL,
    reason  text    NOT NULL,
    scans   integer NOT NULL,
    PRIMARY KEY (post, day, verdict, reason)
) WITH (fillfactor = 70);
CREATE INDEX reason_days_day ON reason_days (day);
CREATE TABLE list_days (
    post   integer NOT NULL,
    day    date    NOT NULL,
    issuer text    NOT NULL,
    scans  integer NOT NULL,
    -- Scans that were judged by a list older than a day, and the oldest of these lists in seconds.
    old    integer NOT NULL,
    oldest bigint  NOT NULL,
    PRIMARY KEY (post, day, issuer)
) WITH (fillfactor = 70);
CREATE INDEX list_days_day ON list_days (day);
