//! Repositories that tell what a package is called today.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use farm_portage::atom::{Atom, AtomSyntax};
use farm_portage::updates::Moves;

use crate::report::{NoteKind, Report};
use crate::tree::Files;

/// What is asked of an ebuild repository.
#[derive(Debug, Clone, Default)]
pub struct Repository {
    /// Its name, for messages.
    pub name: String,
    /// The renamings in its `profiles/updates`.
    pub moves: Moves,
    /// The packages in it, `CATEGORY/NAME`.
    pub packages: BTreeSet<String>,
}

/// Where repositories lie in a folder, and what they are called: by their `profiles/repo_name`.
pub(crate) fn folders(files: &Files) -> Vec<(Utf8PathBuf, String)> {
    let named = files.iter().filter_map(|(path, entry)| {
        let folder = path.as_str().strip_suffix("/profiles/repo_name")?;
        Some((Utf8PathBuf::from(folder), entry.as_text()?.trim().to_owned()))
    });
    named.filter(|(_, name)| !name.is_empty()).collect()
}

/// Reads a repository that lies in a folder.
fn read(files: &Files, folder: &Utf8Path, name: &str) -> Repository {
    let mut updates = Vec::new();
    let mut packages = BTreeSet::new();
    for (path, entry) in files.range(folder.to_owned()..) {
        let Ok(inside) = path.strip_prefix(folder) else { break };
        match inside.as_str().split('/').collect::<Vec<_>>()[..] {
            ["profiles", "updates", file] => updates.push((file, entry.as_text().unwrap_or_default())),
            [category, package, file] if file.ends_with(".ebuild") => {
                packages.insert(format!("{category}/{package}"));
            }
            _ => {}
        }
    }
    Repository {
        name: name.to_owned(),
        moves: Moves::read(updates),
        packages,
    }
}

/// All repositories that were looked at, and what was said of packages already.
#[derive(Debug)]
pub(crate) struct Names {
    repositories: Vec<Repository>,
    /// Whether somebody named the repository that the farm will use: only then is a package that nobody has one that is gone.
    complete: bool,
    absent: BTreeSet<String>,
}

/// An atom under the name that its package has today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Renamed {
    pub(crate) atom: Atom,
    /// For a comment: what it was called, and who says so.
    pub(crate) comment: String,
}

impl Names {
    /// From the repositories that were named, and those that lie in the folder itself.
    pub(crate) fn new(named: &[Repository], files: &Files) -> Self {
        let inside = folders(files)
            .into_iter()
            .map(|(folder, name)| read(files, &folder, &name));
        Self {
            repositories: named.iter().cloned().chain(inside).collect(),
            complete: !named.is_empty(),
            absent: BTreeSet::new(),
        }
    }

    /// The same atom under today's name, if it has another one; the report gets a line. A package that a repository still has
    /// under its name is that package.
    pub(crate) fn today(&mut self, atom: &Atom, file: &str, line: usize, report: &mut Report) -> Option<Renamed> {
        let name = atom.cp();
        if atom.is_extended() || self.repositories.iter().any(|one| one.packages.contains(&name)) {
            return None;
        }
        for repository in &self.repositories {
            let moves = repository.moves.of(&name);
            let (Some(first), Some(last)) = (moves.first(), moves.last()) else {
                continue;
            };
            if last.to == name {
                continue;
            }
            // The name is the only part of an atom that has a slash before the slot; a version may follow it.
            let text = atom.to_string().replacen(&first.from, &last.to, 1);
            let Ok(renamed) = Atom::parse(&text, AtomSyntax::USER) else {
                continue;
            };
            let says = format!("profiles/updates/{}:{} of {}", last.file, last.line, repository.name);
            report.add(
                NoteKind::Moved,
                file,
                Some(line),
                format!("`{atom}` is `{renamed}` today, says {says}"),
                "it has the new name in the farm, with a comment; put the old one back if the farm is to use a tree that is older",
            );
            let comment = format!("{name} until {}", last.file);
            return Some(Renamed { atom: renamed, comment });
        }
        if self.complete && self.absent.insert(name.clone()) {
            let names: Vec<&str> = self.repositories.iter().map(|one| one.name.as_str()).collect();
            report.add(
                NoteKind::Moved,
                file,
                Some(line),
                format!("no repository that was looked at has `{name}` ({})", names.join(", ")),
                "find out what replaced it, or name the repository that has it with --repo",
            );
        }
        None
    }

    /// Says that nobody looked, if nobody did.
    pub(crate) fn tell(&self, file: &str, report: &mut Report) {
        if !self.complete {
            report.add(
                NoteKind::Moved,
                file,
                None,
                "nobody looked whether packages have another name today, or are gone",
                "run the import again with --repo DIR, the folder of the ebuild repository that the farm will use",
            );
        }
    }
}
