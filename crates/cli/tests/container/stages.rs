//! Stage3 archives as bases.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use fs_err as fs;

use crate::support::nginx::Nginx;
use crate::support::{FarmSpace, base_image, docker};

const MANIFEST: &str = "farms/tiny/farm.yaml";
const LOCK: &str = "farms/tiny/farm.lock";

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
    fn sign(&self, archive: &PathBuf) {
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

/// SHA-256 of a file, in hexadecimal digits.
fn sha256(path: &PathBuf) -> String {
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
