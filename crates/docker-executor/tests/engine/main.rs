//! Tests against the real engine at its default socket and a real registry.

#![expect(
    clippy::unwrap_used,
    reason = "the lint knows tests by their attribute, which what they share has not"
)]

mod common;
mod companions;
mod images;
mod registry;
mod runs;
