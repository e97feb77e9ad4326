//! `client/`, beside what the release in force has, and the archives that releases keep.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::Fault;
use crate::client::{ARCHIVES, FOLDER, Packed, archive_path, files_in};
use crate::live::read_if_there;
use crate::releases::Book;

/// Looks at every archive that a record names, and at each file of `client/`.
pub(super) fn check(folder: &Path, book: &Book, faults: &mut Vec<Fault>) -> io::Result<()> {
    // By path: what release it belongs to, the newest that has it.
    let archives: BTreeMap<String, (u64, blake3::Hash)> = book
        .records
        .values()
        .filter_map(|record| Some((record.client_path()?, (record.number, record.client?))))
        .collect();
    for (path, (number, digest)) in &archives {
        if let Err(fault) = Packed::kept(folder, *digest) {
            faults.push(Fault::new(
                path,
                format!("it {fault}; release {number} has its client files there"),
            ));
        }
    }
    // What a record that cannot be read names, nobody knows.
    if book.unreadable.is_empty() {
        for path in files_in(folder, ARCHIVES)? {
            if !archives.contains_key(&path) {
                faults.push(Fault::new(&path, "no release has it"));
            }
        }
    }
    let Some(number) = book.in_force else { return Ok(()) };
    let digest = book.records.get(&number).and_then(|record| record.client);
    let packed = match digest.map(|digest| Packed::kept(folder, digest)) {
        None => None,
        Some(Ok(packed)) => Some(packed),
        // It was named already, and what should be in `client/`, only it tells.
        Some(Err(_)) => return Ok(()),
    };
    let wanted: BTreeMap<String, &[u8]> = packed.iter().flat_map(Packed::placed).collect();
    for (path, bytes) in &wanted {
        match read_if_there(&folder.join(path))? {
            None => faults.push(Fault::new(path, "it is not there")),
            Some(there) if there != *bytes => {
                let from = digest.map(archive_path).unwrap_or_default();
                faults.push(Fault::new(
                    path,
                    format!("it is not what release {number} has in {from}"),
                ));
            }
            Some(_) => {}
        }
    }
    for path in files_in(folder, FOLDER)? {
        if !wanted.contains_key(&path) {
            faults.push(Fault::new(&path, format!("release {number} does not have it")));
        }
    }
    Ok(())
}
