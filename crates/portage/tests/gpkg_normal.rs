//! The normal form depends on content alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use farm_portage::environment::Environment;
use farm_portage::gpkg::{ContainerWriter, GpkgError, Metadata, metadata_tar};
use farm_portage::normal::{NormalOptions, NormalReport, Warning, normalise, stamp};
use proptest::prelude::*;

/// A file system to be packed: files, some with a second name, symbolic links, and the folders above them.
#[derive(Debug, Clone)]
struct Tree {
    files: BTreeMap<String, (Vec<u8>, u32, bool)>,
    links: BTreeMap<String, String>,
}

/// Circumstances that must not matter.
#[derive(Debug, Clone)]
struct Circumstances {
    mtime: u64,
    reversed: bool,
    sibling_first: bool,
    jobs: u8,
    build_id: u8,
    compressed: bool,
}

fn trees() -> impl Strategy<Value = Tree> {
    let name = "[a-c][+.a-c]{0,2}";
    let path = (prop::collection::vec("[d-f]", 0..3), name)
        .prop_map(|(mut parts, name)| {
            parts.push(name);
            parts.join("/")
        })
        .boxed();
    let content = (
        prop::collection::vec(any::<u8>(), 0..2000),
        0..0o10000_u32,
        any::<bool>(),
    );
    (
        prop::collection::btree_map(path.clone(), content, 0..6),
        prop::collection::btree_map(path.prop_map(|path| path + "~"), "[a-z/.]{1,130}", 0..3),
    )
        .prop_map(|(files, links)| Tree { files, links })
}

fn circumstances() -> impl Strategy<Value = Circumstances> {
    (
        any::<u32>(),
        any::<bool>(),
        any::<bool>(),
        1..64_u8,
        1..9_u8,
        any::<bool>(),
    )
        .prop_map(
            |(mtime, reversed, sibling_first, jobs, build_id, compressed)| Circumstances {
                mtime: mtime.into(),
                reversed,
                sibling_first,
                jobs,
                build_id,
                compressed,
            },
        )
}

fn environment(jobs: u8) -> Vec<u8> {
    let text = format!(
        "declare -x A=\"1\"\ndeclare -x GNUMAKEFLAGS=\"--load-average {jobs}\"\ndeclare -x MAKEOPTS=\"-j{jobs}\"\n\
         declare -x PORTAGE_COMPRESSION_COMMAND=\"zstd -T{jobs}\"\ndeclare -- Z=$'x\\n'\n\
         pkg_setup () \n{{ \n    true\n}}\n"
    );
    Environment::parse(text.as_bytes()).unwrap().to_bz2()
}

fn metadata(circumstances: &Circumstances) -> Metadata {
    let mut needed = ["/usr/bin/a libc.so.6", "/usr/bin/b libm.so.6,libc.so.6"];
    if circumstances.reversed {
        needed.reverse();
    }
    let mut metadata: Metadata = [
        ("PF", "x-1\n".to_owned()),
        ("CATEGORY", "app-misc\n".to_owned()),
        ("DEFINED_PHASES", "setup\n".to_owned()),
        ("NEEDED", needed.join("\n") + "\n"),
        ("BUILD_ID", circumstances.build_id.to_string()),
        ("BUILD_TIME", format!("{}\n", circumstances.mtime)),
    ]
    .map(|(key, value)| (key.to_owned(), value.into_bytes()))
    .into();
    metadata.insert("environment.bz2".to_owned(), environment(circumstances.jobs));
    metadata
}

fn header(kind: tar::EntryType, mode: u32, size: usize, mtime: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size as u64);
    header.set_mtime(mtime);
    header
}

fn image(tree: &Tree, circumstances: &Circumstances) -> Vec<u8> {
    let mtime = circumstances.mtime;
    let mut folders: Vec<String> = vec![String::new()];
    for path in tree.files.keys().chain(tree.links.keys()) {
        folders.extend(path.match_indices('/').map(|(at, _)| path[..at].to_owned()));
    }
    folders.sort();
    folders.dedup();
    let mut tar = tar::Builder::new(Vec::new());
    let mut files: Vec<_> = tree.files.iter().collect();
    if circumstances.reversed {
        folders.reverse();
        files.reverse();
    }
    for folder in &folders {
        let path = format!("image/{folder}");
        tar.append_data(&mut header(tar::EntryType::Directory, 0o755, 0, mtime), path, &[][..])
            .unwrap();
    }
    for (path, (content, mode, twice)) in files {
        let (path, sibling) = (format!("image/{path}"), format!("image/{path}="));
        let (first, second) = if circumstances.sibling_first && *twice {
            (sibling, path)
        } else {
            (path, sibling)
        };
        let mut head = header(tar::EntryType::Regular, *mode, content.len(), mtime);
        tar.append_data(&mut head, &first, &content[..]).unwrap();
        if *twice {
            tar.append_link(&mut header(tar::EntryType::Link, *mode, 0, mtime), &second, &first)
                .unwrap();
        }
    }
    for (path, target) in &tree.links {
        let mut head = header(tar::EntryType::Symlink, 0o777, 0, mtime);
        let path = format!("image/{path}");
        tar.append_link(&mut head, path, target).unwrap();
    }
    tar.into_inner().unwrap()
}

fn package(tree: &Tree, circumstances: &Circumstances) -> Vec<u8> {
    let prefix = format!("x-1-{}", circumstances.build_id);
    let mut writer = ContainerWriter::new(Cursor::new(Vec::new()), &prefix, circumstances.mtime).unwrap();
    let metadata = metadata_tar(&metadata(circumstances), circumstances.mtime);
    let image = image(tree, circumstances);
    let mut put = |name: &str, bytes: &[u8]| {
        writer
            .member(name, |sink| sink.write_all(bytes).map_err(GpkgError::Write))
            .unwrap();
    };
    if circumstances.compressed {
        put("metadata.tar.zst", &zstd::encode_all(&metadata[..], 1).unwrap());
        put("image.tar.xz", &xz(&image));
    } else {
        put("image.tar", &image);
        put("metadata.tar", &metadata);
    }
    writer.finish().unwrap().0.into_inner()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn normal(package: &[u8]) -> (Vec<u8>, NormalReport) {
    let mut out = Cursor::new(Vec::new());
    let report = normalise(Cursor::new(package), &mut out, &NormalOptions::new(1_700_000_000)).unwrap();
    (out.into_inner(), report)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn circumstances_do_not_matter(tree in trees(), one in circumstances(), other in circumstances()) {
        let (a, first) = normal(&package(&tree, &one));
        let (b, second) = normal(&package(&tree, &other));
        prop_assert!(a == b);
        prop_assert_eq!((first.interface, first.payload), (second.interface, second.payload));
        let (c, _) = normal(&a);
        prop_assert!(a == c);
    }

    #[test]
    fn content_matters(tree in trees(), circumstances in circumstances(), at in any::<prop::sample::Index>()) {
        prop_assume!(!tree.files.is_empty());
        let (_, before) = normal(&package(&tree, &circumstances));
        let path = tree.files.keys().nth(at.index(tree.files.len())).unwrap().clone();
        for change in 0..3 {
            let mut changed = tree.clone();
            let file = changed.files.get_mut(&path).unwrap();
            match change {
                0 => file.0.push(1),
                1 => file.1 ^= 0o4000,
                _ => file.2 = !file.2,
            }
            let (_, after) = normal(&package(&changed, &circumstances));
            prop_assert_ne!(before.interface, after.interface);
            prop_assert_ne!(before.payload, after.payload);
        }
    }

    #[test]
    fn a_stamp_comes_off_again(tree in trees(), circumstances in circumstances(), build_id in 1..1000_u64) {
        let (plain, _) = normal(&package(&tree, &circumstances));
        let mut stamped = Cursor::new(Vec::new());
        stamp(Cursor::new(&plain), &mut stamped, build_id, 1_800_000_000, None).unwrap();
        let (again, _) = normal(stamped.get_ref());
        prop_assert!(plain == again);
    }
}

const PLAIN: Circumstances = Circumstances {
    mtime: 1,
    reversed: false,
    sibling_first: false,
    jobs: 1,
    build_id: 1,
    compressed: false,
};

/// Decoders hand out content in pieces of their own sizes, and the encoder must not care.
#[test]
fn the_size_of_reads_does_not_matter() {
    let content: Vec<u8> = (0..2_000_000_u32)
        .flat_map(|n| (n / 7).wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let tree = Tree {
        files: [("big".to_owned(), (content, 0o644, false))].into(),
        links: BTreeMap::new(),
    };
    let (a, _) = normal(&package(&tree, &PLAIN));
    let (b, _) = normal(&package(
        &tree,
        &Circumstances {
            compressed: true,
            ..PLAIN
        },
    ));
    assert!(a == b);
}

#[test]
fn what_is_lost_is_told() {
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_pax_extensions([("SCHILY.xattr.security.capability", &b"x"[..])])
        .unwrap();
    tar.append_data(&mut header(tar::EntryType::Regular, 0o755, 0, 1), "image/ping", &[][..])
        .unwrap();
    let image = tar.into_inner().unwrap();
    let metadata = metadata_tar(&metadata(&PLAIN), 1);
    let mut writer = ContainerWriter::new(Cursor::new(Vec::new()), "x-1", 1).unwrap();
    for (name, bytes) in [
        ("metadata.tar", &metadata[..]),
        ("metadata.tar.sig", b"s"),
        ("image.tar", &image),
        ("novelty", b""),
    ] {
        writer
            .member(name, |sink| sink.write_all(bytes).map_err(GpkgError::Write))
            .unwrap();
    }
    let (_, report) = normal(&writer.finish().unwrap().0.into_inner());
    let expected = [
        Warning::Signature {
            member: "metadata.tar".to_owned(),
        },
        Warning::UnknownMember {
            member: "novelty".to_owned(),
        },
        Warning::ExtendedAttribute {
            path: "ping".to_owned(),
            name: "security.capability".to_owned(),
        },
    ];
    assert_eq!(report.warnings, expected);
}

/// The bytes of one small package, so that a change of a library or of this crate that alters them is seen: published
/// packages and recorded digests would change with it.
#[test]
fn the_bytes_are_these() {
    let tree = Tree {
        files: [("d/a".to_owned(), (b"hello\n".to_vec(), 0o755, true))].into(),
        links: [("l~".to_owned(), "d/a".to_owned())].into(),
    };
    let (bytes, report) = normal(&package(&tree, &PLAIN));
    let digests =
        [blake3::hash(&bytes), report.interface, report.payload].map(|digest| digest.to_hex()[..16].to_owned());
    assert_eq!(digests, ["e10d7a16c46619c1", "afe496733a886b12", "599514a34aac6072"]);
}

/// Makes a package of one file with the given metadata over the usual, and gives its interface.
fn interface(changes: &[(&str, &str)], functions: &str) -> blake3::Hash {
    let tree = Tree {
        files: [("a".to_owned(), (b"x".to_vec(), 0o644, false))].into(),
        links: BTreeMap::new(),
    };
    let mut metadata = metadata(&PLAIN);
    metadata.insert("SLOT".to_owned(), b"0/1\n".to_vec());
    metadata.insert("DEFINED_PHASES".to_owned(), b"install\n".to_vec());
    for (key, value) in changes {
        metadata.insert((*key).to_owned(), value.as_bytes().to_vec());
    }
    let text = format!("declare -x A=\"1\"\n{functions}");
    metadata.insert(
        "environment.bz2".to_owned(),
        Environment::parse(text.as_bytes()).unwrap().to_bz2(),
    );
    let mut writer = ContainerWriter::new(Cursor::new(Vec::new()), "x-1", 1).unwrap();
    writer.metadata(&metadata).unwrap();
    let image = image(&tree, &PLAIN);
    writer
        .member("image.tar", |sink| sink.write_all(&image).map_err(GpkgError::Write))
        .unwrap();
    normal(&writer.finish().unwrap().0.into_inner()).1.interface
}

#[test]
fn the_interface_is_what_dependants_see() {
    let plain = interface(&[], "");
    for change in [
        ("SLOT", "0/2"),
        ("USE", "foo"),
        ("IUSE", "foo"),
        ("EAPI", "7"),
        ("RDEPEND", "a/b"),
        ("PDEPEND", "a/b"),
        ("PROVIDES", "x86_64: libx.so.1"),
        ("REQUIRES", "x86_64: libx.so.1"),
        ("PF", "x-2"),
    ] {
        assert_ne!(interface(&[change], ""), plain, "{change:?}");
    }
    let spaced = ("SLOT", " 0/1 ");
    for change in [
        ("DESCRIPTION", "other"),
        ("KEYWORDS", "~amd64"),
        ("SIZE", "9"),
        ("x-1.ebuild", "# comment"),
        spaced,
    ] {
        assert_eq!(interface(&[change], ""), plain, "{change:?}");
    }
    // The environment counts only where it runs, and of it only what can run.
    let function = |name: &str, word: &str| format!("{name} () \n{{ \n    {word}\n}}\n");
    assert_eq!(interface(&[], &function("pkg_postinst", "a")), plain);
    for phase in ["setup", "preinst", "postinst"] {
        let phases = format!("install {phase}\n");
        let with = |name: &str, word: &str| interface(&[("DEFINED_PHASES", &phases)], &function(name, word));
        assert_ne!(with("pkg_postinst", "a"), with("pkg_postinst", "b"));
        assert_ne!(with("own_function", "a"), with("own_function", "b"));
        assert_eq!(with("src_compile", "a"), with("src_compile", "b"));
        assert_eq!(with("pkg_prerm", "a"), with("pkg_prerm", "b"));
    }
}
