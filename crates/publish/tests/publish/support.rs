//! Small packages, and pictures of folders.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use farm_portage::gpkg::{
    ContainerWriter, EntryKind, ErrorKind, GpkgError, ImageEntry, Limits, Metadata, Reader, SignatureError, Signer,
    Verifier,
};
use farm_portage::index::{Index, Stanza};
use farm_portage::normal::{NormalOptions, normalise};
use farm_publish::{
    Candidate, ClientFiles, Deny, Lacking, Publication, PublishError, Published, ReleaseSigner, publish,
};
use fs_err as fs;
use tempfile::TempDir;

pub(crate) const EPOCH: u64 = 1_700_000_000;

/// A folder to publish into (not there yet) and a place for packages beside it.
pub(crate) struct Lab {
    dir: TempDir,
    pub(crate) folder: PathBuf,
    pub(crate) deny: Vec<Deny>,
    pub(crate) private: bool,
    pub(crate) signer: Option<Box<dyn ReleaseSigner>>,
    pub(crate) client: Option<ClientFiles>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("packages")).unwrap();
        let folder = dir.path().join("pub/opt");
        Self {
            dir,
            folder,
            deny: Vec::new(),
            private: false,
            signer: None,
            client: None,
        }
    }

    /// From now on releases have these client files, given as path and content.
    pub(crate) fn has_client_files(&mut self, files: &[(&str, &str)]) {
        let file = |(path, text): &(&str, &str)| ((*path).to_owned(), text.as_bytes().to_vec());
        self.client = Some(files.iter().map(file).collect());
    }

    /// From now on this key signs.
    pub(crate) fn signed_by(mut self, key: &str) -> Self {
        self.signer = Some(Box::new(Words::of(key)));
        self
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Makes a package whose image has one file with this content.
    pub(crate) fn package(&self, cpv: &str, content: &str) -> Candidate {
        self.package_with(cpv, content, &[])
    }

    /// The same with other metadata than the usual.
    pub(crate) fn package_with(&self, cpv: &str, content: &str, more: &[(&str, &str)]) -> Candidate {
        let (category, pf) = cpv.split_once('/').unwrap();
        let usual = [
            ("CATEGORY", category),
            ("PF", pf),
            ("SLOT", "0"),
            ("EAPI", "8"),
            ("KEYWORDS", "amd64"),
            ("LICENSE", "MIT"),
            ("DEFINED_PHASES", "-"),
            ("CHOST", "x86_64-pc-linux-gnu"),
            ("repository", "hep"),
        ];
        let metadata: Metadata = usual
            .iter()
            .chain(more)
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
        self.keep(cpv, &built.into_inner())
    }

    /// Brings a package into normal form and puts it down as the store would.
    pub(crate) fn keep(&self, cpv: &str, built: &[u8]) -> Candidate {
        let mut normal = Cursor::new(Vec::new());
        let report = normalise(Cursor::new(built), &mut normal, &NormalOptions::new(EPOCH)).unwrap();
        let file = self.path("packages").join(report.payload.to_string());
        fs::write(&file, normal.into_inner()).unwrap();
        Candidate {
            cpv: cpv.to_owned(),
            payload: report.payload,
            file,
        }
    }

    pub(crate) fn try_publish(&self, candidates: &[Candidate]) -> Result<Published, PublishError> {
        self.publish_watched(candidates, &mut |_| {})
    }

    pub(crate) fn publish_watched(
        &self,
        candidates: &[Candidate],
        progress: &mut dyn FnMut(&str),
    ) -> Result<Published, PublishError> {
        self.publish_with(candidates, &[], progress)
    }

    pub(crate) fn publish_lacking(
        &self,
        candidates: &[Candidate],
        lacking: &[Lacking],
    ) -> Result<Published, PublishError> {
        self.publish_with(candidates, lacking, &mut |_| {})
    }

    fn publish_with(
        &self,
        candidates: &[Candidate],
        lacking: &[Lacking],
        progress: &mut dyn FnMut(&str),
    ) -> Result<Published, PublishError> {
        let header = header();
        let publication = Publication {
            folder: &self.folder,
            candidates,
            lacking,
            header: &header,
            epoch: EPOCH,
            deny: &self.deny,
            private: self.private,
            signer: self.signer.as_deref(),
            client: self.client.as_ref(),
        };
        publish(&publication, progress)
    }

    pub(crate) fn publish(&self, candidates: &[Candidate]) -> Published {
        self.try_publish(candidates).unwrap()
    }

    pub(crate) fn index(&self) -> Index {
        Index::parse(&fs::read_to_string(self.folder.join("Packages")).unwrap()).unwrap()
    }

    /// The index as (path, BUILD_TIME).
    pub(crate) fn listed(&self) -> Vec<(String, u64)> {
        let field = |stanza: &Stanza, key: &str| stanza[key].clone();
        let packages = self.index().packages;
        packages
            .iter()
            .map(|stanza| (field(stanza, "PATH"), field(stanza, "BUILD_TIME").parse().unwrap()))
            .collect()
    }

    /// Publishes one package after the other, a release each.
    pub(crate) fn publish_each(&self, cpv: &str, contents: &[&str]) -> Vec<Candidate> {
        let candidates: Vec<Candidate> = contents.iter().map(|content| self.package(cpv, content)).collect();
        for candidate in &candidates {
            self.publish(std::slice::from_ref(candidate));
        }
        candidates
    }

    /// The files of packages that are there, in order.
    pub(crate) fn files(&self) -> Vec<String> {
        let seen = picture(&self.folder);
        let paths = seen.keys().filter_map(|path| path.to_str());
        paths
            .filter(|path| path.ends_with(".gpkg.tar"))
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn timestamp(&self) -> u64 {
        self.index().header["TIMESTAMP"].parse().unwrap()
    }
}

/// Signs with words that say the key, the time, and what was signed: enough to see what is signed, when and by whom.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) key: String,
    /// How long a signature takes.
    pub(crate) delay: Duration,
    /// Whether there is no signature.
    pub(crate) fails: bool,
    /// Whether no two signatures are the same.
    pub(crate) by_chance: bool,
    /// How many signatures there are.
    pub(crate) made: AtomicU64,
}

impl Words {
    pub(crate) fn of(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            delay: Duration::ZERO,
            fails: false,
            by_chance: false,
            made: AtomicU64::new(0),
        }
    }

    fn words(&self, time: u64, what: &str) -> String {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let chance = if self.by_chance { number } else { 0 };
        format!("{} signed {what} at {time} ({chance})\n", self.key)
    }
}

impl ReleaseSigner for Words {
    fn fingerprint(&self) -> &str {
        &self.key
    }

    fn at(&self, time: u64) -> Box<dyn Signer + '_> {
        Box::new(WordsAt(self, time))
    }
}

struct WordsAt<'a>(&'a Words, u64);

impl Signer for WordsAt<'_> {
    fn detached(&self, content: &mut dyn std::io::Read) -> Result<Vec<u8>, SignatureError> {
        let Self(words, time) = self;
        std::thread::sleep(words.delay);
        let mut bytes = Vec::new();
        if words.fails || content.read_to_end(&mut bytes).is_err() {
            return Err(SignatureError {
                kind: ErrorKind::Environment,
                message: "the pen is dry".to_owned(),
                hint: Some("buy ink".to_owned()),
            });
        }
        Ok(words.words(*time, &blake3::hash(&bytes).to_string()).into_bytes())
    }

    fn clear_signed(&self, text: &str) -> Result<Vec<u8>, SignatureError> {
        let Self(words, time) = self;
        let signed = words.words(*time, "this");
        Ok(format!("-----BEGIN PGP SIGNED MESSAGE-----\n\n{text}-----BEGIN PGP SIGNATURE-----\n{signed}").into_bytes())
    }
}

/// Knows signatures in words again, by whatever key but those that begin with `NOT`.
#[derive(Debug)]
pub(crate) struct Reading;

impl Reading {
    fn judge(said: &str) -> Result<String, SignatureError> {
        let key = said.split(' ').next().unwrap().to_owned();
        if key.starts_with("NOT") {
            return Err(SignatureError {
                kind: ErrorKind::Input,
                message: format!("it was made by {key}, which is not trusted"),
                hint: None,
            });
        }
        Ok(key)
    }
}

impl Verifier for Reading {
    fn detached(&self, signature: &[u8], content: &mut dyn std::io::Read) -> Result<String, SignatureError> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).unwrap();
        Self::judge(std::str::from_utf8(signature).unwrap())
    }

    fn clear_signed(&self, text: &[u8]) -> Result<(Vec<u8>, String), SignatureError> {
        let text = std::str::from_utf8(text).unwrap();
        let (inner, said) = text.split_once("-----BEGIN PGP SIGNATURE-----\n").unwrap();
        let (_, inner) = inner.split_once("\n\n").unwrap();
        Ok((inner.as_bytes().to_vec(), Self::judge(said)?))
    }
}

/// Who signed a package, by the words in it; `None` for an unsigned one. Every member must say the same.
pub(crate) fn signer_of(path: &Path) -> Option<String> {
    let mut reader = Reader::open(fs::File::open(path).unwrap(), Limits::default()).unwrap();
    reader.verify().unwrap();
    let mut text = |name: &str| {
        reader
            .member(name)
            .unwrap()
            .map(|bytes| String::from_utf8(bytes).unwrap())
    };
    let manifest = text("Manifest").unwrap();
    let said = manifest.split_once("SIGNATURE-----\n").map(|(_, said)| said.to_owned());
    let who = |text: Option<String>| Some(text?.split(' ').next()?.to_owned());
    let signers = [said, text("metadata.tar.zst.sig"), text("image.tar.zst.sig")].map(who);
    assert!(signers.iter().all(|signer| *signer == signers[0]), "{signers:?}");
    signers[0].clone()
}

/// Every package that clients can see in a folder, with who signed it.
pub(crate) fn visible_signers(folder: &Path) -> BTreeMap<PathBuf, Option<String>> {
    let mut found = BTreeMap::new();
    for (path, seen) in picture(folder) {
        let hidden = path.starts_with(".farm-publish");
        if seen.content.is_some() && !hidden && path.extension().is_some_and(|extension| extension == "tar") {
            let signer = signer_of(&folder.join(&path));
            found.insert(path, signer);
        }
    }
    found
}

pub(crate) fn header() -> BTreeMap<String, String> {
    [("CHOST", "x86_64-pc-linux-gnu"), ("ARCH", "amd64")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

fn entry(path: &str, kind: EntryKind, size: u64) -> ImageEntry {
    ImageEntry {
        path: path.to_owned(),
        mode: if kind == EntryKind::File { 0o644 } else { 0o755 },
        kind,
        uid: 0,
        gid: 0,
        uname: "root".to_owned(),
        gname: "root".to_owned(),
        size,
        mtime: 0,
        xattrs: BTreeMap::new(),
    }
}

/// A file or a folder (`None`) as it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) mode: u32,
    pub(crate) mtime: i64,
    pub(crate) content: Option<Vec<u8>>,
}

/// Everything below a folder. The times of folders are left out: nobody reads them, and making and removing a file
/// changes them.
pub(crate) fn picture(folder: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut seen = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        let content = if metadata.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            None
        } else {
            Some(fs::read(&path).unwrap_or_default())
        };
        let mtime = if metadata.is_dir() { 0 } else { metadata.mtime() };
        let mode = metadata.mode() & 0o7777;
        seen.insert(
            path.strip_prefix(folder).unwrap().to_owned(),
            Seen { mode, mtime, content },
        );
    }
    seen
}
