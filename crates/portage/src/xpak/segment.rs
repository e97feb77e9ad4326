//! The segment with the metadata: index and data.

use crate::gpkg::Metadata;

use super::XpakError;

/// The length of the trailer in bytes: `XPAKSTOP`, the length of the segment, `STOP`. Its first word is also the
/// segment's last.
pub const TRAILER: usize = 16;

/// What the trailer adds to the segment, in bytes.
pub(super) const AFTER_SEGMENT: u64 = 8;

/// More entries than this are refused: packages have some forty, and an entry of the index can be smaller than what
/// remembers it.
const ENTRIES: usize = 1 << 16;

const START: &[u8] = b"XPAKPACK";
const STOP: &[u8] = b"XPAKSTOP";
const END: &[u8] = b"STOP";

/// Whether these are the last 16 bytes of an XPAK, whatever length they tell.
pub fn is_trailer(bytes: &[u8]) -> bool {
    trailer(bytes).is_some()
}

/// Gives the length of the segment in bytes that a trailer tells; `None` for what is no trailer.
pub(super) fn trailer(bytes: &[u8]) -> Option<u64> {
    let rest = bytes.strip_prefix(STOP)?.strip_suffix(END)?;
    Some(u32::from_be_bytes(rest.try_into().ok()?).into())
}

/// Takes a segment apart, from its `XPAKPACK` to its `XPAKSTOP`.
///
/// It must be what every writer makes: index and data fill it, every entry of the index has a name of its own, and the
/// entries' data lie one after another in any order, without gaps and without overlaps. Portage itself would read past
/// most of that; here it is the only thing that shows damage. Names are plain names in UTF-8.
pub fn parse_segment(segment: &[u8]) -> Result<Metadata, XpakError> {
    let inner = segment
        .strip_prefix(START)
        .ok_or_else(|| XpakError::segment("it does not begin with XPAKPACK"))?
        .strip_suffix(STOP)
        .ok_or_else(|| XpakError::segment("it does not end with XPAKSTOP"))?;
    let mut rest = inner;
    let lengths = number(&mut rest).zip(number(&mut rest));
    let (index_length, data_length) = lengths.ok_or_else(|| XpakError::segment("it is too short"))?;
    if rest.len().checked_sub(index_length) != Some(data_length) {
        return Err(XpakError::segment(
            "the lengths of index and data do not add up to its own",
        ));
    }
    let (index, data) = rest.split_at(index_length);
    let entries = entries(index)?;
    check_tiling(&entries, data.len())?;
    let mut metadata = Metadata::new();
    for entry in entries {
        let name = checked(entry.name)?;
        // The check has shown that this lies within the data.
        let value = &data[entry.start..entry.start + entry.length];
        if metadata.insert(name.to_owned(), value.to_vec()).is_some() {
            return Err(XpakError::Name {
                name: name.to_owned(),
                reason: "it appears twice",
            });
        }
    }
    Ok(metadata)
}

/// An entry of the index.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    name: &'a [u8],
    start: usize,
    length: usize,
}

/// Takes the index apart.
fn entries(mut index: &[u8]) -> Result<Vec<Entry<'_>>, XpakError> {
    let mut entries = Vec::new();
    while !index.is_empty() {
        if entries.len() == ENTRIES {
            return Err(XpakError::segment(format!("it has more than {ENTRIES} entries")));
        }
        let entry = next_entry(&mut index).ok_or_else(|| XpakError::segment("its index ends within an entry"))?;
        entries.push(entry);
    }
    Ok(entries)
}

/// Checks that the entries share the data out among them: every byte belongs to one of them.
fn check_tiling(entries: &[Entry<'_>], data_length: usize) -> Result<(), XpakError> {
    let mut ranges: Vec<_> = entries.iter().map(|entry| (entry.start, entry.length)).collect();
    ranges.sort_unstable();
    let mut end: usize = 0;
    for (start, length) in ranges {
        if start != end {
            let what = if start < end { "two entries" } else { "no entry" };
            let at = start.min(end);
            return Err(XpakError::segment(format!("byte {at} of its data belongs to {what}")));
        }
        end = end
            .checked_add(length)
            .filter(|&end| end <= data_length)
            .ok_or_else(|| XpakError::segment("an entry reaches beyond its data"))?;
    }
    if end == data_length {
        Ok(())
    } else {
        Err(XpakError::segment(format!(
            "byte {end} of its data belongs to no entry"
        )))
    }
}

fn number(bytes: &mut &[u8]) -> Option<usize> {
    let (first, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    usize::try_from(u32::from_be_bytes(*first)).ok()
}

/// Takes the next entry off an index.
fn next_entry<'a>(index: &mut &'a [u8]) -> Option<Entry<'a>> {
    let length = number(index)?;
    let (name, rest) = index.split_at_checked(length)?;
    *index = rest;
    Some(Entry {
        name,
        start: number(index)?,
        length: number(index)?,
    })
}

/// Checks a name. Portage makes files of them, below a folder that it takes care not to leave.
fn checked(name: &[u8]) -> Result<&str, XpakError> {
    let refuse = |reason| XpakError::Name {
        name: String::from_utf8_lossy(name).into_owned(),
        reason,
    };
    match std::str::from_utf8(name) {
        Err(_) => Err(refuse("it is not UTF-8")),
        Ok("") => Err(refuse("it is empty")),
        Ok("." | "..") => Err(refuse("it is no name of a file")),
        Ok(text) if text.contains(['/', '\0']) => Err(refuse("it is not a plain name")),
        Ok(text) => Ok(text),
    }
}
