//! The metadata of the normal form.

use crate::environment::{Environment, EnvironmentError};
use crate::environment_rules;
use crate::gpkg::Metadata;

/// Metadata that the normal form does not have, each with its reason.
pub const DROPPED_METADATA: &[(&str, &str)] = &[
    ("BUILD_ID", "counts what lay in PKGDIR; publication gives the real one"),
    ("BUILD_TIME", "the clock; publication gives the real one"),
    (
        "REPO_REVISIONS",
        "the tree's commit, which changes with every other package",
    ),
    (
        "USER_PATCHES",
        "a client without the same patch files would mask the package",
    ),
];

/// Metadata whose lines come in the order of a folder, and are sorted in the normal form.
pub const SORTED_METADATA: &[&str] = &["NEEDED", "NEEDED.ELF.2"];

/// The name of the saved environment.
pub(super) const ENVIRONMENT: &str = "environment.bz2";

/// Brings metadata into normal form. Doing it again changes nothing.
pub fn normalise_metadata(metadata: &mut Metadata) -> Result<(), EnvironmentError> {
    for (key, _) in DROPPED_METADATA {
        metadata.remove(*key);
    }
    for key in SORTED_METADATA {
        if let Some(value) = metadata.get_mut(*key) {
            *value = sort_lines(value);
        }
    }
    if let Some(value) = metadata.get_mut(ENVIRONMENT) {
        let mut environment = Environment::parse_bz2(value)?;
        environment_rules::normalise(&mut environment);
        *value = environment.to_bz2();
    }
    Ok(())
}

/// Makes the metadata of an XPAK that of the GPKG of the same build.
pub(super) fn become_gpkg(metadata: &mut Metadata) -> Result<(), EnvironmentError> {
    if let Some(value) = metadata.get_mut(ENVIRONMENT) {
        let mut environment = Environment::parse_bz2(value)?;
        environment_rules::tell_gpkg(&mut environment);
        *value = environment.to_bz2();
    }
    Ok(())
}

fn sort_lines(value: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = value.split(|&b| b == b'\n').filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines
        .iter()
        .flat_map(|line| line.iter().copied().chain([b'\n']))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_and_sorts() {
        let mut metadata: Metadata = [("BUILD_ID", "3"), ("NEEDED", "/b x\n/a y\n"), ("SLOT", "0\n")]
            .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
            .into();
        normalise_metadata(&mut metadata).unwrap();
        let expected: Metadata = [("NEEDED", "/a y\n/b x\n"), ("SLOT", "0\n")]
            .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
            .into();
        assert_eq!(metadata, expected);
    }
}
