//! The judge: a pass code's text, the keys, lists and policy as last verified, and the moment go in; a verdict comes out.
//!
//! What is absent matters most: nothing here knows the time, opens a file, spawns a thread, keeps a database or logs.
//! Time is an argument ([`time::Moment`]), and "we cannot know" is an answer ([`verdict::Verdict::Refer`]).

#![forbid(unsafe_code)]

pub mod code;
pub mod configuration;
pub mod freshness;
pub mod judge;
pub mod key;
pub mod lists;
pub mod recognise;
pub mod region;
pub mod shadow;
pub mod status;
pub mod time;
pub mod trust;
pub mod tuf;
pub mod verdict;
