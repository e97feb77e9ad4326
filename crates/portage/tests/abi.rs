//! The ABI of packages: what changes it, and what does not.
//!
//! `abi_fixtures/make.sh` made the libraries, with GCC and binutils.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::io::Cursor;

use farm_portage::abi::{Fact, Look, PackageAbi};
use farm_portage::gpkg::{ContainerWriter, GpkgError, Metadata, metadata_tar};
use farm_portage::normal::{NormalOptions, NormalReport, normalise, normalise_xpak, stamp};
use tar::{EntryType, Header};

#[path = "xpak_support/mod.rs"]
mod xpak_support;

const PLAIN: &[u8] = include_bytes!("abi_fixtures/plain.so");
const CODE: &[u8] = include_bytes!("abi_fixtures/code.so");
const NAMELESS: &[u8] = include_bytes!("abi_fixtures/nameless.so");

/// What differs from `PLAIN` in a way that the linker sees.
const CHANGED: &[(&str, &[u8])] = &[
    ("added", include_bytes!("abi_fixtures/added.so")),
    ("binding", include_bytes!("abi_fixtures/binding.so")),
    ("nameless", NAMELESS),
    ("removed", include_bytes!("abi_fixtures/removed.so")),
    ("size", include_bytes!("abi_fixtures/size.so")),
    ("soname", include_bytes!("abi_fixtures/soname.so")),
    ("version", include_bytes!("abi_fixtures/version.so")),
];

/// What lies at a path.
#[derive(Clone)]
enum Node {
    File(Vec<u8>, u32),
    Link(&'static str),
    /// Another name of the file there.
    Hard(&'static str),
}

type Tree = BTreeMap<&'static str, Node>;

fn file(content: &[u8]) -> Node {
    Node::File(content.to_vec(), 0o644)
}

/// A library with all that belongs to one.
fn library() -> Tree {
    [
        ("usr/bin/x", file(b"\x7fELF program")),
        ("usr/bin/x-config", file(b"#!/bin/sh\necho -lx\n")),
        ("usr/include/x/x", file(b"int f(int);\n")),
        ("usr/lib64/libx.so.1", file(PLAIN)),
        ("usr/lib64/libx.so", Node::Link("libx.so.1")),
        ("usr/lib64/libx.a", file(b"!<arch>\n")),
        ("usr/lib64/pkgconfig/x.pc", file(b"Libs: -lx\n")),
        ("usr/lib64/x/plugin.so", file(NAMELESS)),
        ("usr/share/doc/x-1/x.h", file(b"old\n")),
    ]
    .into()
}

fn with(path: &'static str, node: Node) -> Tree {
    let mut tree = library();
    tree.insert(path, node);
    tree
}

/// The entries of an image below `root`, in the order of the paths or against it, without folders.
fn image(tree: &Tree, root: &str, mtime: u64, is_reversed: bool) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut nodes: Vec<_> = tree.iter().collect();
    if is_reversed {
        nodes.reverse();
    }
    // A link's target must be there before it.
    nodes.sort_by_key(|(_, node)| matches!(node, Node::Hard(_)));
    let mut put = |kind, mode, path: &str, target: &str, content: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(mtime);
        header.set_size(content.len() as u64);
        let path = format!("{root}{path}");
        match kind {
            EntryType::Symlink => tar.append_link(&mut header, path, target).unwrap(),
            EntryType::Link => tar.append_link(&mut header, path, format!("{root}{target}")).unwrap(),
            _ => tar.append_data(&mut header, path, content).unwrap(),
        }
    };
    for (path, node) in nodes {
        match node {
            Node::File(content, mode) => put(EntryType::Regular, *mode, path, "", content),
            Node::Link(target) => put(EntryType::Symlink, 0o777, path, target, b""),
            Node::Hard(target) => put(EntryType::Link, 0o644, path, target, b""),
        }
    }
    tar.into_inner().unwrap()
}

fn report(tree: &Tree, mtime: u64, is_reversed: bool) -> NormalReport {
    let metadata: Metadata = [("PF", "x-1\n"), ("CATEGORY", "a\n")]
        .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
        .into();
    let mut writer = ContainerWriter::new(Cursor::new(Vec::new()), "x-1", mtime).unwrap();
    let mut put = |name: &str, bytes: &[u8]| {
        writer
            .member(name, |sink| sink.write_all(bytes).map_err(GpkgError::Write))
            .unwrap();
    };
    put("metadata.tar", &metadata_tar(&metadata, mtime));
    put("image.tar", &image(tree, "image/", mtime, is_reversed));
    let package = writer.finish().unwrap().0.into_inner();
    normalise(Cursor::new(package), Cursor::new(Vec::new()), &NormalOptions::new(7)).unwrap()
}

fn abi(tree: &Tree) -> PackageAbi {
    report(tree, 1, false).abi
}

#[test]
fn another_build_of_the_same_has_the_same_abi() {
    let plain = report(&library(), 1, false);
    assert!(plain.abi.is_library);
    let later = report(&library(), 1_800_000_000, true);
    assert_eq!(later.abi, plain.abi);
    // A golden digest: another one rebuilds what was built with `rebuild: abi`.
    insta::assert_snapshot!(plain.abi.digest, @"4edf909642ed63db30c56d93acd5d608d5895ded3232dec0cd663dd56e52d334");
}

#[test]
fn what_no_dependant_is_built_from_does_not_change_it() {
    let plain = report(&library(), 1, false);
    for (path, node) in [
        ("usr/lib64/libx.so.1", file(CODE)),
        ("usr/lib64/x/plugin.so", file(b"\x7fELF other")),
        ("usr/lib64/x/other.so", file(NAMELESS)),
        ("usr/bin/x", file(b"\x7fELF other program")),
        ("usr/bin/y-config", file(b"\x7fELF program")),
        ("usr/share/doc/x-1/x.h", file(b"new\n")),
        ("usr/share/man/man3/f.3", file(b".TH F 3\n")),
        ("usr/lib/debug/usr/lib64/libx.so.1.debug", file(PLAIN)),
        ("usr/include/x/x", Node::File(b"int f(int);\n".to_vec(), 0o600)),
    ] {
        let changed = report(&with(path, node), 1, false);
        assert_eq!(changed.abi, plain.abi, "{path}");
        assert_ne!(changed.interface, plain.interface, "{path}");
    }
}

#[test]
fn what_dependants_are_built_from_changes_it() {
    let plain = abi(&library());
    for (name, bytes) in CHANGED {
        let changed = abi(&with("usr/lib64/libx.so.1", file(bytes)));
        assert!(changed.is_library && changed.digest != plain.digest, "{name}");
    }
    for (path, node) in [
        // A comment is a change: telling what a compiler makes of a header would take the compiler.
        ("usr/include/x/x", file(b"int f(int); // one\n")),
        ("usr/include/x/y", file(b"int f(int);\n")),
        ("usr/lib64/libx.so", Node::Link("libx.so.2")),
        ("usr/lib64/libx.a", file(b"!<arch>\nx")),
        ("usr/lib64/pkgconfig/x.pc", file(b"Libs: -lx -ly\n")),
        ("usr/bin/x-config", file(b"#!/bin/sh\necho -lx -ly\n")),
        ("usr/lib64/cmake/X/XConfig.cmake", file(b"")),
        ("usr/lib64/x/plugin.so", file(PLAIN)),
        // The linker takes a text for a script, and an empty file for an error.
        ("usr/lib64/libx.so.1", file(b"INPUT(libz.so)\n")),
        ("usr/lib64/libx.so.1", file(b"")),
        ("usr/lib64/libx.so.1", file(&PLAIN[..PLAIN.len() - 1])),
    ] {
        assert_ne!(abi(&with(path, node)).digest, plain.digest, "{path}");
    }
    for path in library()
        .keys()
        .filter(|path| !["usr/bin/x", "usr/lib64/x/plugin.so"].contains(path))
    {
        let mut tree = library();
        tree.remove(path);
        assert_eq!(
            abi(&tree).digest == plain.digest,
            path.contains("/doc/"),
            "without {path}"
        );
    }
}

#[test]
fn tools_and_data_are_no_libraries() {
    let none = abi(&Tree::new());
    assert!(!none.is_library);
    let tool: Tree = library().into_iter().filter(|(path, _)| *path == "usr/bin/x").collect();
    assert_eq!(abi(&tool), none);
    // Macros for build systems are beside many a tool.
    let advised = abi(&[("usr/share/aclocal/x.m4", file(b"m"))].into());
    assert!(!advised.is_library && advised.digest != none.digest);
    for path in ["usr/lib64/libx.so.1", "usr/include/x/x", "usr/lib64/libx.a"] {
        let only = library().into_iter().filter(|(other, _)| *other == path).collect();
        assert!(abi(&only).is_library, "{path}");
    }
}

#[test]
fn a_hard_link_is_what_its_name_says() {
    let same = |name: &'static str, content: &[u8], target: &'static str| {
        // Folders sort before what is in them, so that the first name of a pair is the one with the content.
        let copied = abi(&with(name, file(content)));
        assert_eq!(abi(&with(name, Node::Hard(target))), copied, "{name}");
        copied
    };
    let plain = abi(&library());
    assert_ne!(same("usr/lib64/libx.so.1.0", PLAIN, "usr/lib64/libx.so.1"), plain);
    assert_ne!(same("usr/include/y.h", b"int f(int);\n", "usr/include/x/x"), plain);
    assert_ne!(same("usr/lib64/y.h", b"old\n", "usr/share/doc/x-1/x.h"), plain);
    assert_eq!(same("usr/bin/y", b"int f(int);\n", "usr/include/x/x"), plain);
    // A module under its first name is a library under the second.
    let linkable = Node::Hard("usr/lib64/x/plugin.so");
    assert_ne!(abi(&with("usr/lib64/y/libplugin.so", linkable)), plain);
    // What was looked at as a program was not read as a library: all of its bytes count.
    let mut tree = with("usr/bin/x", file(PLAIN));
    tree.insert("usr/lib64/liby.so", Node::Hard("usr/bin/x"));
    let first = abi(&tree);
    tree.insert("usr/bin/x", file(CODE));
    assert_ne!(abi(&tree).digest, first.digest);
}

#[test]
fn an_xpak_and_a_stamped_package_have_the_same_abi() {
    let plain = report(&library(), 1, false);
    let segment = xpak_support::segment(&[("CATEGORY", b"a\n"), ("PF", b"x-1\n")]);
    let image = xpak_support::bzip2(&image(&library(), "./", 9, true));
    let xpak = xpak_support::package(&image, &segment);
    let (scratch, options) = (Cursor::new(Vec::new()), NormalOptions::new(7));
    let mut normal = Cursor::new(Vec::new());
    let from_xpak = normalise_xpak(Cursor::new(xpak), &mut normal, scratch, &options).unwrap();
    assert_eq!(from_xpak.abi, plain.abi);
    let mut stamped = Cursor::new(Vec::new());
    stamp(normal, &mut stamped, 3, 9, None).unwrap();
    let again = normalise(stamped, Cursor::new(Vec::new()), &options).unwrap();
    assert_eq!(again.abi, plain.abi);
}

/// The root of a base is no package in an archive: there, facts are put together from what a scan finds.
#[test]
fn facts_make_the_same_abi_as_the_package() {
    let mut facts = Vec::new();
    for (path, node) in library() {
        let fact = match node {
            Node::File(content, _) => {
                let finding = Look::at(path).map(|mut look| {
                    content.chunks(100).for_each(|piece| look.take(piece));
                    look.finish()
                });
                Fact::of_file(path, finding, blake3::hash(&content))
            }
            Node::Link(target) | Node::Hard(target) => Fact::of_link(path, target),
        };
        facts.extend(fact.map(|fact| (path, fact)));
    }
    facts.reverse();
    assert_eq!(PackageAbi::of(facts), abi(&library()));
}
