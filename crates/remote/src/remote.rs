//! What a remote can do.

use std::fmt;
use std::path::Path;

use crate::s3::S3;
use crate::ssh::Ssh;
use crate::web::Dav;
use crate::{Access, Address, RemoteError, Watch};

/// A local file to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Where it goes, relative to the remote's folder and to the mirror's.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its time, in seconds since the epoch. Remotes that keep times give it to the file.
    pub mtime: u64,
    /// Whether a finished push has uploaded it. A remote for which it is cheap looks all the same.
    pub settled: bool,
}

/// What became of a file that was to be made where none may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was made.
    Made,
    /// Another file has that name.
    Exists,
}

/// A folder elsewhere. Paths are relative to it, with `/`; folders are made as they are needed.
///
/// No file is ever seen half-written. What may pass by itself is tried again before it is an error.
pub trait Remote: fmt::Debug + Sync {
    /// The content of a file; `None` if it is not there.
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, RemoteError>;

    /// The size of a file in bytes; `None` if it is not there.
    fn size(&self, path: &str) -> Result<Option<u64>, RemoteError>;

    /// The names of the files in a folder; `None` where nobody tells.
    fn list(&self, folder: &str) -> Result<Option<Vec<String>>, RemoteError>;

    /// Uploads files of the folder `root` that are not there with their size already. In what order, is not said.
    ///
    /// Gives how many were uploaded.
    fn upload(&self, root: &Path, files: &[Upload]) -> Result<usize, RemoteError>;

    /// Brings files to the folder `root`, over what may be there. Each appears when it is whole. What is not at the remote is left out.
    ///
    /// Gives how many came.
    fn download(&self, root: &Path, paths: &[String]) -> Result<usize, RemoteError>;

    /// Makes a file where none of that name may be: of several who try, one succeeds.
    fn create(&self, path: &str, bytes: &[u8]) -> Result<Created, RemoteError>;

    /// Puts files of the folder `root` in the place of others, or where none are, each in one step. In what order, is not said.
    fn replace(&self, root: &Path, files: &[Upload]) -> Result<(), RemoteError>;

    /// Removes files. One that is not there is no error.
    fn remove(&self, paths: &[String]) -> Result<(), RemoteError>;
}

/// Makes the remote at an address. Nothing is connected before it is asked for something.
///
/// # Errors
/// What the address needs of the environment is not there: credentials, a program's folder.
pub fn connect<'w>(
    address: &Address,
    access: &Access,
    watch: &'w dyn Watch,
) -> Result<Box<dyn Remote + 'w>, RemoteError> {
    Ok(match address {
        Address::Ssh { .. } => Box::new(Ssh::new(address, access, watch)?),
        Address::S3 { bucket, prefix } => Box::new(S3::new(bucket, prefix, access, watch)?),
        Address::Http(url) => Box::new(Dav::new(url, access, watch)?),
    })
}
