//! Remotes that are real: sshd, nginx and a server that speaks S3, each behind a front that can fail on purpose.

mod faults;
mod http;
mod publishers;
mod releases;
mod ssh;
mod support;
