//! The record of a run that found everything up to date, so that the next one like it is over in a moment.
//!
//! Such a run saw files (manifests, inputs, outputs, blobs), asked an engine for images, and changed nothing. Its record holds what it
//! saw. While the guard file is in the same state and everything would be seen again as it was, a run with the same words would find
//! the same: nothing is parsed, hashed or looked up, only `stat` is asked, once a path.
//!
//! The record is derived: it can be removed at any time, and one that is damaged, of another version of farm, or more than a day
//! old (guards in use are noted once a day) is not looked at. One file for every way of asking, in `.farm/settled`.
//!
//! ```text
//! "farm settled 1\n", 32 bytes BLAKE3 of all that follows, u64 time in ms, stamp of the guard file,
//! texts of notes, texts of places asked for (place, image name or empty), texts of nodes (kind, name), testimony
//! texts: u32 count, count × (u32 length, UTF-8)
//! ```

use std::io::Write as _;
use std::path::{Path, PathBuf};

use farm_engine::{Clock as _, Counts, Event, EventSink, NodeReport, NodeResult, NodeState, Summary, SystemClock};
use farm_guard_file::{STAMP_LEN, Stamp};
use farm_store::{DirLock, FileHasher, Holder, Store, Testimony};
use fs_err as fs;

use super::killed::{is_marked, workspace_id};
use super::recording::Recording;
use super::session::Session;
use super::{FarmError, Setup, Words};
use crate::context::Context;
use crate::elsewhere::Asked;
use crate::workspace::Workspace;

const FOLDER: &str = "settled";
const MAGIC: &[u8] = b"farm settled 1\n";
const SUM_LEN: usize = 32;
/// A record is believed for so long: a day, as guards in use are noted once a day.
const BELIEVED_MS: u64 = 24 * 60 * 60 * 1000;
/// So many records are kept, the newest: a few farms in a few flavours.
const KEPT: usize = 16;

/// What a run found.
struct Settled {
    taken_ms: u64,
    stamp: Stamp,
    notes: Vec<String>,
    asked: Vec<Asked>,
    nodes: Vec<(String, String)>,
    testimony: Testimony,
}

/// Says again what the last run with these words said, if nothing it saw has changed: all nodes are up to date. `None` when that
/// cannot be told without looking closely.
///
/// # Errors
///
/// The words' own: no workspace, no such farm.
pub(super) fn recall(setup: &Setup, words: &Words, events: &Recording<'_>) -> Result<Option<Summary>, FarmError> {
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    let wanted = words.resolve(&workspace)?;
    let state = workspace.state();
    let path = state.join(FOLDER).join(name_of(setup, words, &format!("{wanted:?}")));
    if !path.exists() {
        return Ok(None);
    }
    let begun_ms = SystemClock.now_ms();
    // While somebody else builds here nothing is settled; whoever goes on from here says who that is.
    let holder = Holder {
        what: setup.holder.clone(),
        since: String::new(),
    };
    let Ok(_lock) = DirLock::acquire(&state.join("lock"), &holder) else {
        return Ok(None);
    };
    if is_marked(&state) {
        return Ok(None);
    }
    let Some(settled) = Settled::read(&path) else {
        return Ok(None);
    };
    let believed = settled.taken_ms <= begun_ms && begun_ms - settled.taken_ms < BELIEVED_MS;
    if !believed
        || !settled.stamp.is_of(&state.join("guards")).unwrap_or(false)
        || !settled.testimony.holds(workspace.root.as_std_path())
        || !settled.answers_hold(setup, &workspace)
    {
        return Ok(None);
    }
    events.settled(&state);
    Ok(Some(settled.tell(begun_ms, events)))
}

/// Records that a run found everything up to date. What cannot be recorded costs the next run its time and nothing else.
pub(super) fn record(setup: &Setup, words: &Words, session: &Session, summary: &Summary) {
    let all_cached = summary
        .nodes
        .iter()
        .all(|node| node.result == Some(NodeResult::Cached) && node.state == NodeState::Cached);
    if summary.interrupted || !all_cached {
        return;
    }
    if let Some(program) = &setup.program {
        session.context.hasher.witness().look(program);
    }
    let Ok(testimony) = session
        .context
        .hasher
        .witness()
        .testimony(session.workspace.root.as_std_path())
    else {
        return;
    };
    let settled = Settled {
        taken_ms: SystemClock.now_ms(),
        stamp: session.guards.stamp(),
        notes: session.notes.clone(),
        asked: session.asked.iter().cloned().collect(),
        nodes: summary
            .nodes
            .iter()
            .map(|node| (node.kind.clone(), node.name.clone()))
            .collect(),
        testimony,
    };
    let folder = session.workspace.state().join(FOLDER);
    let name = name_of(setup, words, &format!("{:?}", session.wanted));
    // A record that cannot be written is one that is not there.
    let _ = settled.write(&folder, &name);
}

/// One name for every way of asking: what is wanted, and whatever gives variables their values.
fn name_of(setup: &Setup, words: &Words, wanted: &str) -> String {
    let asked = format!("{wanted}\n{:?}\n{:?}", words.variables, setup.environment);
    farm_engine::Digest::of(asked.as_bytes()).short()
}

impl Settled {
    /// Whether engines and registries still say what they said.
    fn answers_hold(&self, setup: &Setup, workspace: &Workspace) -> bool {
        if self.asked.is_empty() {
            return true;
        }
        let state = workspace.state();
        let connect = std::sync::Arc::clone(&setup.connect);
        let context = Context::new(
            workspace.root.as_std_path(),
            &state,
            Store::open_read_only(&state.join("store")),
            FileHasher::in_memory(),
            &setup.scratch,
            0,
            setup.cancel.clone(),
            workspace_id(&state).unwrap_or_default(),
            Box::new(move |labels| connect(labels)),
        );
        self.asked.iter().all(|asked| asked.holds(&context))
    }

    /// The events and the summary of a run that finds every node up to date.
    fn tell(self, begun_ms: u64, events: &dyn EventSink) -> Summary {
        for message in self.notes {
            events.event(&Event::Note { message });
        }
        let total = self.nodes.len() as u64;
        events.event(&Event::NodesWanted { total });
        let mut summary = Summary {
            counts: Counts {
                cached: total,
                ..Counts::default()
            },
            ..Summary::default()
        };
        summary.nodes.reserve(self.nodes.len());
        for (kind, name) in self.nodes {
            events.event(&Event::cached(&name, &kind));
            summary.nodes.push(NodeReport {
                name,
                kind,
                state: NodeState::Cached,
                result: Some(NodeResult::Cached),
                reason: None,
                message: None,
                log: None,
            });
        }
        events.event(&Event::BuildFinished {
            counts: summary.counts,
            not_reproducible: 0,
            ms: SystemClock.now_ms().saturating_sub(begun_ms),
            interrupted: false,
        });
        summary
    }

    fn write(&self, folder: &Path, name: &str) -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        let bytes = self.encode();
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(&bytes)?;
        new.persist(folder.join(name)).map_err(|refused| refused.error)?;
        drop_oldest(folder)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&[0; SUM_LEN]);
        bytes.extend_from_slice(&self.taken_ms.to_le_bytes());
        bytes.extend_from_slice(&self.stamp.to_bytes());
        put_texts(&mut bytes, self.notes.iter().map(String::as_str));
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
        bytes.extend_from_slice(self.testimony.as_bytes());
        let start = MAGIC.len() + SUM_LEN;
        let sum = blake3::hash(&bytes[start..]);
        bytes[MAGIC.len()..start].copy_from_slice(sum.as_bytes());
        bytes
    }

    /// `None` for whatever is not a whole record.
    fn read(path: &Path) -> Option<Self> {
        let bytes = fs::read(path).ok()?;
        let (sum, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<SUM_LEN>()?;
        if blake3::hash(body).as_bytes() != sum {
            return None;
        }
        let (taken_ms, rest) = body.split_first_chunk::<8>()?;
        let (stamp, mut rest) = rest.split_first_chunk::<STAMP_LEN>()?;
        let notes = take_texts(&mut rest)?;
        let asked = pairs(take_texts(&mut rest)?)
            .map(|(place, name)| Asked {
                place,
                name: Some(name).filter(|name| !name.is_empty()),
            })
            .collect();
        let nodes = pairs(take_texts(&mut rest)?).collect();
        Some(Self {
            taken_ms: u64::from_le_bytes(*taken_ms),
            stamp: Stamp::from_bytes(stamp),
            notes,
            asked,
            nodes,
            testimony: Testimony::from_bytes(rest.to_vec()),
        })
    }
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

fn drop_oldest(folder: &Path) -> std::io::Result<()> {
    let mut records: Vec<(std::time::SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        records.push((entry.metadata()?.modified()?, entry.path()));
    }
    records.sort();
    let old = records.len().saturating_sub(KEPT);
    for (_, path) in records.into_iter().take(old) {
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled() -> Settled {
        Settled {
            taken_ms: 7,
            stamp: Stamp::from_bytes(&[3; STAMP_LEN]),
            notes: vec!["careful".to_owned()],
            asked: vec![Asked {
                place: "{}".to_owned(),
                name: None,
            }],
            nodes: vec![("task".to_owned(), "e:task/one".to_owned())],
            testimony: Testimony::from_bytes(vec![1, 2, 3]),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        settled().write(folder.path(), "a").unwrap();
        let read = Settled::read(&folder.path().join("a")).unwrap();
        assert_eq!(read.encode(), settled().encode());
        assert_eq!(read.nodes, settled().nodes);
        assert_eq!(read.asked, settled().asked);
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
            settled().write(folder.path(), &format!("{number:03}")).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), KEPT);
        assert!(folder.path().join(format!("{:03}", KEPT + 2)).exists());
    }
}
