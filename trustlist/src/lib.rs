//! The judge: a pass code's text, the keys, lists and policy as last verified, and the moment go in; a verdict comes out.
//!
//! What is absent matters most: nothing here knows the time, opens a file, spawns a thread, keeps a database or logs.
//! Time is an argument ([`time::Moment`]), and "we cannot know" is an answer ([`verdict::Verdict::Refer`]).

#![forbid(unsafe_code)]

pub mod code;
pub mod key;
pub mod region;
pub mod time;
pub mod verdict;
