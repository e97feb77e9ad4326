//! `Packages` is what `emaint binhost --fix` writes, byte for byte, for folders of no, one, a hundred and three thousand packages.
//!
//! Two things are taken from emaint's file: the time at which it was written, and in which order the instances of one version come, which
//! is the order in which the file system lists them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod gpkg_support;

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::os::unix::fs::MetadataExt as _;

use farm_portage::gpkg::{Limits, Reader};
use farm_portage::index::{EntryFile, FileDigests, Index, Stanza, entry_for, gzip, header};
use fs_err as fs;
use gpkg_support::Lab;
use gpkg_support::made::{CATEGORIES, Made, package, packages};

/// A Portage that knows the categories of these packages.
fn lab() -> Lab {
    let lab = Lab::new();
    fs::write(lab.path("repo/profiles/categories"), CATEGORIES.join("\n") + "\n").unwrap();
    lab
}

fn stanza(made: &Made) -> Stanza {
    let mut reader = Reader::open(Cursor::new(&made.bytes), Limits::default()).unwrap();
    let file = EntryFile {
        path: &made.path,
        mtime: made.mtime,
        digests: &FileDigests::of(&made.bytes[..]).unwrap(),
    };
    entry_for(&reader.metadata().unwrap(), &file).unwrap()
}

/// Compares emaint's index of the folder with ours of the same packages, and gives it.
fn compare(lab: &Lab, packages: &[Made]) -> Index {
    let theirs = fs::read_to_string(lab.path("pkgdir/Packages")).unwrap();
    let parsed = Index::parse(&theirs).unwrap();
    let timestamp = parsed.header["TIMESTAMP"].parse().unwrap();
    let mut stanzas: BTreeMap<&str, Stanza> = packages.iter().map(|made| (&*made.path, stanza(made))).collect();
    assert_eq!(stanzas.len(), packages.len());
    let ours = Index {
        header: header(&lab.header_settings(), packages.len(), timestamp),
        packages: parsed
            .packages
            .iter()
            .map(|p| stanzas.remove(&*p["PATH"]).unwrap())
            .collect(),
    };
    assert_eq!(stanzas.into_keys().collect::<Vec<_>>(), Vec::<&str>::new());
    assert_same(&ours.render(), &theirs);
    assert_same(&parsed.render(), &theirs);
    // emaint gives both files the time that the header has.
    let written = |name: &str| fs::metadata(lab.path("pkgdir").join(name)).unwrap().mtime();
    assert_eq!([written("Packages"), written("Packages.gz")], [timestamp as i64; 2]);

    let (compressed, gz) = (
        gzip(&theirs, timestamp),
        fs::read(lab.path("pkgdir/Packages.gz")).unwrap(),
    );
    // No name, the same time; the compressors differ, what they compressed does not.
    assert_eq!(gz[..8], compressed[..8]);
    for stream in [gz, compressed] {
        let mut back = String::new();
        flate2::read::GzDecoder::new(&stream[..])
            .read_to_string(&mut back)
            .unwrap();
        assert_same(&back, &theirs);
    }
    parsed
}

/// Compares texts of megabytes, and tells no more than the first difference.
fn assert_same(ours: &str, theirs: &str) {
    let mut lines = ours.lines().zip(theirs.lines()).enumerate();
    if let Some((number, (a, b))) = lines.find(|(_, (a, b))| a != b) {
        panic!("line {}:\n  ours   {a}\n  emaint {b}", number + 1);
    }
    assert!(ours == theirs, "{} bytes, and emaint has {}", ours.len(), theirs.len());
}

#[test]
fn of_none_and_of_one() {
    let lab = lab();
    let made = packages(0, 1);
    made[0].write(&lab.path("pkgdir"));
    lab.emaint_binhost();
    compare(&lab, &made);
    // Where there never was a package, emaint writes no index at all.
    fs::remove_file(lab.path("pkgdir").join(&made[0].path)).unwrap();
    lab.emaint_binhost();
    let empty = compare(&lab, &[]);
    assert_eq!(empty.header["PACKAGES"], "0");
}

#[test]
fn of_a_hundred_and_after_a_change() {
    let lab = lab();
    let mut made = packages(0, 100);
    made.iter().for_each(|made| made.write(&lab.path("pkgdir")));
    lab.emaint_binhost();
    let mut index = compare(&lab, &made);

    // One is made anew, one goes, one comes: what was read of the index, changed in these places, is emaint's next one.
    let gone = made.remove(40);
    fs::remove_file(lab.path("pkgdir").join(&gone.path)).unwrap();
    made[7] = package(7, 1);
    made.push(package(100, 0));
    for made in [&made[7], made.last().unwrap()] {
        made.write(&lab.path("pkgdir"));
    }
    lab.emaint_binhost();
    let theirs = compare(&lab, &made);
    index
        .packages
        .retain(|stanza| stanza["PATH"] != gone.path && stanza["PATH"] != made[7].path);
    index.packages.extend([stanza(&made[7]), stanza(made.last().unwrap())]);
    index.header = theirs.header.clone();
    let order = |index: &mut Index| index.packages.sort_by(|a, b| a["PATH"].cmp(&b["PATH"]));
    let mut sorted = theirs;
    order(&mut index);
    order(&mut sorted);
    assert_same(&index.render(), &sorted.render());
}

#[test]
fn of_three_thousand() {
    let lab = lab();
    let made = packages(0, 3000);
    made.iter().for_each(|made| made.write(&lab.path("pkgdir")));
    lab.emaint_binhost();
    let index = compare(&lab, &made);
    let mut instances: BTreeMap<&str, usize> = BTreeMap::new();
    for stanza in &index.packages {
        *instances.entry(&stanza["CPV"]).or_default() += 1;
    }
    assert!(instances.values().filter(|count| **count == 3).count() >= 500);
    // Sizes decide nothing: what matters is that everything an entry may have is there.
    let there = |key: &str, other: &str| index.packages.iter().filter(|stanza| stanza[key] != other).count();
    for (key, default) in [
        ("DEPEND", ""),
        ("EAPI", "8"),
        ("SLOT", "0"),
        ("REQUIRES", ""),
        ("RESTRICT", ""),
    ] {
        assert!(there(key, default) > 500, "{key}");
    }
}
