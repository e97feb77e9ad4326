//! Content-addressed blobs, and files hashed once.
//!
//! * [`Store`] keeps bytes under the digest of their content and checks that digest whenever they are read.
//! * [`FileHasher`] hashes a file of the workspace once and again only when its stat data changed.
//! * [`tree`] turns a folder into a sorted listing with one digest; [`glob`] finds the files a task names.
//! * [`Witness`] notes what a run saw, a [`Testimony`] by which the next one can tell with `stat` alone what changed.
//! * [`DirLock`] lets one process at a time write a folder, and says who that is.
//!
//! Everything here is safe for several threads and several processes at once. Paths on disk never enter a digest.

mod blob;
mod file_hasher;
mod flush;
pub mod glob;
mod lock;
mod reader;
mod rename;
mod stat_cache;
mod store;
mod testimony;
pub mod tree;
mod witness;
mod writer;

pub use blob::{Blob, hex_digest};
pub use file_hasher::{CacheNote, FileDigest, FileHasher, FileKind, HashError};
pub use flush::Unflushed;
pub use lock::{DirLock, HeldBy, Holder, LockError};
pub use reader::{BlobReader, CorruptBlob, ReadError, corrupt_blob};
pub use rename::rename;
pub use store::{PutError, Store, Swept};
pub use testimony::{Comparison, Owner, Testimony};
pub use tree::{TreeEntry, TreeEntryKind, TreeError, TreeListing, hash_tree};
pub use witness::{Owners, Silence, Witness};
pub use writer::BlobWriter;
