//! Versions: an order in the sense of mathematics, and one grammar wherever versions are looked for.
//!
//! The input is up to three versions, a line each.

use std::cmp::Ordering;

use farm_portage::cpv::Cpv;
use farm_portage::version::{Version, is_version, split_version, vercmp};

pub(crate) fn check(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let versions: Vec<Version> = input.split('\n').take(3).filter_map(parsed).collect();
    for a in &versions {
        for b in &versions {
            let order = a.vercmp(b);
            assert_eq!(order, b.vercmp(a).reverse(), "{a} and {b}");
            assert_eq!(vercmp(a.as_str(), b.as_str()), Some(order));
            assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{a} and {b}");
            assert_eq!(a.cmp(b).is_eq(), a == b);
            if order.is_ne() {
                assert_eq!(a.cmp(b), order, "sorting agrees");
            }
            for c in &versions {
                transitive(a, b, c);
            }
        }
    }
}

fn parsed(text: &str) -> Option<Version> {
    assert_eq!(is_version(text), Version::parse(text).is_ok());
    let version = match Version::parse(text) {
        Ok(version) => version,
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some(), "{error:?}");
            assert_eq!(vercmp(text, "1"), None);
            return None;
        }
    };
    assert_eq!(version.to_string(), text);
    assert_eq!(version.vercmp(&version), Ordering::Equal);
    assert!(is_version(version.without_revision()));
    let revision = version
        .revision()
        .map(|digits| format!("-r{digits}"))
        .unwrap_or_default();
    assert_eq!(format!("{}{revision}", version.without_revision()), text);
    assert_eq!(split_version(&format!("x-{text}")), Some(("x", text)));
    let cpv = Cpv::parse(&format!("a/x-{text}")).expect("any version makes a package");
    assert_eq!((cpv.name.as_str(), &cpv.version), ("x", &version));
    Some(version)
}

fn transitive(a: &Version, b: &Version, c: &Version) {
    let (ab, bc, ac) = (a.vercmp(b), b.vercmp(c), a.vercmp(c));
    // What two steps in one direction say, the way at once says too; a step between equals changes nothing.
    if ab == bc || bc.is_eq() {
        assert_eq!(ac, ab, "{a}, {b}, {c}");
    } else if ab.is_eq() {
        assert_eq!(ac, bc, "{a}, {b}, {c}");
    }
}
