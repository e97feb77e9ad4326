//! Records as they are written and read, and what is told from them, against runs that are made up.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod cut;
mod fixture;
mod kit;
mod recorder;
mod told;
