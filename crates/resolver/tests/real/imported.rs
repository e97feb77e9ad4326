//! A farm that was imported, held against the folder it was made of: Portage reads the same of both.

use camino::Utf8Path;
use farm_domain::files::FileNode;
use farm_domain::lower;
use farm_import::{Entry, Files, Imported, Options};
use farm_manifest::{Loaded, Overrides};
use serde_json::Value;

use crate::support::Toy;

#[path = "../../../import/tests/support/mod.rs"]
mod folders;

const HEP_SOFT: &str = include_str!("../../../import/tests/fixtures/hep-soft.txtar");
const HEP_SOFT_PORTAGE: &str = include_str!("../../../import/tests/fixtures/hep-soft.portage.txtar");
const GENTOOMUCH: &str = include_str!("../../../import/tests/fixtures/gentoomuch.txtar");
const GENTOOMUCH_PORTAGE: &str = include_str!("../../../import/tests/fixtures/gentoomuch.portage.txtar");

/// The main repository of both roots. The profile has what the folders' own profiles stand on.
const REPOSITORY: &str = r#"
-- srv/repos/gentoo/metadata/layout.conf --
masters =
profile-formats = portage-2
thin-manifests = true
cache-formats =
-- srv/repos/gentoo/profiles/repo_name --
gentoo
-- srv/repos/gentoo/profiles/eapi --
8
-- srv/repos/gentoo/profiles/arch.list --
amd64
-- srv/repos/gentoo/profiles/license_groups --
FREE MIT
-- srv/repos/gentoo/profiles/default/linux/amd64/base/parent --
../../../../base
-- srv/repos/gentoo/profiles/base/make.defaults --
ARCH="amd64"
CHOST="x86_64-pc-linux-gnu"
ACCEPT_KEYWORDS="amd64"
ACCEPT_LICENSE="@FREE EULA"
CFLAGS="-O2"
ELIBC="glibc"
KERNEL="linux"
VIDEO_CARDS="intel"
USE="elibc_glibc kernel_linux amd64"
USE_EXPAND="CPU_FLAGS_X86 ELIBC KERNEL L10N VIDEO_CARDS"
USE_EXPAND_IMPLICIT="ARCH ELIBC KERNEL"
USE_EXPAND_UNPREFIXED="ARCH"
USE_EXPAND_VALUES_ARCH="amd64"
USE_EXPAND_VALUES_ELIBC="glibc"
USE_EXPAND_VALUES_KERNEL="linux"
FEATURES="-sandbox -usersandbox -userpriv -userfetch -news"
-- srv/repos/gentoo/licenses/MIT --
-- srv/repos/gentoo/licenses/GPL-2 --
-- srv/repos/gentoo/licenses/geant4 --
-- srv/repos/gentoo/licenses/linux-fw-redistributable --
"#;

/// Package, keywords, licence, flags.
type Ebuild = (&'static str, &'static str, &'static str, &'static str);

const OF_HEP_SOFT: &[Ebuild] = &[
    ("sci-physics/geant-4.9.6", "amd64", "MIT", "qt5 c++11 c++14"),
    ("sci-physics/geant-data-1", "~amd64", "geant4", ""),
    ("sci-physics/root-6.22", "~amd64", "MIT", ""),
    ("x11-libs/libxcb-1", "amd64", "MIT", "xkb"),
    ("sci-visualization/gnuplot-5", "amd64", "MIT", "cairo gd"),
    ("media-libs/gd-1", "amd64", "MIT", "png jpeg fontconfig truetype"),
    ("media-libs/gd-2", "amd64", "MIT", "png +jpeg fontconfig truetype"),
    ("sci-libs/armadillo-9", "amd64", "MIT", "lapack +blas"),
    ("sci-libs/armadillo-10", "amd64", "MIT", "lapack blas"),
    ("dev-util/cmake-3", "~amd64", "MIT", ""),
    ("dev-lang/swig-4", "amd64", "MIT", ""),
    ("dev-qt/qtcore-5", "amd64", "MIT", "+debug"),
    ("dev-db/mysql++-3", "amd64", "MIT", "sqlite gpm"),
    ("app-editors/vim-8", "amd64", "MIT", "+minimal acl vim-pager"),
    ("app-text/doxygen-1", "amd64", "GPL-2", "dot clang"),
    ("app-shells/zsh-5", "amd64", "MIT", "l10n_en l10n_de +l10n_fr"),
];

const OF_GENTOOMUCH: &[Ebuild] = &[
    ("x11-wm/i3-4", "~amd64", "MIT", "doc X modules-sign"),
    (
        "net-misc/rsync-3",
        "amd64",
        "MIT",
        "gpg acl curl video_cards_amdgpu video_cards_radeonsi +video_cards_intel cpu_flags_x86_avx2",
    ),
    ("sys-fs/zfs-2.1", "~amd64", "MIT", ""),
    ("sys-fs/zfs-2.2", "amd64", "MIT", ""),
    ("sys-kernel/linux-firmware-1", "amd64", "linux-fw-redistributable", ""),
];

/// What is installed beside what the container brings: twenty libraries, and two tools that are built with each other.
fn installed() -> String {
    let mut text = String::new();
    let mut add = |cpv: &str, build: &str| {
        for (name, value) in [
            ("EAPI", "8"),
            ("SLOT", "0"),
            ("KEYWORDS", "amd64"),
            ("repository", "gentoo"),
            ("BDEPEND", build),
        ] {
            text.push_str(&format!("-- var/db/pkg/{cpv}/{name} --\n{value}\n"));
        }
    };
    for number in 0..20 {
        add(&format!("base-libs/l{number:02}-1"), "");
    }
    add("base-apps/aa-1", "base-apps/cc");
    add("base-apps/cc-1", "base-apps/aa");
    text
}

/// A container with the old root at `/roots/old` and that of the farm at `/roots/new`.
struct Roots {
    toy: Toy,
    loaded: Loaded,
    cpvs: Vec<&'static str>,
}

impl Roots {
    /// `old` is what stood in `/etc/portage`, `profile` the folder of its profile, `overlays` the other repositories.
    fn new(
        imported: &Imported,
        old: &str,
        profile: &str,
        ebuilds: &[Ebuild],
        overlays: &[&str],
        own: &[&'static str],
    ) -> Self {
        let name = &imported.farms[0];
        let workspace = tempfile::tempdir().expect("a temp folder can be made");
        let root = Utf8Path::from_path(workspace.path()).expect("its name is UTF-8");
        for (path, entry) in &imported.files {
            let Entry::File { bytes, .. } = entry else {
                panic!("no links in {path}")
            };
            fs_err::create_dir_all(root.join(path).parent().expect("a file is in a folder"))
                .expect("folders can be made");
            fs_err::write(root.join(path), bytes).expect("files can be written");
        }
        let loaded = farm_manifest::load(root, name, &Overrides::default()).unwrap_or_else(|error| panic!("{error:?}"));
        lower::check(&loaded, workspace.path()).unwrap_or_else(|error| panic!("{error:?}"));
        let binfarm = loaded.farm.binfarm.as_ref().expect("an imported farm has one");
        let settings = lower::settings(&loaded, binfarm).expect("the manifest has a profile");

        let mut text = REPOSITORY.to_owned();
        let mut links = vec![("/roots/old/etc/portage/make.profile".to_owned(), profile.to_owned())];
        text.push_str(&installed());
        for (path, node) in settings.tree() {
            match node {
                FileNode::Link { target } => links.push((format!("/roots/new/{path}"), target)),
                file @ FileNode::File { .. } => {
                    let content = if path == "etc/portage/repos.conf" {
                        let own = "/roots/new/var/db/repos/farm-settings";
                        let all = file.as_text().replace("/var/db/repos/", "/srv/repos/");
                        all.replace("/srv/repos/farm-settings", own)
                    } else {
                        file.as_text().to_owned()
                    };
                    text.push_str(&format!("-- roots/new/{path} --\n{content}"));
                }
            }
        }
        for (path, entry) in folders::files(old) {
            text.push_str(&format!(
                "-- roots/old/etc/portage/{path} --\n{}",
                entry.as_text().expect("all is text")
            ));
        }
        text.push_str("-- roots/old/etc/portage/repos.conf --\n[DEFAULT]\nmain-repo = gentoo\n");
        for name in [&["gentoo"], overlays].concat() {
            text.push_str(&format!("[{name}]\nlocation = /srv/repos/{name}\n"));
        }
        for (path, entry) in &imported.files {
            if let Ok(inside) = path.strip_prefix(format!("farms/{name}/overlay")) {
                text.push_str(&format!(
                    "-- srv/repos/{inside} --\n{}",
                    entry.as_text().expect("all is text")
                ));
            }
        }
        let mut categories = Vec::new();
        for (cpv, keywords, licence, flags) in ebuilds {
            let (category, pf) = cpv.split_once('/').expect("a package has a category");
            let package = pf.rsplit_once('-').expect("a package has a version").0;
            categories.push(category);
            text.push_str(&format!(
                "-- srv/repos/gentoo/{category}/{package}/{pf}.ebuild --\nEAPI=8\nDESCRIPTION=\"x\"\nSLOT=\"0\"\n\
                 LICENSE=\"{licence}\"\nKEYWORDS=\"{keywords}\"\nIUSE=\"{flags}\"\n"
            ));
        }
        categories.sort_unstable();
        categories.dedup();
        text.push_str(&format!(
            "-- srv/repos/gentoo/profiles/categories --\n{}\n",
            categories.join("\n")
        ));
        let toy = Toy::with(&text);
        for (link, target) in links {
            toy.exec(&["ln", "-sfn", &target, &link], b"");
        }
        let ask = "export PORTAGE_CONFIGROOT=/roots/old; python3 -c 'import portage; print(len(portage.db[portage.root][\"vartree\"].dbapi.cpv_all()))'";
        let base = String::from_utf8(toy.exec(&["sh", "-c", ask], b"")).expect("Portage prints UTF-8");
        let number: usize = base.trim().parse().expect("a number of packages");
        assert!(number >= 22, "{number} packages are installed");
        let cpvs = ebuilds
            .iter()
            .map(|ebuild| ebuild.0)
            .chain(own.iter().copied())
            .collect();
        Self { toy, loaded, cpvs }
    }

    /// What Portage's configuration says of the old root and of the new one.
    fn read(&self) -> [Value; 2] {
        let script = include_str!("imported.py");
        let mut command = vec!["python3", "-c", script, "/roots/old", "/roots/new", "--"];
        command.extend(&self.cpvs);
        let printed = self.toy.exec(&command, b"");
        serde_json::from_slice(&printed).expect("the script prints JSON")
    }

    /// The packages that emerge would merge, as it shows them.
    fn merge_list(&self, root: &str, members: &[String]) -> Vec<String> {
        let script = "export PORTAGE_CONFIGROOT=$0; emerge --ignore-default-opts --pretend --verbose --color=n \"$@\" 2>&1; true";
        let mut command = vec!["sh", "-c", script, root];
        command.extend(members.iter().map(String::as_str));
        let printed = String::from_utf8(self.toy.exec(&command, b"")).expect("emerge prints UTF-8");
        let mut lines: Vec<String> = printed
            .lines()
            .filter(|line| line.starts_with("[ebuild"))
            .map(str::to_owned)
            .collect();
        assert!(!lines.is_empty(), "{printed}");
        lines.sort();
        lines
    }

    /// A set of the old root and the subject of the same name give one merge list.
    fn same_merge_list(&self, set: &str) -> Vec<String> {
        let subject = self
            .loaded
            .farm
            .subject(set)
            .unwrap_or_else(|| panic!("no subject {set}"));
        let members: Vec<String> = subject
            .packages
            .members()
            .map(|member| member.value.to_string())
            .collect();
        let old = self.merge_list("/roots/old", &[format!("@{set}")]);
        assert_eq!(old, self.merge_list("/roots/new", &members), "{set}");
        old
    }
}

/// What is different, a line each.
fn differences(path: &str, [one, other]: [&Value; 2]) -> Vec<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => one
            .iter()
            .flat_map(|(key, value)| differences(&format!("{path}/{key}"), [value, &other[key]]))
            .collect(),
        _ if one == other => Vec::new(),
        _ => vec![format!("{path}: {one} and {other}")],
    }
}

fn named(name: &str) -> Options {
    Options {
        name: name.to_owned(),
        ..Options::default()
    }
}

fn flags<'a>(read: &'a Value, cpv: &str) -> Vec<&'a str> {
    let list = read["packages"][cpv]["use"].as_array().expect("flags are a list");
    list.iter()
        .filter_map(Value::as_str)
        .filter(|flag| !flag.contains("_"))
        .collect()
}

#[test]
fn portage_reads_the_same_of_a_hep_soft_folder_and_of_its_farm() {
    let files: Files = folders::files(HEP_SOFT);
    let imported = farm_import::hep_soft(&files, &named("hep")).unwrap();
    let profile = "/srv/repos/q-crypt-hep/profiles/binfarm/dbg";
    let own = ["sci-physics/geant-4.10.6_p2"];
    let roots = Roots::new(
        &imported,
        HEP_SOFT_PORTAGE,
        profile,
        OF_HEP_SOFT,
        &["q-crypt-hep"],
        &own,
    );
    let [old, new] = roots.read();
    // So that the comparison is one of something.
    assert_eq!(
        flags(&old, "sci-physics/geant-4.10.6_p2"),
        ["amd64", "c++14", "data", "gdml", "qt5", "zlib"],
        "{old:#}"
    );
    assert_eq!(flags(&old, "sci-physics/geant-4.9.6"), ["amd64", "c++11", "qt5"]);
    assert_eq!(
        flags(&old, "media-libs/gd-2"),
        ["amd64", "fontconfig", "png", "truetype"]
    );
    assert_eq!(flags(&old, "sci-libs/armadillo-9"), ["amd64", "lapack"]);
    assert_eq!(flags(&old, "sci-libs/armadillo-10"), ["amd64", "blas", "lapack"]);
    assert_eq!(flags(&old, "dev-qt/qtcore-5"), ["amd64"]);
    assert_eq!(flags(&old, "dev-db/mysql++-3"), ["amd64", "sqlite"]);
    let package = |cpv: &str, key: &str| old["packages"][cpv][key].to_string();
    assert_eq!(package("media-libs/gd-1", "mask"), "\"<media-libs/gd-2\"");
    assert_eq!(package("dev-util/cmake-3", "keywords"), "[]");
    assert_eq!(package("sci-physics/geant-data-1", "licenses"), "[]");
    assert!(package("sci-physics/geant-4.10.6_p2", "features").contains("installsources"));
    assert!(package("dev-qt/qtcore-5", "env").contains("portage-ondisk"));
    assert_eq!(differences("", [&old, &new]), [""; 0]);
    assert_eq!(roots.same_merge_list("hf-sci-soft").len(), 5);
    roots.same_merge_list("hf-dev-tools");
    roots.same_merge_list("hf-base");
}

#[test]
fn portage_reads_the_same_of_a_gentoomuch_configuration_and_of_its_farm() {
    let files: Files = folders::files(GENTOOMUCH);
    let imported = farm_import::gentoomuch(&files, &named("much")).unwrap();
    let profile = "/srv/repos/gentoo/profiles/default/linux/amd64/base";
    let roots = Roots::new(&imported, GENTOOMUCH_PORTAGE, profile, OF_GENTOOMUCH, &[], &[]);
    let [old, new] = roots.read();
    let rsync = old["packages"]["net-misc/rsync-3"]["use"].to_string();
    for flag in [
        "\"curl\"",
        "\"acl\"",
        "video_cards_amdgpu",
        "video_cards_radeonsi",
        "cpu_flags_x86_avx2",
    ] {
        assert!(rsync.contains(flag), "{flag} in {rsync}");
    }
    assert!(!rsync.contains("gpg") && !rsync.contains("intel"), "{rsync}");
    assert_eq!(old["ACCEPT_LICENSE"], "@FREE");
    assert_eq!(old["CFLAGS"], "-march=core-avx2 -O2 -pipe");
    assert_eq!(old["packages"]["sys-fs/zfs-2.2"]["mask"], ">=sys-fs/zfs-2.2");
    assert_eq!(old["patches"], serde_json::json!(["net-misc/rsync-3/quiet.patch"]));
    assert_eq!(
        flags(&old, "x11-wm/i3-4"),
        ["X", "amd64", "doc", "modules-sign"].map(str::to_owned)
    );
    assert_eq!(differences("", [&old, &new]), [""; 0]);
    assert_eq!(roots.same_merge_list("desktop").len(), 3);
}
