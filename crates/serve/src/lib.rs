//! Serves a folder over HTTP/1.1, read only: a binhost for Portage, or anything else that lies still or is replaced in whole files.
//!
//! # What clients may rely on
//!
//! * GET and HEAD, with connections that are kept; single and several ranges, conditions, dates and tags as RFC 9110 has them. A tag
//!   changes whenever the content may have; it is weak for a second after that, as long as nobody could tell.
//! * A file that is replaced while it is served is served as it was, whole: from its descriptor. One that is made shorter ends
//!   the connection before the promised length is reached, as nothing that could be sent would be true.
//! * A file's bytes come as they lie there, without `Content-Encoding`.
//! * Folders are listed. Names that begin with a dot are neither listed nor served.
//!
//! # What whoever serves may rely on
//!
//! * Nothing outside of the folder is served. Names are opened below its descriptor by `openat2`, which refuses `..`, absolute
//!   names and symlinks that lead out; where the kernel has no such call, no symlink is followed.
//! * No client holds up another one. What lies in memory is sent at once; where a disk is to be waited for, a thread does that.
//!   A client that takes nothing, or asks nothing, is let go after some time ([`Limits`]).
//! * Memory is bounded: some hundred KiB a connection, however long the files are.
//!
//! There is no TLS, no compression and no upload. Whoever needs one of them puts nginx in front, or in its place.

mod access;
mod answer;
mod binhosts;
mod body;
mod buffers;
mod content;
mod error;
mod listing;
mod media;
mod path;
mod range;
mod root;
mod server;
mod stream;
mod validators;

pub use access::Access;
pub use binhosts::binhosts;
pub use error::{ErrorKind, ServeError};
pub use server::{Limits, Server};
