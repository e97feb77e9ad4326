//! Packages as parts: the files of the image, the metadata, and the saved environment variable by variable.

use std::io::{BufReader, Read};

use farm_engine::{Failure, FailureKind};
use farm_portage::environment::{Environment, Item};
use farm_portage::gpkg::{EntryKind, GpkgError, ImageEntry, Limits, Reader};
use farm_store::Blob;
use fs_err as fs;

use super::parts::{Content, Entry, Part, Parts};
use crate::context::{Context, io_failure};

/// The one metadata that is too large to be named as a whole.
const ENVIRONMENT: &str = "environment.bz2";

/// Reads a package of the store, whose own manifest says whether it is whole.
pub(super) fn parts(context: &Context, package: &Blob) -> Result<Parts, Failure> {
    let file = fs::File::open(context.store.path(package)).map_err(|error| io_failure("read a package", &error))?;
    let mut reader = Reader::open(BufReader::new(file), Limits::default()).map_err(|error| damaged(&error))?;
    let mut parts = Parts::new();
    for (name, value) in reader.metadata().map_err(|error| damaged(&error))? {
        if name == ENVIRONMENT {
            let environment = Environment::parse_bz2(&value).map_err(|error| damaged(&error))?;
            add_environment(&mut parts, &environment);
        } else {
            parts.insert(format!("metadata/{name}"), Part::Value(value));
        }
    }
    reader
        .visit_image(|entry, content| {
            parts.insert(format!("/{}", entry.path), image_part(&entry, content)?);
            Ok::<(), GpkgError>(())
        })
        .map_err(|error| damaged(&error))?;
    Ok(parts)
}

fn damaged(error: &dyn std::error::Error) -> Failure {
    Failure::new(FailureKind::Environment, format!("a package of the store: {error}"))
}

/// Variables and functions by name; what is neither counts as a whole.
fn add_environment(parts: &mut Parts, environment: &Environment) {
    let mut others = Vec::new();
    for item in environment.items() {
        let name = match item {
            Item::Variable { name, .. } => name.clone(),
            Item::Function { name, .. } => format!("{name}()"),
            Item::Other(text) => {
                others.extend_from_slice(text);
                continue;
            }
        };
        parts.insert(format!("environment/{name}"), Part::Value(item.text().to_vec()));
    }
    parts.insert("environment".to_owned(), Part::Value(others));
}

/// What the package's digests know of an entry: no times, no attributes.
fn image_part(entry: &ImageEntry, content: &mut dyn Read) -> Result<Part, GpkgError> {
    let mut facts = vec![
        ("mode", format!("{:o}", entry.mode)),
        (
            "owner",
            format!("{}:{} ({}:{})", entry.uid, entry.gid, entry.uname, entry.gname),
        ),
    ];
    let mut hashed = None;
    let kind = match &entry.kind {
        EntryKind::File => {
            let mut hasher = blake3::Hasher::new();
            let size = std::io::copy(content, &mut hasher).map_err(GpkgError::Read)?;
            hashed = Some(Content {
                digest: hasher.finalize(),
                size,
            });
            "file"
        }
        EntryKind::Directory => "folder",
        EntryKind::Symlink { target } => {
            facts.push(("target", target.clone()));
            "link"
        }
        EntryKind::HardLink { target } => {
            facts.push(("target", target.clone()));
            "hard link"
        }
    };
    Ok(Part::Entry(Entry {
        kind,
        content: hashed,
        facts,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::parts::compare;
    use super::*;

    #[test]
    fn variables_and_functions_by_name() {
        let parts = |text: &str| {
            let mut parts = Parts::new();
            add_environment(&mut parts, &Environment::parse(text.as_bytes()).unwrap());
            parts
        };
        let former = parts("declare -x A=\"1\"\ndeclare -x B=\"x\"\nsrc_install () \n{ \n    true\n}\n");
        let now = parts("declare -x A=\"2\"\ndeclare -- B=\"x\"\nsrc_install () \n{ \n    false\n}\n");
        let said: Vec<String> = compare(&former, &now)
            .into_iter()
            .map(|difference| format!("{}: {}", difference.path, difference.what))
            .collect();
        assert_eq!(
            said,
            [
                "environment/A: declare -x A=\"1\", then declare -x A=\"2\"",
                "environment/B: declare -x B=\"x\", then declare -- B=\"x\"",
                "environment/src_install(): content (30, then 31 bytes)"
            ]
        );
    }
}
