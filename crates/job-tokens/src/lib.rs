//! The job server protocol of GNU make, both sides.
//!
//! A job server is a pipe or FIFO that holds one byte, a *token*, for each job that may run beside the one that every client
//! may run anyhow. Whoever wants to run one more reads a byte, and writes the same byte back when that job has ended. Clients
//! find it through `MAKEFLAGS` ([`Auth`]); the [manual] of make has the details.
//!
//! * [`Fifo`] is a server for one client: tokens are put in and taken back as somebody else decides
//!   ([`farm_engine::TokenLine`]). When it is dropped, everything that was put in counts as back: so a client that is killed
//!   loses nothing.
//! * [`Client`] takes tokens from a server that somebody else runs ([`farm_engine::TokenSource`]).
//!
//! Nothing here polls by the clock, or blocks its caller: where tokens have to be waited for, a thread waits for the pipe. What
//! is inherited by number is opened again through `/proc/self/fd`, which needs no `unsafe`, and gives the process modes of
//! its own: `O_NONBLOCK` set on a descriptor that make shares would reach make. This is why the `jobserver` crate does not
//! serve here: its client is unsafe to make and reads the environment itself.
//!
//! [manual]: https://www.gnu.org/software/make/manual/html_node/POSIX-Jobserver.html

mod auth;
mod client;
mod fifo;
mod taker;

pub use auth::{Auth, Invitation, Make, makeflags};
pub use client::{Client, ClientError};
pub use fifo::Fifo;
