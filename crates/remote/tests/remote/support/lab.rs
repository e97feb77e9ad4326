//! A publisher with small packages, and a look at what clients would see.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use farm_portage::gpkg::{ContainerWriter, EntryKind, GpkgError, ImageEntry, Metadata};
use farm_portage::index::{FileDigests, Index};
use farm_portage::normal::{NormalOptions, normalise};
use farm_publish::{Candidate, ClientFiles, Publication, publish};
use farm_remote::{Address, Created, Mirror, Pushed, Remote, RemoteError, Upload, Watch, connect};
use fs_err as fs;
use tempfile::TempDir;

use super::site::Site;

const EPOCH: u64 = 1_700_000_000;

/// Watches without waiting.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) lines: Mutex<Vec<String>>,
    pub(crate) waits: Mutex<Vec<u64>>,
}

impl Watch for Log {
    fn tell(&self, line: &str) {
        self.lines.lock().unwrap().push(line.to_owned());
    }

    fn wait(&self, time: Duration) {
        self.waits.lock().unwrap().push(time.as_secs());
    }

    fn stopped(&self) -> bool {
        false
    }
}

/// A machine that publishes: a folder of packages, a mirror, and what its user's environment says.
pub(crate) struct Publisher {
    dir: TempDir,
    pub(crate) mirror: Mirror,
    address: Address,
    access: farm_remote::Access,
    pub(crate) log: Log,
    /// The client files of the next release.
    pub(crate) client: Mutex<Option<ClientFiles>>,
}

impl Publisher {
    pub(crate) fn at(site: &Site) -> Self {
        Self::with(&site.address, &site.access)
    }

    pub(crate) fn with(address: &Address, access: &farm_remote::Access) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            mirror: Mirror::new(dir.path().join("mirror"), address),
            dir,
            address: address.clone(),
            access: access.clone(),
            log: Log::default(),
            client: Mutex::new(None),
        }
    }

    /// From now on releases have these client files, given as path and content.
    pub(crate) fn has_client_files(&self, files: &[(&str, &str)]) {
        let file = |(path, text): &(&str, &str)| ((*path).to_owned(), text.as_bytes().to_vec());
        *self.client.lock().unwrap() = Some(files.iter().map(file).collect());
    }

    /// Makes a release of packages, given as name and content, and moves it.
    pub(crate) fn publish(&self, packages: &[(&str, &str)]) -> Result<Pushed, RemoteError> {
        self.publish_while(packages, &|| {})
    }

    /// The same; something happens between the making and the moving.
    pub(crate) fn publish_while(&self, packages: &[(&str, &str)], between: &dyn Fn()) -> Result<Pushed, RemoteError> {
        let remote = connect(&self.address, &self.access, &self.log)?;
        let pulled = self.mirror.pull(&*remote)?;
        self.make(packages);
        between();
        self.mirror.push(&*remote, &pulled)
    }

    /// Brings the mirror to what is there, does something with it, and moves it.
    pub(crate) fn change(
        &self,
        work: impl FnOnce(&dyn Remote, &Mirror) -> Result<(), RemoteError>,
    ) -> Result<Pushed, RemoteError> {
        let remote = connect(&self.address, &self.access, &self.log)?;
        let pulled = self.mirror.pull(&*remote)?;
        work(&*remote, &self.mirror)?;
        self.mirror.push(&*remote, &pulled)
    }

    pub(crate) fn is_in_force(&self) -> Result<bool, RemoteError> {
        let remote = connect(&self.address, &self.access, &self.log)?;
        self.mirror.is_in_force(&*remote)
    }

    /// Makes the release in the mirror only.
    pub(crate) fn make(&self, packages: &[(&str, &str)]) {
        let candidates: Vec<Candidate> = packages
            .iter()
            .map(|(cpv, content)| self.package(cpv, content))
            .collect();
        let client = self.client.lock().unwrap();
        let publication = Publication {
            folder: self.mirror.folder(),
            candidates: &candidates,
            lacking: &[],
            header: &BTreeMap::new(),
            epoch: EPOCH,
            deny: &[],
            private: false,
            signer: None,
            client: client.as_ref(),
        };
        publish(&publication, &mut |_| {}).unwrap();
    }

    fn package(&self, cpv: &str, content: &str) -> Candidate {
        let (category, pf) = cpv.split_once('/').unwrap();
        let metadata: Metadata = [
            ("CATEGORY", category),
            ("PF", pf),
            ("SLOT", "0"),
            ("EAPI", "8"),
            ("KEYWORDS", "amd64"),
            ("LICENSE", "MIT"),
        ]
        .iter()
        .map(|(key, value)| ((*key).to_owned(), format!("{value}\n").into_bytes()))
        .collect();
        let mut writer = ContainerWriter::new(Cursor::new(Vec::new()), pf, EPOCH).unwrap();
        writer.metadata(&metadata).unwrap();
        writer
            .image(|image| {
                image.entry(&entry("", EntryKind::Directory, 0), &mut std::io::empty())?;
                let file = entry("content", EntryKind::File, content.len() as u64);
                image.entry(&file, &mut content.as_bytes())?;
                Ok::<(), GpkgError>(())
            })
            .unwrap();
        let (built, _) = writer.finish().unwrap();
        let mut normal = Cursor::new(Vec::new());
        let report = normalise(Cursor::new(built.into_inner()), &mut normal, &NormalOptions::new(EPOCH)).unwrap();
        let file = self.dir.path().join(report.payload.to_string());
        fs::write(&file, normal.into_inner()).unwrap();
        Candidate {
            cpv: cpv.to_owned(),
            payload: report.payload,
            file,
        }
    }
}

fn entry(path: &str, kind: EntryKind, size: u64) -> ImageEntry {
    ImageEntry {
        path: path.into(),
        kind,
        mode: 0o755,
        uid: 0,
        gid: 0,
        uname: String::new(),
        gname: String::new(),
        mtime: EPOCH,
        size,
        xattrs: BTreeMap::new(),
    }
}

/// What a client sees: the packages of the index. Fails if a file that it lists is not as it says, in either index.
pub(crate) fn served(folder: &Path) -> Vec<String> {
    let Ok(text) = fs::read_to_string(folder.join("Packages")) else {
        return Vec::new();
    };
    let index = Index::parse(&text).unwrap();
    let mut paths = Vec::new();
    for stanza in &index.packages {
        let path = &stanza["PATH"];
        let mut file = fs::File::open(folder.join(path)).unwrap();
        let digests = FileDigests::of(&mut file).unwrap();
        assert_eq!(
            (&digests.md5, digests.size.to_string()),
            (&stanza["MD5"], stanza["SIZE"].clone()),
            "{path}"
        );
        paths.push(path.clone());
    }
    paths
}

/// All files of a folder, relative to it, but for those that nobody is shown.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(relative) = folders.pop() {
        for entry in fs::read_dir(folder.join(&relative)).unwrap() {
            let entry = entry.unwrap();
            let path = relative.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    // s3s-fs keeps what else is known of an object in hidden files.
    found.retain(|path| !path.rsplit('/').next().unwrap().starts_with(".bucket-") && !path.contains(".internal.json"));
    found.sort();
    found
}

/// Counts what a remote is asked.
#[derive(Debug)]
pub(crate) struct Counted<'a> {
    remote: &'a dyn Remote,
    calls: AtomicUsize,
}

impl<'a> Counted<'a> {
    pub(crate) fn over(remote: &'a dyn Remote) -> Self {
        Self {
            remote,
            calls: AtomicUsize::new(0),
        }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn count(&self) -> &'a dyn Remote {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.remote
    }
}

impl Remote for Counted<'_> {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, RemoteError> {
        self.count().get(path)
    }

    fn size(&self, path: &str) -> Result<Option<u64>, RemoteError> {
        self.count().size(path)
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<String>>, RemoteError> {
        self.count().list(folder)
    }

    fn upload(&self, root: &Path, files: &[Upload]) -> Result<usize, RemoteError> {
        self.count().upload(root, files)
    }

    fn download(&self, root: &Path, paths: &[String]) -> Result<usize, RemoteError> {
        self.count().download(root, paths)
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<Created, RemoteError> {
        self.count().create(path, bytes)
    }

    fn replace(&self, root: &Path, files: &[Upload]) -> Result<(), RemoteError> {
        self.count().replace(root, files)
    }

    fn remove(&self, paths: &[String]) -> Result<(), RemoteError> {
        self.count().remove(paths)
    }
}
