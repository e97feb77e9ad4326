//! Telling the format of a package file.

use std::io::{self, Read as _, Seek as _, SeekFrom};

use farm_portage::binpkg::{BinpkgFormat, HEAD, TAIL};
use fs_err as fs;

/// Tells the format of a file by its ends, and goes back to its start.
pub(crate) fn sniff(file: &mut fs::File) -> io::Result<Option<BinpkgFormat>> {
    let size = file.metadata()?.len();
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    file.rewind()?;
    file.take(HEAD as u64).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL as u64)))?;
    file.read_to_end(&mut tail)?;
    file.rewind()?;
    Ok(BinpkgFormat::sniff(&head, &tail))
}
