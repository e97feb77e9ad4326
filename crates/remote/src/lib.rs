//! Moves a published folder to where its clients fetch it: over ssh with rsync, to S3, or to a web server by PUT.
//!
//! The truth stays a local folder, the *mirror*: [`pull`](Mirror::pull) brings to it what others published since,
//! `farm_publish::publish` makes the next release in it, and [`push`](Mirror::push) moves that. A [`Remote`] only knows files.
//!
//! # What clients may rely on
//!
//! What `farm_publish` promises, holds at the remote: every file of a release is there before the index that lists it, the index is
//! replaced in one step, and a file is removed only when no record that is kept lists it. A push that dies leaves the
//! old release in force and whole.
//!
//! # What publishers may rely on
//!
//! * The number of a release is claimed before anything else of it is uploaded, by making its record where none may be yet. Of two
//!   publishers at once, one is told that it lost, and no BUILD_ID is given out twice.
//! * What a push that died has uploaded is not uploaded again.
//! * A publisher that was so slow that the next release is there already does not put the old index over it.
//!
//! # At the remote
//!
//! The folder is as `farm_publish` describes it, with one file more: `releases/settled` holds the number of the newest release that
//! was pushed to its end. From there on the newest record is found by asking for the next one, which needs no listing, and
//! what an unfinished push did not remove is known.

mod access;
mod address;
mod error;
mod mirror;
mod parallel;
mod remote;
mod retry;
mod s3;
mod ssh;
mod web;

pub use access::Access;
pub use address::{Address, AddressError};
pub use error::{ErrorKind, RemoteError};
pub use mirror::{Mirror, Pulled, Pushed};
pub use remote::{Created, Remote, Upload, connect};
pub use retry::Watch;
