//! The memory of many gates: rows in, receipts out, a registry of posts, and a board for the room that watches them.
//!
//! ```text
//! post ── HTTPS ──► front ── way ──► writer ──► PostgreSQL ──► board, metrics
//!      ◄─ receipt ────────────────────┘ after the commit
//! ```
//!
//! - A front ([`front`]) checks shape, sender, chain and limits, and remembers nothing: any number may stand side by side.
//! - The way ([`way`]) is straight, or over a stream of several servers ([`stream`]), whose word is *accepted* and no more.
//! - The writer ([`writer`]) commits what many posts sent, together; a log's locked head is the only judge of what is new ([`place`]).
//! - A receipt is signed after the commit and never before. What cannot be kept now is asked for again; what will never be taken is
//!   refused, signed, and kept as a dead letter.
//!
//! What is absent: nothing here can make a gate admit anybody, and no row holds a person.

#![forbid(unsafe_code)]

pub mod answer;
pub mod board;
pub mod check;
pub mod clock;
pub mod commands;
pub mod database;
pub mod facts;
pub mod front;
pub mod health;
pub mod keys;
pub mod limits;
pub mod mqtt;
pub mod place;
pub mod registry;
pub mod server;
pub mod simulate;
pub mod stream;
pub mod verify;
pub mod way;
pub mod writer;
