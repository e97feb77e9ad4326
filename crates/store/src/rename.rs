//! Giving a temporary file its name.

use std::io;
use std::path::Path;

use tempfile::TempPath;

/// Gives a temporary file the name `target`, replacing what was there.
///
/// # Errors
/// When the disk refuses; the error names the file, and the temporary one is removed.
pub fn rename(temporary: TempPath, target: &Path) -> io::Result<()> {
    fs_err::rename(&temporary, target)?;
    // The name is somebody else's to use from here on.
    let _ = temporary.keep();
    Ok(())
}
