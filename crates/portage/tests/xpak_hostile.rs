//! What an XPAK must not be is refused, and damage goes unnoticed only where nothing in the format could show it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod xpak_support;

use std::ops::Range;

use farm_portage::gpkg::{EntryKind, ErrorKind, GpkgError, Limits, Metadata};
use farm_portage::xpak::{XpakError, parse_segment};
use proptest::prelude::*;
use tar::EntryType;
use xpak_support::{Indexed, bzip2, finish, gzip, package, raw_entry, read_all, segment, segment_of, xz, zstd};

/// Compresses, or not.
type Pack = fn(&[u8]) -> Vec<u8>;

const FILES: &[(&str, &[u8])] = &[
    ("CATEGORY", b"app-misc\n"),
    ("EMPTY", b""),
    ("PF", b"x-1\n"),
    ("SLOT", b"0\n"),
];

/// An image with one entry of every kind, and with names as GNU tar writes them.
fn image() -> Vec<u8> {
    let mut tar = Vec::new();
    raw_entry(&mut tar, "./", EntryType::Directory, "", b"");
    raw_entry(&mut tar, "./b", EntryType::Regular, "", &[7; 700]);
    raw_entry(&mut tar, "./a", EntryType::Link, "./b", b"");
    raw_entry(&mut tar, "./l", EntryType::Symlink, "../b", b"");
    finish(tar)
}

fn refusal(bytes: &[u8]) -> String {
    let error = read_all(bytes, Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    error.to_string()
}

#[test]
fn a_whole_package_is_read() {
    for pack in [bzip2, gzip, xz, zstd, <[u8]>::to_vec] {
        let (entries, metadata) = read_all(&package(&pack(&image()), &segment(FILES)), Limits::default()).unwrap();
        let expected: Metadata = FILES
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.to_vec()))
            .collect();
        assert_eq!(metadata, expected);
        let found: Vec<_> = entries
            .into_iter()
            .map(|(entry, content)| (entry.path, entry.kind, content.len()))
            .collect();
        let link = |target: &str| EntryKind::HardLink {
            target: target.to_owned(),
        };
        let symlink = |target: &str| EntryKind::Symlink {
            target: target.to_owned(),
        };
        let expected = [
            ("", EntryKind::Directory, 0),
            ("b", EntryKind::File, 700),
            ("a", link("b"), 0),
            ("l", symlink("../b"), 0),
        ];
        assert_eq!(found, expected.map(|(path, kind, size)| (path.to_owned(), kind, size)));
    }
}

#[test]
fn segments_that_contradict_themselves_are_refused() {
    let fails = |segment: &[u8]| parse_segment(segment).unwrap_err().to_string();
    let cases: &[(&[Indexed<'_>], &[u8], &str)] = &[
        (&[(b"A", 0, 3)], b"ab", "reaches beyond its data"),
        (&[(b"A", 0, u32::MAX)], b"ab", "reaches beyond its data"),
        (
            &[(b"A", u32::MAX, u32::MAX)],
            b"ab",
            "byte 0 of its data belongs to no entry",
        ),
        (&[(b"A", 0, 1)], b"ab", "byte 1 of its data belongs to no entry"),
        (&[(b"A", 1, 1)], b"ab", "byte 0 of its data belongs to no entry"),
        (
            &[(b"A", 0, 2), (b"B", 0, 2)],
            b"ab",
            "byte 0 of its data belongs to two entries",
        ),
        (
            &[(b"A", 0, 2), (b"B", 1, 1)],
            b"ab",
            "byte 1 of its data belongs to two entries",
        ),
        (
            &[(b"A", 0, 2), (b"B", 1, 0)],
            b"ab",
            "byte 1 of its data belongs to two entries",
        ),
        (&[], b"ab", "byte 0 of its data belongs to no entry"),
        (&[(b"A", 0, 1), (b"A", 1, 1)], b"ab", "`A`: it appears twice"),
        (&[(b"", 0, 2)], b"ab", "it is empty"),
        (&[(b".", 0, 2)], b"ab", "no name of a file"),
        (&[(b"..", 0, 2)], b"ab", "no name of a file"),
        (&[(b"../x", 0, 2)], b"ab", "not a plain name"),
        (&[(b"/etc/x", 0, 2)], b"ab", "not a plain name"),
        (&[(b"a/b", 0, 2)], b"ab", "not a plain name"),
        (&[(b"a\0", 0, 2)], b"ab", "not a plain name"),
        (&[(b"\xff", 0, 2)], b"ab", "not UTF-8"),
    ];
    for (index, data, reason) in cases {
        let said = fails(&segment_of(index, data));
        assert!(said.contains(reason), "{index:?}: {said}");
    }
    // Any order of the data is good, and empty values lie anywhere between two others.
    let shuffled = segment_of(&[(b"B", 1, 1), (b"E", 1, 0), (b"A", 0, 1), (b"F", 2, 0)], b"ab");
    assert_eq!(parse_segment(&shuffled).unwrap()["B"], b"b");
    assert_eq!(parse_segment(&segment_of(&[], b"")).unwrap(), Metadata::new());

    assert!(fails(b"").contains("XPAKPACK"));
    assert!(fails(b"XPAKPACKXPAKSTOP").contains("too short"));
    assert!(fails(b"XPAKPACK\0\0\0\0\0\0\0\x01XPAKSTOP").contains("do not add up"));
    assert!(fails(b"XPAKPACK\xff\xff\xff\xff\xff\xff\xff\xffXPAKSTOP").contains("do not add up"));
    assert!(fails(b"XPAKPACK\0\0\0\x03\0\0\0\0abcXPAKSTOP").contains("within an entry"));
    let endless = segment_of(&[(b"\0name", 0, 0)], b"");
    assert!(fails(&[&endless[..16], b"\xff\xff\xff\xff", &endless[20..]].concat()).contains("within an entry"));
}

/// Many entries over the same data would make gigabytes out of a megabyte.
#[test]
fn metadata_does_not_grow() {
    let names: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    let data = vec![0; 1 << 20];
    let all = data.len() as u32;
    let index: Vec<_> = names.iter().map(|name| (name.as_bytes(), 0, all)).collect();
    assert!(matches!(
        parse_segment(&segment_of(&index, &data)),
        Err(XpakError::Segment(_))
    ));
    let index: Vec<_> = (0..70_000).map(|_| (&b"A"[..], 0, 0)).collect();
    let error = parse_segment(&segment_of(&index, b"")).unwrap_err();
    assert!(error.to_string().contains("more than 65536 entries"));
}

#[test]
fn trailers_that_lie_are_refused() {
    let whole = package(&bzip2(&image()), &segment(FILES));
    for claimed in [0, 1, 15, 24, whole.len() as u32 - 8, whole.len() as u32, u32::MAX] {
        let at = whole.len() - 8;
        let lying = [&whole[..at], &claimed.to_be_bytes(), b"STOP"].concat();
        let error = read_all(&lying, Limits::default()).unwrap_err();
        assert!(
            matches!(error, XpakError::Segment(_) | XpakError::TooLarge { .. }),
            "{claimed}: {error}"
        );
    }
    let limits = Limits {
        metadata_bytes: 40,
        ..Limits::default()
    };
    assert!(matches!(
        read_all(&whole, limits),
        Err(XpakError::TooLarge { limit: 40, .. })
    ));
    assert!(matches!(read_all(b"STOP", Limits::default()), Err(XpakError::Trailer)));
    assert!(matches!(
        read_all(&[0; 999], Limits::default()),
        Err(XpakError::Trailer)
    ));
}

#[test]
fn dangerous_images_are_refused() {
    use EntryType::{Block, Char, Directory, Fifo, Link, Regular, Symlink};
    type Entry<'a> = (&'a str, EntryType, &'a str);
    let file = ("./a", Regular, "");
    let cases: &[(&[Entry<'_>], &str)] = &[
        (&[("../etc/x", Regular, "")], "leaves the archive"),
        (&[("./../etc/x", Regular, "")], "leaves the archive"),
        (&[("./d/../../x", Regular, "")], "leaves the archive"),
        (&[("/etc/x", Regular, "")], "absolute"),
        (&[("././x", Regular, "")], "not in plain form"),
        (&[(".//x", Regular, "")], "not in plain form"),
        (&[("./d//x", Regular, "")], "not in plain form"),
        (&[(".", Regular, "")], "not a directory"),
        (&[file, file], "appears twice"),
        (&[file, ("a", Regular, "")], "appears twice"),
        (&[file, ("./a/b", Regular, "")], "through a file"),
        (
            &[("./l", Symlink, "/etc"), ("./l/x", Regular, "")],
            "through a symbolic link",
        ),
        (
            &[("./l", Symlink, "/etc"), ("./m", Link, "./l"), ("./m/x", Regular, "")],
            "through a symbolic link",
        ),
        (&[("./h", Link, "./a"), file], "hard link"),
        (&[file, ("./h", Link, "/etc/passwd")], "absolute"),
        (&[file, ("./h", Link, "../x")], "leaves the archive"),
        (&[("./d", Directory, ""), ("./h", Link, "./d")], "hard link"),
        (&[("./p", Fifo, "")], "FIFO"),
        (&[("./c", Char, "")], "character device"),
        (&[("./b", Block, "")], "block device"),
        (&[("./v", EntryType::new(b'V'), "")], "unknown entry type"),
    ];
    for (entries, reason) in cases {
        let mut tar = Vec::new();
        for (name, kind, link) in *entries {
            raw_entry(&mut tar, name, *kind, link, b"");
        }
        let said = refusal(&package(&finish(tar), &segment(FILES)));
        assert!(said.contains(reason), "{entries:?}: {said}");
    }

    let mut sparse = tar::Builder::new(Vec::new());
    sparse.append_pax_extensions([("GNU.sparse.major", &b"1"[..])]).unwrap();
    let mut tar = sparse.into_inner().unwrap();
    tar.truncate(tar.len().saturating_sub(1024));
    raw_entry(&mut tar, "./GNUSparseFile.0/x", Regular, "", b"1\n0\n9\n");
    assert!(refusal(&package(&finish(tar), &segment(FILES))).contains("sparse file in pax form"));
}

/// GNU tar packs the second name of a symbolic link as a hard link; names without `./` are what other packers write.
#[test]
fn what_other_writers_make_is_read() {
    let mut tar = Vec::new();
    raw_entry(&mut tar, "d", EntryType::Directory, "", b"");
    raw_entry(&mut tar, "d/l", EntryType::Symlink, "/etc", b"");
    raw_entry(&mut tar, "m", EntryType::Link, "d/l", b"");
    raw_entry(&mut tar, "n", EntryType::Link, "./m", b"");
    let (entries, _) = read_all(&package(&finish(tar), &segment(FILES)), Limits::default()).unwrap();
    let symlinks = entries.iter().filter(|(entry, _)| {
        entry.kind
            == EntryKind::Symlink {
                target: "/etc".to_owned(),
            }
    });
    assert_eq!(
        symlinks.map(|(entry, _)| entry.path.as_str()).collect::<Vec<_>>(),
        ["d/l", "m", "n"]
    );
}

#[test]
fn images_of_unknown_compressions_are_refused() {
    let with = |image: &[u8]| package(image, &segment(FILES));
    assert!(refusal(&with(b"\x02\x21\x4c\x18 and so on")).contains("with lz4 in its legacy format"));
    assert!(refusal(&with(b"\x26\xb5\x2f\xfd and so on")).contains("with zstd of a version before"));
    assert!(refusal(&with(b"")).contains("neither a tar"));
    // No level of bzip2 but 9: Portage does not take it either.
    let mut encoder = bzip2::read::BzEncoder::new(&b""[..], bzip2::Compression::fast());
    let mut fast = Vec::new();
    std::io::Read::read_to_end(&mut encoder, &mut fast).unwrap();
    assert!(refusal(&with(&fast)).contains("neither a tar"));
    // The metadata is there all the same.
    let bytes = with(b"LZIP and so on");
    let reader = farm_portage::xpak::Reader::open(std::io::Cursor::new(bytes), Limits::default()).unwrap();
    assert_eq!(reader.metadata().len(), FILES.len());
}

/// The image ends where the segment begins, whatever a decompressor would read on.
#[test]
fn only_what_is_before_the_segment_is_image() {
    let inner = package(&bzip2(&image()), &segment(&[("OLD", b"")]));
    // A package to which somebody added another segment: bzip2 leaves alone what is not bzip2.
    let (entries, metadata) = read_all(&package(&inner, &segment(FILES)), Limits::default()).unwrap();
    assert_eq!(entries.len(), 4);
    assert!(!metadata.contains_key("OLD"));
    // The other programs do not.
    for pack in [gzip, xz, zstd] {
        let inner = package(&pack(&image()), &segment(&[("OLD", b"")]));
        assert!(refusal(&package(&inner, &segment(FILES))).contains("the image is damaged"));
    }
    // A segment must not be taken for the rest of a stream that was cut before it.
    let cut = &bzip2(&image())[..60];
    assert!(refusal(&package(cut, &segment(FILES))).contains("the image is damaged"));
}

#[test]
fn bombs_stop_at_the_limit() {
    let mut tar = Vec::new();
    raw_entry(&mut tar, "./zeros", EntryType::Regular, "", &vec![0; 50 << 20]);
    let tar = finish(tar);
    let limits = Limits {
        image_bytes: 10 << 20,
        ..Limits::default()
    };
    for pack in [bzip2, zstd] {
        let bomb = package(&pack(&tar), &segment(FILES));
        assert!(bomb.len() < 1 << 20);
        assert!(matches!(
            read_all(&bomb, limits.clone()),
            Err(XpakError::Image(GpkgError::TooLarge { unit: "bytes", .. }))
        ));
    }
    // After the end of the archive, too.
    let mut long = image();
    long.resize(20 << 20, 0);
    assert!(matches!(
        read_all(&package(&zstd(&long), &segment(FILES)), limits.clone()),
        Err(XpakError::Image(GpkgError::TooLarge { unit: "bytes", .. }))
    ));
    // A sparse file is larger than its archive.
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(EntryType::GNUSparse);
    header.as_mut_bytes()[..9].copy_from_slice(b"./sparse\0");
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.realsize.copy_from_slice(b"777777777777");
    gnu.sparse[0].offset.copy_from_slice(b"777777777777");
    gnu.sparse[0].numbytes.copy_from_slice(b"00000000000\0");
    header.set_cksum();
    let sparse = package(&finish(header.as_bytes().to_vec()), &segment(FILES));
    assert!(matches!(
        read_all(&sparse, limits),
        Err(XpakError::Image(GpkgError::TooLarge { unit: "bytes", .. }))
    ));
}

/// What a flipped bit may do, by where it is.
#[derive(Debug)]
enum Area {
    /// Nothing but an error, or nothing at all: the decompressor has the last word, and ignores a few bits.
    Compressed,
    /// An error, or other content of a file: its header has a checksum, and nothing protects the content.
    Tar,
    /// Nothing but an error.
    Structure,
    /// Where an entry of the index says its data begins: an error, or nothing at all if the entry is empty.
    Offset,
    /// The name of that metadata is another, or an error if it is no name.
    Name(usize),
    /// The value of that metadata is another.
    Value(usize),
}

/// Tells for every byte of a package what it is.
fn areas(image: Range<usize>, plain: bool, length: usize) -> Vec<Area> {
    let mut areas: Vec<Area> = image
        .map(|_| if plain { Area::Tar } else { Area::Compressed })
        .collect();
    areas.extend((0..16).map(|_| Area::Structure));
    for (number, (name, _)) in FILES.iter().enumerate() {
        areas.extend((0..4).map(|_| Area::Structure));
        areas.extend(name.bytes().map(|_| Area::Name(number)));
        areas.extend((0..4).map(|_| Area::Offset));
        areas.extend((0..4).map(|_| Area::Structure));
    }
    for (number, (_, value)) in FILES.iter().enumerate() {
        areas.extend(value.iter().map(|_| Area::Value(number)));
    }
    areas.extend((0..16).map(|_| Area::Structure));
    assert_eq!(areas.len(), length);
    areas
}

/// Every bit of a small package is flipped once, for every compression.
///
/// It never panics, and never succeeds with something else than before, except where the format has nothing that could
/// tell: in names and values of metadata, of which exactly that one changes, and in an image that is not compressed.
#[test]
fn a_flipped_bit_changes_what_it_must_or_is_an_error() {
    let packs: [(Pack, bool); 5] = [
        (bzip2, false),
        (gzip, false),
        (xz, false),
        (zstd, false),
        (<[u8]>::to_vec, true),
    ];
    for (pack, plain) in packs {
        let image = pack(&image());
        let whole = package(&image, &segment(FILES));
        let original = read_all(&whole, Limits::default()).unwrap();
        for (at, area) in areas(0..image.len(), plain, whole.len()).iter().enumerate() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                let result = read_all(&bytes, Limits::default());
                let context = || format!("bit {bit} of byte {at}, {area:?}");
                match (area, result) {
                    (_, Err(error)) => {
                        assert_eq!(error.kind(), ErrorKind::Input);
                        assert!(!matches!(area, Area::Value(_)), "{}", context());
                    }
                    (Area::Compressed | Area::Offset, Ok(found)) => assert!(found == original, "{}", context()),
                    (Area::Structure, Ok(_)) => panic!("{}", context()),
                    (Area::Tar, Ok(found)) => {
                        let heads = |(image, metadata): &xpak_support::Everything| {
                            let heads: Vec<_> = image.iter().map(|(entry, _)| entry.clone()).collect();
                            (heads, metadata.clone())
                        };
                        assert!(heads(&found) == heads(&original), "{}", context());
                    }
                    (Area::Name(number), Ok(found)) => {
                        assert!(found.0 == original.0, "{}", context());
                        let mut expected = original.1.clone();
                        let value = expected.remove(FILES[*number].0).unwrap();
                        let new = found.1.keys().find(|name| !expected.contains_key(*name)).unwrap();
                        expected.insert(new.clone(), value);
                        assert_eq!(found.1, expected, "{}", context());
                    }
                    (Area::Value(number), Ok(found)) => {
                        assert!(found.0 == original.0, "{}", context());
                        let (name, value) = FILES[*number];
                        let changed: u32 = found.1[name].iter().zip(value).map(|(a, b)| (a ^ b).count_ones()).sum();
                        assert_eq!((found.1[name].len(), changed), (value.len(), 1), "{}", context());
                        let mut rest = found.1;
                        rest.insert(name.to_owned(), value.to_vec());
                        assert_eq!(rest, original.1, "{}", context());
                    }
                }
            }
        }
    }
}

/// A package cut anywhere is an error, because its end is what it is known by.
#[test]
fn a_package_cut_anywhere_is_an_error() {
    for pack in [bzip2, gzip, xz, zstd, <[u8]>::to_vec] {
        let whole = package(&pack(&image()), &segment(FILES));
        for end in 0..whole.len() {
            assert!(!refusal(&whole[..end]).is_empty(), "{end}");
        }
    }
    // Cut at the front it has no image any more. A tar could be cut between two files.
    for pack in [bzip2, gzip, xz, zstd] {
        let image = pack(&image());
        let whole = package(&image, &segment(FILES));
        for start in 1..image.len() {
            assert!(!refusal(&whole[start..]).is_empty(), "{start}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Nothing makes the reader panic.
    #[test]
    fn noise_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(read_all(&bytes, Limits::default()).is_err());
        prop_assert!(parse_segment(&bytes).is_err());
    }

    /// Noise in the right frame gets further.
    #[test]
    fn noise_in_a_frame_does_not_panic(
        image in prop::collection::vec(any::<u8>(), 0..600),
        index in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..4), 0..9_u32, 0..9_u32), 0..4),
        data in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let index: Vec<_> = index.iter().map(|(name, start, length)| (&name[..], *start, *length)).collect();
        let segment = segment_of(&index, &data);
        if let Ok(metadata) = parse_segment(&segment) {
            prop_assert_eq!(metadata.values().map(Vec::len).sum::<usize>(), data.len());
        }
        let result = read_all(&package(&image, &segment), Limits::default());
        prop_assert!(result.is_err());
    }

    /// What the one writer makes of any metadata is read again.
    #[test]
    fn segments_come_back(
        files in prop::collection::btree_map("[^/\0]{1,12}", prop::collection::vec(any::<u8>(), 0..64), 0..12)
    ) {
        prop_assume!(!files.contains_key(".") && !files.contains_key(".."));
        let list: Vec<_> = files.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        prop_assert_eq!(parse_segment(&segment(&list)).unwrap(), files);
    }
}
