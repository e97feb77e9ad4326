//! Publications into real folders, and a real Portage as their client.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod audit;
mod client;
mod failures;
mod import;
mod interrupted;
mod kept;
mod lacking;
mod portage;
mod readers;
mod releases;
mod rollback;
mod signed;
mod speed;
mod support;
