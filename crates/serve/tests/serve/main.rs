//! The server as clients meet it, over sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod changes;
mod conditions;
mod files;
mod limits;
mod outside;
mod ranges;
mod stopping;
mod support;
