//! What must be refused is refused, and damage never goes unnoticed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::Cursor;

use farm_portage::gpkg::{
    ContainerWriter, ErrorKind, GpkgError, Limits, MemberDigests, Metadata, Reader, metadata_tar,
};
use proptest::prelude::*;
use tar::{EntryType, Header};

/// Name, type and link target of an empty entry.
type Entry<'a> = (&'a str, EntryType, &'a str);

/// A tar entry with nothing checked: the name is written as it is.
fn raw_entry(tar: &mut Vec<u8>, name: &str, kind: EntryType, link: &str, announced: u64, content: &[u8]) {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(announced);
    header.set_cksum();
    tar.extend_from_slice(header.as_bytes());
    tar.extend_from_slice(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

fn image_of(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, kind, link) in entries {
        raw_entry(&mut tar, name, *kind, link, 0, b"");
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn metadata() -> Metadata {
    [("PF", "x-1\n"), ("SLOT", "0\n")]
        .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
        .into()
}

fn container(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ContainerWriter::new(Cursor::new(Vec::new()), "x-1", 0).unwrap();
    for (name, bytes) in members {
        writer
            .member(name, |sink| sink.write_all(bytes).map_err(GpkgError::Write))
            .unwrap();
    }
    writer.finish().unwrap().0.into_inner()
}

fn package(image_name: &str, image: &[u8]) -> Vec<u8> {
    container(&[("metadata.tar", &metadata_tar(&metadata(), 0)), (image_name, image)])
}

/// Reads everything there is in a package.
fn read_all(bytes: &[u8], limits: Limits) -> Result<u64, GpkgError> {
    let mut reader = Reader::open(Cursor::new(bytes), limits)?;
    reader.verify()?;
    reader.metadata()?;
    let mut total = 0;
    reader.visit_image(|_, content| {
        total += std::io::copy(content, &mut std::io::sink()).map_err(GpkgError::content)?;
        Ok::<(), GpkgError>(())
    })?;
    Ok(total)
}

fn refusal(image: &[u8]) -> String {
    let error = read_all(&package("image.tar", image), Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    error.to_string()
}

#[test]
fn dangerous_entries_are_refused() {
    use EntryType::{Block, Char, Directory, Fifo, Link, Regular, Symlink};
    let file = ("image/a", Regular, "");
    let cases: &[(&[Entry<'_>], &str)] = &[
        (&[("image/../../etc/x", Regular, "")], "leaves the archive"),
        (&[("/etc/x", Regular, "")], "absolute"),
        (&[("/image/x", Regular, "")], "absolute"),
        (&[("etc/x", Regular, "")], "does not lie in `image/`"),
        (&[("images/x", Regular, "")], "does not lie in `image/`"),
        (&[("image//x", Regular, "")], "not in plain form"),
        (&[("image/./x", Regular, "")], "not in plain form"),
        (&[("image", Regular, "")], "not a directory"),
        (&[file, file], "appears twice"),
        (&[("image/a/", Directory, ""), file], "appears twice"),
        (&[file, ("image/a/b", Regular, "")], "through a file"),
        (&[("image/a/b", Regular, ""), file], "not a directory"),
        (
            &[("image/l", Symlink, "/etc"), ("image/l/x", Regular, "")],
            "through a symbolic link",
        ),
        (
            &[("image/l/x", Regular, ""), ("image/l", Symlink, "/etc")],
            "not a directory",
        ),
        (&[("image/l", Symlink, "")], "no target"),
        (&[("image/h", Link, "image/a"), file], "hard link"),
        (&[file, ("image/h", Link, "/etc/passwd")], "absolute"),
        (&[file, ("image/h", Link, "image/../../x")], "leaves the archive"),
        (
            &[("image/l", Symlink, "/etc/passwd"), ("image/h", Link, "image/l")],
            "hard link",
        ),
        (&[("image/d", Directory, ""), ("image/h", Link, "image/d")], "hard link"),
        (&[("image/p", Fifo, "")], "FIFO"),
        (&[("image/c", Char, "")], "character device"),
        (&[("image/b", Block, "")], "block device"),
        (&[("image/v", EntryType::new(b'V'), "")], "unknown entry type"),
    ];
    for (entries, reason) in cases {
        let said = refusal(&image_of(entries));
        assert!(said.contains(reason), "{entries:?}: {said}");
    }
    let harmless = [
        file,
        ("image/h", Link, "image/a"),
        ("image/l", Symlink, "../../../etc"),
        ("image/d/", Directory, ""),
    ];
    read_all(&package("image.tar", &image_of(&harmless)), Limits::default()).unwrap();
}

#[test]
fn lying_sizes_and_cut_archives_are_noticed() {
    let mut tar = Vec::new();
    raw_entry(&mut tar, "image/a", EntryType::Regular, "", 1 << 40, b"short");
    assert!(refusal(&tar).contains("damaged"));
    let mut whole = Vec::new();
    raw_entry(&mut whole, "image/a", EntryType::Regular, "", 5000, &[1; 5000]);
    for cut in [100, 600, 4000, 5511] {
        assert!(refusal(&whole[..cut]).contains("damaged"), "{cut}");
    }
}

#[test]
fn bombs_stop_at_the_limit() {
    let mut tar = Vec::new();
    raw_entry(
        &mut tar,
        "image/zeros",
        EntryType::Regular,
        "",
        50 << 20,
        &vec![0; 50 << 20],
    );
    let bomb = package("image.tar.zst", &zstd::encode_all(&tar[..], 3).unwrap());
    assert!(bomb.len() < 1 << 20);
    let limits = Limits {
        image_bytes: 10 << 20,
        ..Limits::default()
    };
    assert!(matches!(
        read_all(&bomb, limits),
        Err(GpkgError::TooLarge { unit: "bytes", .. })
    ));
    assert_eq!(read_all(&bomb, Limits::default()).unwrap(), 50 << 20);

    let many: Vec<String> = (0..20).map(|n| format!("image/{n}")).collect();
    let entries: Vec<_> = many
        .iter()
        .map(|name| (name.as_str(), EntryType::Regular, ""))
        .collect();
    let limits = Limits {
        image_entries: 10,
        ..Limits::default()
    };
    let error = read_all(&package("image.tar", &image_of(&entries)), limits).unwrap_err();
    assert!(matches!(error, GpkgError::TooLarge { unit: "entries", .. }));

    let mut large = metadata();
    large.insert("LARGE".to_owned(), vec![0; 1 << 20]);
    let tar = zstd::encode_all(&metadata_tar(&large, 0)[..], 3).unwrap();
    let bomb = container(&[("metadata.tar.zst", &tar), ("image.tar", &image_of(&[]))]);
    let limits = Limits {
        metadata_bytes: 1 << 19,
        ..Limits::default()
    };
    assert!(matches!(read_all(&bomb, limits), Err(GpkgError::TooLarge { .. })));
}

#[test]
fn metadata_is_plain_files() {
    for (name, kind) in [
        ("metadata/../x", EntryType::Regular),
        ("metadata/a/b", EntryType::Regular),
        ("SLOT", EntryType::Regular),
        ("metadata/SLOT", EntryType::Symlink),
        ("metadata/SLOT", EntryType::Fifo),
    ] {
        let mut tar = Vec::new();
        raw_entry(&mut tar, name, kind, "x", 0, b"");
        tar.resize(tar.len() + 1024, 0);
        let bytes = container(&[("metadata.tar", &tar), ("image.tar", &image_of(&[]))]);
        let error = read_all(&bytes, Limits::default()).unwrap_err();
        assert!(
            matches!(
                error,
                GpkgError::Dangerous {
                    archive: "metadata.tar",
                    ..
                }
            ),
            "{name}: {error}"
        );
    }
}

#[test]
fn the_containers_structure_is_checked() {
    let metadata = metadata_tar(&metadata(), 0);
    let image = image_of(&[]);
    let fails = |bytes: &[u8]| read_all(bytes, Limits::default()).unwrap_err().to_string();
    assert!(fails(b"").contains("no members"));
    assert!(fails(&[7; 4096]).contains("damaged"));
    assert!(fails(&container(&[("image.tar", &image)])).contains("no member `metadata.tar`"));
    assert!(fails(&container(&[("metadata.tar", &metadata)])).contains("no member `image.tar`"));
    let two: &[(&str, &[u8])] = &[
        ("metadata.tar", &metadata),
        ("image.tar", &image),
        ("image.tar.zst", &image),
    ];
    assert!(fails(&container(two)).contains("more than one member"));
    let old: &[(&str, &[u8])] = &[("metadata.tar", &metadata), ("image.tar.Z", &image)];
    assert!(fails(&container(old)).contains("compression `.Z` is not supported"));

    // Containers of every wrong shape, with a right Manifest.
    let shape = |names: [&str; 4]| {
        let mut tar = Vec::new();
        let mut manifest = String::new();
        for (name, content) in names.iter().zip([&b""[..], &metadata, &image]) {
            raw_entry(&mut tar, name, EntryType::Regular, "", content.len() as u64, content);
            let mut digests = MemberDigests::default();
            digests.update(content);
            let entry = digests.entry();
            let base = name.rsplit('/').next().unwrap();
            manifest += &format!("DATA {base} {} SHA512 {}\n", entry.size, entry.digests["SHA512"]);
        }
        raw_entry(
            &mut tar,
            names[3],
            EntryType::Regular,
            "",
            manifest.len() as u64,
            manifest.as_bytes(),
        );
        tar.resize(tar.len() + 1024, 0);
        tar
    };
    read_all(
        &shape(["p/gpkg-1", "p/metadata.tar", "p/image.tar", "p/Manifest"]),
        Limits::default(),
    )
    .unwrap();
    for (names, reason) in [
        (
            ["p/gpkg-1", "q/metadata.tar", "p/image.tar", "p/Manifest"],
            "another directory",
        ),
        (["gpkg-1", "metadata.tar", "image.tar", "Manifest"], "in no directory"),
        (
            ["p/d/gpkg-1", "p/d/metadata.tar", "p/d/image.tar", "p/d/Manifest"],
            "exactly one directory",
        ),
        (
            ["../gpkg-1", "../metadata.tar", "../image.tar", "../Manifest"],
            "exactly one directory",
        ),
        (
            ["/gpkg-1", "/metadata.tar", "/image.tar", "/Manifest"],
            "exactly one directory",
        ),
        (
            ["p/gpkg-2", "p/metadata.tar", "p/image.tar", "p/Manifest"],
            "no member `gpkg-1`",
        ),
        (
            ["p/gpkg-1", "p/metadata.tar", "p/image.tar", "p/manifest"],
            "no member `Manifest`",
        ),
        (
            ["p/gpkg-1", "p/metadata.tar", "p/metadata.tar", "p/Manifest"],
            "appears twice",
        ),
    ] {
        let said = fails(&shape(names));
        assert!(said.contains(reason), "{names:?}: {said}");
    }
}

#[test]
fn members_come_in_any_order_and_unknown_ones_are_listed() {
    let mut reader = {
        let metadata = metadata_tar(&metadata(), 0);
        let image = image_of(&[("image/a", EntryType::Regular, "")]);
        let members: &[(&str, &[u8])] = &[
            ("novelty", b"x"),
            ("image.tar", &image),
            ("image.tar.sig", b"s"),
            ("metadata.tar", &metadata),
        ];
        Reader::open(Cursor::new(container(members)), Limits::default()).unwrap()
    };
    assert!(reader.is_signed());
    assert_eq!(reader.metadata().unwrap(), metadata());
    assert_eq!(reader.member("novelty").unwrap().unwrap(), b"x");
    let names: Vec<_> = reader.members().iter().map(|member| member.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "gpkg-1",
            "novelty",
            "image.tar",
            "image.tar.sig",
            "metadata.tar",
            "Manifest"
        ]
    );
}

#[test]
fn metadata_is_readable_with_a_damaged_image() {
    let mut bytes = package("image.tar", &image_of(&[("image/a", EntryType::Regular, "")]));
    let at = Reader::open(Cursor::new(&bytes), Limits::default()).unwrap().members()[2].offset;
    bytes[usize::try_from(at).unwrap()] ^= 1;
    let mut reader = Reader::open(Cursor::new(&bytes), Limits::default()).unwrap();
    assert_eq!(reader.metadata().unwrap(), metadata());
    assert!(matches!(reader.verify(), Err(GpkgError::Mismatch { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A flipped bit in a member is an error; one in a header or in padding must at least not crash.
    #[test]
    fn flipped_bits_are_noticed(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut image = Vec::new();
        raw_entry(&mut image, "image/a", EntryType::Regular, "", 700, &[9; 700]);
        image.resize(image.len() + 1024, 0);
        let whole = package("image.tar.zst", &zstd::encode_all(&image[..], 3).unwrap());
        let members = Reader::open(Cursor::new(&whole), Limits::default()).unwrap().members().to_vec();
        let mut bytes = whole.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let in_member = members.iter().any(|m| (m.offset..m.offset + m.size).contains(&(at as u64)));
        let result = read_all(&bytes, Limits::default());
        // White space and the case of digits do not matter in Manifest.
        let manifest = members.last().unwrap();
        if in_member && (at as u64) < manifest.offset {
            prop_assert!(result.is_err());
        }
    }

    /// A package cut anywhere is an error, except in the empty blocks at its end.
    #[test]
    fn cut_packages_are_noticed(at in any::<prop::sample::Index>()) {
        let whole = package("image.tar", &image_of(&[("image/a", EntryType::Regular, "")]));
        let members = Reader::open(Cursor::new(&whole), Limits::default()).unwrap().members().to_vec();
        let last = members.last().unwrap();
        let end = usize::try_from(last.offset + last.size).unwrap();
        let at = at.index(end);
        prop_assert!(read_all(&whole[..at], Limits::default()).is_err());
    }

    /// Nothing makes the reader panic.
    #[test]
    fn noise_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(read_all(&bytes, Limits::default()).is_err());
    }
}

#[test]
fn a_signed_manifest_is_read() {
    let bytes = package("image.tar", &image_of(&[]));
    let reader = Reader::open(Cursor::new(&bytes), Limits::default()).unwrap();
    let text = format!(
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{}-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n",
        reader.manifest().render()
    );
    let signed = farm_portage::gpkg::Manifest::parse(text.as_bytes()).unwrap();
    assert!(signed.is_signed());
    assert!(signed.iter().eq(reader.manifest().iter()));
}
