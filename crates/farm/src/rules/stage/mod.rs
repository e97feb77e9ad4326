//! `stage/NAME`: an archive of a root file system where people find it, with its checksum and its signature.
//!
//! Packing and signing are two nodes: a stage that another key is to sign is not packed again.

mod pack;

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use farm_engine::{Class, Dependency, Digest, Failure, FailureKind, Input, NodeSpec, Output, Presence, Run};
use farm_image::Sha256;
use farm_portage::gpkg::{self, Signer as _};
use farm_store::Blob;
use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

pub use self::pack::{PackData, run as pack};
use crate::action::Action;
use crate::context::{Context, io_failure};
use crate::place::{self, Place};

/// The folder of the workspace's state that holds stages: `FARM/FLAVOUR/NAME.tar.zst`.
const STAGES: &str = "stages";

/// A stage as a farm plans it.
#[derive(Debug, Clone, PartialEq)]
pub struct StagePlan {
    /// Its name.
    pub name: String,
    /// The node whose image it is.
    pub image: String,
    /// Paths and globs of what is left out, relative to the root.
    pub remove: Vec<String>,
    /// The key that signs, as people named it. It is in no key: what is signed otherwise is gone (see [`presence`]).
    pub sign: Option<String>,
}

/// What the rule needs.
#[derive(Debug, Clone, PartialEq)]
pub struct StageData {
    /// The node of the archive.
    pub archive: String,
    /// Where it goes, relative to the workspace's state.
    pub to: String,
    /// The key that signs, as people named it.
    pub sign: Option<String>,
}

/// A stage where people find it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedStage {
    /// The archive, relative to the workspace's state. Checksum and signature are beside it.
    pub file: String,
    /// What is in it.
    pub content: Blob,
    /// The same by SHA-256, as the file beside it says.
    pub sha256: Sha256,
    /// Who signed it, if anybody did.
    pub signature: Option<PlacedSignature>,
}

/// The signature beside a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedSignature {
    /// Fingerprint of the primary key.
    pub signer: String,
    /// Digest of the file.
    pub digest: Digest,
}

/// The nodes of a stage.
#[must_use]
pub fn nodes(farm: &str, flavour: &str, plan: &StagePlan, epoch: u64) -> [NodeSpec<Action>; 2] {
    let archive = pack::archive_name(farm, &plan.name);
    let to = format!("{STAGES}/{farm}/{flavour}/{}.tar.zst", plan.name);
    let placed = NodeSpec {
        name: format!("{farm}:stage/{}", plan.name),
        kind: "stage".to_owned(),
        rule_version: 1,
        class: Class::Build,
        // A signature tells the epoch as its time.
        inputs: vec![Input::text("to", &to), Input::text("epoch", epoch.to_string())],
        dependencies: vec![Dependency::output(&archive, "archive")],
        expands: false,
        pools: BTreeMap::new(),
        action: Action::Stage(Box::new(StageData {
            archive,
            to,
            sign: plan.sign.clone(),
        })),
    };
    [pack::node(farm, plan, epoch), placed]
}

/// Puts it there.
pub fn run(
    context: &Context,
    run: &Run<'_>,
    spec: &NodeSpec<Action>,
    data: &StageData,
) -> Result<Vec<Output>, Failure> {
    let archive = run
        .dependency(spec, &data.archive)
        .ok_or_else(|| Failure::new(FailureKind::Bug, format!("{} is not there", data.archive)))?;
    let (content, digest) = (
        place::blob(archive, "archive")?,
        place::output(archive, "archive")?.digest,
    );
    // Before anything is touched.
    let key = data.sign.as_deref().map(|name| context.signing.key(name)).transpose()?;
    let files = StageFiles::of(context, &data.to);
    let failed = |error: io::Error| io_failure("put a stage where it belongs", &error);
    files.make_room().map_err(failed)?;
    // The copy is checked on its way, and the signature is made of the copy: of what people get.
    context
        .store
        .copy_to(&content, &files.archive, false)
        .map_err(|error| context.unreadable(&content, &error))?;
    let sha256 = sha256(context, &files.archive).map_err(failed)?;
    write(&files.checksum, checksum_line(&files.archive, &sha256).as_bytes()).map_err(failed)?;
    let mut signature = None;
    if let Some(key) = &key {
        let mut archive = fs::File::open(&files.archive).map_err(failed)?;
        let made = key
            .at(context.epoch)
            .detached(&mut archive)
            .map_err(|error| signing_failure(&error))?;
        write(&files.signature, &made).map_err(failed)?;
        signature = Some(PlacedSignature {
            signer: key.fingerprint().to_owned(),
            digest: Digest::of(&made),
        });
    }
    let placed = PlacedStage {
        file: data.to.clone(),
        content,
        sha256,
        signature,
    };
    Ok(vec![Place::Stage(placed).output("archive", digest)])
}

/// Whether a stage is where it was put, with the signature of the key that the manifest now names, or with none.
#[must_use]
pub fn presence(context: &Context, placed: &PlacedStage, sign: Option<&str>) -> Presence {
    let files = StageFiles::of(context, &placed.file);
    let lost = |what: &Path, how: &str| Presence::Lost(format!("{} {how}", what.display()));
    match context.hasher.hash(&files.archive) {
        Ok(found) if found.digest == placed.content.digest => {}
        Ok(_) => return lost(&files.archive, "was changed"),
        Err(_) => return lost(&files.archive, "is gone"),
    }
    let holds = |path: &Path, expected: &dyn Fn(&[u8]) -> bool| fs::read(path).is_ok_and(|bytes| expected(&bytes));
    let line = checksum_line(&files.archive, &placed.sha256);
    if !holds(&files.checksum, &|bytes| bytes == line.as_bytes()) {
        return lost(&files.checksum, "is gone, or was changed");
    }
    match (&placed.signature, sign) {
        (None, None) => Presence::Present,
        (Some(signature), None) => {
            let how = format!("is signed by {}, and the manifest names no key", signature.signer);
            lost(&files.archive, &how)
        }
        (None, Some(name)) => lost(
            &files.archive,
            &format!("is not signed, and the manifest names the key {name}"),
        ),
        (Some(signature), Some(name)) => {
            if let Some(how) = signed_otherwise(context, &signature.signer, name) {
                lost(&files.archive, &how)
            } else if holds(&files.signature, &|bytes| Digest::of(bytes) == signature.digest) {
                Presence::Present
            } else {
                lost(&files.signature, "is gone, or was changed")
            }
        }
    }
}

/// How a stage is signed, if that is not by the key that the manifest names. Only where the name does not tell, gpg is asked.
fn signed_otherwise(context: &Context, signer: &str, name: &str) -> Option<String> {
    if farm_signing::is_name_of(name, signer) {
        return None;
    }
    match context.signing.key(name) {
        Ok(key) if key.fingerprint() == signer => None,
        Ok(_) => Some(format!("is signed by {signer}, and the manifest names the key {name}")),
        Err(failure) => Some(format!("may be signed by another key than {name}: {}", failure.message)),
    }
}

fn signing_failure(error: &gpkg::SignatureError) -> Failure {
    let kind = match error.kind {
        gpkg::ErrorKind::Input => FailureKind::Input,
        gpkg::ErrorKind::Environment => FailureKind::Environment,
    };
    let failure = Failure::new(kind, error.message.clone());
    match &error.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The files of a stage.
struct StageFiles {
    archive: PathBuf,
    checksum: PathBuf,
    signature: PathBuf,
}

impl StageFiles {
    fn of(context: &Context, file: &str) -> Self {
        let beside = |suffix: &str| context.state.join(format!("{file}{suffix}"));
        Self {
            archive: beside(""),
            checksum: beside(".sha256"),
            signature: beside(".asc"),
        }
    }

    /// Makes the folder, and removes what another archive had: at no moment there is one with the signature of another.
    fn make_room(&self) -> io::Result<()> {
        if let Some(folder) = self.archive.parent() {
            fs::create_dir_all(folder)?;
        }
        for path in [&self.signature, &self.checksum] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A line as `sha256sum -c` reads it in the folder of the archive.
fn checksum_line(archive: &Path, sha256: &Sha256) -> String {
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    format!("{}  {name}\n", sha256.to_hex())
}

fn sha256(context: &Context, path: &Path) -> io::Result<Sha256> {
    let mut file = fs::File::open(path)?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        if context.cancel.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(Sha256::from_bytes(hasher.finalize().into()));
        }
        hasher.update(&buffer[..count]);
    }
}

/// Writes a small file in one step.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file()
        .set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    farm_store::rename(file.into_temp_path(), path)
}
