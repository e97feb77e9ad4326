//! Remotes that are real: sshd, nginx and a server that speaks S3, each behind a front that can fail on purpose.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod client;
mod downloads;
mod faults;
mod http;
mod publishers;
mod releases;
mod s3;
mod ssh;
mod support;
