//! Packages by the thousand, made by this crate's own writer, with all that an index entry can look like.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(dead_code, reason = "every test program uses another part of it")]

use std::io::Cursor;
use std::path::Path;
use std::time::{Duration, SystemTime};

use farm_portage::gpkg::{ContainerWriter, EntryKind, GpkgError, ImageEntry, Metadata};
use fs_err as fs;

use super::random::Random;

/// The categories of these packages; Portage must know them.
pub(crate) const CATEGORIES: [&str; 3] = ["app-misc", "dev-libs", "sci-physics"];

/// A package file.
pub(crate) struct Made {
    /// Relative to the folder of packages.
    pub(crate) path: String,
    /// Seconds since the epoch.
    pub(crate) mtime: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Made {
    /// Writes the file into a folder of packages.
    pub(crate) fn write(&self, folder: &Path) {
        let path = folder.join(&self.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &self.bytes).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(self.mtime);
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .file()
            .set_modified(time)
            .unwrap();
    }
}

/// Packages number `from` to `to`: always the same for a number. Of six in a row two have one instance and the others are two or three
/// instances of a version.
pub(crate) fn packages(from: usize, to: usize) -> Vec<Made> {
    (from..to).map(|number| package(number, 0)).collect()
}

/// The package of this number as it is after so many changes: the same name and instance, other content and time.
pub(crate) fn package(number: usize, change: u64) -> Made {
    const VERSIONS: [&str; 4] = ["1", "1.10", "1.9-r2", "2_rc1"];
    const INSTANCE: [(usize, u64); 6] = [(0, 1), (1, 1), (1, 2), (2, 1), (2, 2), (2, 3)];
    let (version, build_id) = INSTANCE[number % 6];
    let version = number / 6 * 3 + version;
    let (name, category) = (version / 4, CATEGORIES[version / 4 % 3]);
    let pf = format!("p{name}-{}", VERSIONS[version % 4]);
    let build_time = 1_600_000_000 + number as u64 + change;
    let mut random = Random::new(number as u64 ^ (change << 32));
    let mut metadata = values(&mut random);
    for (key, value) in [
        ("CATEGORY", format!("{category}\n")),
        ("PF", format!("{pf}\n")),
        ("BUILD_ID", build_id.to_string()),
        ("BUILD_TIME", format!("{build_time}\n")),
    ] {
        metadata.insert(key.to_owned(), value.into_bytes());
    }
    Made {
        path: format!("{category}/p{name}/{pf}-{build_id}.gpkg.tar"),
        mtime: 1_650_000_000 + number as u64 + change,
        bytes: packed(&format!("{pf}-{build_id}"), &metadata, &number.to_le_bytes()),
    }
}

/// A package with this metadata, and these bytes in its one file.
pub(crate) fn packed(prefix: &str, metadata: &Metadata, content: &[u8]) -> Vec<u8> {
    let entry = ImageEntry {
        path: "content".to_owned(),
        kind: EntryKind::File,
        mode: 0o644,
        uid: 0,
        gid: 0,
        uname: String::new(),
        gname: String::new(),
        mtime: 0,
        size: content.len() as u64,
        xattrs: std::collections::BTreeMap::new(),
    };
    let mut writer = ContainerWriter::new(Cursor::new(Vec::new()), prefix, 0).unwrap();
    writer.metadata(metadata).unwrap();
    writer
        .image::<GpkgError>(|image| image.entry(&entry, &mut &*content))
        .unwrap();
    writer.finish().unwrap().0.into_inner()
}

/// What decides the rest of an index entry. Many values are missing or come with white space to be folded.
fn values(random: &mut Random) -> Metadata {
    let mut metadata = Metadata::new();
    for (key, choices) in CHOICES {
        let value = random.pick(choices);
        if !value.is_empty() {
            metadata.insert((*key).to_owned(), format!("{value}\n").into_bytes());
        }
    }
    // No index entry shows these.
    metadata.insert("DESCRIPTION".to_owned(), b"a  description\n".to_vec());
    metadata.insert("environment.bz2".to_owned(), vec![b'x'; 2000 + random.below(4000)]);
    metadata
}

/// The metadata that entries show, with values to choose from; an empty one is none.
const CHOICES: &[(&str, &[&str])] = &[
    ("SLOT", &["0", "0", "1", "0/2", "3.11"]),
    ("EAPI", &["8", "8", "7", "0", ""]),
    (
        "CHOST",
        &["x86_64-pc-linux-gnu", "x86_64-pc-linux-gnu", "i686-pc-linux-gnu", ""],
    ),
    ("repository", &["farmtest", "farmtest", "other", ""]),
    ("KEYWORDS", &["amd64", "amd64  ~x86", "~amd64\t-*", ""]),
    ("IUSE", &["x y", "+x  -y z", ""]),
    ("USE", &["x", "amd64 elibc_glibc  x y", "kernel_linux", ""]),
    ("LICENSE", &["MIT", "x? ( MIT ) !x? ( GPL-2 )", "|| ( MIT GPL-2+ )", ""]),
    ("RESTRICT", &["test", "!x? ( test )  strip", "", ""]),
    ("PROPERTIES", &["x? ( live )", "", ""]),
    ("DEFINED_PHASES", &["compile  install", "postinst", "-", ""]),
    ("BDEPEND", &["dev-build/cmake", "x? ( dev-build/ninja )", ""]),
    (
        "DEPEND",
        &[
            "app-misc/a[x?,!y=] !!<app-misc/b-2",
            "|| ( x? ( app-misc/a ) app-misc/b )",
            "",
        ],
    ),
    (
        "RDEPEND",
        &[
            "app-misc/a:0/1=[x(+)?]  >=dev-libs/c-1.2_rc3",
            "( app-misc/a ) y? ( ( app-misc/d ) )",
            "",
        ],
    ),
    ("PDEPEND", &["y? ( app-misc/e )", ""]),
    ("IDEPEND", &["app-misc/f", "", ""]),
    ("PROVIDES", &["x86_64: libp.so.1  libq.so.2", ""]),
    ("REQUIRES", &["x86_64: libc.so.6 libm.so.6", ""]),
    ("USER_PATCHES", &["", "", "a.patch:0123"]),
];
