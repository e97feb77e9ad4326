//! Telling the two formats of binary packages apart.

use crate::gpkg::VERSION_MEMBER;
use crate::xpak;

/// How many bytes from the start of a file [`BinpkgFormat::sniff`] looks at.
pub const HEAD: usize = 100;

/// How many bytes from the end of a file [`BinpkgFormat::sniff`] looks at.
pub const TAIL: usize = xpak::TRAILER;

/// The format of a binary package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinpkgFormat {
    /// [`gpkg`](crate::gpkg): `.gpkg.tar`.
    Gpkg,
    /// [`xpak`]: `.tbz2`, `.xpak`.
    Xpak,
}

impl BinpkgFormat {
    /// Tells the format of a file by its first 100 and its last 16 bytes, fewer if it has fewer.
    ///
    /// This is the rule of `get_binpkg_format` in `portage/binpkg.py`: the name of the version member in the first
    /// header, else the trailer. What is found that way may still be damaged. `None` is neither, with one exception:
    /// Portage also takes a GPKG whose version member is not the first, which only a walk over all members can tell
    /// ([`gpkg::Reader::open`](crate::gpkg::Reader::open) makes one).
    pub fn sniff(head: &[u8], tail: &[u8]) -> Option<Self> {
        let head = &head[..head.len().min(HEAD)];
        let member = format!("/{VERSION_MEMBER}\0");
        if head.windows(member.len()).any(|window| window == member.as_bytes()) {
            Some(Self::Gpkg)
        } else if xpak::is_trailer(&tail[tail.len().saturating_sub(TAIL)..]) {
            Some(Self::Xpak)
        } else {
            None
        }
    }
}
