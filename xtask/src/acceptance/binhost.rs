//! What a binhost says that it has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::{Outcome, failed};

/// The packages that the index of `folder` lists: `CATEGORY/PF` to the path of the file and its size.
pub(crate) fn listed(folder: &Path) -> Outcome<BTreeMap<String, (PathBuf, u64)>> {
    let text = fs::read_to_string(folder.join("Packages")).map_err(failed)?;
    let mut found = BTreeMap::new();
    for stanza in text.split("\n\n").skip(1).filter(|stanza| !stanza.trim().is_empty()) {
        let value = |name: &str| {
            stanza
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .ok_or_else(|| format!("an entry without {name}:\n{stanza}"))
        };
        let size = value("SIZE")?.parse().map_err(|error| format!("SIZE: {error}"))?;
        found.insert(value("CPV")?.to_owned(), (folder.join(value("PATH")?), size));
    }
    Ok(found)
}
