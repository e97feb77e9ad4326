//! Bringing to the mirror what others published since.

use std::collections::BTreeSet;

use farm_publish::{
    INDEX_FILES, RECORDS, ReleaseFiles, client_archive_digest, client_archives, record_number, record_numbers,
    record_path,
};

use super::Mirror;
use super::settled::{self, Settled};
use crate::{Remote, RemoteError};

/// What was found at the remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The number of the newest release that has a record there; 0 for none.
    pub(super) newest: u64,
    /// What the last push that came to its end left.
    pub(super) settled: Option<Settled>,
    /// Package files and archives of client files of releases since then, whose pushes have not come to their ends.
    pub(super) unsettled: BTreeSet<String>,
    /// Whether clients see the index that the mirror has.
    pub(super) in_force: bool,
}

impl Mirror {
    /// Brings the mirror to what the remote has: records and index, so that the next release goes on from there. A mirror that is
    /// ahead, because a push did not come to its end, stays so.
    ///
    /// Package files are not downloaded: `farm_publish::publish` makes those again that are wanted.
    ///
    /// # Errors
    /// The remote cannot be asked or holds what cannot be read.
    pub fn pull(&self, remote: &dyn Remote) -> Result<Pulled, RemoteError> {
        let settled = match remote.get(settled::PATH)? {
            Some(bytes) => Some(Settled::parse(&bytes, &self.place)?),
            None => None,
        };
        let numbers = self.numbers_there(remote, settled.as_ref())?;
        let newest = numbers.last().copied().unwrap_or(0);
        if newest == 0 {
            return self.pull_foreign(remote);
        }
        if !self.has_same_history(remote, newest, settled.as_ref())? {
            self.forget()?;
        }
        let is_behind = record_numbers(&self.folder)?.last().copied().unwrap_or(0) < newest;
        self.pull_small(remote, &numbers, settled.as_ref())?;
        let mut unsettled = BTreeSet::new();
        let since = settled.as_ref().map_or(0, |settled| settled.number);
        for number in numbers.range(since + 1..) {
            let release = self.pull_record(remote, *number)?;
            unsettled.extend(release.packages.into_iter().map(|package| package.path));
            unsettled.extend(release.client);
        }
        self.pull_clients(remote)?;
        let in_force = if is_behind {
            self.pull_index(remote)?
        } else {
            self.is_in_force(remote)?
        };
        Ok(Pulled {
            newest,
            settled,
            unsettled,
            in_force,
        })
    }

    /// The releases that have a record there: those that are settled, or that a listing names, and those that follow.
    fn numbers_there(&self, remote: &dyn Remote, settled: Option<&Settled>) -> Result<BTreeSet<u64>, RemoteError> {
        let mut numbers: BTreeSet<u64> = match settled {
            Some(settled) => settled.records.keys().filter_map(|path| number_of(path)).collect(),
            None => {
                let names = remote.list(RECORDS)?.unwrap_or_default();
                names.iter().filter_map(|name| record_number(name)).collect()
            }
        };
        let mut next = numbers.last().copied().unwrap_or(0) + 1;
        while remote.size(&record_path(next))?.is_some() {
            numbers.insert(next);
            next += 1;
        }
        Ok(numbers)
    }

    /// Where farm never published, there may be an index all the same: its BUILD_IDs are not to be used again.
    fn pull_foreign(&self, remote: &dyn Remote) -> Result<Pulled, RemoteError> {
        if record_numbers(&self.folder)?.is_empty() {
            self.pull_index(remote)?;
        }
        Ok(Pulled {
            newest: 0,
            settled: None,
            unsettled: BTreeSet::new(),
            in_force: false,
        })
    }

    /// Whether the mirror's newest release that can be there is there, as it is here.
    fn has_same_history(
        &self,
        remote: &dyn Remote,
        newest: u64,
        settled: Option<&Settled>,
    ) -> Result<bool, RemoteError> {
        let ours = record_numbers(&self.folder)?;
        let Some(common) = ours.range(..=newest).next_back() else {
            return Ok(false);
        };
        let path = record_path(*common);
        let Some(bytes) = self.read(&path)? else {
            return Ok(false);
        };
        match settled.and_then(|settled| settled.records.get(&path)) {
            Some(digest) => Ok(blake3::hash(&bytes) == *digest),
            None => Ok(remote.get(&path)?.as_ref() == Some(&bytes)),
        }
    }

    /// Gets the files of `releases/` that are other ones here; removes records that the remote no longer keeps.
    fn pull_small(
        &self,
        remote: &dyn Remote,
        numbers: &BTreeSet<u64>,
        settled: Option<&Settled>,
    ) -> Result<(), RemoteError> {
        let Some(settled) = settled else {
            for number in numbers {
                self.pull_record(remote, *number)?;
            }
            return Ok(());
        };
        // In the order of their numbers: what is killed in between is a mirror that is behind.
        for (path, digest) in &settled.records {
            if self.read(path)?.is_some_and(|bytes| blake3::hash(&bytes) == *digest) {
                continue;
            }
            let damaged = |reason: &str| RemoteError::Damaged {
                place: format!("{}/{path}", self.place),
                reason: reason.to_owned(),
            };
            let Some(bytes) = remote.get(path)? else {
                // A push forgot this release, and died before it could note that.
                if number_of(path).is_some_and(|number| number < settled.number) {
                    continue;
                }
                return Err(damaged("it is gone"));
            };
            if blake3::hash(&bytes) != *digest {
                return Err(damaged("it is not what was put there"));
            }
            self.write(path, &bytes)?;
        }
        for number in record_numbers(&self.folder)?.range(..settled.number) {
            let path = record_path(*number);
            if !settled.records.contains_key(&path) {
                self.remove(&path)?;
            }
        }
        Ok(())
    }

    /// Gets a record unless the mirror has it.
    fn pull_record(&self, remote: &dyn Remote, number: u64) -> Result<ReleaseFiles, RemoteError> {
        let path = record_path(number);
        let place = format!("{}/{path}", self.place);
        if let Some(bytes) = self.read(&path)? {
            return Ok(ReleaseFiles::parse(&bytes, self.folder.join(&path).as_ref())?);
        }
        let bytes = remote.get(&path)?.ok_or_else(|| RemoteError::Damaged {
            place: place.clone(),
            reason: "it was there, and is gone".to_owned(),
        })?;
        let release = ReleaseFiles::parse(&bytes, place.as_ref())?;
        self.write(&path, &bytes)?;
        Ok(release)
    }

    /// Gets the archives of client files that the mirror does not have: by them the next publication knows whether its own are other ones,
    /// and an older release can be published again. One that is not there, or is damaged, is made again where it is wanted.
    fn pull_clients(&self, remote: &dyn Remote) -> Result<(), RemoteError> {
        let archives = client_archives(&self.folder)?;
        for (path, digest) in archives
            .iter()
            .filter_map(|path| Some((path, client_archive_digest(path)?)))
        {
            let is_it = |bytes: &Vec<u8>| blake3::hash(bytes) == digest;
            if self.read(path)?.is_some_and(|bytes| is_it(&bytes)) {
                continue;
            }
            if let Some(bytes) = remote.get(path)?.filter(is_it) {
                self.write(path, &bytes)?;
            }
        }
        Ok(())
    }

    /// Gets the index; gives whether it is the one of the newest release.
    fn pull_index(&self, remote: &dyn Remote) -> Result<bool, RemoteError> {
        let mut files = [Vec::new(), Vec::new()];
        for (file, path) in files.iter_mut().zip(INDEX_FILES) {
            match remote.get(path)? {
                Some(bytes) => {
                    self.write(path, &bytes)?;
                    *file = bytes;
                }
                None => self.remove(path)?,
            }
        }
        let Some(newest) = record_numbers(&self.folder)?.pop_last() else {
            return Ok(false);
        };
        let path = record_path(newest);
        let record = self.read(&path)?.unwrap_or_default();
        let release = ReleaseFiles::parse(&record, path.as_ref())?;
        let is_its = release.is_indexed_by(&files);
        if is_its {
            for path in INDEX_FILES {
                self.set_time(path, release.timestamp)?;
            }
        }
        Ok(is_its)
    }
}

fn number_of(path: &str) -> Option<u64> {
    record_number(path.strip_prefix(RECORDS)?.strip_prefix('/')?)
}
