//! Moving the mirror's newest release to the remote.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;

use farm_publish::{
    INDEX_FILES, RECORDS, ReleaseFiles, archived_client_files, client_archive_digest, is_client_file, is_package_file,
    needed, record_number, record_numbers, record_path,
};
use fs_err as fs;

use super::settled::{self, Settled, is_client_path, is_record_file};
use super::{Mirror, Pulled};
use crate::{Created, Remote, RemoteError, Upload};

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pushed {
    /// Whether anything was to be done.
    pub changed: bool,
    /// How many package files were uploaded.
    pub uploaded: usize,
    /// How many files were removed that no client needs any more.
    pub removed: usize,
}

impl Mirror {
    /// Moves the newest release to the remote, as it was pulled before: first the claim of its number, then packages, then
    /// client files, then the index; last what nobody needs is removed, and the push is noted as settled. Dying anywhere, it leaves the old release or the
    /// new one in force and whole, and the next push completes it.
    ///
    /// # Errors
    /// [`RemoteError::Overtaken`] if another publisher was faster; whatever the remote does not do.
    pub fn push(&self, remote: &dyn Remote, pulled: &Pulled) -> Result<Pushed, RemoteError> {
        let numbers = record_numbers(&self.folder)?;
        let Some(newest) = numbers.last().copied() else {
            return Err(RemoteError::Mirror {
                path: self.folder.clone(),
                reason: "nothing was published to it".to_owned(),
            });
        };
        let path = self.folder.join(record_path(newest));
        let release = ReleaseFiles::parse(&fs::read(&path)?, &path)?;
        let before = pulled.settled.clone().unwrap_or_default();
        let records = self.record_files()?;
        let is_settled = before.number == newest && before.records == records;
        if is_settled && pulled.newest == newest && pulled.in_force {
            return Ok(Pushed::default());
        }
        for number in numbers.range(pulled.newest + 1..) {
            self.claim(remote, *number)?;
        }
        let packages = self.at_hand(remote, uploads(&release, &before))?;
        let uploaded = remote.upload(&self.folder, &packages)?;
        if let Some(archive) = &release.client
            && self.size(archive)?.is_some()
        {
            let settled = before.client.contains_key(archive);
            let archive = Upload {
                settled,
                ..self.file(archive)?
            };
            remote.upload(&self.folder, &[archive])?;
        }
        self.push_small(remote, &records, &before)?;
        let clients = self.client_files(&release, &before)?;
        // Whoever claimed the next release knows this one from its record, and its index is the newer one.
        if remote.size(&record_path(newest + 1))?.is_some() {
            return Err(self.overtaken(newest + 1));
        }
        // Of what an unfinished push left in their places, nobody knows.
        let known = before.number == pulled.newest;
        let has_all = release
            .client
            .as_ref()
            .is_some_and(|archive| self.folder.join(archive).exists());
        let other = |path: &&String| has_all && (!known || before.client.get(*path) != clients.get(*path));
        let files: Result<Vec<Upload>, _> = clients.keys().filter(other).map(|path| self.file(path)).collect();
        remote.replace(&self.folder, &files?)?;
        for path in INDEX_FILES {
            remote.replace(&self.folder, &[self.file(path)?])?;
        }
        let after = self.settled_after(&release, &records, &before, pulled, clients)?;
        let gone = self.gone(&after, &before, pulled);
        remote.remove(&gone)?;
        self.write(settled::PATH, after.render().as_bytes())?;
        remote.replace(&self.folder, &[self.file(settled::PATH)?])?;
        Ok(Pushed {
            changed: true,
            uploaded,
            removed: gone.len(),
        })
    }

    /// Those of the files that the mirror has. The others must be at the remote: a mirror need not hold what was uploaded from elsewhere.
    fn at_hand(&self, remote: &dyn Remote, files: Vec<Upload>) -> Result<Vec<Upload>, RemoteError> {
        let mut at_hand = Vec::new();
        for file in files {
            if self.size(&file.path)? == Some(file.size) {
                at_hand.push(file);
            } else if !file.settled && remote.size(&file.path)? != Some(file.size) {
                return Err(RemoteError::Unfinished {
                    place: self.place.clone(),
                    path: file.path,
                });
            }
        }
        Ok(at_hand)
    }

    /// Makes the record of a release, which nobody else can have made then.
    fn claim(&self, remote: &dyn Remote, number: u64) -> Result<(), RemoteError> {
        let path = record_path(number);
        let bytes = fs::read(self.folder.join(&path))?;
        match remote.create(&path, &bytes)? {
            Created::Made => Ok(()),
            // It may be ours: the answer to an earlier attempt was lost.
            Created::Exists if remote.get(&path)?.as_ref() == Some(&bytes) => Ok(()),
            Created::Exists => Err(self.overtaken(number)),
        }
    }

    fn overtaken(&self, number: u64) -> RemoteError {
        RemoteError::Overtaken {
            place: self.place.clone(),
            number,
        }
    }

    /// The files of `releases/`, with their digests.
    fn record_files(&self) -> Result<BTreeMap<String, blake3::Hash>, RemoteError> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(self.folder.join(RECORDS))? {
            let entry = entry?;
            let path = format!("{RECORDS}/{}", entry.file_name().to_string_lossy());
            if is_record_file(&path) && entry.file_type()?.is_file() {
                files.insert(path, blake3::hash(&fs::read(entry.path())?));
            }
        }
        Ok(files)
    }

    /// Puts the files of `releases/` that are no records and changed. (A record is made once, by its claim.)
    fn push_small(
        &self,
        remote: &dyn Remote,
        records: &BTreeMap<String, blake3::Hash>,
        before: &Settled,
    ) -> Result<(), RemoteError> {
        for (path, digest) in records {
            let name = path.rsplit('/').next().unwrap_or_default();
            if record_number(name).is_none() && before.records.get(path) != Some(digest) {
                remote.replace(&self.folder, &[self.file(path)?])?;
            }
        }
        Ok(())
    }

    /// The files of the release's `client/`, with their digests. Those that a new mirror does not have are unpacked; where nobody has the
    /// archive, they stay at the remote as they were.
    fn client_files(
        &self,
        release: &ReleaseFiles,
        before: &Settled,
    ) -> Result<BTreeMap<String, blake3::Hash>, RemoteError> {
        let Some(archive) = &release.client else {
            return Ok(BTreeMap::new());
        };
        let archived = archived_client_files(&self.folder, archive);
        if archived.is_empty() {
            let placed = before.client.iter().filter(|(path, _)| is_client_file(path));
            return Ok(placed.map(|(path, digest)| (path.clone(), *digest)).collect());
        }
        let mut files = BTreeMap::new();
        for (path, bytes) in archived {
            if self.read(&path)?.as_ref() != Some(&bytes) {
                self.write(&path, &bytes)?;
            }
            files.insert(path, blake3::hash(&bytes));
        }
        Ok(files)
    }

    /// What is there when this push has come to its end: what the release lists, and of what was there what is still needed.
    fn settled_after(
        &self,
        release: &ReleaseFiles,
        records: &BTreeMap<String, blake3::Hash>,
        before: &Settled,
        pulled: &Pulled,
        mut client: BTreeMap<String, blake3::Hash>,
    ) -> Result<Settled, RemoteError> {
        let stays = needed(&self.folder)?;
        client.extend(
            stays
                .iter()
                .filter_map(|path| Some((path.clone(), client_archive_digest(path)?))),
        );
        let mut packages = before.packages.clone();
        // Of what an unfinished push left, only the names are sure.
        for path in pulled.unsettled.iter().filter(|path| is_package_file(path)) {
            packages.entry(path.clone()).or_default();
        }
        packages.retain(|path, _| stays.contains(path));
        packages.extend(
            release
                .packages
                .iter()
                .map(|package| (package.path.clone(), package.size)),
        );
        Ok(Settled {
            number: release.number,
            records: records.clone(),
            packages,
            client,
        })
    }

    /// The files that farm put there and that are not to be there any more. Packages go before the records that tell of them.
    fn gone(&self, after: &Settled, before: &Settled, pulled: &Pulled) -> Vec<String> {
        let packages: BTreeSet<&String> = before.packages.keys().chain(&pulled.unsettled).collect();
        let packages = packages
            .into_iter()
            .filter(|path| !after.packages.contains_key(*path) && is_package_file(path));
        let archives = pulled.unsettled.iter().filter(|path| is_client_path(path));
        let mut clients: BTreeSet<String> = before.client.keys().chain(archives.clone()).cloned().collect();
        clients.extend(archives.flat_map(|archive| archived_client_files(&self.folder, archive).into_keys()));
        let clients = clients.into_iter().filter(|path| !after.client.contains_key(path));
        let records = before.records.keys().filter(|path| !after.records.contains_key(*path));
        let packages = packages.cloned();
        packages.chain(clients).chain(records.cloned()).collect()
    }

    /// A file of the mirror as it is uploaded.
    fn file(&self, path: &str) -> Result<Upload, RemoteError> {
        let metadata = fs::metadata(self.folder.join(path))?;
        Ok(Upload {
            path: path.to_owned(),
            size: metadata.len(),
            mtime: u64::try_from(metadata.mtime()).unwrap_or(0),
            settled: false,
        })
    }
}

fn uploads(release: &ReleaseFiles, before: &Settled) -> Vec<Upload> {
    let packages = release.packages.iter().map(|package| Upload {
        path: package.path.clone(),
        size: package.size,
        mtime: package.mtime,
        settled: before.packages.get(&package.path) == Some(&package.size),
    });
    packages.collect()
}
