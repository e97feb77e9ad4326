//! A laboratory with the real Portage: a wheel laid out as a source tree, and a configuration, repository and package
//! folder of its own. It needs no root directory of its own, because nothing is merged.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(dead_code, reason = "every test program uses another part of it")]

pub(crate) mod made;
#[path = "../oracle/random.rs"]
pub(crate) mod random;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use farm_portage::index::HeaderSettings;
use fs_err as fs;
use tempfile::TempDir;

/// The version that the tests compare with.
const WHEEL: &str = "portage==3.0.83";

/// An ebuild with every kind of entry and much that is hard about a saved environment.
pub(crate) const RICH: &str = include_str!("rich.ebuild");

/// Gives the folder of a Portage source tree, made at the first call of all test programs.
///
/// `FARM_TEST_WHEEL` may name a wheel that is there already; otherwise pip fetches it.
#[expect(clippy::disallowed_methods, reason = "a test's switch, not a library's")]
pub(crate) fn portage() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let tree = cache.join("portage-3.0.83");
    if tree.is_dir() {
        return tree;
    }
    let download = tempfile::tempdir_in(cache).unwrap();
    let wheel = std::env::var_os("FARM_TEST_WHEEL").map_or_else(
        || {
            let pip = Command::new("python3")
                .args(["-m", "pip", "--quiet", "download", WHEEL, "--no-deps", "--dest"])
                .arg(download.path())
                .output()
                .unwrap();
            assert!(pip.status.success(), "{}", String::from_utf8_lossy(&pip.stderr));
            fs::read_dir(download.path()).unwrap().next().unwrap().unwrap().path()
        },
        PathBuf::from,
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gpkg_support/unpack.py");
    let status = Command::new("python3")
        .arg(script)
        .arg(wheel)
        .arg(&tree)
        .status()
        .unwrap();
    assert!(status.success());
    tree
}

/// A configured Portage with one repository.
pub(crate) struct Lab {
    portage: PathBuf,
    dir: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let lab = Self {
            portage: portage(),
            dir: tempfile::tempdir().unwrap(),
        };
        for folder in [
            "etc/portage",
            "repo/metadata",
            "repo/profiles/base",
            "repo/licenses",
            "root",
            "pkgdir",
            "tmp",
            "bin",
        ] {
            fs::create_dir_all(lab.path(folder)).unwrap();
        }
        let files = [
            ("repo/profiles/repo_name", "farmtest\n"),
            ("repo/profiles/arch.list", "amd64\n"),
            ("repo/profiles/categories", "app-misc\n"),
            ("repo/profiles/profiles.desc", "amd64 base stable\n"),
            ("repo/profiles/base/eapi", "8\n"),
            ("repo/licenses/MIT", "text\n"),
            ("repo/profiles/base/make.defaults", include_str!("make.defaults")),
            (
                "repo/metadata/layout.conf",
                "masters =\nprofile-formats = portage-2\nthin-manifests = true\ncache-formats =\n",
            ),
        ];
        for (path, text) in files {
            fs::write(lab.path(path), text).unwrap();
        }
        // What Gentoo calls GNU tar, and Portage packs an XPAK with.
        let gtar = lab.path("bin/gtar");
        fs::write(&gtar, "#!/bin/sh\nexec tar \"$@\"\n").unwrap();
        fs::set_permissions(&gtar, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(lab.path("repo/profiles/base"), lab.path("etc/portage/make.profile")).unwrap();
        let id = |flag| String::from_utf8(Command::new("id").arg(flag).output().unwrap().stdout).unwrap();
        let make_conf = format!(
            "PKGDIR={}\nDISTDIR={}\nPORTAGE_TMPDIR={}\nPORTAGE_USERNAME={}PORTAGE_GRPNAME={}\
             FEATURES=\"-sandbox -usersandbox -userpriv -userfetch -ipc-sandbox -network-sandbox -pid-sandbox -news\"\n",
            lab.path("pkgdir").display(),
            lab.path("tmp").display(),
            lab.path("tmp").display(),
            id("-un"),
            id("-gn"),
        );
        fs::write(lab.path("etc/portage/make.conf"), make_conf).unwrap();
        lab
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Writes `app-misc/NAME/NAME-VERSION.ebuild`.
    pub(crate) fn ebuild(&self, pf: &str, text: &str) -> PathBuf {
        let (name, _) = pf.rsplit_once('-').unwrap();
        let folder = self.path(&format!("repo/app-misc/{name}"));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{pf}.ebuild"));
        fs::write(&path, text).unwrap();
        path
    }

    /// A command in Portage's environment: empty but for what is needed.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("python3");
        command
            .env_clear()
            .env(
                "PATH",
                format!(
                    "{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                    self.path("bin").display()
                ),
            )
            .env("HOME", self.dir.path())
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("SOURCE_DATE_EPOCH", "1700000000")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONPATH", self.portage.join("lib"))
            .env("PORTAGE_CONFIGROOT", self.dir.path())
            .env("ROOT", self.path("root"))
            .env(
                "PORTAGE_REPOSITORIES",
                format!(
                    "[DEFAULT]\nmain-repo = farmtest\n[farmtest]\nlocation = {}\n",
                    self.path("repo").display()
                ),
            )
            .stdin(Stdio::null());
        if !program.is_empty() {
            command.arg(self.portage.join("bin").join(program));
        }
        command
    }

    /// Builds an ebuild with Portage and gives the binary package. PKGDIR is empty before and after.
    pub(crate) fn build(&self, ebuild: &Path, environment: &[(&str, &str)]) -> Vec<u8> {
        let clean = self
            .command("ebuild")
            .arg("--skip-manifest")
            .arg(ebuild)
            .arg("clean")
            .output()
            .unwrap();
        assert!(clean.status.success(), "{}", String::from_utf8_lossy(&clean.stderr));
        let output = self
            .command("ebuild")
            .envs(environment.iter().copied())
            .arg("--skip-manifest")
            .arg(ebuild)
            .arg("package")
            .output()
            .unwrap();
        let log = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success(), "{log}");
        let name = ebuild.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let folder = self.path(&format!("pkgdir/app-misc/{name}"));
        let files: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1, "{log}");
        let bytes = fs::read(&files[0]).unwrap();
        fs::remove_dir_all(self.path("pkgdir")).unwrap();
        fs::create_dir_all(self.path("pkgdir")).unwrap();
        bytes
    }

    /// Runs `emaint binhost --fix`, which must have nothing to complain about.
    pub(crate) fn emaint_binhost(&self) {
        let output = self.command("emaint").args(["binhost", "--fix"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("!!!"), "{said}");
    }

    /// The settings that go into the header of this Portage's index.
    pub(crate) fn header_settings(&self) -> HeaderSettings {
        let printed: serde_json::Value = serde_json::from_str(&self.python("settings.py", &[], "")).unwrap();
        HeaderSettings {
            profile: Some("base".to_owned()),
            variables: serde_json::from_value(printed["variables"].clone()).unwrap(),
            ..HeaderSettings::default()
        }
    }

    /// Runs a Python program of `tests/gpkg_support` with Portage's modules, and gives what it prints.
    pub(crate) fn python(&self, script: &str, arguments: &[&str], input: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/gpkg_support")
            .join(script);
        let mut child = self
            .command("")
            .arg(path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        assert!(
            output.status.success(),
            "{script}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}
