//! GPKG containers: what is accepted verifies, and its normal form is accepted, verifies, and has itself for a normal form.
//!
//! Nearly every change of a container breaks a digest, behind which nothing more is looked at. So an input that begins with one of three
//! bytes is only a part, and is put into a container whose digests are right.

use std::io::Cursor;

use farm_portage::gpkg::{ContainerWriter, ErrorKind, GpkgError, Limits, Manifest, Metadata, Reader, metadata_tar};
use farm_portage::normal::{NormalOptions, NormalReport, normalise, stamp};

/// The input is this byte and an uncompressed `metadata.tar`.
const METADATA: u8 = 0;

/// The input is this byte and an uncompressed `image.tar`.
const IMAGE: u8 = 1;

/// The input is this byte and the text of a `Manifest`.
const MANIFEST: u8 = 2;

/// As much as any input has, and no bombs.
pub(super) const LIMITS: Limits = Limits {
    metadata_bytes: 1 << 20,
    image_bytes: 1 << 20,
    image_entries: 1000,
    sort_bytes: 1 << 20,
};

pub(crate) fn check(input: &[u8]) {
    let named = |pf: &str| Metadata::from([("PF".to_owned(), pf.as_bytes().to_vec())]);
    match input.split_first() {
        Some((&METADATA, tar)) => package(&container(tar, &[0; 1024])),
        Some((&IMAGE, tar)) => package(&container(&metadata_tar(&named("x-1"), 0), tar)),
        Some((&MANIFEST, text)) => manifest(text),
        _ => package(input),
    }
}

/// A container with these two members and the right digests.
fn container(metadata: &[u8], image: &[u8]) -> Vec<u8> {
    let mut writer = ContainerWriter::new(Cursor::new(Vec::new()), "x-1", 0).expect("a prefix");
    for (name, bytes) in [("metadata.tar", metadata), ("image.tar", image)] {
        let written = writer.member(name, |sink| sink.write_all(bytes).map_err(GpkgError::Write));
        written.expect("memory takes everything");
    }
    writer.finish().expect("memory takes everything").0.into_inner()
}

fn package(bytes: &[u8]) {
    let (first, report) = match normal(bytes, LIMITS) {
        Ok(accepted) => accepted,
        Err(kind) => {
            assert_eq!(kind, ErrorKind::Input, "neither reading nor writing memory fails");
            return;
        }
    };
    whole(bytes);
    assert_eq!(report.size, first.len() as u64);
    assert_eq!(whole(&first), report.metadata);
    // The second time there is nothing to refuse: the normal form of what is small may be larger.
    let (second, again) = normal(&first, Limits::default()).expect("a normal form is accepted");
    assert!(first == second, "the normal form has another normal form");
    assert_eq!((again.interface, again.payload), (report.interface, report.payload));
    let mut stamped = Cursor::new(Vec::new());
    let stamped_metadata = stamp(Cursor::new(&first), &mut stamped, 3, 9, None).expect("a normal form can be stamped");
    assert_eq!(whole(stamped.get_ref()), stamped_metadata.metadata);
    let (back, _) = normal(stamped.get_ref(), Limits::default()).expect("a stamped package is accepted");
    assert!(first == back, "a stamped package has another normal form");
}

pub(super) fn normal(bytes: &[u8], limits: Limits) -> Result<(Vec<u8>, NormalReport), ErrorKind> {
    let mut out = Cursor::new(Vec::new());
    let options = NormalOptions { epoch: 7, limits };
    let report = normalise(Cursor::new(bytes), &mut out, &options).map_err(|error| error.kind())?;
    Ok((out.into_inner(), report))
}

/// Reads all of a package that must be without fault, and gives its metadata.
pub(super) fn whole(bytes: &[u8]) -> Metadata {
    let mut reader = Reader::open(Cursor::new(bytes), Limits::default()).expect("it opens");
    reader.verify().expect("it verifies");
    let read = reader.visit_image(|_, content| {
        std::io::copy(content, &mut std::io::sink()).map_err(GpkgError::content)?;
        Ok::<(), GpkgError>(())
    });
    read.expect("its image can be read");
    reader.metadata().expect("its metadata can be read")
}

fn manifest(text: &[u8]) {
    let Ok(manifest) = Manifest::parse(text) else { return };
    let rendered = manifest.render();
    let again = Manifest::parse(rendered.as_bytes()).expect("what was rendered is a Manifest");
    assert!(again.iter().eq(manifest.iter()));
    assert_eq!(again.render(), rendered);
}
