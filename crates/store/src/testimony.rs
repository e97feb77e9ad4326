//! What a run saw, as bytes that can be kept and compared with the file system of today, without an allocation a path.
//!
//! ```text
//! testimony = block*
//! block     = u32 length of all that follows, sight*            up to 1024 sights
//! sight     = u8 tag, u16 bytes shared with the path before, u16 length, the rest of the path, state, owners
//! tag       = 0 absent | 1 lstat | 2 stat, of what a symlink leads to | 3 a symlink leads nowhere
//!             + 4 it concerns its owners only, + 8 and they have to look again in any case
//! state     = u32 mode, u64 size, 2 × (i64 s, u32 ns) mtime and ctime, u64 inode, u64 device; nothing when absent
//! owners    = u32 count, count × u32; only with 4
//! ```
//! All numbers are little-endian; paths are relative to the root if they lie below it, and sorted as absolute ones. They carry no
//! checksum: whoever keeps them adds one.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::witness::{How, STATE_LEN, Sight, State, is_absence};

const BLOCK: usize = 1024;
const ABSENT: u8 = 0;
const ITSELF: u8 = 1;
const THROUGH: u8 = 2;
const NOWHERE: u8 = 3;
const KIND: u8 = 3;
const OWNED: u8 = 4;
const AGAIN: u8 = 8;

/// Who uses a file: a number that means something to whoever keeps the testimony.
pub type Owner = u32;

/// What a run saw, as bytes that can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testimony(Vec<u8>);

/// What became of everything that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Every path is what it was, but for files that only these owners use; empty when nothing is different.
    Owners(BTreeSet<Owner>),
    /// Something differs that may concern anybody.
    Whole,
}

/// A sight with its path, absolute, and whoever uses it; no owners: everybody.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) how: How,
    pub(crate) sight: Sight,
    pub(crate) owners: Vec<Owner>,
}

impl Testimony {
    /// Testimony from kept bytes.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to keep.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Looks at every path again, those that are relative below `root`; several threads do. The first difference that may concern
    /// anybody ends it. In bytes that make no sense everything differs.
    ///
    /// A file that only its owners use concerns everybody, too, once it is something else than a file: then it is not what was
    /// asked for. That it is gone concerns its owners.
    #[must_use]
    pub fn compare(&self, root: &Path) -> Comparison {
        let Some(blocks) = self.blocks() else {
            return Comparison::Whole;
        };
        let (next, whole) = (AtomicUsize::new(0), AtomicBool::new(false));
        let changed = Mutex::new(BTreeSet::new());
        let work = || {
            let mut found = BTreeSet::new();
            while !whole.load(Ordering::Relaxed) {
                let Some(block) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) else {
                    break;
                };
                if compare_block(block, root, &mut found).is_none() {
                    whole.store(true, Ordering::Relaxed);
                }
            }
            changed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .append(&mut found);
        };
        let threads = thread::available_parallelism()
            .map_or(1, usize::from)
            .min(8)
            .min(blocks.len());
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        if whole.into_inner() {
            return Comparison::Whole;
        }
        Comparison::Owners(changed.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same testimony after these `owners` looked anew, at what `fresh` has, sorted. `None` if the bytes make no sense, or something
    /// that is everybody's in one of them is different in the other.
    pub(crate) fn amended<'a>(
        &self,
        root: &Path,
        owners: &BTreeSet<Owner>,
        fresh: impl Iterator<Item = Entry<'a>>,
    ) -> Option<Self> {
        let mut encoder = Encoder::new(root);
        let mut fresh = fresh.peekable();
        for block in self.blocks()? {
            let mut reader = Reader::new(block, root);
            while let Some(old) = reader.next() {
                let (path, raw) = (reader.path(), old?);
                let at = (path, raw.how());
                while let Some(new) = fresh.next_if(|new| (new.path, new.how) < at) {
                    encoder.push(&new);
                }
                let mut old = raw.entry(path);
                if raw.tag & OWNED != 0 {
                    old.owners.retain(|owner| !owners.contains(owner));
                    if old.owners.is_empty() {
                        continue;
                    }
                }
                if let Some(mut new) = fresh.next_if(|new| (new.path, new.how) == at) {
                    if old.owners.is_empty() != new.owners.is_empty() {
                        // What is everybody's stays so, and must not have changed behind anybody's back.
                        if old.sight.state != new.sight.state || old.sight.young || new.sight.young {
                            return None;
                        }
                        old.owners.clear();
                        encoder.push(&old);
                        continue;
                    }
                    if !new.owners.is_empty() {
                        // Whoever did not look now saw another state: all of them look again.
                        new.sight.young |= old.sight.young || new.sight.state != old.sight.state;
                        new.owners.append(&mut old.owners);
                        new.owners.sort_unstable();
                        new.owners.dedup();
                        encoder.push(&new);
                        continue;
                    }
                }
                encoder.push(&old);
            }
        }
        for new in fresh {
            encoder.push(&new);
        }
        Some(encoder.finish())
    }

    fn blocks(&self) -> Option<Vec<&[u8]>> {
        let mut blocks = Vec::new();
        let mut rest = self.0.as_slice();
        while !rest.is_empty() {
            let (length, tail) = rest.split_first_chunk::<4>()?;
            let (block, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            blocks.push(block);
            rest = tail;
        }
        Some(blocks)
    }
}

/// Adds the owners whose files differ to `changed`; `None` at the first difference that may concern anybody.
fn compare_block(block: &[u8], root: &Path, changed: &mut BTreeSet<Owner>) -> Option<()> {
    let mut reader = Reader::new(block, root);
    while let Some(raw) = reader.next() {
        let raw = raw?;
        let path = Path::new(OsStr::from_bytes(reader.path()));
        // Errors are not shown here, and the plain functions do not keep the path for one.
        let found = match raw.how() {
            How::Through => path.metadata(),
            How::Itself => path.symlink_metadata(),
        };
        let now = match found {
            Ok(found) => Some(State::of(&found)),
            Err(error) if is_absence(&error) => None,
            Err(_) => return None,
        };
        let is_same = match (&now, raw.state) {
            (None, None) => true,
            (Some(now), Some(state)) => now.0 == *state,
            _ => false,
        };
        if is_same && raw.tag & AGAIN == 0 {
            continue;
        }
        let concerns_owners = raw.tag & OWNED != 0 && now.is_none_or(State::is_leaf);
        if !concerns_owners {
            return None;
        }
        changed.extend(raw.owners());
    }
    Some(())
}

/// Puts sights into blocks, in order.
pub(crate) struct Encoder<'a> {
    root: &'a [u8],
    bytes: Vec<u8>,
    /// Where the block under way begins, and how many sights it has.
    block: Option<(usize, usize)>,
    before: Vec<u8>,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(root: &'a Path) -> Self {
        Self {
            root: root.as_os_str().as_bytes(),
            bytes: Vec::new(),
            block: None,
            before: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, entry: &Entry<'_>) {
        let (start, count) = match self.block {
            Some((start, BLOCK)) => {
                self.end_block(start);
                self.begin_block()
            }
            Some(block) => block,
            None => self.begin_block(),
        };
        self.block = Some((start, count + 1));
        let below = entry.path.strip_prefix(self.root);
        let path = match below {
            Some([]) => b"",
            Some([b'/', below @ ..]) => below,
            _ => entry.path,
        };
        let mut tag = match (entry.how, &entry.sight.state) {
            (How::Itself, None) => ABSENT,
            (How::Itself, Some(_)) => ITSELF,
            (How::Through, Some(_)) => THROUGH,
            (How::Through, None) => NOWHERE,
        };
        if !entry.owners.is_empty() {
            tag |= OWNED | if entry.sight.young { AGAIN } else { 0 };
        }
        self.bytes.push(tag);
        put_path(&mut self.bytes, &self.before, path);
        self.before.clear();
        self.before.extend_from_slice(path);
        if let Some(state) = &entry.sight.state {
            self.bytes.extend_from_slice(&state.0);
        }
        if !entry.owners.is_empty() {
            // There are fewer nodes than that.
            let count = u32::try_from(entry.owners.len()).unwrap_or(u32::MAX);
            self.bytes.extend_from_slice(&count.to_le_bytes());
            for owner in &entry.owners {
                self.bytes.extend_from_slice(&owner.to_le_bytes());
            }
        }
    }

    fn begin_block(&mut self) -> (usize, usize) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.before.clear();
        (start, 0)
    }

    fn end_block(&mut self, start: usize) {
        let length = u32::try_from(self.bytes.len() - start - 4).unwrap_or(u32::MAX);
        self.bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    pub(crate) fn finish(mut self) -> Testimony {
        if let Some((start, _)) = self.block {
            self.end_block(start);
        }
        Testimony(self.bytes)
    }
}

fn put_path(bytes: &mut Vec<u8>, before: &[u8], path: &[u8]) {
    let longest = before.len().min(path.len()).min(usize::from(u16::MAX));
    let shared = (0..longest).take_while(|&at| before[at] == path[at]).count();
    let rest = &path[shared..];
    // PATH_MAX is 4096.
    bytes.extend_from_slice(&u16::try_from(shared).unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(&u16::try_from(rest.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(rest);
}

/// Goes through the sights of a block.
struct Reader<'a> {
    rest: &'a [u8],
    /// The root and a slash stay in front; what follows is replaced path by path.
    path: Vec<u8>,
    prefix: usize,
}

/// One sight as it stands in the bytes.
struct Raw<'a> {
    tag: u8,
    state: Option<&'a [u8; STATE_LEN]>,
    owners: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(block: &'a [u8], root: &Path) -> Self {
        let mut path = root.as_os_str().as_bytes().to_vec();
        path.push(b'/');
        let prefix = path.len();
        Self {
            rest: block,
            path,
            prefix,
        }
    }

    /// The path of the sight that came last, absolute.
    fn path(&self) -> &[u8] {
        let relative = &self.path[self.prefix..];
        match relative {
            // An absolute path is one that does not lie below the root.
            [b'/', ..] => relative,
            [] => &self.path[..self.prefix - 1],
            _ => &self.path,
        }
    }

    /// The next sight; `Some(None)` where the bytes make no sense.
    fn next(&mut self) -> Option<Option<Raw<'a>>> {
        if self.rest.is_empty() {
            return None;
        }
        Some(self.take())
    }

    fn take(&mut self) -> Option<Raw<'a>> {
        let (&tag, tail) = self.rest.split_first()?;
        let (shared, tail) = tail.split_first_chunk::<2>()?;
        let (length, tail) = tail.split_first_chunk::<2>()?;
        let (suffix, mut tail) = tail.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        self.path
            .truncate(self.prefix + usize::from(u16::from_le_bytes(*shared)));
        self.path.extend_from_slice(suffix);
        let mut state = None;
        if matches!(tag & KIND, ITSELF | THROUGH) {
            let (found, rest) = tail.split_first_chunk::<STATE_LEN>()?;
            (state, tail) = (Some(found), rest);
        }
        let mut owners: &[u8] = &[];
        if tag & OWNED != 0 {
            let (count, rest) = tail.split_first_chunk::<4>()?;
            (owners, tail) = rest.split_at_checked((u32::from_le_bytes(*count) as usize).checked_mul(4)?)?;
        }
        self.rest = tail;
        (tag < 2 * AGAIN).then_some(Raw { tag, state, owners })
    }
}

impl<'a> Raw<'a> {
    fn how(&self) -> How {
        if matches!(self.tag & KIND, THROUGH | NOWHERE) {
            How::Through
        } else {
            How::Itself
        }
    }

    fn owners(&self) -> impl Iterator<Item = Owner> + use<'a> {
        let (owners, _) = self.owners.as_chunks::<4>();
        owners.iter().map(|owner| Owner::from_le_bytes(*owner))
    }

    fn entry<'p>(&self, path: &'p [u8]) -> Entry<'p> {
        Entry {
            path,
            how: self.how(),
            sight: Sight {
                state: self.state.map(|state| State(*state)),
                young: self.tag & AGAIN != 0,
                owned: self.tag & OWNED != 0,
                read: false,
            },
            owners: self.owners().collect(),
        }
    }
}
