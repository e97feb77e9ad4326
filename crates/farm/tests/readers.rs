//! Every file that reading a farm looks at has somebody who reads it.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::sync::Mutex;

use camino::{Utf8Path, Utf8PathBuf};
use farm_domain::readers::{Reader, Readers, can_mean};
use farm_manifest::{Loaded, Overrides, load_watched};

const FARM: &str = r#"
farm: all
include: [common]
binfarm:
  base: { stage3: base.tar.xz, keyring: keys.asc }
  profile: gentoo:default
  root: root.d
  scripts: [setup.sh]
  config: [opt]
  packages: tools
  repos:
    gentoo: { path: gentoo }
    packed: { archive: packed.tar.gz }
subjects:
  libs: { packages: libs.set, config: [opt, type/dbg] }
stages:
  node: { from: base, scripts: [finish.sh] }
tasks:
  own: { in: host, inputs: ['src/*.c', doc/], run: 'true > own.out', outputs: [own.out] }
publish:
  pkgs: { to: "file://ROOT/out/binhost" }
secrets:
  lab: { for: "https://example.org/", token_file: lab.token }
live:
  app-misc/own: { path: ../../own }
"#;

const FILES: &[(&str, &str)] = &[
    ("farms/all/farm.yaml", FARM),
    (
        "farms/common/farm.yaml",
        "farm: common\ntasks:\n  shared: { in: host, inputs: [shared.txt], run: 'true > shared.out', outputs: [shared.out] }\n",
    ),
    ("farms/settings.yaml", "salt: x\n"),
    ("farms/common/shared.txt", ""),
    ("farms/all/root.d/etc/conf", ""),
    ("farms/all/keys.asc", "keys\n"),
    ("farms/all/setup.sh", "#!/bin/sh\n"),
    ("farms/all/finish.sh", "#!/bin/sh\n"),
    ("farms/all/libs.set", "dev-libs/a\n"),
    ("farms/all/tools", "dev-util/b\n"),
    ("farms/all/gentoo/profiles/repo_name", "gentoo\n"),
    ("farms/all/packed.tar.gz", ""),
    ("profiles/opt/make.conf", "CFLAGS=-O2\n"),
    ("profiles/opt/patches/dev-libs/a-1.0/fix.patch", ""),
    ("profiles/type/dbg/package.use/x", "dev-libs/a debug\n"),
];

/// The farm, and every path that was looked at to read it, relative to the workspace.
fn farm() -> (tempfile::TempDir, Loaded, BTreeSet<Utf8PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap().to_owned();
    for (path, text) in FILES {
        let path = root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text.replace("ROOT", root.as_str())).unwrap();
    }
    let seen = Mutex::new(BTreeSet::new());
    let watch = |path: &Utf8Path| {
        seen.lock()
            .unwrap()
            .insert(path.strip_prefix(&root).unwrap().to_owned());
    };
    let loaded = load_watched(&root, "all", &Overrides::default(), &watch);
    let loaded = loaded.unwrap_or_else(|error| panic!("{error:?}"));
    (folder, loaded, seen.into_inner().unwrap())
}

fn readers(folder: &tempfile::TempDir, loaded: &Loaded, path: &str, is_folder: bool) -> Vec<Reader> {
    let readers = Readers::of(loaded, Utf8Path::from_path(folder.path()).unwrap());
    readers.readers(Utf8Path::new(path), is_folder).into_iter().collect()
}

fn node(name: &str) -> Reader {
    Reader::Node(name.to_owned())
}

fn plans(nodes: &[&str]) -> Reader {
    Reader::Plans(nodes.iter().map(|node| (*node).to_owned()).collect())
}

#[test]
fn whatever_is_read_has_a_reader() {
    let (folder, loaded, seen) = farm();
    assert!(seen.len() > FILES.len(), "{seen:?}");
    assert!(!seen.contains(Utf8Path::new("farms/all/lab.token")), "{seen:?}");
    for path in seen {
        let full = folder.path().join(&path);
        // Folders of which only the names matter are the business of those whose files are in them.
        if !full.is_dir() {
            let readers = readers(&folder, &loaded, path.as_str(), false);
            assert!(!readers.is_empty(), "nobody reads {path}");
        }
    }
    for (path, _) in FILES {
        assert!(
            !readers(&folder, &loaded, path, false).is_empty(),
            "nobody reads {path}"
        );
    }
}

#[test]
fn each_file_has_its_own() {
    let (folder, loaded, _) = farm();
    let all = ["plan/libs", "plan/binfarm"];
    let table: [(&str, Vec<Reader>); 27] = [
        ("farms/all/farm.yaml", vec![Reader::Farm]),
        ("farms/common/farm.yaml", vec![Reader::Farm]),
        ("farms/settings.yaml", vec![Reader::Farm]),
        ("farms/all/farm.lock", vec![Reader::Farm]),
        ("farms/common/farm.lock", vec![]),
        ("farms/all/lab.token", vec![]),
        ("farms/all/libs.set", vec![plans(&all)]),
        ("profiles/opt/make.conf", vec![plans(&all)]),
        ("profiles/type/dbg/new", vec![plans(&all)]),
        ("profiles/other/make.conf", vec![]),
        ("farms/all/setup.sh", vec![plans(&["root"])]),
        ("farms/all/root.d/new", vec![plans(&["root"])]),
        ("farms/all/packed.tar.gz", vec![plans(&["repo/packed"])]),
        ("farms/all/base.tar.xz", vec![plans(&["base"])]),
        ("farms/all/base.tar.xz.asc", vec![node("base")]),
        ("farms/all/keys.asc", vec![node("base")]),
        ("farms/all/finish.sh", vec![node("stage-root/node")]),
        ("farms/all/gentoo/profiles/x", vec![plans(&["repo/gentoo"])]),
        ("farms/all/gentoo/metadata/layout.conf", vec![plans(&["repo/gentoo"])]),
        ("farms/all/gentoo/README", vec![node("repo/gentoo")]),
        (
            "farms/all/gentoo/dev-libs/a/files/deep/x",
            vec![node("repo/gentoo"), Reader::Packages("dev-libs/a".to_owned())],
        ),
        (
            "farms/all/gentoo/eclass/new.eclass",
            vec![node("repo/gentoo"), Reader::Inheriting("new".to_owned())],
        ),
        (
            "profiles/opt/patches/dev-libs/a-1.0/new.patch",
            vec![
                node("env"),
                node("plan/binfarm"),
                node("plan/libs"),
                Reader::Packages("dev-libs/a-1.0".to_owned()),
            ],
        ),
        ("farms/all/src/new.c", vec![node("task/own")]),
        ("farms/common/shared.out", vec![node("task/shared")]),
        ("own/deep/new.c", vec![Reader::Packages("app-misc/own".to_owned())]),
        ("out/binhost/default/Packages", vec![node("publish-pkgs")]),
    ];
    for (path, expected) in table {
        assert_eq!(readers(&folder, &loaded, path, false), expected, "{path}");
    }
    let gentoo = plans(&["repo/gentoo"]);
    assert_eq!(
        readers(&folder, &loaded, "farms/all/gentoo", true),
        std::slice::from_ref(&gentoo)
    );
    assert_eq!(readers(&folder, &loaded, "farms/all/gentoo/dev-libs", true), [gentoo]);
    assert_eq!(readers(&folder, &loaded, "farms/all/src", true), [node("task/own")]);
    assert!(readers(&folder, &loaded, "profiles", true).contains(&plans(&all)));
}

#[test]
fn folders_of_user_patches_mean_packages() {
    for written in ["dev-libs/a", "dev-libs/a-1.0", "dev-libs/a-1.0-r1:0", "dev-libs/a:0"] {
        assert!(can_mean(written, "dev-libs/a"), "{written}");
    }
    assert!(!can_mean("dev-libs/ab", "dev-libs/a"));
    assert!(!can_mean("dev-libs/a", "dev-libs/ab"));
}
