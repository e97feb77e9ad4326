//! `farm binhost`.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use farm_portage::gpkg::{ContainerWriter, EntryKind, GpkgError, ImageEntry, Metadata};
use farm_portage::normal::{NormalOptions, normalise};
use farm_publish::{Candidate, Publication, publish};

use crate::space::{Ended, Space};

const EPOCH: u64 = 1_700_000_000;

/// A workspace whose farm publishes to its folder `pub`, in two flavours.
fn space() -> Space {
    let space = Space::new();
    let manifest = format!(
        "
farm: f
vars: {{ KIND: opt }}
flavour: amd64.${{KIND}}
tasks: {{ t: {{ in: host, run: 'true' }} }}
publish:
  pkgs: {{ to: \"file://{}\" }}
",
        space.path("pub").display()
    );
    space.write("farms/f/farm.yaml", &manifest);
    space
}

/// A package in normal form whose image has one file with this content.
fn package(space: &Space, cpv: &str, content: &str) -> Candidate {
    let (category, pf) = cpv.split_once('/').unwrap();
    let metadata: Metadata = [
        ("CATEGORY", category),
        ("PF", pf),
        ("SLOT", "0"),
        ("EAPI", "8"),
        ("LICENSE", "MIT"),
    ]
    .map(|(key, value)| (key.to_owned(), format!("{value}\n").into_bytes()))
    .into();
    let mut writer = ContainerWriter::new(Cursor::new(Vec::new()), pf, EPOCH).unwrap();
    writer.metadata(&metadata).unwrap();
    let entry = |path: &str, kind, size| ImageEntry {
        path: path.to_owned(),
        mode: if kind == EntryKind::File { 0o644 } else { 0o755 },
        kind,
        uid: 0,
        gid: 0,
        uname: "root".to_owned(),
        gname: "root".to_owned(),
        size,
        mtime: 0,
        xattrs: BTreeMap::new(),
    };
    writer
        .image(|image| {
            image.entry(&entry("", EntryKind::Directory, 0), &mut std::io::empty())?;
            let file = entry("content", EntryKind::File, content.len() as u64);
            image.entry(&file, &mut content.as_bytes())?;
            Ok::<(), GpkgError>(())
        })
        .unwrap();
    let (built, _) = writer.finish().unwrap();
    let mut normal = Cursor::new(Vec::new());
    let built = Cursor::new(built.into_inner());
    let report = normalise(built, &mut normal, &NormalOptions::new(EPOCH)).unwrap();
    let file = space.path(&format!("built-{}", report.payload));
    fs_err::write(&file, normal.into_inner()).unwrap();
    Candidate {
        cpv: cpv.to_owned(),
        payload: report.payload,
        file,
    }
}

/// Publishes packages into a folder of the workspace, as `farm publish-pkgs` would.
pub(crate) fn release(space: &Space, folder: &str, packages: &[(&str, &str)]) {
    let candidates: Vec<Candidate> = packages
        .iter()
        .map(|(cpv, content)| package(space, cpv, content))
        .collect();
    let publication = Publication {
        folder: &space.path(folder),
        candidates: &candidates,
        lacking: &[],
        header: &BTreeMap::from([("CHOST".to_owned(), "x86_64-pc-linux-gnu".to_owned())]),
        epoch: EPOCH,
        deny: &[],
        private: false,
        signer: None,
        client: None,
    };
    publish(&publication, &mut |_| {}).unwrap();
}

pub(crate) const FOLDER: &str = "pub/amd64.opt";

/// Three releases: A; B with another package; C without it.
fn published() -> Space {
    let space = space();
    release(&space, FOLDER, &[("dev-libs/x-1", "A"), ("dev-libs/shared-1", "s")]);
    release(
        &space,
        FOLDER,
        &[("dev-libs/x-1", "B"), ("dev-libs/shared-1", "s"), ("net-misc/y-2", "y")],
    );
    release(&space, FOLDER, &[("dev-libs/x-1", "C"), ("dev-libs/shared-1", "s")]);
    space
}

pub(crate) fn ok(space: &Space, arguments: &[&str]) -> Ended {
    let ended = space.farm(arguments);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    ended
}

pub(crate) fn done(space: &Space, arguments: &[&str]) {
    let _ = ok(space, arguments);
}

#[test]
fn releases_are_listed() {
    let space = published();
    done(&space, &["binhost", "tag", "good", "1"]);
    insta::assert_snapshot!(space.farm(&["binhost", "list"]).text(), @r"
    --- stdout
    3  2023-11-14 22:13:40 UTC  2 packages  20.0 KiB  unsigned  current
    2  2023-11-14 22:13:30 UTC  3 packages  30.0 KiB  unsigned
    1  2023-11-14 22:13:20 UTC  2 packages  20.0 KiB  unsigned  good
    --- status 0
    ");
    insta::assert_snapshot!(ok(&space, &["binhost", "list", "--json"]).stdout, @r#"
    {"bytes":20480,"current":true,"missing":0,"packages":2,"release":3,"signed_by":[null],"tags":[],"timestamp":1700000020}
    {"bytes":30720,"current":false,"missing":0,"packages":3,"release":2,"signed_by":[null],"tags":[],"timestamp":1700000010}
    {"bytes":20480,"current":false,"missing":0,"packages":2,"release":1,"signed_by":[null],"tags":["good"],"timestamp":1700000000}
    "#);
    // The same by the folder, from anywhere; and a flavour that has none.
    let folder = space.path(FOLDER);
    let by_folder = ok(&space, &["binhost", "list", "--folder", folder.to_str().unwrap()]);
    assert_eq!(
        by_folder.stdout,
        ok(&space, &["binhost", "list", "f", "KIND=opt"]).stdout
    );
    insta::assert_snapshot!(space.farm(&["binhost", "list", "KIND=dbg"]).text(), @r"
    --- stderr
    error: nothing was published in $SPACE/workspace/pub/amd64.dbg
    --- status 2
    ");
    release(&space, "pub/amd64.dbg", &[("dev-libs/x-1", "dbg")]);
    assert_eq!(ok(&space, &["binhost", "list", "KIND=dbg"]).stdout.lines().count(), 1);
}

#[test]
fn releases_are_compared() {
    let space = published();
    insta::assert_snapshot!(space.farm(&["binhost", "diff", "1", "2"]).text(), @r"
    --- stdout
    release 1 -> 2: 1 added, 0 removed, 1 changed
    ~ dev-libs/x-1: build 1 -> 2
    + net-misc/y-2-1
    --- status 0
    ");
    insta::assert_snapshot!(space.farm(&["binhost", "diff", "--json"]).text(), @r#"
    --- stdout
    {"added":[],"changed":[{"content":true,"cpv":"dev-libs/x-1","from":2,"to":3}],"from":2,"removed":["net-misc/y-2-1"],"to":3}
    --- status 0
    "#);
    let named = ok(&space, &["binhost", "diff", "f", "1"]);
    assert!(named.stdout.starts_with("release 1 -> 3: "), "{}", named.text());
    insta::assert_snapshot!(space.farm(&["binhost", "diff", "1", "nosuch"]).text(), @r"
    --- stderr
    error: there is no release `nosuch`
    hint: there is 1, 2, 3
    --- status 2
    ");
    insta::assert_snapshot!(space.farm(&["binhost", "diff", "1", "2", "3"]).text(), @r"
    --- stderr
    error: there is no farm `3` here; there is f
    --- status 2
    ");
}

#[test]
fn tags_come_move_and_go() {
    let space = published();
    insta::assert_snapshot!(space.farm(&["binhost", "tag", "stable"]).text(), @r"
    --- stdout
    stable is release 3
    --- status 0
    ");
    insta::assert_snapshot!(space.farm(&["binhost", "tag", "stable", "2", "f"]).text(), @r"
    --- stdout
    stable is release 2 now, and was 3
    --- status 0
    ");
    insta::assert_snapshot!(space.farm(&["binhost", "tag", "stable", "--delete"]).text(), @r"
    --- stdout
    stable was release 2
    --- status 0
    ");
    insta::assert_snapshot!(space.farm(&["binhost", "tag", "stable", "--delete"]).text(), @r"
    --- stderr
    error: there is no tag `stable`
    --- status 2
    ");
    insta::assert_snapshot!(space.farm(&["binhost", "tag", "7", "2"]).text(), @r"
    --- stderr
    error: `7` cannot be a tag
    hint: a tag begins with a letter, has letters, digits, `.`, `_` and `-`, at most 64 of them, and is not `current`
    --- status 2
    ");
}

#[test]
fn an_older_release_is_published_again() {
    let space = published();
    insta::assert_snapshot!(space.farm(&["binhost", "rollback"]).text(), @r"
    --- stdout
    release 4 has the packages of release 2, in place of those of 3: 2 as new instances, 1 kept, 1 dropped
    + dev-libs/x-1-4
    + net-misc/y-2-2
    - dev-libs/x-1-3
    --- stderr
    note: the next `farm publish-pkgs` publishes what the manifest asks for, as ever: change that, too, if this is to last
    --- status 0
    ");
    insta::assert_snapshot!(space.farm(&["binhost", "rollback", "2"]).text(), @r"
    --- stdout
    release 4 has the packages of release 2 already
    --- status 0
    ");
    let folder = space.path(FOLDER);
    let by_folder = ok(
        &space,
        &["binhost", "rollback", "1", "--folder", folder.to_str().unwrap()],
    );
    assert!(
        by_folder.stdout.starts_with("release 5 has the packages of release 1,"),
        "{}",
        by_folder.text()
    );
    let whole = ok(&space, &["binhost", "check"]);
    assert!(whole.stderr.starts_with("no faults: "), "{}", whole.text());
    fs_err::remove_file(space.path("pub/amd64.opt/dev-libs/x/x-1-2.gpkg.tar")).unwrap();
    insta::assert_snapshot!(space.farm(&["binhost", "rollback", "2"]).text(), @r"
    --- stderr
    error: release 2 is not whole: dev-libs/x/x-1-2.gpkg.tar is gone
    hint: `farm binhost check` names everything that is wrong
    --- status 3
    ");
}

#[test]
fn old_releases_are_pruned() {
    let space = published();
    for content in ["D", "E"] {
        release(&space, FOLDER, &[("dev-libs/x-1", content), ("dev-libs/shared-1", "s")]);
    }
    let file = space.path("pub/amd64.opt/dev-libs/x/x-1-1.gpkg.tar");
    let dry = ok(&space, &["binhost", "prune", "--keep", "4", "-n"]);
    assert!(
        dry.stdout
            .starts_with("would remove release 1\nwould remove 1 package ("),
        "{}",
        dry.text()
    );
    assert!(file.exists());
    let pruned = ok(&space, &["binhost", "prune", "--keep", "1"]);
    assert!(
        pruned.stdout.starts_with("removed releases 1-2\nremoved 3 packages ("),
        "{}",
        pruned.text()
    );
    assert!(pruned.stdout.ends_with("kept releases 3-5\n"), "{}", pruned.text());
    assert_eq!(
        pruned.stderr,
        "note: releases 3-4 are kept for clients that are at work with an index of a moment ago\n"
    );
    assert!(!file.exists());
    let none = ok(&space, &["binhost", "prune", "--keep", "9", "--json"]);
    assert_eq!(none.json_lines()[0]["files"], serde_json::json!([]));
    assert_eq!(space.farm(&["binhost", "prune"]).status, Some(2));
    assert_eq!(space.farm(&["binhost", "prune", "--keep", "0"]).status, Some(2));
}

#[test]
fn faults_are_named() {
    let space = published();
    insta::assert_snapshot!(space.farm(&["binhost", "check"]).text(), @r"
    --- stderr
    no faults: 2 packages (0 signed), 3 more of earlier releases, 3 releases
    --- status 0
    ");
    fs_err::write(space.path("pub/amd64.opt/dev-libs/x/x-1-1.gpkg.tar"), "x").unwrap();
    fs_err::remove_file(space.path("pub/amd64.opt/dev-libs/x/x-1-3.gpkg.tar")).unwrap();
    fs_err::write(space.path("pub/amd64.opt/dev-libs/x/x-1-9.gpkg.tar"), "x").unwrap();
    insta::assert_snapshot!(space.farm(&["binhost", "check"]).text(), @r"
    --- stdout
    dev-libs/x/x-1-1.gpkg.tar: it is not what was published
    dev-libs/x/x-1-3.gpkg.tar: it is not there
    dev-libs/x/x-1-9.gpkg.tar: neither the index nor a release lists it
    --- stderr
    3 faults: 2 packages (0 signed), 3 more of earlier releases, 3 releases
    --- status 1
    ");
    let json = space.farm(&["binhost", "check", "--json"]);
    assert_eq!(json.status, Some(1));
    let faults = &json.json_lines()[0]["faults"];
    assert_eq!(faults[1]["path"], "dev-libs/x/x-1-3.gpkg.tar");
    assert_eq!(faults[1]["fault"], "it is not there");
}

#[test]
fn a_binhost_is_the_local_one_or_named_by_its_folder() {
    // A farm that publishes nowhere has its local one.
    let space = Space::with_farm("f", "farm: f\nflavour: x\ntasks: { t: { in: host, run: 'true' } }\n");
    release(&space, ".farm/binhost/f/x", &[("dev-libs/x-1", "A")]);
    assert_eq!(ok(&space, &["binhost", "list"]).stdout.lines().count(), 1);
    // No workspace is needed where the folder is named.
    let elsewhere = Space::new();
    let folder = space.path(".farm/binhost/f/x");
    done(&elsewhere, &["binhost", "list", "--folder", folder.to_str().unwrap()]);
    insta::assert_snapshot!(elsewhere.farm(&["binhost", "list", "--folder", "nothing"]).text(), @r"
    --- stderr
    error: nothing was published in $SPACE/workspace/nothing
    --- status 2
    ");
    insta::assert_snapshot!(elsewhere.farm(&["binhost", "list"]).text(), @r"
    --- stderr
    error: there is no workspace at $SPACE/workspace or above: no folder `farms`
    hint: make farms/NAME/farm.yaml, or say where with -C FOLDER
    --- status 2
    ");
    insta::assert_snapshot!(elsewhere.farm(&["binhost", "list", "g", "--folder", "nothing"]).text(), @r"
    --- stderr
    error: `g` says nothing where a folder is named
    --- status 2
    ");
    insta::assert_snapshot!(space.farm(&["binhost", "list", "g"]).text(), @r"
    --- stderr
    error: there is no farm `g` here; there is f
    --- status 2
    ");
}

#[test]
fn what_the_manifest_denies_stays_out() {
    let space = published();
    let manifest = space
        .read("farms/f/farm.yaml")
        .replace("\" }", "\", deny: [net-misc/y] }");
    space.write("farms/f/farm.yaml", &manifest);
    let back = ok(&space, &["binhost", "rollback", "2"]);
    assert!(
        back.stderr
            .contains("note: net-misc/y-2 is not published: `net-misc/y` is denied\n"),
        "{}",
        back.text()
    );
    assert!(!space.read("pub/amd64.opt/Packages").contains("net-misc/y"));
    // What is in a licence group, the last plan says.
    space.write("farms/f/farm.yaml", &manifest.replace("net-misc/y", "\"@EULA\""));
    let refused = |words: &[&str]| {
        insta::allow_duplicates! {
            insta::assert_snapshot!(space.farm(words).text(), @r"
            --- stderr
            error: publish.deny: which licences are in @EULA, no plan has told yet
            hint: `farm plan f` makes one
            --- status 2
            ");
        }
    };
    refused(&["binhost", "rollback", "3"]);
    theirs(&space);
    refused(&["binhost", "import", "theirs"]);
}

/// What another publisher left: packages and an index, and no record.
fn theirs(space: &Space) -> PathBuf {
    let packages = [("dev-libs/x-1", "A"), ("dev-libs/y-1", "y")];
    release(space, "theirs", &packages);
    fs_err::remove_dir_all(space.path("theirs/releases")).unwrap();
    space.path("theirs")
}

#[test]
fn a_folder_is_taken_over() {
    let space = space();
    theirs(&space);
    insta::assert_snapshot!(space.farm(&["binhost", "import", "theirs", "f"]).text(), @r"
    --- stdout
    2 packages listed there: 2 published, 0 here already
    + dev-libs/x-1-1
    + dev-libs/y-1-1
    --- stderr
    note: the packages are not signed, and stock Portage refuses such by default: set `verify-signature = false` in the clients' binrepos.conf, or name a key
    --- status 0
    ");
    done(&space, &["binhost", "check"]);
    fs_err::write(space.path("theirs/dev-libs/x/x-1-1.gpkg.tar"), "x").unwrap();
    fs_err::remove_file(space.path("theirs/dev-libs/y/y-1-1.gpkg.tar")).unwrap();
    let text = space.farm(&["binhost", "import", "theirs", "--folder", "other"]).text();
    let size = text
        .split("the index says ")
        .nth(1)
        .unwrap()
        .split('\n')
        .next()
        .unwrap();
    insta::assert_snapshot!(text.replace(size, "NUMBER"), @r"
    --- stderr
    error: of 2 packages 2 cannot be taken over
      dev-libs/x/x-1-1.gpkg.tar: its SIZE is 1, and the index says NUMBER
      dev-libs/y/y-1-1.gpkg.tar: failed to open file `$SPACE/workspace/theirs/dev-libs/y/y-1-1.gpkg.tar`: No such file or directory (os error 2)
    hint: nothing was published; mend the other binhost, or take those packages out of its index
    --- status 1
    ");
    assert!(!space.exists("other"));
    insta::assert_snapshot!(space.farm(&["binhost", "import", "ftp://h/p"]).text(), @r"
    --- stderr
    error: a binhost cannot be taken over by ftp: from a folder or an http(s) address it can
    --- status 2
    ");
}

/// `farm serve` on a folder.
struct Served(std::process::Child, String);

impl Served {
    fn new(space: &Space, folder: &Path) -> Self {
        use std::io::BufRead as _;
        let arguments = ["serve", folder.to_str().unwrap(), "--listen", "127.0.0.1:0"];
        let mut child = space.command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        // It goes on to tell of requests, and nobody must stop it from doing so.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        let address = line
            .trim_end()
            .split_once(" at ")
            .unwrap()
            .1
            .trim_end_matches('/')
            .to_owned();
        Self(child, address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_web_servers_binhost_is_taken_over() {
    let space = space();
    let folder = theirs(&space);
    let served = Served::new(&space, &folder);
    let imported = ok(&space, &["binhost", "import", &served.1]);
    assert!(
        imported.stdout.contains("+ dev-libs/x-1-1\n+ dev-libs/y-1-1\n"),
        "{}",
        imported.text()
    );
    let path = "dev-libs/x/x-1-1.gpkg.tar";
    let read = |folder: &str| fs_err::read(space.path(folder).join(path)).unwrap();
    assert_eq!(read("theirs"), read(FOLDER));

    // Only the plain index; and packages that lie elsewhere.
    let other = space.path("index-only");
    fs_err::create_dir(&other).unwrap();
    let text = space
        .read("theirs/Packages")
        .replace("TIMESTAMP", &format!("URI: {}\nTIMESTAMP", served.1));
    fs_err::write(other.join("Packages"), text).unwrap();
    let index = Served::new(&space, &other);
    done(&space, &["binhost", "import", &index.1, "--folder", "second"]);
    assert!(!space.read("second/Packages").contains("URI:"));

    fs_err::remove_file(folder.join(path)).unwrap();
    let missing = space.farm(&["binhost", "import", &served.1, "--folder", "third"]);
    assert_eq!(missing.status, Some(1), "{}", missing.text());
    assert!(
        missing.stderr.contains(&format!("{path}: {}/{path}: ", served.1)),
        "{}",
        missing.text()
    );
    drop(served);
    fs_err::remove_file(other.join("Packages")).unwrap();
    let none = space.farm(&["binhost", "import", &index.1, "--folder", "third"]);
    assert_eq!(none.status, Some(3), "{}", none.text());
    assert!(!space.exists("third"));
}

#[test]
fn who_signs_is_said_by_the_manifest_or_the_command_line() {
    let space = space();
    theirs(&space);
    let made = ok(&space, &["key", "new", "--no-passphrase"]);
    let key = made
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("sign: "))
        .unwrap()
        .to_owned();
    done(
        &space,
        &["binhost", "import", "theirs", "--folder", "signed", "--sign", &key],
    );
    release(&space, "theirs", &[("dev-libs/x-1", "B")]);
    fs_err::remove_dir_all(space.path("theirs/releases")).unwrap();
    done(
        &space,
        &["binhost", "import", "theirs", "--folder", "signed", "--sign", &key],
    );
    let listed = ok(&space, &["binhost", "list", "--folder", "signed"]);
    let signed = format!("signed by {}", &key[24..]);
    assert_eq!(listed.stdout.matches(&signed).count(), 2, "{}", listed.text());
    let checked = ok(&space, &["binhost", "check", "--folder", "signed"]);
    assert!(checked.stderr.contains("1 package (1 signed)"), "{}", checked.text());

    let unsigned = space.farm(&["binhost", "rollback", "--folder", "signed"]);
    insta::assert_snapshot!(unsigned.text().replace(&key, "KEY"), @r"
    --- stderr
    error: the packages are signed by KEY, and no key is named that signs those that must be made anew
    hint: `--sign KEY` says so
    --- status 2
    ");
    done(&space, &["binhost", "rollback", "--folder", "signed", "--sign", &key]);
    done(&space, &["binhost", "check", "--folder", "signed"]);
    assert_eq!(space.farm(&["binhost", "rollback", "--sign", &key]).status, Some(2));

    // Whoever does not know the key is told so, of each package.
    let home = space.path("empty-ring");
    fs_err::create_dir(&home).unwrap();
    let mut command = space.command(&["binhost", "check", "--folder", "signed"]);
    command.env("GNUPGHOME", &home);
    let stranger = space.ended(command);
    assert_eq!(stranger.status, Some(1), "{}", stranger.text());
    assert!(
        stranger.stdout.contains("which is not in the key ring"),
        "{}",
        stranger.text()
    );
    for home in [space.path("../home/.gnupg"), home] {
        let killed = Command::new("gpgconf")
            .arg("--homedir")
            .arg(home)
            .args(["--kill", "all"])
            .status();
        assert!(killed.unwrap().success());
    }
}
