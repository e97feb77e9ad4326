//! Packages of the store as a folder that Portage installs from.

use std::collections::BTreeMap;
use std::path::Path;

use farm_engine::{Failure, FailureKind, Guard};
use farm_portage::gpkg::Metadata;
use farm_portage::index::{EntryFile, FileDigests, HeaderSettings, Index, Stanza, entry_for, header};
use farm_store::Blob;
use fs_err as fs;

use crate::context::{Context, io_failure};
use crate::files::{FileNode, Files};
use crate::place::{self, Place};
use crate::upload::Upload;

/// BUILD_ID of packages that are not published: publication gives them the next free one.
pub const LOCAL_BUILD_ID: u64 = 1;

/// A package in the store, with its stanza of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The GPKG.
    pub package: Blob,
    /// Its stanza as JSON, for a folder in which it has [`path`].
    pub stanza: Blob,
}

impl Kept {
    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        let blobs = [("package".to_owned(), self.package), ("stanza".to_owned(), self.stanza)];
        Place::Blobs { blobs: blobs.into() }
    }

    /// The package that a guard of the package rule speaks of.
    pub fn of(guard: &Guard) -> Result<Self, Failure> {
        let blobs = place::blobs(guard, "payload")?;
        let named = |name: &str| {
            blobs
                .get(name)
                .copied()
                .ok_or_else(|| Failure::new(FailureKind::Bug, format!("{} without {name}", guard.node)))
        };
        Ok(Self {
            package: named("package")?,
            stanza: named("stanza")?,
        })
    }

    /// Its stanza.
    pub fn read_stanza(&self, context: &Context) -> Result<Stanza, Failure> {
        serde_json::from_slice(&context.read(&self.stanza)?)
            .map_err(|error| Failure::new(FailureKind::Bug, format!("a stanza of the store: {error}")))
    }
}

/// Where a package lies in a folder of packages (`FEATURES=binpkg-multi-instance`).
#[must_use]
pub fn path(cpv: &str, build_id: u64) -> String {
    let (category, pf) = cpv.split_once('/').unwrap_or(("", cpv));
    let name = farm_portage::cpv::Cpv::parse(cpv).map_or_else(|_| pf.to_owned(), |cpv| cpv.name.to_string());
    format!("{category}/{name}/{pf}-{build_id}.gpkg.tar")
}

/// Puts a stamped package in the store, with its stanza.
pub fn keep(context: &Context, file: &Path, metadata: &Metadata) -> Result<Kept, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::new(FailureKind::Environment, format!("cannot keep a package: {error}"))
    };
    let opened = fs::File::open(file).map_err(|error| io_failure("read a package", &error))?;
    let digests = FileDigests::of(opened).map_err(|error| io_failure("read a package", &error))?;
    let text = |key: &str| farm_portage::gpkg::folded(metadata, key);
    let cpv = format!("{}/{}", text("CATEGORY"), text("PF"));
    let entry_file = EntryFile {
        path: &path(&cpv, LOCAL_BUILD_ID),
        mtime: context.epoch,
        digests: &digests,
    };
    let stanza = entry_for(metadata, &entry_file)
        .map_err(|error| Failure::new(FailureKind::Step, format!("the package's metadata: {error}")))?;
    let json = serde_json::to_vec(&stanza).map_err(|error| failed(&error))?;
    let package = context
        .store
        .put_file(file)
        .map_err(|error| io_failure("keep a package", &error))?;
    Ok(Kept {
        package,
        stanza: context.keep(&json)?,
    })
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The index of a folder of packages.
#[must_use]
pub fn index(stanzas: Vec<Stanza>, variables: &BTreeMap<String, String>, timestamp: u64) -> Index {
    let settings = HeaderSettings {
        profile: variables.get("PROFILE").cloned(),
        variables: variables.clone(),
        ..HeaderSettings::default()
    };
    Index {
        header: header(&settings, stanzas.len(), timestamp),
        packages: stanzas,
    }
}

/// A folder of packages below `folder` in a container, with its index, holding exactly these instances.
pub fn upload(context: &Context, folder: &str, packages: &[(String, Kept)]) -> Result<Upload, Failure> {
    let mut upload = Upload::new(context).folder(folder);
    let mut stanzas = Vec::new();
    for (cpv, kept) in packages {
        upload = upload.blob(format!("{folder}/{}", path(cpv, LOCAL_BUILD_ID)), kept.package);
        stanzas.push(kept.read_stanza(context)?);
    }
    let index = index(stanzas, &BTreeMap::new(), context.epoch).render();
    Ok(upload.files(folder, Files::from([("Packages".to_owned(), FileNode::text(index))])))
}
