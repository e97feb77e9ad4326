//! What a damaged guard file cost, in words.

use std::path::Path;

use farm_guard_file::Damage;

/// So many nodes are named.
const NAMED: usize = 5;

/// What was dropped when the guard file at `path` was opened.
pub(super) fn in_words(path: &Path, torn_bytes: u64, damaged: &[Damage]) -> Vec<String> {
    let path = path.display();
    let mut lines = Vec::new();
    if torn_bytes > 0 {
        lines.push(format!(
            "the last {torn_bytes} bytes of {path} were not written whole and are dropped: a run was killed"
        ));
    }
    lines.extend(lost(&path.to_string(), damaged));
    lines
}

/// What was found damaged in the guard file at `path` while it was used.
pub(super) fn lost(path: &str, damaged: &[Damage]) -> Option<String> {
    if damaged.is_empty() {
        return None;
    }
    let bytes: u64 = damaged.iter().map(|damage| damage.bytes).sum();
    let places: Vec<String> = damaged.iter().take(NAMED).map(|damage| damage.at.to_string()).collect();
    let mut line = format!("{path} is damaged: {bytes} bytes are dropped, at {}", places.join(", "));
    if damaged.len() > NAMED {
        line.push_str(&format!(" and {} more places", damaged.len() - NAMED));
    }
    let names: Vec<&str> = damaged.iter().filter_map(|damage| damage.node.as_deref()).collect();
    line.push_str("; what they recorded is built again if it is needed");
    if !names.is_empty() {
        let shown = names[..names.len().min(NAMED)].join(", ");
        let more = if names.len() > NAMED { ", …" } else { "" };
        line.push_str(&format!(" ({shown}{more})"));
    }
    Some(line)
}
