//! Publications into real folders, and a real Portage as their client.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod failures;
mod interrupted;
mod portage;
mod readers;
mod releases;
mod signed;
mod speed;
mod support;
