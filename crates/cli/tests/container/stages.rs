//! Stage3 archives as bases, and stages that farm packs: whole, signed, and each the other's.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;

use crate::support::nginx::Nginx;
use crate::support::{FarmSpace, base_image, docker};

const MANIFEST: &str = "farms/tiny/farm.yaml";
const LOCK: &str = "farms/tiny/farm.lock";

/// What has to run for a stage of the base alone.
const PLANNED_THEN_PACKED: [&str; 8] = [
    "plan",
    "plan/apps",
    "plan/libs",
    "repo/gentoo",
    "repo/tiny",
    "root",
    "stage-archive/same",
    "stage/same",
];

/// Puts into a root what archives and images lose most easily.
const ODDITIES: &str = r#"
mkdir -p /opt/odd/dev
cd /opt/odd
echo one > first; ln first second; chown 4242:2424 first
echo set > setuid; chmod 4755 setuid
mkdir sticky; chmod 3777 sticky
ln -s ../nowhere link; chown -h 4343:3434 link
mkfifo fifo
mknod null c 1 3; mknod -m 660 disk b 8 1; mknod -m 600 dev/console c 5 1
cp /bin/true ping
python3 -c 'import os; os.setxattr("ping", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))'
touch -d @1234567890 first
"#;

/// Tells of all that.
const TELL: &str = r#"
cd /opt/odd
stat -c '%n %F %a %u:%g %h %t,%T' first second setuid sticky link fifo null disk
stat -c %Y first second
python3 -c 'import os; print(os.getxattr("ping", "security.capability").hex())'
"#;

/// Lists all that a tar has, by Python's reader: what a file with several names is does not depend on which of them comes first.
const LIST: &str = r#"
import sys, tarfile
rows, links = {}, {}
for m in tarfile.open(fileobj=sys.stdin.buffer, mode="r|"):
    name = m.name.removeprefix("./")
    if name in ("", "."):
        continue
    if m.islnk():
        links[name] = m.linkname.removeprefix("./")
    else:
        capability = m.pax_headers.get("SCHILY.xattr.security.capability", "")
        what = m.linkname if m.issym() else (m.devmajor, m.devminor) if m.isdev() else m.size
        mode = 0o777 if m.issym() else m.mode
        rows[name] = (m.type, oct(mode), m.uid, m.gid, int(m.mtime), what, capability)
def first(name):
    while name in links:
        name = links[name]
    return name
groups = {}
for name in links:
    groups.setdefault(first(name), {first(name)}).add(name)
for name in sorted({*rows, *links}):
    print(name, *rows[first(name)], *sorted(groups.get(first(name), ())))
"#;

/// A root as it is packed by GNU tar.
struct Stage3 {
    space: FarmSpace,
    tar: PathBuf,
}

impl Stage3 {
    /// The base that all workspaces stand on, with oddities; and a farm that stands on nothing yet.
    fn new() -> Self {
        let space = FarmSpace::new();
        let tar = space.folder().join("stage3.tar");
        let script = format!(
            "exec 3>&1 >&2; set -e; {ODDITIES} tar -C / --one-file-system --numeric-owner --xattrs --format=posix \
             --transform='s,^./opt/odd/dev/,./dev/,' --exclude=./.dockerenv --exclude=./proc --exclude=./sys -cf - . >&3 || [ $? = 1 ]"
        );
        let status = Command::new("docker")
            .args(["run", "--rm", "--label", "org.farm.test=1", "--network", "none"])
            .args(["--entrypoint", "/bin/sh", base_image(), "-c", &script])
            .stdin(Stdio::null())
            .stdout(fs::File::create(&tar).unwrap().into_file())
            .status()
            .unwrap();
        assert!(status.success());
        Self { space, tar }
    }

    /// Has a program compress the archive into the manifest's folder.
    fn compressed(&self, program: &[&str], name: &str) -> PathBuf {
        let path = self.space.path(&format!("farms/tiny/{name}"));
        let status = Command::new(program[0])
            .args(&program[1..])
            .stdin(fs::File::open(&self.tar).unwrap().into_file())
            .stdout(fs::File::create(&path).unwrap().into_file())
            .status()
            .unwrap();
        assert!(status.success());
        path
    }

    /// Runs gpg with the keys of the workspace's home.
    fn gpg(&self, arguments: &[&str]) {
        let output = Command::new("gpg")
            .args(["--batch", "--yes"])
            .args(arguments)
            .env_clear()
            .env("HOME", self.space.folder().join("home"))
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Signs an archive of the manifest's folder.
    fn sign(&self, archive: &Path) {
        self.gpg(&["--armor", "--detach-sign", archive.to_str().unwrap()]);
    }

    /// What an image's files are.
    fn told(image: &str) -> String {
        docker(&[
            "run",
            "--rm",
            "--network",
            "none",
            "--entrypoint",
            "/bin/sh",
            image,
            "-ec",
            TELL,
        ])
    }

    fn base(&self) -> String {
        let place = self.space.place("tiny:base", "image");
        place["id"].as_str().unwrap().to_owned()
    }
}

impl Drop for Stage3 {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .args(["--kill", "all"])
            .env_clear()
            .env("HOME", self.space.folder().join("home"))
            .env("PATH", "/usr/bin:/bin")
            .status();
    }
}

/// What is in an archive, through a program that undoes its compression.
fn listed(path: &Path, decompress: &[&str]) -> Vec<String> {
    let mut program = Command::new(decompress[0])
        .args(&decompress[1..])
        .stdin(fs::File::open(path).unwrap().into_file())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = Command::new("python3")
        .args(["-c", LIST])
        .stdin(program.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(program.wait().unwrap().success() && output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// SHA-256 of a file, in hexadecimal digits.
fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

#[test]
fn a_stage3_is_a_base() {
    let stage3 = Stage3::new();
    let space = &stage3.space;
    let made = space
        .farm(&[
            "key",
            "new",
            "--no-passphrase",
            "--public",
            "farms/tiny/keys.asc",
            "Releases",
        ])
        .succeeded();
    assert!(made.stdout.contains("sign: "), "{made}");
    let archive = stage3.compressed(&["xz", "-0", "-T2"], "stage3.tar.xz");
    stage3.sign(&archive);
    let hosted = format!("{{ image: \"{}\" }}", base_image());
    space.edit(MANIFEST, &hosted, "{ stage3: stage3.tar.xz, keyring: keys.asc }");

    // One byte, late in the archive: most of it could have been unpacked by then.
    let good = fs::read(&archive).unwrap();
    let mut bad = good.clone();
    let late = bad.len() - 1000;
    bad[late] ^= 1;
    fs::write(&archive, &bad).unwrap();
    let refused = space.farm(&["build", "tiny:base"]).ended(2);
    assert!(
        refused
            .stderr
            .contains("it is not what was signed, its signature is bad"),
        "{refused}"
    );
    assert!(space.guards().is_empty() && !space.path(LOCK).exists());
    drop(bad);

    fs::write(&archive, &good).unwrap();
    drop(good);
    space
        .farm(&["build", "tiny:base", "--json"])
        .assert_ran("an archive that is signed well", &["base"]);
    let base = stage3.base();
    let layers = docker(&[
        "image",
        "inspect",
        "--format",
        "{{.RootFS.Layers}} {{.Architecture}}",
        &base,
    ]);
    assert_eq!(layers, format!("[sha256:{}] amd64", sha256(&stage3.tar)));
    let told = Stage3::told(&base);
    insta::assert_snapshot!(told);

    // Packed again it is what it was, to the last device node and time, though no container shows all of it.
    space.edit(MANIFEST, "\ntasks:\n", "\nstages:\n  same: { from: base }\n\ntasks:\n");
    space
        .farm(&["build", "tiny:stage/same", "--json"])
        .assert_ran("a stage", &PLANNED_THEN_PACKED);
    let packed = space.path(&format!(".farm/stages/tiny/{}.opt/same.tar.zst", space.flavour()));
    let (before, after) = (listed(&stage3.tar, &["cat"]), listed(&packed, &["zstd", "-dc"]));
    let differing: Vec<_> = before.iter().filter(|line| !after.contains(line)).take(9).collect();
    assert_eq!(before.len(), after.len(), "{differing:?}");
    assert!(differing.is_empty(), "{differing:?}");
    assert!(
        after.iter().any(|line| line.starts_with("dev/console ")),
        "the test tests nothing"
    );

    // Portage works in it, and makes what it makes elsewhere.
    let built = space.farm(&["build", "tiny:image/leaf", "--json"]).succeeded();
    assert!(built.ran().contains("tiny:image/leaf"), "{built}");
    let leaf = format!("farm/tiny-leaf:{}.opt", space.flavour());
    assert_eq!(docker(&["run", "--rm", &leaf]), "hello, the answer is 42");
    assert_eq!(Stage3::told(&leaf), told);

    // Fetched, under another compression, and with nothing known: the same base.
    let zstd = stage3.compressed(&["zstd", "-1", "-q"], "stage3.tar.zst");
    stage3.sign(&zstd);
    let server = Nginx::serve(&space.path("farms/tiny"));
    let address = format!("{}/stage3.tar.zst", server.url());
    space.edit(MANIFEST, "stage3: stage3.tar.xz", &format!("stage3: \"{address}\""));
    space
        .farm(&["build", "tiny:base", "--json"])
        .assert_ran("an archive with another digest", &["base"]);
    assert_eq!(stage3.base(), base);
    assert!(space.read(LOCK).contains(&sha256(&zstd)));

    // What was pinned is kept: it serves with nobody there, and again after somebody damaged it.
    let again = |status| {
        let ended = space
            .farm(&["build", "tiny:base", "--rebuild", "tiny:base"])
            .ended(status);
        assert_eq!(stage3.base(), base);
        ended
    };
    drop(server);
    let offline = again(0);
    assert!(!offline.stderr.contains("fetching"), "{offline}");
    let kept = space.path(".farm/downloads/stage3").join(sha256(&zstd));
    fs::write(&kept, "damaged").unwrap();
    let out_of_reach = again(3);
    assert!(out_of_reach.stderr.contains("is not to be had"), "{out_of_reach}");

    // Another archive under the same name, signed by the same key, is another one.
    space.edit(MANIFEST, &format!("stage3: \"{address}\""), "stage3: stage3.tar.xz");
    fs::rename(&zstd, &archive).unwrap();
    stage3.sign(&archive);
    let other = again(3);
    assert!(
        other.stderr.contains(" and not sha256:") && other.stderr.contains("farm update"),
        "{other}"
    );
}

#[test]
fn a_stage_is_packed_and_signed() {
    let space = FarmSpace::ready();
    let keyed = Stage3 {
        tar: PathBuf::new(),
        space,
    };
    let space = &keyed.space;
    let key = |name: &str, file: &str| -> String {
        let made = space
            .farm(&["key", "new", "--no-passphrase", "--public", file, name])
            .succeeded();
        let line = made.stdout.lines().find_map(|line| line.strip_prefix("sign: "));
        line.unwrap().to_owned()
    };
    let first = key("First <first@example.org>", "first.asc");
    space.write(
        "farms/tiny/finish.sh",
        "#!/bin/sh -e\nleaf > /etc/finished\nmkdir -p /opt/keep /var/cache/x\ntouch /opt/keep/it /opt/gone.1 /opt/gone.2 /root/secret\n\
         chmod 600 /root/secret\nmknod /opt/keep/null c 1 3\nln /opt/keep/it /opt/keep/again\n",
    );
    space.chmod("farms/tiny/finish.sh", 0o755);
    let stage = |sign: &str| {
        format!(
            "\nstages:\n  node: {{ from: base, subjects: [apps], scripts: [finish.sh], remove: [/root/secret, \"/opt/gone*\", \"/no/*\"]{sign} }}\n\ntasks:\n"
        )
    };
    let signed_by = |key: &str| format!(", sign: \"{key}\"");
    space.edit(MANIFEST, "\ntasks:\n", &stage(&signed_by(&first)));
    let build = || space.farm(&["build", "tiny:stage/node", "--json"]);
    build().assert_ran("a stage", &["stage-root/node", "stage-archive/node", "stage/node"]);
    build().assert_ran("a stage that is there", &[]);

    let folder = space.path(&format!(".farm/stages/tiny/{}.opt", space.flavour()));
    let (archive, signature) = (folder.join("node.tar.zst"), folder.join("node.tar.zst.asc"));
    let verifies = |file: &str| {
        let home = space.folder().join(file);
        let verified = Command::new("sh")
            .args([
                "-ec",
                "mkdir -m 700 -p \"$GNUPGHOME\"; gpg -q --import \"$0\"; gpg --verify \"$1\" \"$2\"",
            ])
            .args([&space.path(file), &signature, &archive])
            .env_clear()
            .env("GNUPGHOME", &home)
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        verified.status.success()
    };
    assert!(verifies("first.asc"));
    let status = Command::new("sha256sum")
        .args(["-c", "--quiet", "node.tar.zst.sha256"])
        .current_dir(&folder)
        .status()
        .unwrap();
    assert!(status.success());

    // GNU tar unpacks it, and it works.
    let root = space.folder().join("root");
    fs::create_dir(&root).unwrap();
    let status = Command::new("tar")
        .args(["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf"])
        .arg(&archive)
        .arg("-C")
        .arg(&root)
        .status()
        .unwrap();
    assert!(status.success());
    let inside = |command: &str| -> String {
        let output = Command::new("chroot")
            .arg(&root)
            .args(["/bin/sh", "-ec", command])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{command}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(
        inside("leaf; cat /etc/finished"),
        "hello, the answer is 42\nhello, the answer is 42\n"
    );
    assert_eq!(
        inside("stat -c '%n %F %h %t,%T' /opt/* /opt/keep/* /root/* 2>/dev/null || :"),
        "\
/opt/keep directory 2 0,0\n\
/opt/keep/again regular empty file 2 0,0\n\
/opt/keep/it regular empty file 2 0,0\n\
/opt/keep/null character special file 1 1,3\n"
    );
    assert!(inside("cat /var/lib/portage/world").contains("app-misc/leaf"));

    // Made anew from the base on it is the same.
    let bytes = sha256(&archive);
    let again = [
        "build",
        "tiny:stage/node",
        "--rebuild",
        "tiny:stage-root/node",
        "--rebuild",
        "tiny:stage-archive/node",
    ];
    let again = space.farm(&again).succeeded();
    assert!(!again.stderr.contains("not reproducible"), "{again}");

    // Another key, none, and the first again: signed, and not packed.
    let second = key("Second <second@example.org>", "second.asc");
    space.edit(MANIFEST, &first, &second);
    build().assert_ran("another key", &["stage/node"]);
    assert!(verifies("second.asc") && !verifies("first.asc"));
    space.edit(MANIFEST, &signed_by(&second), "");
    build().assert_ran("no key", &["stage/node"]);
    assert!(!signature.exists());
    space.edit(
        MANIFEST,
        "\"/no/*\"]",
        &format!("\"/no/*\"]{}", signed_by("first@example.org")),
    );
    build().assert_ran("a key", &["stage/node"]);
    build().assert_ran("nothing new", &[]);
    // What somebody took or changed is put back.
    fs::write(&signature, "").unwrap();
    build().assert_ran("a signature that was changed", &["stage/node"]);
    fs::remove_file(&archive).unwrap();
    build().assert_ran("an archive that is gone", &["stage/node"]);
    assert!(verifies("first.asc"));
    assert_eq!(sha256(&archive), bytes);
    // A key that is not there is said before anything is done.
    space.edit(MANIFEST, "first@example.org", "nobody@example.org");
    let refused = build().ended(2);
    assert!(
        refused.stderr.contains("there is no secret key `nobody@example.org`"),
        "{refused}"
    );

    // And another farm begins with it.
    let other = FarmSpace::new();
    for (from, to) in [
        (&archive, "node.tar.zst"),
        (&signature, "node.tar.zst.asc"),
        (&space.path("first.asc"), "first.asc"),
    ] {
        fs::copy(from, other.path("farms/tiny").join(to)).unwrap();
    }
    let image = format!("{{ image: \"{}\" }}", base_image());
    other.edit(MANIFEST, &image, "{ stage3: node.tar.zst, keyring: first.asc }");
    other
        .farm(&["build", "tiny:base", "--json"])
        .assert_ran("a stage as a base", &["base"]);
    let place = other.place("tiny:base", "image");
    let told = docker(&[
        "run",
        "--rm",
        "--network",
        "none",
        place["id"].as_str().unwrap(),
        "/bin/sh",
        "-c",
        "leaf; cat /etc/finished",
    ]);
    assert_eq!(told, "hello, the answer is 42\nhello, the answer is 42");
}
