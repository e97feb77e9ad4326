//! A file of which only some ranges are here.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use super::limits::BudgetExceeded;

/// What is known of a file: some of its bytes, and perhaps its length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pieces {
    /// By offset. No two overlap.
    pieces: BTreeMap<u64, Vec<u8>>,
    total: Option<u64>,
}

impl Pieces {
    /// Knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes the length of the whole file in bytes, as `Content-Range` or an answer shorter than the request tells it.
    pub fn set_total(&mut self, total: u64) {
        self.total = Some(total);
    }

    /// The length of the whole file in bytes, if it was told.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Adds bytes that begin `offset` bytes into the file. Of what is known already, the older bytes stay.
    pub fn insert(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset.saturating_add(bytes.len() as u64);
        while let Some(gap) = self.gap(offset..end) {
            // Both lie within `bytes`, whose length is a `usize`.
            let piece = &bytes[(gap.start - offset) as usize..(gap.end - offset) as usize];
            self.pieces.insert(gap.start, piece.to_vec());
        }
    }

    /// Whether nothing is known.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The first part of `range` that is not known.
    pub(super) fn gap(&self, range: Range<u64>) -> Option<Range<u64>> {
        let mut position = range.start;
        while position < range.end {
            let Some(known) = self.known_at(position) else {
                let next = self
                    .pieces
                    .range(position..)
                    .next()
                    .map_or(range.end, |(&start, _)| start);
                return Some(position..next.min(range.end));
            };
            position += known.len() as u64;
        }
        None
    }

    /// The known bytes from `position` to the end of the piece it lies in.
    fn known_at(&self, position: u64) -> Option<&[u8]> {
        let (start, piece) = self.pieces.range(..=position).next_back()?;
        let inside = usize::try_from(position - start).ok()?;
        piece.get(inside..).filter(|rest| !rest.is_empty())
    }
}

/// Reads a file through its known pieces. Where one is missing, reading fails and `missing` says where.
pub(super) struct View<'a> {
    pieces: &'a Pieces,
    position: u64,
    missing: &'a Cell<Option<u64>>,
    /// How many bytes may be read; a reader who skips what it does not want needs few.
    budget: u64,
    used: u64,
}

impl<'a> View<'a> {
    pub(super) fn new(pieces: &'a Pieces, missing: &'a Cell<Option<u64>>, budget: u64) -> Self {
        Self {
            pieces,
            position: 0,
            missing,
            budget,
            used: 0,
        }
    }
}

impl Read for View<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(known) = self.pieces.known_at(self.position) else {
            if self.pieces.total.is_some_and(|total| self.position >= total) {
                return Ok(0);
            }
            self.missing.set(Some(self.position));
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let n = known.len().min(buf.len());
        buf[..n].copy_from_slice(&known[..n]);
        self.position += n as u64;
        self.used += n as u64;
        if self.used > self.budget {
            return Err(io::Error::other(BudgetExceeded { limit: self.budget }));
        }
        Ok(n)
    }
}

impl Seek for View<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
            SeekFrom::End(distance) => self.pieces.total.and_then(|total| total.checked_add_signed(distance)),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever ranges come in, in whatever order: what is known is what the file has there, and the gaps are the
        /// rest.
        #[test]
        fn pieces_are_the_file(ranges in prop::collection::vec((0..60_usize, 0..20_usize), 0..12), from in 0..90_u64) {
            let file: Vec<u8> = (0..80).collect();
            let mut pieces = Pieces::new();
            let mut known = [false; 80];
            for (start, length) in ranges {
                pieces.insert(start as u64, &file[start..start + length]);
                known[start..start + length].fill(true);
            }
            let mut position = from;
            while let Some(gap) = pieces.gap(position..80) {
                prop_assert!(gap.start < gap.end && gap.end <= 80);
                prop_assert!(known[position as usize..gap.start as usize].iter().all(|&known| known));
                prop_assert!(!known[gap.start as usize..gap.end as usize].contains(&true));
                position = gap.end;
            }
            for at in 0..80_u64 {
                let missing = Cell::new(None);
                let mut view = View::new(&pieces, &missing, 1);
                view.seek(SeekFrom::Start(at)).unwrap();
                let mut byte = [0];
                let read = view.read(&mut byte).is_ok();
                prop_assert_eq!(read, known[at as usize]);
                prop_assert_eq!(missing.get(), (!read).then_some(at));
                prop_assert!(!read || byte[0] == file[at as usize]);
            }
        }
    }
}
