//! `Packages` files: what was rendered is read again with every package, and rendering that changes nothing.

use std::io::Read as _;

use farm_portage::index::{Index, gzip};

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(index) = Index::parse(text) else { return };
    let rendered = index.render();
    let again = Index::parse(&rendered).expect("what was rendered is an index");
    assert_eq!(again.packages.len(), index.packages.len());
    assert_eq!(again.render(), rendered);
    // Values that are empty are as good as none, so that a default may take their place. All others come back.
    let mut sorted: Vec<_> = index.packages.iter().collect();
    sorted.sort_by(|a, b| a["CPV"].cmp(&b["CPV"]));
    for (before, after) in sorted.into_iter().zip(&again.packages) {
        for (key, value) in before.iter().filter(|(_, value)| !value.is_empty()) {
            assert_eq!(after.get(key), Some(value), "{key}");
        }
    }
    let mut back = String::new();
    flate2::read::GzDecoder::new(&gzip(&rendered, 1)[..])
        .read_to_string(&mut back)
        .expect("what was compressed is a stream");
    assert_eq!(back, rendered);
}
