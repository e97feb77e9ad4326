//! What an audit finds.

use farm_publish::{Audit, audit, prune, tag};
use fs_err as fs;

use crate::support::{EPOCH, Lab, Reading, picture};

fn look(lab: &Lab) -> Audit {
    audit(&lab.folder, &Reading, &mut |_, _| {}).unwrap()
}

/// The faults, a line each.
fn faults(lab: &Lab) -> Vec<String> {
    let faults = look(lab).faults.into_iter();
    faults.map(|fault| format!("{}: {}", fault.path, fault.fault)).collect()
}

fn lab() -> Lab {
    let lab = Lab::new();
    let other = lab.package_with(
        "dev-libs/y-1",
        "y",
        &[("IUSE", "ssl"), ("USE", "ssl"), ("RDEPEND", "ssl? ( a/b )")],
    );
    for content in ["A", "B"] {
        lab.publish(&[lab.package("dev-libs/x-1", content), other.clone()]);
    }
    lab
}

const X: &str = "dev-libs/x/x-1-2.gpkg.tar";

#[test]
fn what_was_published_has_no_faults() {
    let lab = lab();
    let before = picture(&lab.folder);
    let mut told = Vec::new();
    let found = audit(&lab.folder, &Reading, &mut |done, all| told.push((done, all))).unwrap();
    assert_eq!(found.faults, []);
    assert_eq!(
        (found.packages, found.earlier, found.releases, found.signed),
        (2, 1, 2, 0)
    );
    assert_eq!(told, [(0, 3), (1, 3), (2, 3)]);
    assert_eq!(picture(&lab.folder), before);
    tag(&lab.folder, "a", "1").unwrap();
    prune(&lab.folder, 1, false).unwrap();
    assert_eq!(faults(&lab), Vec::<String>::new());
}

#[test]
fn packages_that_are_gone_or_changed() {
    let lab = lab();
    let path = lab.folder.join(X);
    let whole = fs::read(&path).unwrap();
    let mtime = |path| filetime(path, EPOCH + 1);

    fs::remove_file(&path).unwrap();
    assert_eq!(faults(&lab), [format!("{X}: it is not there")]);

    // One bit of the image: everything that sums up finds it.
    let image = whole.windows(13).position(|window| window == b"image.tar.zst").unwrap();
    let mut bytes = whole.clone();
    bytes[image.next_multiple_of(512) + 20] ^= 1;
    fs::write(&path, bytes).unwrap();
    mtime(&path);
    let found = faults(&lab);
    for what in [
        "its MD5 is",
        "its SHA1 is",
        "it is not what was published",
        "image.tar.zst",
    ] {
        assert!(found.iter().any(|fault| fault.contains(what)), "{what}: {found:?}");
    }
    assert!(found.iter().all(|fault| fault.starts_with(X)), "{found:?}");

    fs::write(&path, &whole).unwrap();
    filetime(&path, 7);
    assert_eq!(
        faults(&lab),
        [format!("{X}: its MTIME is 7, and the index says {}", EPOCH + 1)]
    );
    mtime(&path);
    assert_eq!(faults(&lab), Vec::<String>::new());

    // What only an earlier release lists.
    let earlier = "dev-libs/x/x-1-1.gpkg.tar";
    fs::write(lab.folder.join(earlier), "short").unwrap();
    assert_eq!(faults(&lab), [format!("{earlier}: it is not what was published")]);
}

fn filetime(path: &std::path::Path, seconds: u64) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

/// Changes the text of both files of the index alike, with their times as they were.
fn rewrite(lab: &Lab, change: impl Fn(String) -> String) {
    let time = lab.timestamp();
    let text = change(fs::read_to_string(lab.folder.join("Packages")).unwrap());
    fs::write(lab.folder.join("Packages.gz"), farm_portage::index::gzip(&text, time)).unwrap();
    fs::write(lab.folder.join("Packages"), text).unwrap();
    for name in ["Packages", "Packages.gz"] {
        filetime(&lab.folder.join(name), time);
    }
}

const NOT_OURS: &str = "Packages: it is not the index of any release: something else wrote it";

#[test]
fn an_index_that_says_something_else_than_its_packages() {
    let cases: [(&str, &str, &str); 6] = [
        (
            "USE: ssl",
            "USE: tls",
            "dev-libs/y/y-1-1.gpkg.tar: its USE is `ssl`, and the index says `tls`",
        ),
        (
            "RDEPEND: a/b",
            "RDEPEND: a/c",
            "dev-libs/y/y-1-1.gpkg.tar: its RDEPEND is `a/b`, and the index says `a/c`",
        ),
        ("PACKAGES: 2", "PACKAGES: 3", "Packages: PACKAGES is 3, and it lists 2"),
        (
            "BUILD_ID: 2",
            "BUILD_ID: 3",
            "dev-libs/x/x-1-2.gpkg.tar: its BUILD_ID is `2`, and the index says `3`",
        ),
        (
            "\nSIZE: ",
            "\nSIZ: ",
            "dev-libs/x/x-1-2.gpkg.tar: the index does not say its SIZE",
        ),
        (
            "CPV: dev-libs/x-1",
            "CPV: dev-libs/z-1",
            "Packages: its packages are not sorted by CPV",
        ),
    ];
    for (from, to, fault) in cases {
        let lab = lab();
        rewrite(&lab, |text| {
            assert!(text.contains(from), "{text}");
            text.replace(from, to)
        });
        let found = faults(&lab);
        assert!(found.contains(&fault.to_owned()), "{fault}: {found:?}");
        assert!(found.contains(&NOT_OURS.to_owned()), "{found:?}");
    }
}

#[test]
fn an_index_that_is_damaged() {
    let lab = lab();
    let gz = fs::read(lab.folder.join("Packages.gz")).unwrap();
    fs::write(lab.folder.join("Packages.gz"), &gz[..gz.len() - 9]).unwrap();
    filetime(&lab.folder.join("Packages.gz"), lab.timestamp());
    assert_eq!(
        faults(&lab),
        [NOT_OURS.to_owned(), "Packages.gz: it cannot be unpacked".to_owned()]
    );
    fs::write(lab.folder.join("Packages.gz"), farm_portage::index::gzip("x", 1)).unwrap();
    let found = faults(&lab);
    assert!(
        found.contains(&"Packages.gz: it is not what `Packages` is".to_owned()),
        "{found:?}"
    );
    assert!(
        found.iter().any(|fault| fault.starts_with("Packages.gz: its time is ")),
        "{found:?}"
    );
    fs::remove_file(lab.folder.join("Packages.gz")).unwrap();
    assert!(faults(&lab).contains(&"Packages.gz: it is not there".to_owned()));
    fs::write(lab.folder.join("Packages"), "VERSION: 0\n").unwrap();
    assert!(faults(&lab).contains(&"Packages: the header has no `TIMESTAMP`".to_owned()));
    fs::remove_file(lab.folder.join("Packages")).unwrap();
    assert!(faults(&lab).contains(&"Packages: it is not there".to_owned()));
}

#[test]
fn clients_stop_reading_at_an_empty_stanza() {
    let lab = lab();
    rewrite(&lab, |text| text.replace("\n\nBUILD_ID: 1", "\n\n\nBUILD_ID: 1"));
    let found = faults(&lab);
    assert!(
        found.contains(&"Packages: clients see 1 of its 2 packages".to_owned()),
        "{found:?}"
    );
}

#[test]
fn signatures_count_only_by_keys_that_are_trusted_and_recorded() {
    let lab = Lab::new().signed_by("KEY");
    lab.publish_each("dev-libs/x-1", &["A"]);
    let found = look(&lab);
    assert_eq!((found.faults.len(), found.signed), (0, 1));
    let path = "dev-libs/x/x-1-1.gpkg.tar";
    let record = lab.folder.join("releases/0001.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace("\"KEY\"", "\"ANOTHER\"")).unwrap();
    assert_eq!(
        faults(&lab),
        [format!("{path}: it is signed by KEY, and its record says ANOTHER")]
    );

    let lab = Lab::new().signed_by("NOTRUST");
    lab.publish_each("dev-libs/x-1", &["A"]);
    let found = faults(&lab);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("which is not trusted"), "{found:?}");

    let lab = Lab::new();
    lab.publish_each("dev-libs/x-1", &["A"]);
    let record = lab.folder.join("releases/0001.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace("\"path\"", "\"signed_by\": \"KEY\", \"path\"")).unwrap();
    assert_eq!(faults(&lab), [format!("{path}: it is not signed, and was by KEY")]);
}

#[test]
fn records_tags_and_leftovers() {
    let lab = lab();
    lab.publish_each("dev-libs/x-1", &["C"]);
    tag(&lab.folder, "a", "1").unwrap();
    fs::write(lab.folder.join("releases/0001.json"), "{").unwrap();
    fs::write(lab.folder.join("dev-libs/x/x-1-9.xpak"), "x").unwrap();
    fs::write(lab.folder.join("README"), "not a package").unwrap();
    let found = faults(&lab);
    let heads: Vec<&str> = found.iter().map(|fault| fault.split(": ").next().unwrap()).collect();
    let [x1, xpak] = ["dev-libs/x/x-1-1.gpkg.tar", "dev-libs/x/x-1-9.xpak"];
    assert_eq!(
        heads,
        [x1, xpak, "releases/0001.json", "releases/tags.json"],
        "{found:?}"
    );
    assert!(found[1].ends_with("neither the index nor a release lists it"));

    fs::write(lab.folder.join("releases/0003.json"), "{\"format\": 9}").unwrap();
    let found = faults(&lab);
    assert!(
        found.iter().any(|fault| fault.contains("newer farm (format 9)")),
        "{found:?}"
    );
}

#[test]
fn a_publication_that_was_broken_off() {
    let lab = lab();
    let both: Vec<_> = ["Packages", "Packages.gz"]
        .map(|name| fs::read(lab.folder.join(name)).unwrap())
        .into();
    lab.publish_each("dev-libs/x-1", &["C"]);
    for (name, bytes) in ["Packages", "Packages.gz"].iter().zip(both) {
        fs::write(lab.folder.join(name), bytes).unwrap();
        filetime(&lab.folder.join(name), lab.timestamp());
    }
    let found = faults(&lab);
    assert_eq!(
        found,
        ["Packages: it is that of release 2: the publication of 3 was broken off, or is under way"]
    );
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let lab = Lab::new();
    assert!(audit(&lab.folder, &Reading, &mut |_, _| {}).is_err());
}
