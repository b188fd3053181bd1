//! The memory: scan log, outbox, floor of time, and the verified trust store, in SQLite.
