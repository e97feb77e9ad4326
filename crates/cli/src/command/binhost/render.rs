//! What is told of binhosts, as lines.

use crate::domain::{Audit, Changed, Diff, Imported, Pruned, ReleaseLine, RolledBack, Tagged};
use crate::text::{bytes, columns, count, moment, one_line};

/// How much of a fingerprint people are shown: the long key id.
const KEY_ID: usize = 16;

/// The releases as columns.
pub(super) fn list(releases: &[ReleaseLine]) -> Vec<String> {
    let rows: Vec<[String; 6]> = releases
        .iter()
        .map(|release| {
            let current = release.current.then(|| "current".to_owned());
            let names: Vec<String> = current.into_iter().chain(release.tags.iter().cloned()).collect();
            let mut packages = count(release.packages as u64, "package");
            if release.missing > 0 {
                packages.push_str(&format!(" ({} gone)", release.missing));
            }
            [
                release.release.to_string(),
                moment(release.timestamp.saturating_mul(1000)),
                packages,
                bytes(release.bytes),
                signed_by(release),
                names.join(", "),
            ]
        })
        .collect();
    columns(&rows).iter().map(|line| one_line(line)).collect()
}

fn signed_by(release: &ReleaseLine) -> String {
    let keys: Vec<&str> = release.signed_by.iter().flatten().map(|key| key_id(key)).collect();
    let unsigned = release.signed_by.contains(&None);
    match (keys.is_empty(), unsigned) {
        (true, _) => "unsigned".to_owned(),
        (false, false) => format!("signed by {}", keys.join(", ")),
        (false, true) => format!("partly signed by {}", keys.join(", ")),
    }
}

fn key_id(fingerprint: &str) -> &str {
    let start = fingerprint.len().saturating_sub(KEY_ID);
    fingerprint.get(start..).unwrap_or(fingerprint)
}

/// A line an instance that is other.
pub(super) fn diff(diff: &Diff) -> Vec<String> {
    let changed = |changed: &Changed| {
        let Changed { cpv, from, to, .. } = changed;
        let same = if changed.content { "" } else { " (the same content)" };
        (cpv.clone(), format!("~ {cpv}: build {from} -> {to}{same}"))
    };
    let mut lines: Vec<(String, String)> = diff.changed.iter().map(changed).collect();
    lines.extend(diff.removed.iter().map(|name| (name.clone(), format!("- {name}"))));
    lines.extend(diff.added.iter().map(|name| (name.clone(), format!("+ {name}"))));
    lines.sort();
    let mut told = vec![format!(
        "release {} -> {}: {} added, {} removed, {} changed",
        diff.from,
        diff.to,
        diff.added.len(),
        diff.removed.len(),
        diff.changed.len()
    )];
    told.extend(lines.into_iter().map(|(_, line)| one_line(&line)));
    told
}

/// What a tag names now.
pub(super) fn tagged(tagged: &Tagged) -> String {
    let Tagged { tag, release, .. } = tagged;
    match tagged.moved_from {
        Some(former) => format!("{tag} is release {release} now, and was {former}"),
        None => format!("{tag} is release {release}"),
    }
}

/// What a rollback did.
pub(super) fn rolled_back(done: &RolledBack) -> Vec<String> {
    let RolledBack { from, to, release, .. } = done;
    let published = &done.published;
    if !published.changed {
        return vec![format!("release {release} has the packages of release {to} already")];
    }
    let mut lines = vec![format!(
        "release {release} has the packages of release {to}, in place of those of {from}: {} as new instances, {} kept, {} dropped",
        published.added.len(),
        published.kept,
        published.dropped.len()
    )];
    lines.extend(published.added.iter().map(|name| format!("+ {name}")));
    lines.extend(published.dropped.iter().map(|name| format!("- {name}")));
    lines
}

/// What there is to know after it. `groups` are licence groups that are denied and were not looked up.
pub(super) fn after_rollback(done: &RolledBack, groups: &[String]) -> Vec<String> {
    let mut lines = refused(&done.published.refused);
    if done.published.changed {
        if !groups.is_empty() {
            lines.push(format!(
                "note: what release {} had is published whatever is in {}: only a plan says what is denied by a licence group",
                done.to,
                groups.join(", ")
            ));
        }
        lines.push(
            "note: the next `farm publish-pkgs` publishes what the manifest asks for, as ever: change that, too, if this is to last"
                .to_owned(),
        );
    }
    lines
}

fn refused(refused: &[crate::domain::Refused]) -> Vec<String> {
    refused
        .iter()
        .map(|refused| format!("note: {} is not published: {}", refused.cpv, refused.reason))
        .collect()
}

/// What was removed, or would be.
pub(super) fn pruned(pruned: &Pruned, dry_run: bool) -> Vec<String> {
    let done = if dry_run { "would remove" } else { "removed" };
    if pruned.releases.is_empty() {
        return vec![format!("nothing to remove: there is {}", numbers(&pruned.kept))];
    }
    vec![
        format!("{done} {}", numbers(&pruned.releases)),
        format!(
            "{done} {} ({})",
            count(pruned.files.len() as u64, "package"),
            bytes(pruned.bytes)
        ),
        format!("kept {}", numbers(&pruned.kept)),
    ]
}

/// Why more stays than was said.
pub(super) fn after_prune(pruned: &Pruned) -> Vec<String> {
    if pruned.for_clients.is_empty() {
        return Vec::new();
    }
    let (kept, are) = (
        numbers(&pruned.for_clients),
        if pruned.for_clients.len() == 1 { "is" } else { "are" },
    );
    vec![format!(
        "note: {kept} {are} kept for clients that are at work with an index of a moment ago"
    )]
}

/// `release 3`, `releases 3, 5-7`.
fn numbers(numbers: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let texts: Vec<String> = runs
        .iter()
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect();
    let noun = if numbers.len() == 1 { "release" } else { "releases" };
    format!("{noun} {}", texts.join(", "))
}

/// A line a fault.
pub(super) fn faults(audit: &Audit) -> Vec<String> {
    let line = |path: &str, fault: &str| one_line(&format!("{path}: {fault}"));
    audit
        .faults
        .iter()
        .map(|fault| line(&fault.path, &fault.fault))
        .collect()
}

/// What an audit looked at, and how many faults it found.
pub(super) fn audited(audit: &Audit) -> String {
    let faults = match audit.faults.len() {
        0 => "no faults".to_owned(),
        many => count(many as u64, "fault"),
    };
    let packages = count(audit.packages as u64, "package");
    let releases = count(audit.releases as u64, "release");
    let Audit { signed, earlier, .. } = audit;
    format!("{faults}: {packages} ({signed} signed), {earlier} more of earlier releases, {releases}")
}

/// What was taken over.
pub(super) fn imported(imported: &Imported) -> Vec<String> {
    let published = &imported.published;
    let mut first = format!(
        "{} listed there: {} published, {} here already",
        count(imported.listed as u64, "package"),
        published.added.len(),
        published.kept + published.restored.len(),
    );
    if imported.repeated > 0 {
        first.push_str(&format!(
            ", {} left out for later builds of the same content",
            imported.repeated
        ));
    }
    let mut lines = vec![first];
    lines.extend(published.added.iter().map(|name| format!("+ {name}")));
    lines.extend(published.dropped.iter().map(|name| format!("- {name}")));
    lines
}

/// What there is to know after it.
pub(super) fn after_import(imported: &Imported, signed: bool) -> Vec<String> {
    let mut lines = refused(&imported.published.refused);
    lines.extend(imported.notes.iter().map(|note| format!("note: {}", one_line(note))));
    if !signed && imported.published.changed {
        lines.push(
            "note: the packages are not signed, and stock Portage refuses such by default: set `verify-signature = false` in the \
             clients' binrepos.conf, or name a key"
                .to_owned(),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_runs() {
        assert_eq!(numbers(&[3]), "release 3");
        assert_eq!(numbers(&[1, 3, 4, 5, 9]), "releases 1, 3-5, 9");
    }

    #[test]
    fn the_same_content_is_said() {
        let changed = |cpv: &str, content| Changed {
            cpv: cpv.to_owned(),
            from: 1,
            to: 2,
            content,
        };
        let lines = diff(&Diff {
            from: 4,
            to: 5,
            added: vec!["a/n-1-1".to_owned()],
            removed: vec!["a/b-1-1".to_owned()],
            changed: vec![changed("a/x-1", true), changed("a/c-1", false)],
        });
        assert_eq!(
            lines,
            [
                "release 4 -> 5: 1 added, 1 removed, 2 changed",
                "- a/b-1-1",
                "~ a/c-1: build 1 -> 2 (the same content)",
                "+ a/n-1-1",
                "~ a/x-1: build 1 -> 2",
            ]
        );
    }
}
