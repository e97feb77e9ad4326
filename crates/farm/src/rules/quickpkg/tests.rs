//! What is taken of a root, and what is said of the rest.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use farm_image::Index;
use farm_portage::gpkg::{EntryKind, ImageEntry};
use farm_portage::vdb::parse_contents;

use super::guarded::Guarded;
use super::owned::{Findings, Owned, Root, names, owned};

/// What `md5` gives for a file that is as it was merged.
const SAME: &str = "0123456789abcdef0123456789abcdef";

/// The tar of a root in which `/lib` leads to `/usr/lib`.
fn root() -> Index {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, target: &str, mode: u32, gid: u64| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(gid);
        header.set_size(0);
        if target.is_empty() {
            tar.append_data(&mut header, path, io::empty()).unwrap();
        } else {
            tar.append_link(&mut header, path, target).unwrap();
        }
    };
    use tar::EntryType::{Directory, Fifo, Link, Regular, Symlink};
    add("lib", Symlink, "usr/lib", 0o777, 0);
    add("etc/x", Directory, "", 0o750, 250);
    add("etc/x/kept", Regular, "", 0o640, 250);
    add("etc/x/changed", Regular, "", 0o600, 0);
    add("etc/x/link", Symlink, "elsewhere", 0o777, 0);
    add("usr/lib", Directory, "", 0o755, 0);
    add("usr/lib/b", Regular, "", 0o644, 0);
    add("usr/lib/a", Link, "usr/lib/b", 0o644, 0);
    add("usr/lib/not-its-own", Link, "usr/lib/b", 0o644, 0);
    add("usr/lib-x", Regular, "", 0o644, 7);
    add("usr/lib/altered", Regular, "", 0o4755, 0);
    add("usr/lib/replaced", Directory, "", 0o755, 0);
    add("usr/lib/fifo", Fifo, "", 0o644, 0);
    let tar = tar.into_inner().unwrap();
    Index::read(&mut tar.as_slice(), Path::new("")).unwrap().index
}

fn owned_of(contents: &str) -> Owned {
    let index = root();
    let guarded = Guarded::new("");
    let groups = names("root:x:0:\nportage:x:250:\nagain:x:250:\n# nothing\n");
    let root = Root {
        index: &index,
        guarded: &guarded,
        names: [&names("root:x:0:0::/root:/bin/sh\n"), &groups],
        md5: &|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_changed = matches!(name, "changed" | "altered");
            Ok(if is_changed {
                "other".to_owned()
            } else {
                SAME.to_owned()
            })
        },
    };
    owned(&root, &parse_contents(contents).unwrap()).unwrap()
}

fn obj(path: &str) -> String {
    format!("obj {path} {SAME} 17\n")
}

/// Path, mode, owner's and group's name, and what it is.
fn shown(entry: &ImageEntry) -> String {
    let what = match &entry.kind {
        EntryKind::File => "file".to_owned(),
        EntryKind::Directory => "folder".to_owned(),
        EntryKind::Symlink { target } => format!("-> {target}"),
        EntryKind::HardLink { target } => format!("=> {target}"),
    };
    format!(
        "/{} {:o} {}:{} {what}",
        entry.path, entry.mode, entry.uname, entry.gname
    )
}

#[test]
fn files_are_as_the_root_has_them_under_the_names_of_the_record() {
    let contents = [
        "dir /etc\ndir /etc/x\ndir /lib\ndir /usr\n".to_owned(),
        obj("/lib/b"),
        obj("/lib/a"),
        obj("/usr/lib-x"),
        obj("/etc/x/kept"),
        "sym /etc/x/link -> elsewhere 17\n".to_owned(),
    ];
    let owned = owned_of(&contents.concat());
    assert_eq!(owned.findings, Findings::default());
    let shown: Vec<String> = owned.entries.iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            "/ 755 root:root folder",
            "/etc 755 root:root folder",
            "/etc/x 750 root:portage folder",
            "/etc/x/kept 640 root:portage file",
            "/etc/x/link 777 root:root -> elsewhere",
            "/lib 755 root:root folder",
            "/lib/a 644 root:root file",
            "/lib/b 644 root:root => lib/a",
            "/usr 755 root:root folder",
            "/usr/lib-x 644 root: file",
        ]
    );
    let content: BTreeMap<&str, &str> = owned
        .content
        .iter()
        .map(|(path, at)| (path.as_str(), at.to_str().unwrap()))
        .collect();
    let expected = [
        ("etc/x/kept", "etc/x/kept"),
        ("lib/a", "usr/lib/a"),
        ("usr/lib-x", "usr/lib-x"),
    ];
    assert_eq!(content, expected.into());
}

#[test]
fn what_is_not_as_it_was_merged_is_left_out_or_named() {
    let contents = [
        obj("/etc/x/changed"),
        "sym /etc/x/link -> there 17\n".to_owned(),
        obj("/lib/altered"),
        obj("/lib/replaced"),
        obj("/lib/gone"),
        "fif /usr/lib/fifo\ndev /dev/null\n".to_owned(),
        obj("/usr/lib/fifo"),
    ];
    let owned = owned_of(&contents.concat());
    let shown: Vec<String> = owned.entries.iter().map(shown).collect();
    assert_eq!(shown, ["/ 755 root:root folder", "/lib/altered 4755 root:root file"]);
    assert_eq!(
        owned.findings.sentences(),
        [
            "is packed without /etc/x/changed, /etc/x/link, /lib/replaced, which changed after the merge and may be the base's own",
            "is packed without /lib/gone, /dev/null, which the base does not have any more",
            "is packed without /usr/lib/fifo, /usr/lib/fifo, as no package can hold FIFOs and devices",
            "is packed with /lib/altered, which changed after the merge, as the base has it",
        ]
    );
}

#[test]
fn of_thousands_of_files_that_are_gone_some_are_named() {
    let contents: String = (0..1000)
        .map(|number| obj(&format!("/usr/share/doc/{number}")))
        .collect();
    let [sentence] = &owned_of(&contents).findings.sentences()[..] else {
        panic!("one sentence is said")
    };
    assert!(sentence.contains("/usr/share/doc/7 and 992 more, which"), "{sentence}");
}
