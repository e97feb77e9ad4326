//! One package: the file, its stanza, its own Manifest, its signatures.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use farm_portage::binpkg::BinpkgFormat;
use farm_portage::gpkg::{self, Limits, Metadata, Verifier};
use farm_portage::index::{EntryFile, FileDigests, Stanza, entry_for};
use farm_portage::xpak;
use fs_err as fs;

use super::Looked;
use crate::error::with_causes;
use crate::format::sniff;
use crate::record::Instance;
use crate::stage::digests;

/// What a package without a value of its own has from the header: an index cannot say that it has none.
const INHERITED: [&str; 2] = ["CHOST", "repository"];

/// What there is to say of a package.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) faults: Vec<String>,
    /// Whether the index lists it, and it has signatures that count.
    pub(super) is_signed: bool,
    /// Why nothing could be found out of its signatures.
    pub(super) failure: Option<gpkg::GpkgError>,
}

impl Found {
    pub(super) fn fault(fault: impl Into<String>) -> Self {
        Self {
            faults: vec![fault.into()],
            ..Self::default()
        }
    }

    fn say(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }
}

/// Looks at one.
pub(super) fn check(folder: &Path, path: &str, looked: &Looked<'_>, verifier: &dyn Verifier) -> Found {
    let file = match fs::File::open(folder.join(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::fault("it is not there"),
        Err(error) => return Found::fault(error.to_string()),
    };
    let looked = match looked {
        Looked::Listed(stanza, instance) => check_listed(file, stanza, *instance, verifier),
        Looked::Earlier(instance) => check_bytes(file, instance),
    };
    looked.unwrap_or_else(|error| Found::fault(error.to_string()))
}

/// Of what only earlier releases list, it is enough that not one byte is another: it was looked at when it was published.
fn check_bytes(mut file: fs::File, instance: &Instance) -> io::Result<Found> {
    let mut found = Found::default();
    let (digests, digest) = digests(&mut file)?;
    if (digests.size, digest) != (instance.size, instance.digest) {
        found.say("it is not what was published");
    }
    Ok(found)
}

fn check_listed(
    mut file: fs::File,
    stanza: &Stanza,
    instance: Option<&Instance>,
    verifier: &dyn Verifier,
) -> io::Result<Found> {
    let mut found = Found::default();
    let (digests, digest) = digests(&mut file)?;
    let mtime = file.metadata()?.mtime().to_string();
    let facts = [
        ("SIZE", digests.size.to_string()),
        ("MD5", digests.md5.clone()),
        ("SHA1", digests.sha1.clone()),
        ("_mtime_", mtime.clone()),
    ];
    for (key, fact) in &facts {
        let name = key.trim_matches('_').to_uppercase();
        match stanza.get(*key) {
            Some(listed) if listed == fact => {}
            Some(listed) => found.say(format!("its {name} is {fact}, and the index says {listed}")),
            None => found.say(format!("the index does not say its {name}")),
        }
    }
    if instance.is_some_and(|instance| instance.digest != digest) {
        found.say("it is not what was published");
    }
    file.rewind()?;
    let format = sniff(&mut file)?;
    let opened = match format {
        Some(BinpkgFormat::Xpak) => xpak::Reader::open(BufReader::new(&mut file), Limits::default())
            .map(|reader| reader.metadata().clone())
            .map_err(|error| with_causes(&error)),
        _ => check_gpkg(&mut file, instance, verifier, &mut found).map_err(|error| with_causes(&error)),
    };
    match opened {
        Ok(metadata) => check_stanza(stanza, &metadata, &mtime, &digests, &mut found),
        Err(why) => found.say(why),
    }
    Ok(found)
}

/// Checks every digest in it, and the signatures if it has any or should have.
fn check_gpkg(
    file: &mut fs::File,
    instance: Option<&Instance>,
    verifier: &dyn Verifier,
    found: &mut Found,
) -> Result<Metadata, gpkg::GpkgError> {
    let mut reader = gpkg::Reader::open(BufReader::new(file), Limits::default())?;
    let metadata = reader.metadata()?;
    let wanted = instance.and_then(|instance| instance.signed_by.as_deref());
    if !reader.is_signed() {
        reader.verify()?;
        if let Some(key) = wanted {
            found.say(format!("it is not signed, and was by {key}"));
        }
        return Ok(metadata);
    }
    match reader.verify_signatures(verifier) {
        Ok(signers) => check_signers(&signers, instance, found),
        Err(error @ gpkg::GpkgError::Signature { .. }) if error.kind() == gpkg::ErrorKind::Environment => {
            found.failure = Some(error);
        }
        // The metadata are good, and worth comparing, whatever the signatures are.
        Err(error @ (gpkg::GpkgError::Signature { .. } | gpkg::GpkgError::Unsigned { .. })) => {
            found.say(with_causes(&error));
        }
        Err(error) => return Err(error),
    }
    Ok(metadata)
}

fn check_signers(signers: &BTreeSet<String>, instance: Option<&Instance>, found: &mut Found) {
    found.is_signed = true;
    let Some(instance) = instance else { return };
    let expected: BTreeSet<&str> = instance.signed_by.as_deref().into_iter().collect();
    let others: Vec<&str> = signers
        .iter()
        .map(String::as_str)
        .filter(|key| !expected.contains(key))
        .collect();
    if !others.is_empty() {
        let whom = instance.signed_by.as_deref().unwrap_or("nobody");
        found.say(format!(
            "it is signed by {}, and its record says {whom}",
            others.join(", ")
        ));
    }
}

/// What the package says of itself must be what the index says of it.
fn check_stanza(stanza: &Stanza, metadata: &Metadata, mtime: &str, digests: &FileDigests, found: &mut Found) {
    let path = stanza.get("PATH").map_or("", String::as_str);
    let file = EntryFile {
        path,
        mtime: mtime.parse().unwrap_or(0),
        digests,
    };
    let own = match entry_for(metadata, &file) {
        Ok(own) => own,
        Err(error) => return found.say(error.to_string()),
    };
    let compared = ["SIZE", "MD5", "SHA1", "_mtime_"];
    for (key, own) in own.iter().filter(|(key, _)| !compared.contains(&key.as_str())) {
        let listed = stanza.get(key).map_or("", String::as_str);
        let inherited = own.is_empty() && INHERITED.contains(&key.as_str());
        if own != listed && !inherited {
            found.say(format!("its {key} is `{own}`, and the index says `{listed}`"));
        }
    }
}
