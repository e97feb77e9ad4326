//! A signed binhost, from the first key to stock Portage on a client, and what that client refuses.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;

use crate::support::nginx::Nginx;
use crate::support::{Client, FarmSpace, client_image, run};

const MANIFEST: &str = "farms/tiny/farm.yaml";
const PLACE: &str = "pkgs: { to: \"${PKGS}\"";

/// A farm whose keys are its own; the agent ends with it.
pub(crate) struct Signing {
    pub(crate) space: FarmSpace,
}

/// What `farm key new` printed.
pub(crate) struct Steps {
    pub(crate) fingerprint: String,
    /// What the client's root runs.
    commands: String,
    /// Lines of binrepos.conf.
    binrepos: String,
    public: PathBuf,
}

impl Signing {
    pub(crate) fn new() -> Self {
        Self {
            space: FarmSpace::ready(),
        }
    }

    pub(crate) fn key(&self, name: &str) -> Steps {
        let made = self.space.farm(&["key", "new", "--no-passphrase", name]).succeeded();
        let part = |from: &str| -> String {
            let lines = made.stdout.lines().skip_while(|line| !line.contains(from)).skip(1);
            let lines: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
            lines.join("\n")
        };
        let fingerprint = part("In the manifest").trim_start_matches("sign: ").to_owned();
        let public = self.space.path(&format!("binhost-{}.asc", &fingerprint[24..]));
        Steps {
            fingerprint,
            commands: part("On every client"),
            binrepos: part("In /etc/portage/binrepos.conf"),
            public,
        }
    }

    /// Has this key sign from now on; `None`: nobody.
    pub(crate) fn signed_by(&self, name: Option<&str>) {
        let text = self.space.read(MANIFEST);
        let start = text.find(PLACE).unwrap() + PLACE.len();
        let end = start + text[start..].find('}').unwrap();
        let sign = name.map(|name| format!(", sign: \"{name}\" ")).unwrap_or_default();
        self.space
            .write(MANIFEST, format!("{}{sign}{}", &text[..start], &text[end..]));
    }

    /// Publishes to a folder of this name; gives what became of the node, and the folder of the index.
    pub(crate) fn publish(&self, name: &str, more: &[&str]) -> (String, PathBuf) {
        self.publish_with(name, more, &[])
    }

    /// The same with these variables in the environment.
    fn publish_with(&self, name: &str, more: &[&str], environment: &[(&str, &Path)]) -> (String, PathBuf) {
        let folder = self.space.folder().join(name);
        let to = format!("PKGS=file://{}", folder.display());
        let words = [&["publish-pkgs", "tiny", "--json", &to], more].concat();
        let mut command = self.space.command(&words);
        command.envs(environment.iter().copied());
        let results = run(command).succeeded().results();
        (
            results["tiny:publish-pkgs"].clone(),
            folder.join(format!("{}.opt", self.space.flavour())),
        )
    }
}

/// Exports a secret key from the farm's key ring to a file that is the user's alone.
fn export(signing: &Signing, fingerprint: &str) -> PathBuf {
    let file = signing.space.folder().join("secret.asc");
    let status = Command::new("gpg")
        .args(["--batch", "--armor", "--output"])
        .arg(&file)
        .args(["--export-secret-keys", fingerprint])
        .env_clear()
        .env("HOME", signing.space.folder().join("home"))
        .env("PATH", "/usr/bin:/bin")
        .status()
        .unwrap();
    assert!(status.success());
    fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file
}

impl Drop for Signing {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .args(["--kill", "all"])
            .env_clear()
            .env("HOME", self.space.folder().join("home"))
            .env("PATH", "/usr/bin:/bin")
            .status();
    }
}

/// The first package of leaf in a folder.
fn leaf(folder: &Path) -> PathBuf {
    folder.join("app-misc/leaf/leaf-1.0-1.gpkg.tar")
}

/// What a program of coreutils says of a file first.
fn sum(program: &str, file: &Path) -> String {
    let output = Command::new(program).arg(file).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split(' ').next().unwrap().to_owned()
}

/// Changes a byte of the image of leaf and has the index say that this is right, as somebody would who owns the server.
fn forge(folder: &Path) {
    let package = leaf(folder);
    let before = ["md5sum", "sha1sum"].map(|program| sum(program, &package));
    let mut bytes = fs::read(&package).unwrap();
    let image = bytes.windows(13).position(|window| window == b"image.tar.zst").unwrap();
    bytes[image.next_multiple_of(512) + 100] ^= 1;
    fs::write(&package, bytes).unwrap();
    let after = ["md5sum", "sha1sum"].map(|program| sum(program, &package));
    let index = folder.join("Packages");
    let mut text = fs::read_to_string(&index).unwrap();
    for (before, after) in before.iter().zip(&after) {
        assert!(text.contains(before), "{text}");
        text = text.replace(before, after);
    }
    fs::write(&index, text).unwrap();
    fs::remove_file(folder.join("Packages.gz")).unwrap();
}

#[test]
fn stock_portage_verifies_what_it_installs() {
    let signing = Signing::new();
    let key = signing.key("Farm Test <farm@example.org>");
    signing.signed_by(Some(&key.fingerprint));
    let (result, published) = signing.publish("pkgs", &[]);
    assert_eq!(result, "built");
    assert_eq!(signing.publish("pkgs", &[]).0, "cached");
    // The same key by another name is the same key.
    signing.signed_by(Some("farm@example.org"));
    assert_eq!(signing.publish("pkgs", &[]).0, "cached");

    let server = Nginx::serve(&published);
    let client = Client::new(client_image(), &signing.space.path("farms/tiny/gentoo"));
    let from = |server: &Nginx| {
        key.binrepos
            .replace("http://binhost.example.org/FLAVOUR", &server.url())
    };
    client.takes_from(&from(&server));
    // Nobody told it of the key.
    client.emerge_refuses("app-misc/leaf");
    client.copy(
        &key.public,
        &format!("/root/{}", key.public.file_name().unwrap().display()),
    );
    client.shell(&format!("cd /root\n{}", key.commands));
    let said = client.emerge("app-misc/leaf");
    assert!(said.contains("Emerging binary"), "{said}");
    assert_eq!(client.shell("leaf"), "hello, the answer is 42");

    // From here on leaf is there, and nothing may take its place.
    let installed = "cat /var/db/pkg/app-misc/leaf-1.0/BUILD_TIME /var/db/pkg/app-misc/leaf-1.0/COUNTER";
    let before = client.shell(installed);
    let refuses = |folder: &Path, binrepos: &dyn Fn(&Nginx) -> String, why: &str| {
        let server = Nginx::serve(folder);
        client.takes_from(&binrepos(&server));
        let said = client.emerge_refuses("--oneshot app-misc/leaf");
        assert!(said.contains(why), "{said}");
        assert_eq!(client.shell(installed), before);
    };
    let copied = signing.space.folder().join("forged");
    let status = Command::new("cp")
        .arg("-a")
        .args([&published, &copied])
        .status()
        .unwrap();
    assert!(status.success());
    forge(&copied);
    refuses(&copied, &from, "leaf");

    let other = signing.key("Somebody Else <other@example.org>");
    signing.signed_by(Some(&other.fingerprint));
    let (_, foreign) = signing.publish("foreign", &[]);
    refuses(&foreign, &from, "unknown key");

    signing.signed_by(None);
    let (_, unsigned) = signing.publish("unsigned", &["--unsigned"]);
    refuses(&unsigned, &from, "unsigned");
    // Portage's own binrepos.conf wants signatures of whoever says nothing about them.
    let silent = |server: &Nginx| format!("[farm]\npriority = 1\nsync-uri = {}\n", server.url());
    refuses(&unsigned, &silent, "unsigned");

    // Published by another key where it was published by the first: a new release, which the client does not take.
    signing.signed_by(Some("other@example.org"));
    assert_eq!(signing.publish("pkgs", &[]).0, "built");
    refuses(&published, &from, "unknown key");
    // And back.
    signing.signed_by(Some(&key.fingerprint));
    assert_eq!(signing.publish("pkgs", &[]).0, "built");
    client.takes_from(&from(&server));
    client.emerge("--oneshot app-misc/leaf");
    assert_ne!(client.shell(installed), before);
}

#[test]
fn a_key_file_signs_what_a_key_ring_does() {
    let signing = Signing::new();
    let key = signing.key("Farm Test <farm@example.org>");
    signing.signed_by(Some("farm@example.org"));
    let (result, published) = signing.publish("pkgs", &[]);
    assert_eq!(result, "built");
    let by_ring = fs::read(leaf(&published)).unwrap();

    // From now on there is no gpg.
    let secret = export(&signing, &key.fingerprint);
    let environment = [
        ("FARM_SIGNING_KEY_FILE", secret.as_path()),
        ("GNUPGHOME", Path::new("/nowhere")),
    ];
    let with_file = |name: &str| signing.publish_with(name, &[], &environment);
    assert_eq!(with_file("pkgs").0, "cached", "the same key signs");
    // What was lost is made again as the other way of signing had made it, and is no new instance.
    fs::remove_file(leaf(&published)).unwrap();
    assert_eq!(with_file("pkgs").0, "built");
    assert!(fs::read(leaf(&published)).unwrap() == by_ring);
    assert!(!published.join("app-misc/leaf/leaf-1.0-2.gpkg.tar").exists());

    // A client that trusts the key takes all that was signed with the file alone.
    let (result, alone) = with_file("alone");
    assert_eq!(result, "built");
    let server = Nginx::serve(&alone);
    let client = Client::new(client_image(), &signing.space.path("farms/tiny/gentoo"));
    client.takes_from(
        &key.binrepos
            .replace("http://binhost.example.org/FLAVOUR", &server.url()),
    );
    client.emerge_refuses("app-misc/leaf");
    client.copy(
        &key.public,
        &format!("/root/{}", key.public.file_name().unwrap().display()),
    );
    client.shell(&format!("cd /root\n{}", key.commands));
    let said = client.emerge("app-misc/leaf");
    assert!(said.contains("Emerging binary"), "{said}");
    assert_eq!(client.shell("leaf"), "hello, the answer is 42");
}
