//! The index of this crate equals what `emaint binhost --fix` writes for the same folder.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod gpkg_support;

use std::io::{Cursor, Read as _};
use std::os::unix::fs::MetadataExt as _;

use farm_portage::gpkg::{Limits, Reader, folded};
use farm_portage::index::{EntryFile, FileDigests, Index, entry_for, gzip, header};
use farm_portage::normal::{NormalOptions, normalise, stamp};
use fs_err as fs;
use gpkg_support::{Lab, RICH};

#[test]
fn the_index_is_emaints() {
    let lab = Lab::new();
    let plain = "EAPI=8\nDESCRIPTION=\"a  b\"\nSLOT=0\nKEYWORDS=\"amd64  ~x86\"\nIUSE=\"x\"\nLICENSE=\"x? ( MIT ) \"\n\
        RESTRICT=\"test\"\nPROPERTIES=\"x? ( live )\"\nS=\"${WORKDIR}\"\n\
        PDEPEND=\"|| ( x? ( app-misc/a ) app-misc/b )\"\nDEPEND=\"!x? ( app-misc/c[x=] )\"\n";
    let sources = [("rich-1", RICH), ("plain-2", plain), ("plain-10", plain)];
    let mut packages = Vec::new();
    for (pf, text) in sources {
        let built = lab.build(&lab.ebuild(pf, text), &[]);
        let mut normal = Cursor::new(Vec::new());
        normalise(Cursor::new(built), &mut normal, &NormalOptions::new(1_700_000_000)).unwrap();
        for build_id in [1, 2] {
            let mut stamped = Cursor::new(Vec::new());
            stamp(
                Cursor::new(normal.get_ref()),
                &mut stamped,
                build_id,
                1_700_000_000 + build_id,
                None,
            )
            .unwrap();
            let (name, _) = pf.rsplit_once('-').unwrap();
            packages.push((
                format!("app-misc/{name}/{pf}-{build_id}.gpkg.tar"),
                stamped.into_inner(),
            ));
        }
    }
    for (path, bytes) in &packages {
        let path = lab.path("pkgdir").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    lab.emaint_binhost();
    let theirs = fs::read_to_string(lab.path("pkgdir/Packages")).unwrap();
    let parsed = Index::parse(&theirs).unwrap();
    assert_eq!(parsed.render(), theirs);
    let timestamp = parsed.header["TIMESTAMP"].parse().unwrap();

    let mut ours = Index {
        header: header(&lab.header_settings(), packages.len(), timestamp),
        packages: Vec::new(),
    };
    for (path, bytes) in &packages {
        let metadata = Reader::open(Cursor::new(bytes), Limits::default())
            .unwrap()
            .metadata()
            .unwrap();
        let mtime = fs::metadata(lab.path("pkgdir").join(path)).unwrap().mtime();
        let digests = FileDigests::of(&bytes[..]).unwrap();
        let file = EntryFile {
            path,
            mtime: mtime.try_into().unwrap(),
            digests: &digests,
        };
        assert!(!folded(&metadata, "SLOT").is_empty());
        ours.packages.push(entry_for(&metadata, &file).unwrap());
    }
    assert_eq!(sorted(&ours.render()), sorted(&theirs));
    // Instances of one CPV come in the order of a hash table in Portage, in the given one here.
    assert_eq!(ours.render().len(), theirs.len());

    let compressed = gzip(&ours.render(), timestamp);
    let mut back = String::new();
    flate2::read::GzDecoder::new(&compressed[..])
        .read_to_string(&mut back)
        .unwrap();
    assert_eq!(back, ours.render());
    let gz = fs::read(lab.path("pkgdir/Packages.gz")).unwrap();
    assert_eq!(gz[..8], compressed[..8]);
}

/// Brings the instances of one CPV into an order of their own.
fn sorted(text: &str) -> Vec<&str> {
    let mut stanzas: Vec<&str> = text.split("\n\n").collect();
    stanzas[1..].sort_unstable_by_key(|stanza| {
        let line = |key: &str| stanza.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        (line("CPV: "), line("BUILD_ID: "))
    });
    stanzas
}
