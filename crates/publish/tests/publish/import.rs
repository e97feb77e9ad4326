//! Binhosts of others, taken over. (That Portage's own packages are, GPKG and XPAK, is in `portage.rs`.)

use std::path::PathBuf;

use farm_publish::{
    ErrorKind, ForeignFolder, Import, ImportError, Imported, ReleaseSigner, TIMESTAMP_STEP, import, releases,
};
use fs_err as fs;

use crate::support::{EPOCH, Lab, picture, signer_of};

/// Another binhost, in the folder `theirs`: what farm publishes, without farm's records.
fn theirs(lab: &Lab, publish: impl FnOnce(&Lab)) -> PathBuf {
    let other = Lab::new();
    publish(&other);
    fs::remove_dir_all(other.folder.join("releases")).unwrap();
    let folder = lab.path("theirs");
    assert!(
        std::process::Command::new("cp")
            .arg("-a")
            .arg(&other.folder)
            .arg(&folder)
            .status()
            .unwrap()
            .success()
    );
    folder
}

fn try_import(lab: &Lab, from: &std::path::Path) -> Result<Imported, ImportError> {
    let source = ForeignFolder(from.to_owned());
    let import_ = Import {
        folder: &lab.folder,
        source: &source,
        epoch: EPOCH,
        deny: &lab.deny,
        private: lab.private,
        signer: lab.signer.as_deref().map(|signer| signer as &dyn ReleaseSigner),
    };
    import(&import_, &mut |_| {})
}

/// Three builds of one version, of which the last is the first again, as they lie in a PKGDIR.
fn builds(lab: &Lab) -> PathBuf {
    let folder = theirs(lab, |other| {
        other.publish_each("dev-libs/x-1", &["A", "B", "A"]);
    });
    // Everything that is there is listed.
    let mut text = fs::read_to_string(folder.join("Packages")).unwrap();
    text = text.replace("PACKAGES: 1", "PACKAGES: 3");
    text.push_str(&earlier_stanzas());
    fs::write(folder.join("Packages"), text).unwrap();
    folder
}

/// The stanzas of the first two releases.
fn earlier_stanzas() -> String {
    let other = Lab::new();
    let mut stanzas = String::new();
    for content in ["A", "B"] {
        other.publish(&[other.package("dev-libs/x-1", content)]);
        let text = fs::read_to_string(other.folder.join("Packages")).unwrap();
        stanzas.push_str(text.split_once("\n\n").unwrap().1);
    }
    stanzas
}

#[test]
fn stamps_stay_and_the_next_build_is_later() {
    let lab = Lab::new();
    let from = builds(&lab);
    let imported = try_import(&lab, &from).unwrap();
    assert_eq!((imported.listed, imported.repeated, imported.notes.len()), (3, 1, 0));
    assert_eq!(imported.published.added, ["dev-libs/x-1-2", "dev-libs/x-1-3"]);
    assert_eq!(
        lab.listed(),
        [
            ("dev-libs/x/x-1-2.gpkg.tar".to_owned(), EPOCH + 1),
            ("dev-libs/x/x-1-3.gpkg.tar".to_owned(), EPOCH + 2)
        ]
    );
    assert_eq!(lab.index().header["CHOST"], "x86_64-pc-linux-gnu");
    assert_eq!(releases(&lab.folder).unwrap().len(), 1);
    // It was published by the same rules, so it is the same file.
    let path = "dev-libs/x/x-1-3.gpkg.tar";
    assert_eq!(
        fs::read(lab.folder.join(path)).unwrap(),
        fs::read(from.join(path)).unwrap()
    );
    // Clients of the other one, under the same address, take it only if it is later.
    assert_eq!(lab.timestamp(), EPOCH + 3 * TIMESTAMP_STEP);
    assert!(!try_import(&lab, &from).unwrap().published.changed);

    // The farm builds the same as what was taken over: it stays. Something else is later.
    assert_eq!(lab.publish(&[lab.package("dev-libs/x-1", "A")]).kept, 1);
    lab.publish(&[lab.package("dev-libs/x-1", "C")]);
    assert_eq!(lab.listed(), [("dev-libs/x/x-1-4.gpkg.tar".to_owned(), EPOCH + 3)]);
}

#[test]
fn what_is_published_already_goes_on_from_its_own_stamps() {
    let lab = Lab::new();
    lab.publish_each("dev-libs/x-1", &["1", "2", "3", "4", "5"]);
    let from = builds(&lab);
    let imported = try_import(&lab, &from).unwrap();
    assert_eq!(imported.published.added, ["dev-libs/x-1-6", "dev-libs/x-1-7"]);
    let times: Vec<u64> = lab.listed().into_iter().map(|(_, time)| time).collect();
    assert_eq!(times, [EPOCH + 5, EPOCH + 6]);
}

#[test]
fn a_folder_is_taken_over_where_it_lies() {
    let mut lab = Lab::new();
    lab.folder = builds(&lab);
    let before = picture(&lab.folder);
    let imported = try_import(&lab, &lab.folder).unwrap();
    // Names that clients know keep their files; BUILD_TIME says that these are the same builds.
    assert_eq!(imported.published.added, ["dev-libs/x-1-4", "dev-libs/x-1-5"]);
    let times: Vec<u64> = lab.listed().into_iter().map(|(_, time)| time).collect();
    assert_eq!(times, [EPOCH + 1, EPOCH + 2]);
    let after = picture(&lab.folder);
    for (path, seen) in before
        .iter()
        .filter(|(path, _)| path.to_str().unwrap().ends_with(".gpkg.tar"))
    {
        assert_eq!(after.get(path), Some(seen), "{}", path.display());
    }
    lab.publish(&[lab.package("dev-libs/x-1", "C")]);
    assert_eq!(lab.listed(), [("dev-libs/x/x-1-6.gpkg.tar".to_owned(), EPOCH + 3)]);
}

#[test]
fn signatures_are_made_anew() {
    let lab = Lab::new().signed_by("MINE");
    let from = theirs(&lab, |other| {
        let mut other_signed = Lab::new().signed_by("THEIRS");
        other_signed.folder = other.folder.clone();
        other_signed.publish_each("dev-libs/x-1", &["A"]);
    });
    let imported = try_import(&lab, &from).unwrap();
    assert_eq!(imported.notes, Vec::<String>::new());
    let path = "dev-libs/x/x-1-1.gpkg.tar";
    assert_eq!(signer_of(&from.join(path)).as_deref(), Some("THEIRS"));
    assert_eq!(signer_of(&lab.folder.join(path)).as_deref(), Some("MINE"));
}

/// Takes over a binhost that was changed; it must fail, and leave nothing.
fn faults(change: impl Fn(&std::path::Path)) -> Vec<String> {
    let lab = Lab::new();
    let from = theirs(&lab, |other| {
        let candidates = [other.package("dev-libs/x-1", "A"), other.package("dev-libs/y-1", "y")];
        other.publish(&candidates);
    });
    change(&from);
    let error = try_import(&lab, &from).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input, "{error}");
    assert!(!lab.folder.exists());
    let ImportError::Faults { listed: 2, faults } = error else {
        panic!("{error}");
    };
    faults
        .iter()
        .map(|fault| format!("{}: {}", fault.path, fault.fault))
        .collect()
}

fn rewrite(folder: &std::path::Path, from: &str, to: &str) {
    let text = fs::read_to_string(folder.join("Packages")).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(folder.join("Packages"), text.replace(from, to)).unwrap();
}

#[test]
fn all_or_nothing_and_every_fault_is_named() {
    let x = "dev-libs/x/x-1-1.gpkg.tar";
    let both = faults(|folder| {
        fs::remove_file(folder.join(x)).unwrap();
        fs::write(folder.join("dev-libs/y/y-1-1.gpkg.tar"), "short").unwrap();
    });
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both[0].starts_with(x), "{both:?}");
    assert!(
        both[1].starts_with("dev-libs/y/y-1-1.gpkg.tar: its SIZE is 5, and the index says "),
        "{both:?}"
    );

    let named = faults(|folder| rewrite(folder, "CPV: dev-libs/x-1", "CPV: dev-libs/w-1"));
    assert_eq!(named, [format!("{x}: it calls itself dev-libs/x-1")]);

    let out = faults(|folder| rewrite(folder, x, "../x-1.gpkg.tar"));
    assert_eq!(out, ["../x-1.gpkg.tar: its PATH leads out of the binhost"]);

    // What the index does not vouch for, the package itself does.
    let damaged = faults(|folder| {
        let text = fs::read_to_string(folder.join("Packages")).unwrap();
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("MD5") && !line.starts_with("SHA1"));
        fs::write(
            folder.join("Packages"),
            lines.map(|line| format!("{line}\n")).collect::<String>(),
        )
        .unwrap();
        let mut bytes = fs::read(folder.join(x)).unwrap();
        let image = bytes.windows(13).position(|window| window == b"image.tar.zst").unwrap();
        bytes[image.next_multiple_of(512) + 20] ^= 1;
        fs::write(folder.join(x), bytes).unwrap();
    });
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    assert!(damaged[0].contains("image.tar.zst"), "{damaged:?}");
}

#[test]
fn an_index_that_is_none() {
    let lab = Lab::new();
    let from = lab.path("theirs");
    let error = try_import(&lab, &from).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Environment, "{error}");
    fs::create_dir(&from).unwrap();
    fs::write(from.join("Packages"), "nothing").unwrap();
    let error = try_import(&lab, &from).unwrap_err();
    assert!(matches!(error, ImportError::Index(_)), "{error}");
    assert!(!lab.folder.exists());
}
