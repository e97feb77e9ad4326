//! The XPAK binary package (`xpak(5)`, `portage/xpak.py`): `.tbz2`, `.xpak`.
//!
//! A compressed tar of the image is followed by one segment with all metadata, and by a trailer that says how long the
//! segment is:
//!
//! ```text
//! image "XPAKPACK" index_len data_len index data "XPAKSTOP" segment_len "STOP"
//! index: one after another, name_len name data_offset data_len
//! ```
//!
//! Numbers are big-endian and have four bytes. `segment_len` counts from `XPAKPACK` to `XPAKSTOP`, both included. The
//! image is everything before the segment; no length and no digest of it is written anywhere, and none of the metadata:
//! what is not found out by a decompressor or by the structure is not found out. Portage writes GPKG unless it is told
//! otherwise; binhosts still have this.
//!
//! Only reading is here. [`normalise_xpak`](crate::normal::normalise_xpak) makes a GPKG of an XPAK.

mod compression;
mod error;
mod reader;
mod segment;

pub use error::XpakError;
pub use reader::Reader;
pub use segment::{TRAILER, is_trailer, parse_segment};
