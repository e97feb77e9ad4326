//! The bytes of the record.
//!
//! ```text
//! "farm settled 2\n", 32 bytes BLAKE3 of all that follows, u64 time in ms, stamp of the guard file, u64 epoch,
//! texts of salt and notes, texts of places asked for (place, image name or empty), texts of nodes (kind, name),
//! u64 length of the columns, columns, testimony
//! texts   = u32 count, count × (u32 length, UTF-8)
//! columns = n × key (32 bytes, all 0: not up to date), (n + 1) × u32 where its needs begin, needs as u32,
//!           n × slot (u64 offset, u32 length, 8 bytes checksum)
//! ```
//! All numbers are little-endian; n is the number of nodes, and a need is the place of a node among them.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use farm_engine::{Digest, Key};
use farm_guard_file::{STAMP_LEN, Stamp};
use farm_store::Testimony;
use fs_err as fs;

use super::nodes::Slot;
use crate::command::session::Basis;
use crate::elsewhere::Asked;

const MAGIC: &[u8] = b"farm settled 2\n";
const SUM_LEN: usize = 32;
const KEY_LEN: usize = 32;
const SLOT_LEN: usize = 20;
/// So many records are kept, the newest: a few farms in a few flavours.
const KEPT: usize = 16;

/// What a run found.
#[derive(Debug, Clone)]
pub(super) struct Settled {
    pub(super) taken_ms: u64,
    pub(super) stamp: Stamp,
    pub(super) basis: Basis,
    pub(super) notes: Vec<String>,
    pub(super) asked: Vec<Asked>,
    /// Kind and name.
    pub(super) nodes: Vec<(String, String)>,
    /// [`Columns`] as bytes: who has nothing to do does not look at them.
    columns: Vec<u8>,
    pub(super) testimony: Testimony,
}

/// What there is to say of each node, in the order of the nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Columns {
    /// The key it is up to date with; `None` if it is not.
    pub(super) keys: Vec<Option<Key>>,
    /// What its key depends on.
    pub(super) needs: Vec<Vec<u32>>,
    /// Where it is kept.
    pub(super) slots: Vec<Slot>,
}

impl Settled {
    #[expect(clippy::too_many_arguments, reason = "a plain record with one encoded field")]
    pub(super) fn new(
        taken_ms: u64,
        stamp: Stamp,
        basis: Basis,
        notes: Vec<String>,
        asked: Vec<Asked>,
        nodes: Vec<(String, String)>,
        columns: &Columns,
        testimony: Testimony,
    ) -> Self {
        Self {
            taken_ms,
            stamp,
            basis,
            notes,
            asked,
            nodes,
            columns: columns.encode(),
            testimony,
        }
    }

    /// `None` if they make no sense.
    pub(super) fn columns(&self) -> Option<Columns> {
        Columns::decode(&self.columns, self.nodes.len())
    }

    /// Whether a node is known not to be up to date.
    pub(super) fn has_suspects(&self) -> bool {
        let (keys, _) = self.columns.as_chunks::<KEY_LEN>();
        keys.iter().take(self.nodes.len()).any(|key| key == &[0; KEY_LEN])
    }

    pub(super) fn set_columns(&mut self, columns: &Columns) {
        self.columns = columns.encode();
    }

    /// Writes the record, and removes records that are older than enough others.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(path);
        fs::create_dir_all(folder)?;
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(&self.encode())?;
        farm_store::rename(new.into_temp_path(), path)?;
        drop_oldest(folder)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes =
            Vec::with_capacity(self.columns.len() + self.testimony.as_bytes().len() + self.nodes.len() * 32);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[0; SUM_LEN]);
        bytes.extend_from_slice(&self.taken_ms.to_le_bytes());
        bytes.extend_from_slice(&self.stamp.to_bytes());
        bytes.extend_from_slice(&self.basis.epoch.to_le_bytes());
        let texts = std::iter::once(self.basis.salt.as_str()).chain(self.notes.iter().map(String::as_str));
        put_texts(&mut bytes, texts);
        put_texts(
            &mut bytes,
            self.asked
                .iter()
                .flat_map(|asked| [asked.place.as_str(), asked.name.as_deref().unwrap_or_default()]),
        );
        put_texts(
            &mut bytes,
            self.nodes
                .iter()
                .flat_map(|(kind, name)| [kind.as_str(), name.as_str()]),
        );
        bytes.extend_from_slice(&(self.columns.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&self.columns);
        bytes.extend_from_slice(self.testimony.as_bytes());
        let start = MAGIC.len() + SUM_LEN;
        let sum = blake3::hash(&bytes[start..]);
        bytes[MAGIC.len()..start].copy_from_slice(sum.as_bytes());
        bytes
    }

    /// `None` for whatever is not a whole record.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let bytes = fs::read(path).ok()?;
        let (sum, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<SUM_LEN>()?;
        if blake3::hash(body).as_bytes() != sum {
            return None;
        }
        let (taken_ms, rest) = body.split_first_chunk::<8>()?;
        let (stamp, rest) = rest.split_first_chunk::<STAMP_LEN>()?;
        let (epoch, mut rest) = rest.split_first_chunk::<8>()?;
        let mut texts = take_texts(&mut rest)?.into_iter();
        let salt = texts.next()?;
        let notes = texts.collect();
        let asked = pairs(take_texts(&mut rest)?)
            .map(|(place, name)| Asked {
                place,
                name: Some(name).filter(|name| !name.is_empty()),
            })
            .collect();
        let nodes = pairs(take_texts(&mut rest)?).collect();
        let (length, rest) = rest.split_first_chunk::<8>()?;
        let (columns, testimony) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        Some(Self {
            taken_ms: u64::from_le_bytes(*taken_ms),
            stamp: Stamp::from_bytes(stamp),
            basis: Basis {
                salt,
                epoch: u64::from_le_bytes(*epoch),
            },
            notes,
            asked,
            nodes,
            columns: columns.to_vec(),
            testimony: Testimony::from_bytes(testimony.to_vec()),
        })
    }
}

impl Columns {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.keys.len() * (KEY_LEN + SLOT_LEN + 8));
        for key in &self.keys {
            bytes.extend_from_slice(key.as_ref().map_or(&[0; KEY_LEN], |key| key.0.as_bytes()));
        }
        let mut start = 0u32;
        bytes.extend_from_slice(&start.to_le_bytes());
        for needs in &self.needs {
            // There are fewer edges than that.
            start = start.saturating_add(u32::try_from(needs.len()).unwrap_or(u32::MAX));
            bytes.extend_from_slice(&start.to_le_bytes());
        }
        for need in self.needs.iter().flatten() {
            bytes.extend_from_slice(&need.to_le_bytes());
        }
        for slot in &self.slots {
            bytes.extend_from_slice(&slot.offset.to_le_bytes());
            bytes.extend_from_slice(&slot.len.to_le_bytes());
            bytes.extend_from_slice(&slot.check);
        }
        bytes
    }

    fn decode(bytes: &[u8], nodes: usize) -> Option<Self> {
        let number = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
        let (keys, rest) = bytes.split_at_checked(nodes * KEY_LEN)?;
        let (starts, rest) = rest.split_at_checked((nodes + 1) * 4)?;
        let starts = starts.as_chunks::<4>().0;
        let edges = number(starts.last()?) as usize;
        let (needs, slots) = rest.split_at_checked(edges.checked_mul(4)?)?;
        let needs = needs.as_chunks::<4>().0;
        if slots.len() != nodes * SLOT_LEN {
            return None;
        }
        let key = |bytes: &[u8; KEY_LEN]| (bytes != &[0; KEY_LEN]).then(|| Key(Digest::from_bytes(*bytes)));
        let needs_of = |pair: &[[u8; 4]]| {
            let needs = needs.get(number(&pair[0]) as usize..number(&pair[1]) as usize)?;
            let needs: Vec<u32> = needs.iter().map(number).collect();
            needs.iter().all(|&need| (need as usize) < nodes).then_some(needs)
        };
        Some(Self {
            keys: keys.as_chunks::<KEY_LEN>().0.iter().map(key).collect(),
            needs: starts.windows(2).map(needs_of).collect::<Option<_>>()?,
            slots: slots
                .as_chunks::<SLOT_LEN>()
                .0
                .iter()
                .map(slot)
                .collect::<Option<_>>()?,
        })
    }
}

fn slot(bytes: &[u8; SLOT_LEN]) -> Option<Slot> {
    let (offset, rest) = bytes.split_first_chunk::<8>()?;
    let (len, check) = rest.split_first_chunk::<4>()?;
    Some(Slot {
        offset: u64::from_le_bytes(*offset),
        len: u32::from_le_bytes(*len),
        check: check.try_into().ok()?,
    })
}

fn put_texts<'a>(bytes: &mut Vec<u8>, texts: impl Iterator<Item = &'a str>) {
    let at = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    let mut count = 0u32;
    for text in texts {
        // Names and notes are far from four gigabytes.
        bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        count += 1;
    }
    bytes[at..at + 4].copy_from_slice(&count.to_le_bytes());
}

fn take_texts(rest: &mut &[u8]) -> Option<Vec<String>> {
    let count = take_number(rest)?;
    let mut texts = Vec::new();
    for _ in 0..count {
        let length = take_number(rest)?;
        let (text, tail) = rest.split_at_checked(length)?;
        *rest = tail;
        texts.push(std::str::from_utf8(text).ok()?.to_owned());
    }
    Some(texts)
}

fn take_number(rest: &mut &[u8]) -> Option<usize> {
    let (number, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    Some(u32::from_le_bytes(*number) as usize)
}

fn pairs(texts: Vec<String>) -> impl Iterator<Item = (String, String)> {
    let mut texts = texts.into_iter();
    std::iter::from_fn(move || Some((texts.next()?, texts.next()?)))
}

/// Where the nodes of a record are.
pub(super) fn nodes_path(record: &Path) -> PathBuf {
    record.with_extension("nodes")
}

fn drop_oldest(folder: &Path) -> std::io::Result<()> {
    let mut records: Vec<(std::time::SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().extension().is_none() {
            records.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    records.sort();
    let old = records.len().saturating_sub(KEPT);
    for (_, path) in records.into_iter().take(old) {
        fs::remove_file(&path)?;
        match fs::remove_file(nodes_path(&path)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        let slot = Slot {
            offset: 5,
            len: 6,
            check: [7; 8],
        };
        Columns {
            keys: vec![None, Some(Key(Digest::of(b"key")))],
            needs: vec![vec![], vec![0]],
            slots: vec![Slot::default(), slot],
        }
    }

    fn settled() -> Settled {
        let node = |name: &str| ("task".to_owned(), name.to_owned());
        Settled::new(
            7,
            Stamp::from_bytes(&[3; STAMP_LEN]),
            Basis {
                salt: "pinch".to_owned(),
                epoch: 17,
            },
            vec!["careful".to_owned()],
            vec![Asked {
                place: "{}".to_owned(),
                name: None,
            }],
            vec![node("e:task/one"), node("e:task/two")],
            &columns(),
            Testimony::from_bytes(vec![1, 2, 3]),
        )
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        settled().write(&path).unwrap();
        let read = Settled::read(&path).unwrap();
        assert_eq!(read.encode(), settled().encode());
        assert_eq!((&read.nodes, &read.asked), (&settled().nodes, &settled().asked));
        assert_eq!((&read.basis, &read.notes), (&settled().basis, &settled().notes));
        assert_eq!(read.columns(), Some(columns()));
        assert!(read.has_suspects());
    }

    #[test]
    fn columns_that_make_no_sense_are_none() {
        let bytes = columns().encode();
        for length in 0..bytes.len() {
            assert_eq!(Columns::decode(&bytes[..length], 2), None, "cut at {length}");
        }
        let mut far = columns();
        far.needs[1] = vec![2];
        assert_eq!(Columns::decode(&far.encode(), 2), None, "a need that is no node");
    }

    #[test]
    fn every_cut_and_every_flipped_byte_makes_it_no_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let bytes = settled().encode();
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            assert!(Settled::read(&path).is_none(), "cut at {length}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x40;
            fs::write(&path, bytes).unwrap();
            assert!(Settled::read(&path).is_none(), "flipped at {at}");
        }
    }

    #[test]
    fn only_the_newest_records_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..KEPT + 3 {
            let path = folder.path().join(format!("{number:03}"));
            fs::write(nodes_path(&path), "").unwrap();
            settled().write(&path).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2 * KEPT);
        assert!(folder.path().join(format!("{:03}", KEPT + 2)).exists());
    }
}
