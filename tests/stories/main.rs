//! Stories end to end: the real program, real frames, real files.

#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "a whole program is watched in the time of this machine")]

mod access;
mod bad_input;
mod browser;
mod configuration;
mod confined;
mod demo;
mod desk;
mod desk_elsewhere;
mod doctor;
mod gate;
mod hostile;
mod lists;
mod looks;
mod metrics;
mod mirrors;
mod pages;
mod pictures;
#[cfg(target_os = "linux")]
mod readers;
mod support;
mod waiting;
