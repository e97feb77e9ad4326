//! Random packages on disk: names, trees, links and metadata of every kind that Portage merges.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use farm_portage::gpkg::{EntryKind, ImageEntry, Metadata};
use fs_err as fs;
use serde_json::{Value, json};

use crate::gpkg_support::random::Random;

/// What is at a path of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// With its permission bits.
    Directory(u32),
    /// With its permission bits and its content.
    File(u32, Vec<u8>),
    /// With its target.
    Symlink(String),
}

/// By path, with "" for the root.
pub(crate) type Tree = BTreeMap<String, Node>;

/// The entries of an image as a tree.
pub(crate) fn of(entries: Vec<(ImageEntry, Vec<u8>)>) -> Tree {
    let mut tree = Tree::new();
    for (entry, content) in entries {
        let node = match entry.kind {
            EntryKind::Directory => Node::Directory(entry.mode),
            EntryKind::Symlink { target } => Node::Symlink(target),
            EntryKind::File => Node::File(entry.mode, content),
            EntryKind::HardLink { target } => tree[&target].clone(),
        };
        tree.insert(entry.path, node);
    }
    tree
}

/// A tree and metadata in the words of `extract_xpak.py` and `read_gpkg.py`, which do not tell of the root.
pub(crate) fn told((tree, metadata): &(Tree, Metadata)) -> Value {
    let image: BTreeMap<&String, Value> = tree
        .iter()
        .filter(|(path, _)| !path.is_empty())
        .map(|(path, node)| {
            let value = match node {
                Node::Directory(mode) => json!({"type": 0o040_000, "mode": mode}),
                Node::File(mode, content) => json!({"type": 0o100_000, "mode": mode, "content": hex(content)}),
                Node::Symlink(target) => json!({"type": 0o120_000, "mode": 0o777, "content": hex(target.as_bytes())}),
            };
            (path, value)
        })
        .collect();
    let metadata: BTreeMap<_, _> = metadata.iter().map(|(key, value)| (key, hex(value))).collect();
    json!({"image": image, "metadata": metadata})
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Parts of names that somebody could take for something else.
const PARTS: &[&str] = &[
    "a",
    "b",
    "lib",
    "a b",
    " ",
    "ä",
    "häß lich",
    "日本語",
    "-n",
    "--help",
    ".hidden",
    "..x",
    "a+b",
    "a-b",
    "a.b",
    "~",
    "'",
    "\"",
    "\\",
    "*",
    "?",
    "[x]",
    "$HOME",
    "tab\there",
    "#",
    "image",
    "metadata",
    "XPAKSTOP",
    "%",
    "\u{7f}",
    "é\u{301}",
];

/// Makes a random image in `image` and random metadata in `info`, and says what they are.
pub(crate) fn make(random: &mut Random, image: &Path, info: &Path) -> (Tree, Metadata) {
    fs::create_dir_all(image).unwrap();
    fs::create_dir_all(info).unwrap();
    let metadata = metadata(random);
    for (name, value) in &metadata {
        fs::write(info.join(name), value).unwrap();
    }
    let mut tree = Tree::new();
    let root_mode = if random.chance(80) { 0o755 } else { 0o700 };
    tree.insert(String::new(), Node::Directory(root_mode));
    let mut folders = vec![String::new()];
    for _ in 0..random.below(30) {
        let parent = folders[random.below(folders.len())].clone();
        let path = join(&parent, &name(random));
        if !tree.contains_key(&path) && path.len() < 900 {
            add(random, image, &path, &mut tree, &mut folders);
        }
    }
    // Last, because a folder that is closed could not be filled by everybody.
    for (path, node) in &tree {
        if let Node::Directory(mode) | Node::File(mode, _) = node {
            fs::set_permissions(image.join(path), std::fs::Permissions::from_mode(*mode)).unwrap();
        }
    }
    (tree, metadata)
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}/{name}")
    }
}

fn name(random: &mut Random) -> String {
    let part = random.pick(PARTS);
    match random.below(10) {
        0 => "n".repeat(90 + random.below(160)),
        1 => part.repeat(1 + random.below(12)).chars().take(60).collect(),
        2 => format!("{part}{}", random.pick(PARTS)),
        _ => format!("{part}{}", random.below(20)),
    }
}

fn add(random: &mut Random, image: &Path, path: &str, tree: &mut Tree, folders: &mut Vec<String>) {
    let full = image.join(path);
    let others: Vec<String> = tree.keys().filter(|path| !path.is_empty()).cloned().collect();
    let node = match random.below(10) {
        0..3 => {
            fs::create_dir(&full).unwrap();
            folders.push(path.to_owned());
            Node::Directory([0o755, 0o700, 0o1777, 0o2750][random.below(4)])
        }
        3 | 4 if !others.is_empty() => {
            let other = &others[random.below(others.len())];
            let node = tree[other].clone();
            if matches!(node, Node::Directory(_)) {
                return;
            }
            // Also of a symbolic link, which is not followed.
            fs::hard_link(image.join(other), &full).unwrap();
            node
        }
        5 => {
            let target = match random.below(4) {
                0 => "/etc/passwd".to_owned(),
                1 => "../".repeat(1 + random.below(3)) + random.pick(PARTS),
                2 => "t".repeat(90 + random.below(60)),
                _ => name(random),
            };
            symlink(&target, &full).unwrap();
            Node::Symlink(target)
        }
        _ => {
            let length = [0, 1, 511, 512, 513, 3000, 40_000, 70_000][random.below(8)];
            let content: Vec<u8> = (0..length).map(|at| (at / 3 + random.below(3)) as u8).collect();
            fs::write(&full, &content).unwrap();
            Node::File([0o644, 0o755, 0o4711, 0o600, 0o444][random.below(5)], content)
        }
    };
    tree.insert(path.to_owned(), node);
}

fn metadata(random: &mut Random) -> Metadata {
    let mut metadata: Metadata = [
        ("CATEGORY", "app-misc\n"),
        ("PF", "x-1\n"),
        ("SLOT", "0\n"),
        ("BUILD_TIME", "1\n"),
    ]
    .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
    .into();
    let keys = [
        "USE",
        "EMPTY",
        "x-1.ebuild",
        "NEEDED.ELF.2",
        "ÄÖ",
        "with space",
        "BINARY",
        "DEFINED_PHASES",
    ];
    for key in keys {
        if random.chance(60) {
            let length = [0, 1, 20, 5000][random.below(4)];
            let value = (0..length).map(|_| random.below(256) as u8).collect();
            metadata.insert(key.to_owned(), value);
        }
    }
    if random.chance(50) {
        let text = format!("declare -x A=\"{}\"\ndeclare -x MAKEOPTS=\"-j9\"\n", random.below(9));
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        encoder.write_all(text.as_bytes()).unwrap();
        metadata.insert("environment.bz2".to_owned(), encoder.finish().unwrap());
    }
    metadata
}
