//! Runs actions and keeps images in Docker or Podman through their API.
//!
//! [`DockerExecutor`] implements [`farm_executor::Executor`]. All files cross the border as tar streams in requests and
//! answers, never as bind mounts, so that an engine on another machine is as good as a local one and everything works for
//! any user who may open the engine's socket. Streams are never held in memory as a whole.
//!
//! # What a run finds
//!
//! * Its environment is [`farm_executor::RunSpec::env`] and nothing else, and its two outputs are one pipe, so that the log
//!   is in the order of writing. For this the command is started by `/bin/sh` and `/usr/bin/env -i`, which the image must
//!   have (reading an image's files needs nothing in it). A command that does not exist therefore ends with status 127.
//! * Where the engine has an init program, that is process 1: it reaps orphans, without which a test suite that waits for
//!   its daemon to disappear waits for ever. [`ENGINE_PATHS`] names the files this and the engine itself leave in the root.
//! * The host name is `farm`, there is no terminal and no standard input, the image's health check is off.
//!
//! # Podman
//!
//! Its API is Docker's, with differences that show: it takes complete image archives only
//! ([`ImageStore::load`](farm_executor::ImageStore::load) answers `false` otherwise), it cannot ask a registry for a digest
//! without pulling, and local names look to it as if a registry had given them, so that only ids resolve to ids.
//!
//! # Threads
//!
//! The calls block, and may come from many threads at once; the asynchronous runtime is inside. They must not be made from
//! a thread that is itself driving an asynchronous runtime, nor from inside a sink that the executor is calling.

mod bridge;
mod companion;
mod connect;
mod container;
mod credentials;
mod fault;
mod guard;
mod images;
mod progress;
mod reference;
mod run;
mod tags;
mod transfer;

pub use connect::{ConnectOptions, DockerExecutor};
pub use container::{ENGINE_PATHS, LABEL_NODE};
