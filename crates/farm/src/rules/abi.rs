//! The ABIs of the packages that a root has already, by what their records say they own.
//!
//! A package of a base was not built here, so that there is no archive to read. But the root's whole tree is read anyway, for
//! its index, which has the digest of every file; only what must be looked into is kept besides, until the tree's end, since
//! the records of who owns what lie in it anywhere.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use farm_engine::{Class, Dependency, Digest, Failure, FailureKind, Guard, NodeSpec, Output, Run};
use farm_image::{EntryKind, Index};
use farm_portage::abi::{Fact, Finding, Look, PackageAbi, looks_alike};
use farm_portage::vdb::ContentsEntry;
use farm_resolver::{Installed, Package};
use serde::{Deserialize, Serialize};

use super::scan;
use crate::action::Action;
use crate::context::Context;
use crate::place::{self, Place};

/// The ABI of a package of a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledAbi {
    /// Whether it has something to compile or link against.
    pub is_library: bool,
    /// What dependants are built from.
    pub digest: Digest,
}

impl From<PackageAbi> for InstalledAbi {
    fn from(abi: PackageAbi) -> Self {
        Self {
            is_library: abi.is_library,
            digest: abi.digest.into(),
        }
    }
}

impl InstalledAbi {
    /// How the package enters the keys of those that are built with it: of a library what it shows, of a tool which it is and what little it
    /// shows besides.
    #[must_use]
    pub fn text(&self, package: &Installed) -> String {
        let slot = format!("slot {}/{}", package.slot, package.subslot);
        if self.is_library {
            return format!("{slot} ABI {}", self.digest);
        }
        let pf = package.cpv.rsplit('/').next().unwrap_or(&package.cpv);
        format!(
            "{pf} {slot} USE=\"{}\" ABI {}",
            package.use_flags.join(" "),
            self.digest
        )
    }
}

/// The output of a node of this rule, and of a package where ABIs count.
pub const ROLE: &str = "abi";

/// What the ABI of a package that farm builds is called in the keys of those that are built with it: without the version, which is in the
/// digest where it counts.
#[must_use]
pub fn input_name(package: &Package) -> String {
    format!("pkg/{}/{}:{}:{ROLE}", package.category, package.name, package.slot)
}

/// The node that looks at the packages of `root` for their ABIs. It is a node of its own, as only farms with `rebuild: abi` want it and it costs a
/// look into every library.
#[must_use]
pub fn node(name: String, root: &str) -> NodeSpec<Action> {
    NodeSpec {
        name,
        kind: "abi".to_owned(),
        rule_version: 1,
        class: Class::Prepare,
        inputs: Vec::new(),
        dependencies: vec![Dependency::output(root, "image")],
        expands: false,
        pools: BTreeMap::new(),
        action: Action::Abis { root: root.to_owned() },
    }
}

/// Looks.
pub fn run(context: &Context, run: &Run<'_>, spec: &NodeSpec<Action>, root: &str) -> Result<Vec<Output>, Failure> {
    let bug = |what: String| Failure::new(FailureKind::Bug, what);
    let guard = run.dependency(spec, root).ok_or_else(|| bug(format!("no {root}")))?;
    let scan = scan::image_with_abi(context, &place::image(guard, "image")?)?;
    let json = serde_json::to_vec(&scan.abi.unwrap_or_default()).map_err(|error| bug(error.to_string()))?;
    let blob = context.keep(&json)?;
    Ok(vec![Place::Store { blob }.output(ROLE, blob.digest)])
}

/// Reads what a node of this rule found.
pub fn read(context: &Context, guard: &Guard) -> Result<InstalledAbis, Failure> {
    serde_json::from_slice(&context.read(&place::blob(guard, ROLE)?)?)
        .map_err(|error| Failure::new(FailureKind::Bug, format!("the ABIs of a root: {error}")))
}

/// What dependants of a package see of it where ABIs count.
#[must_use]
pub fn seen(abi: PackageAbi, package: &Package) -> Digest {
    let installed = Installed {
        cpv: package.cpv.clone(),
        slot: package.slot.clone(),
        subslot: package.subslot.clone(),
        use_flags: package.use_flags.clone(),
        ..Installed::default()
    };
    Digest::of(InstalledAbi::from(abi).text(&installed).as_bytes())
}

/// The ABIs of a root's packages, by `CATEGORY/PF`.
pub type InstalledAbis = BTreeMap<String, InstalledAbi>;

/// What a package owns.
pub(super) struct Owned {
    /// Files and links, by CONTENTS.
    paths: Vec<String>,
    /// The Debian packages behind a stub, whose files dpkg lists.
    debian: Vec<String>,
}

impl Owned {
    /// Takes CONTENTS, and of a stub the text that names its Debian packages, one a line before its version.
    pub(super) fn new(contents: &[ContentsEntry], dpkg: Option<&Vec<u8>>) -> Self {
        let files = contents
            .iter()
            .filter(|entry| matches!(entry, ContentsEntry::File { .. } | ContentsEntry::Symlink { .. }));
        let text = dpkg.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let names = text.iter().flat_map(|text| text.lines());
        Self {
            paths: files.map(|entry| entry.path().to_owned()).collect(),
            debian: names
                .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
                .collect(),
        }
    }
}

/// What was found in those files of a tree that one must look into.
#[derive(Default)]
pub(super) struct Findings(BTreeMap<PathBuf, Finding>);

impl Findings {
    /// Looks into a file if it may be a library.
    pub(super) fn see(&mut self, path: &str, content: &mut dyn Read) -> io::Result<()> {
        let Some(mut look) = Look::at(path) else { return Ok(()) };
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = content.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            look.take(&buffer[..n]);
        }
        self.0.insert(path.into(), look.finish());
        Ok(())
    }

    /// The ABI of each package. `lists` are the files that dpkg lists of each Debian package, one a line.
    pub(super) fn abis(
        &self,
        index: &Index,
        owned: &BTreeMap<String, Owned>,
        lists: &BTreeMap<String, String>,
    ) -> InstalledAbis {
        let facts = Facts {
            index,
            findings: &self.0,
            linked: linked(index, &self.0),
        };
        // Many stubs stand on the same Debian packages.
        let mut of_debian: BTreeMap<&str, BTreeMap<String, Fact>> = BTreeMap::new();
        for (name, list) in lists {
            let of_package = of_debian.entry(without_architecture(name)).or_default();
            of_package.extend(facts.of(list.lines()));
        }
        let abi = |owned: &Owned| {
            let own = facts.of(owned.paths.iter().map(String::as_str));
            let behind = owned.debian.iter().filter_map(|name| of_debian.get(name.as_str()));
            let all = behind.flatten().chain(&own);
            InstalledAbi::from(PackageAbi::of(all.map(|(path, fact)| (path.as_str(), *fact))))
        };
        owned.iter().map(|(cpv, owned)| (cpv.clone(), abi(owned))).collect()
    }
}

/// dpkg names the list of a package that may be there for several architectures `NAME:ARCHITECTURE.list`.
fn without_architecture(name: &str) -> &str {
    name.split_once(':').map_or(name, |(name, _)| name)
}

/// Of every file with several names, the one under which it was found, and what was found: a tar has its content once.
fn linked<'a>(index: &'a Index, findings: &'a BTreeMap<PathBuf, Finding>) -> BTreeMap<&'a Path, (&'a Path, Finding)> {
    let found = findings
        .iter()
        .filter_map(|(path, finding)| Some((group(index, path)?, (path.as_path(), *finding))));
    found.collect()
}

fn group<'a>(index: &'a Index, path: &Path) -> Option<&'a Path> {
    match &index.get(path)?.kind {
        EntryKind::File { link_group, .. } => link_group.as_deref(),
        _ => None,
    }
}

/// Finds the facts of paths.
struct Facts<'a> {
    index: &'a Index,
    findings: &'a BTreeMap<PathBuf, Finding>,
    linked: BTreeMap<&'a Path, (&'a Path, Finding)>,
}

impl Facts<'_> {
    /// The facts of those paths that are there and count, by where they lie: records name files as they were packed, which
    /// may be through a link.
    fn of<'b>(&self, paths: impl Iterator<Item = &'b str>) -> BTreeMap<String, Fact> {
        let found = paths.filter_map(|path| {
            let path = self.index.resolve(Path::new(path));
            let text = path.to_str()?;
            let fact = match &self.index.get(&path)?.kind {
                EntryKind::File { digest, .. } => Fact::of_file(text, self.finding(&path, text), *digest)?,
                EntryKind::Symlink { target } => Fact::of_link(text, &target.to_string_lossy())?,
                _ => return None,
            };
            Some((text.to_owned(), fact))
        });
        found.collect()
    }

    fn finding(&self, path: &Path, text: &str) -> Option<Finding> {
        let own = self.findings.get(path).copied();
        own.or_else(|| {
            let (found_at, finding) = self.linked.get(group(self.index, path)?)?;
            // What was looked for under the other name may not be what this one stands for.
            looks_alike(found_at.to_str()?, text).then_some(*finding)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::{Scan, tree, tree_with_abi};
    use super::*;

    const PLAIN: &[u8] = include_bytes!("../../../portage/tests/abi_fixtures/plain.so");
    const CODE: &[u8] = include_bytes!("../../../portage/tests/abi_fixtures/code.so");
    const ADDED: &[u8] = include_bytes!("../../../portage/tests/abi_fixtures/added.so");

    /// What a tar holds, in its order. A content that begins so is a link's target.
    type Members = Vec<(&'static str, Vec<u8>)>;
    const LINK: &[u8] = b"-> ";
    const HARD: &[u8] = b"=> ";

    fn members() -> Members {
        let text = |path, text: &str| (path, text.as_bytes().to_vec());
        let contents = "0123456789abcdef0123456789abcdef 17";
        let line = |path: &str| format!("obj {path} {contents}\n");
        let (one, two) = (
            line("/lib/libx.so.1") + &line("/usr/include/x.h") + "sym /usr/lib/libx.so -> libx.so.1 17\n",
            line("/usr/bin/y") + &line("/usr/share/doc/y-1/y.h") + &line("/usr/include/gone.h"),
        );
        vec![
            text("lib", "-> usr/lib"),
            text("usr/include/x.h", "int f(int);"),
            text("usr/include/z.h", "int z(int);"),
            ("usr/lib/libx.so.1", PLAIN.to_vec()),
            text("usr/lib/libx.so", "-> libx.so.1"),
            text("usr/bin/y", "\x7fELF"),
            text("usr/share/doc/y-1/y.h", "int y;"),
            text("var/db/pkg/a/x-1/CONTENTS", &one),
            text("var/db/pkg/a/x-1/SLOT", "0/1\n"),
            text("var/db/pkg/a/y-1/CONTENTS", &two),
            text("var/db/pkg/a/stub-1/CONTENTS", ""),
            text("var/db/pkg/a/stub-1/FARM_DPKG", "libz 1.2-3\nnobody 1\n"),
            text(
                "var/lib/dpkg/info/libz:amd64.list",
                "/.\n/usr\n/usr/include\n/usr/include/z.h\n",
            ),
            ("usr/lib/i386/libz.so.1", PLAIN.to_vec()),
            text("var/lib/dpkg/info/libz:i386.list", "/lib/i386/libz.so.1\n"),
        ]
    }

    fn tar(members: &Members) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content) in members {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            let target = content.get(3..).map(|rest| String::from_utf8_lossy(rest).into_owned());
            let kind = match &content[..] {
                content if content.starts_with(LINK) => tar::EntryType::Symlink,
                content if content.starts_with(HARD) => tar::EntryType::Link,
                _ => tar::EntryType::Regular,
            };
            header.set_entry_type(kind);
            if kind == tar::EntryType::Regular {
                header.set_size(content.len() as u64);
                tar.append_data(&mut header, path, &content[..]).unwrap();
            } else {
                header.set_size(0);
                tar.append_link(&mut header, path, target.unwrap()).unwrap();
            }
        }
        tar.into_inner().unwrap()
    }

    fn scan(members: &Members) -> Scan {
        tree_with_abi(&mut tar(members).as_slice()).unwrap()
    }

    fn abis(members: &Members) -> InstalledAbis {
        scan(members).abi.unwrap()
    }

    fn with(path: &'static str, content: &[u8]) -> Members {
        let mut members = members();
        members.retain(|(other, _)| *other != path);
        members.push((path, content.to_vec()));
        members
    }

    #[test]
    fn packages_have_the_abi_of_what_they_own() {
        let found = abis(&members());
        let fact = |path: &str, content: &[u8]| {
            let finding = Look::at(path).map(|mut look| {
                look.take(content);
                look.finish()
            });
            Fact::of_file(path, finding, blake3::hash(content)).unwrap()
        };
        let library = PackageAbi::of([
            ("usr/include/x.h", fact("usr/include/x.h", b"int f(int);")),
            ("usr/lib/libx.so.1", fact("usr/lib/libx.so.1", PLAIN)),
            (
                "usr/lib/libx.so",
                Fact::of_link("usr/lib/libx.so", "libx.so.1").unwrap(),
            ),
        ]);
        let stub = PackageAbi::of([
            ("usr/include/z.h", fact("usr/include/z.h", b"int z(int);")),
            ("usr/lib/i386/libz.so.1", fact("usr/lib/i386/libz.so.1", PLAIN)),
        ]);
        let expected = [("a/stub-1", stub), ("a/x-1", library), ("a/y-1", PackageAbi::of([]))]
            .map(|(cpv, abi)| (cpv.to_owned(), abi.into()));
        assert_eq!(found, InstalledAbis::from(expected));
        assert!(found["a/stub-1"].is_library && found["a/x-1"].is_library && !found["a/y-1"].is_library);
        let json = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<InstalledAbis>(&json).unwrap(), found);
    }

    #[test]
    fn only_who_owns_what_changed_has_another_abi() {
        let before = abis(&members());
        let changed = |path, content: &[u8]| {
            let after = abis(&with(path, content));
            let packages = before.iter().filter(|(cpv, abi)| after[*cpv] != **abi);
            packages.map(|(cpv, _)| cpv.clone()).collect::<Vec<_>>()
        };
        let none: [&str; 0] = [];
        assert_eq!(changed("usr/lib/libx.so.1", CODE), none);
        assert_eq!(changed("usr/lib/libx.so.1", ADDED), ["a/x-1"]);
        assert_eq!(changed("usr/lib/libx.so", b"-> libx.so.2"), ["a/x-1"]);
        assert_eq!(changed("usr/include/x.h", b"int f();"), ["a/x-1"]);
        assert_eq!(changed("usr/include/z.h", b"int z();"), ["a/stub-1"]);
        assert_eq!(changed("usr/lib/i386/libz.so.1", ADDED), ["a/stub-1"]);
        assert_eq!(changed("usr/include/nobodys.h", b"int n;"), none);
        assert_eq!(changed("usr/bin/y", b"\x7fELF other"), none);
        assert_eq!(changed("usr/share/doc/y-1/y.h", b"other"), none);
        assert_eq!(changed("usr/include/gone.h", b"int g;"), ["a/y-1"]);
    }

    #[test]
    fn the_order_of_the_tree_does_not_matter_and_hard_links_are_files() {
        let before = abis(&members());
        let mut reversed = members();
        reversed.reverse();
        assert_eq!(abis(&reversed), before);
        // The content comes under a name that nobody owns, or that is no library's.
        for other in ["usr/lib/libother.so.1", "usr/share/other"] {
            let linked = |content: &[u8]| {
                let mut members = with(other, content);
                members.retain(|(path, _)| *path != "usr/lib/libx.so.1");
                members.push(("usr/lib/libx.so.1", [HARD, other.as_bytes()].concat()));
                abis(&members)["a/x-1"]
            };
            let is_library = other.ends_with(".so.1");
            assert_eq!(linked(PLAIN) == before["a/x-1"], is_library, "{other}");
            assert_eq!(linked(CODE) == linked(PLAIN), is_library, "{other}");
            assert_ne!(linked(ADDED), linked(PLAIN), "{other}");
        }
    }

    #[test]
    fn whoever_does_not_ask_gets_the_same_without() {
        let (asked, plain) = (scan(&members()), tree(&mut tar(&members()).as_slice()).unwrap());
        assert!(plain.abi.is_none());
        assert_eq!((plain.index, plain.installed), (asked.index, asked.installed));
    }
}
