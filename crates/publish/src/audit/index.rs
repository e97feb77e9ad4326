//! The two files of the index, by themselves and beside each other.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use farm_portage::index::Index;
use fs_err as fs;

use super::Fault;
use crate::live::{INDEX, INDEX_GZ};

/// How large an index may become when it is unpacked: a thousand times that of Gentoo's own binhosts.
const LIMIT: u64 = 1 << 32;

/// Looks at both; gives what clients read, if they can.
pub(super) fn check(folder: &Path, text: Option<&[u8]>, gz: Option<&[u8]>, faults: &mut Vec<Fault>) -> Option<Index> {
    let mut say = |path: &str, fault: &str| faults.push(Fault::new(path, fault));
    let Some(text) = text else {
        say(INDEX, "it is not there");
        return None;
    };
    match gz.map(unpacked) {
        None => say(INDEX_GZ, "it is not there"),
        Some(None) => say(INDEX_GZ, "it cannot be unpacked"),
        Some(Some(unpacked)) if unpacked != text => say(INDEX_GZ, "it is not what `Packages` is"),
        Some(Some(_)) => {}
    }
    let Ok(text) = std::str::from_utf8(text) else {
        say(INDEX, "it is not text");
        return None;
    };
    let index = match Index::parse(text) {
        Ok(index) => index,
        Err(error) => {
            say(INDEX, &error.to_string());
            return None;
        }
    };
    let stanzas = text.lines().filter(|line| line.starts_with("CPV:")).count();
    if stanzas != index.packages.len() {
        // Clients stop reading at an empty stanza.
        say(
            INDEX,
            &format!("clients see {} of its {stanzas} packages", index.packages.len()),
        );
    }
    let header = |key: &str| index.header.get(key).map(|value| value.trim().to_owned());
    match header("PACKAGES") {
        Some(count) if count == stanzas.to_string() => {}
        Some(count) => say(INDEX, &format!("PACKAGES is {count}, and it lists {stanzas}")),
        None => say(INDEX, "it has no PACKAGES"),
    }
    let cpvs = index.packages.iter().map(|stanza| stanza.get("CPV"));
    if !cpvs.is_sorted() {
        say(INDEX, "its packages are not sorted by CPV");
    }
    match header("TIMESTAMP").and_then(|time| time.parse::<i64>().ok()) {
        None => say(INDEX, "its TIMESTAMP is no number"),
        Some(time) => {
            for name in [INDEX, INDEX_GZ] {
                if let Some(mtime) = mtime(&folder.join(name)).filter(|mtime| *mtime != time) {
                    say(name, &format!("its time is {mtime}, and its TIMESTAMP {time}"));
                }
            }
        }
    }
    Some(index)
}

fn mtime(path: &Path) -> Option<i64> {
    fs::metadata(path).ok().map(|metadata| metadata.mtime())
}

fn unpacked(gz: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let unpacked = flate2::read::GzDecoder::new(gz).take(LIMIT).read_to_end(&mut text);
    unpacked.ok().map(|_| text)
}
