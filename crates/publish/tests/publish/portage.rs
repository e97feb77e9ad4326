//! A stock Portage as the client: it installs what was published, over HTTP, and finds nothing wrong with the index.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use farm_publish::Candidate;
use fs_err as fs;

use crate::support::Lab;

const WHEEL: &str = "portage==3.0.83";

/// Gives the folder of a Portage source tree, which the tests of the Portage formats use too.
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
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../portage/tests/gpkg_support/unpack.py");
    let status = Command::new("python3")
        .arg(script)
        .arg(wheel)
        .arg(&tree)
        .status()
        .unwrap();
    assert!(status.success());
    tree
}

/// Portage in a prefix of its own, in the laboratory's folder. (With ROOT alone it would read the machine's `/etc/portage`
/// too.)
struct Client<'a> {
    lab: &'a Lab,
    portage: PathBuf,
}

impl<'a> Client<'a> {
    fn new(lab: &'a Lab) -> Self {
        let folders = [
            "system/etc/portage",
            "repo/metadata",
            "repo/profiles/base",
            "repo/licenses",
            "repo/app-misc/x",
            "built",
            "tmp",
            "cache",
        ];
        for folder in folders {
            fs::create_dir_all(lab.path(folder)).unwrap();
        }
        let id = |flag| String::from_utf8(Command::new("id").arg(flag).output().unwrap().stdout).unwrap();
        let make_conf = format!(
            "PKGDIR=\"{}\"\nDISTDIR=\"{}\"\nPORTAGE_TMPDIR=\"{}\"\nPORTAGE_USERNAME=\"{}\"\nPORTAGE_GRPNAME=\"{}\"\n\
             FEATURES=\"-sandbox -usersandbox -userpriv -userfetch -ipc-sandbox -network-sandbox -pid-sandbox -news\"\n\
             CLEAN_DELAY=0\nEMERGE_WARNING_DELAY=0\n",
            lab.path("built").display(),
            lab.path("tmp").display(),
            lab.path("tmp").display(),
            id("-un").trim(),
            id("-gn").trim(),
        );
        let files = [
            ("repo/profiles/repo_name", "hep\n"),
            ("repo/profiles/arch.list", "amd64\n"),
            ("repo/profiles/categories", "app-misc\n"),
            ("repo/profiles/profiles.desc", "amd64 base stable\n"),
            ("repo/profiles/base/eapi", "8\n"),
            (
                "repo/profiles/base/make.defaults",
                "ARCH=\"amd64\"\nCHOST=\"x86_64-pc-linux-gnu\"\nACCEPT_KEYWORDS=\"amd64\"\nACCEPT_LICENSE=\"*\"\n",
            ),
            ("repo/licenses/MIT", "text\n"),
            (
                "repo/metadata/layout.conf",
                "masters =\nprofile-formats = portage-2\nthin-manifests = true\ncache-formats =\n",
            ),
            ("system/etc/portage/make.conf", &make_conf),
        ];
        for (path, text) in files {
            fs::write(lab.path(path), text).unwrap();
        }
        symlink(
            lab.path("repo/profiles/base"),
            lab.path("system/etc/portage/make.profile"),
        )
        .unwrap();
        Self {
            lab,
            portage: portage(),
        }
    }

    /// Runs a program of Portage, which must succeed; gives what it says.
    fn run(&self, program: &str, arguments: &[&str], environment: &[(&str, &Path)]) -> String {
        let repositories = format!(
            "[DEFAULT]\nmain-repo = hep\n[hep]\nlocation = {}\n",
            self.lab.path("repo").display()
        );
        let output = Command::new("python3")
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.lab.path("tmp"))
            .env("LC_ALL", "C.UTF-8")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONPATH", self.portage.join("lib"))
            .env("PORTAGE_OVERRIDE_EPREFIX", self.lab.path("system"))
            .env("PORTAGE_REPOSITORIES", repositories)
            .envs(environment.iter().copied())
            .arg(self.portage.join("bin").join(program))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success(), "{program} {arguments:?}: {text}");
        text
    }

    /// Builds `app-misc/x-1` with this content, and brings it into normal form.
    fn build(&self, content: &str) -> Candidate {
        let ebuild = self.lab.path("repo/app-misc/x/x-1.ebuild");
        let text = format!(
            "EAPI=8\nDESCRIPTION=\"d\"\nSLOT=0\nKEYWORDS=\"amd64\"\nLICENSE=\"MIT\"\nS=\"${{WORKDIR}}\"\n\
             src_install() {{ insinto /usr/share/x; newins - content <<<\"{content}\"; }}\n"
        );
        fs::write(&ebuild, text).unwrap();
        let path = ebuild.to_str().unwrap();
        self.run("ebuild", &["--skip-manifest", path, "clean", "package"], &[]);
        let built = self.lab.path("built/app-misc/x/x-1-1.gpkg.tar");
        let candidate = self.lab.keep("app-misc/x-1", &fs::read(&built).unwrap());
        fs::remove_dir_all(self.lab.path("built")).unwrap();
        fs::create_dir(self.lab.path("built")).unwrap();
        candidate
    }

    /// Installs from the binhost, and gives the content that is there then.
    fn install(&self, server: &Server) -> String {
        let binrepos = format!(
            "[farm]\nsync-uri = http://127.0.0.1:{}\npriority = 1\nverify-signature = false\nlocation = {}\n",
            server.port,
            self.lab.path("cache").display()
        );
        fs::write(self.lab.path("system/etc/portage/binrepos.conf"), binrepos).unwrap();
        let arguments = ["--getbinpkgonly", "--oneshot", "--quiet", "=app-misc/x-1"];
        self.run("emerge", &arguments, &[]);
        fs::read_to_string(self.lab.path("system/usr/share/x/content")).unwrap()
    }
}

/// A web server for one folder.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn new(folder: &Path) -> Self {
        let mut child = Command::new("python3")
            .args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory"])
            .arg(folder)
            .arg("0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        // "Serving HTTP on 127.0.0.1 port 34567 (http://…) ..."
        let mut words = line.split(' ').skip_while(|word| *word != "port");
        let port = words.nth(1).unwrap().parse().unwrap();
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_stock_client_follows_every_release() {
    let lab = Lab::new();
    let client = Client::new(&lab);
    let (a, b) = (client.build("A"), client.build("B"));
    fs::remove_dir_all(lab.path("repo/app-misc")).unwrap();

    lab.publish(std::slice::from_ref(&a));
    let said = client.run("emaint", &["--check", "binhost"], &[("PKGDIR", &lab.folder)]);
    assert!(!said.contains("not in"), "{said}");

    let server = Server::new(&lab.folder);
    assert_eq!(client.install(&server), "A\n");
    lab.publish(std::slice::from_ref(&b));
    assert_eq!(client.install(&server), "B\n");
    lab.publish(&[a]);
    assert_eq!(client.install(&server), "A\n");
    let installed = lab.path("system/var/db/pkg/app-misc/x-1/BUILD_ID");
    assert_eq!(fs::read_to_string(installed).unwrap().trim(), "3");
}
