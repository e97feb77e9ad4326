//! Trees as parts: what tasks leave, roots and images, repositories.

use std::collections::BTreeMap;

use farm_image::{EntryKind, Index};

use super::parts::{Content, Entry, Part, Parts};
use crate::pkgdir::hex;
use crate::place::KeptFile;
use crate::rules::repo::RepoListing;

/// What a task left, by path relative to its folder.
pub(super) fn of_files(files: &BTreeMap<String, KeptFile>) -> Parts {
    let part = |kept: &KeptFile| match kept {
        KeptFile::File { blob, executable } => Part::Entry(Entry {
            kind: "file",
            content: Some(Content {
                digest: blob.digest,
                size: blob.size,
            }),
            facts: vec![mode_of(*executable)],
        }),
        KeptFile::Link { target } => link(target.clone()),
    };
    files.iter().map(|(path, kept)| (path.clone(), part(kept))).collect()
}

/// The files of a repository.
pub(super) fn of_listing(listing: &RepoListing) -> Parts {
    let mut parts = Parts::new();
    for (path, file) in &listing.files {
        let part = match &file.link {
            Some(target) => link(target.clone()),
            None => Part::Entry(Entry {
                kind: "file",
                content: Some(Content {
                    digest: blake3::Hash::from_bytes(*file.digest.as_bytes()),
                    size: file.size,
                }),
                facts: vec![mode_of(file.executable)],
            }),
        };
        parts.insert(path.clone(), part);
    }
    parts
}

/// The tree of a root or image.
pub(super) fn of_index(index: &Index) -> Parts {
    let mut parts = Parts::new();
    for (path, entry) in index.iter() {
        let mut facts = vec![
            ("mode", format!("{:o}", entry.mode)),
            ("owner", format!("{}:{}", entry.uid, entry.gid)),
            (
                "capability",
                entry.capability.as_deref().map_or_else(|| "none".to_owned(), hex),
            ),
        ];
        let device = |major: &u32, minor: &u32| ("device", format!("{major}:{minor}"));
        let mut content = None;
        let kind = match &entry.kind {
            EntryKind::Dir => "folder",
            EntryKind::File {
                size,
                digest,
                link_group,
            } => {
                content = Some(Content {
                    digest: *digest,
                    size: *size,
                });
                let group = link_group.as_ref().map(|first| first.display().to_string());
                facts.push(("hard link", group.unwrap_or_else(|| "no".to_owned())));
                "file"
            }
            EntryKind::Symlink { target } => {
                facts.push(("target", target.to_string_lossy().into_owned()));
                "link"
            }
            EntryKind::Fifo => "named pipe",
            EntryKind::CharDevice { major, minor } => {
                facts.push(device(major, minor));
                "character device"
            }
            EntryKind::BlockDevice { major, minor } => {
                facts.push(device(major, minor));
                "block device"
            }
        };
        let path = format!("/{}", path.display());
        parts.insert(path, Part::Entry(Entry { kind, content, facts }));
    }
    parts
}

fn link(target: String) -> Part {
    Part::Entry(Entry {
        kind: "link",
        content: None,
        facts: vec![("target", target)],
    })
}

/// Of a mode only this counts, in the workspace and in repositories.
fn mode_of(executable: bool) -> (&'static str, String) {
    ("mode", if executable { "executable" } else { "plain" }.to_owned())
}
