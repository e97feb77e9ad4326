//! CONTENTS is read as Portage reads it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod gpkg_support;

use farm_portage::vdb::{ContentsEntry, parse_contents};
use fs_err as fs;
use gpkg_support::Lab;
use serde_json::{Value, json};

#[test]
fn contents_are_read_as_portage_reads_them() {
    let digest = "0123456789abcdef0123456789abcdef";
    let names = [
        "/usr",
        "/usr/a b",
        "/usr/a  b ",
        "/usr/ä",
        "/usr/x -> y",
        "/usr/-> z",
        "/usr/1 2",
        "/usr/q'\"$",
    ];
    let mut text = String::new();
    for (index, name) in names.iter().enumerate() {
        text += &format!("dir {name}/d{index}\nobj {name}/f{index} {digest} 17\nfif {name}/p{index}\n");
        text += &format!("sym {name}/l{index} -> ../t {index} 18\nsym {name}/m{index} -> a b 19\n");
    }
    let lab = Lab::new();
    let folder = lab.path("root/var/db/pkg/app-misc/x-1");
    fs::create_dir_all(&folder).unwrap();
    for (name, value) in [
        ("CONTENTS", text.as_str()),
        ("SLOT", "0\n"),
        ("EAPI", "8\n"),
        ("PF", "x-1\n"),
    ] {
        fs::write(folder.join(name), value).unwrap();
    }
    let theirs: Value = serde_json::from_str(&lab.python("read_contents.py", &[], "")).unwrap();
    let line = |entry: &ContentsEntry| match entry {
        ContentsEntry::Directory { path } => json!([path, "dir", null, null]),
        ContentsEntry::File { path, md5, mtime } => json!([path, "obj", mtime.to_string(), md5]),
        ContentsEntry::Symlink { path, target, mtime } => json!([path, "sym", mtime.to_string(), target]),
        ContentsEntry::Fifo { path } => json!([path, "fif", null, null]),
        ContentsEntry::Device { path } => json!([path, "dev", null, null]),
    };
    let mut entries = parse_contents(&text).unwrap();
    entries.sort_by(|a, b| a.path().cmp(b.path()));
    let ours: Vec<Value> = entries.iter().map(line).collect();
    assert_eq!(Value::from(ours), without_implied(&theirs, &entries));
}

/// Takes out the folders above the entries, which Portage adds.
fn without_implied(theirs: &Value, entries: &[ContentsEntry]) -> Value {
    let known = |line: &&Value| entries.iter().any(|entry| line[0] == entry.path());
    theirs.as_array().unwrap().iter().filter(known).cloned().collect()
}
