//! A stock Portage as the client: it installs what was published, over HTTP, and finds nothing wrong with the index.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use farm_publish::{Candidate, ForeignFolder, Import, RELEASES_KEPT, audit, import, rollback};
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
        // By this name Portage calls the tar that makes an XPAK's image.
        fs::create_dir(lab.path("bin")).unwrap();
        symlink("/bin/tar", lab.path("bin/gtar")).unwrap();
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
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            self.lab.path("bin").display()
        );
        let output = Command::new("python3")
            .env_clear()
            .env("PATH", path)
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
        self.build_as("x", content, "gpkg");
        let built = self.lab.path("built/app-misc/x/x-1-1.gpkg.tar");
        let candidate = self.lab.keep("app-misc/x-1", &fs::read(&built).unwrap());
        fs::remove_dir_all(self.lab.path("built")).unwrap();
        fs::create_dir(self.lab.path("built")).unwrap();
        candidate
    }

    /// Builds `app-misc/NAME-1` with this content, in one of Portage's formats.
    fn build_as(&self, name: &str, content: &str, format: &str) {
        let folder = self.lab.path("repo/app-misc").join(name);
        fs::create_dir_all(&folder).unwrap();
        let ebuild = folder.join(format!("{name}-1.ebuild"));
        let text = format!(
            "EAPI=8\nDESCRIPTION=\"d\"\nSLOT=0\nKEYWORDS=\"amd64\"\nLICENSE=\"MIT\"\nS=\"${{WORKDIR}}\"\n\
             src_install() {{ insinto /usr/share/{name}; newins - content <<<\"{content}\"; }}\n"
        );
        fs::write(&ebuild, text).unwrap();
        let path = ebuild.to_str().unwrap();
        let format = [("BINPKG_FORMAT", Path::new(format))];
        self.run("ebuild", &["--skip-manifest", path, "clean", "package"], &format);
    }

    /// Installs from the binhost, and gives the content that is there then.
    fn install(&self, server: &Server) -> String {
        self.merge(server, &["--getbinpkgonly", "--oneshot", "--quiet", "=app-misc/x-1"]);
        self.content("x")
    }

    /// What an update of the world from the binhost leaves; as people do it at night.
    fn update(&self, server: &Server) -> String {
        self.merge(server, &["-uDNK", "--getbinpkg", "--quiet", "@world"]);
        self.content("x")
    }

    fn content(&self, name: &str) -> String {
        fs::read_to_string(self.lab.path(&format!("system/usr/share/{name}/content"))).unwrap()
    }

    /// What the installed package says of itself.
    fn installed(&self, name: &str, key: &str) -> String {
        let path = self.lab.path(&format!("system/var/db/pkg/app-misc/{name}-1/{key}"));
        fs::read_to_string(path).unwrap().trim().to_owned()
    }

    fn merge(&self, server: &Server, arguments: &[&str]) {
        let binrepos = format!(
            "[farm]\nsync-uri = http://127.0.0.1:{}\npriority = 1\nverify-signature = false\nlocation = {}\n",
            server.port,
            self.lab.path("cache").display()
        );
        fs::write(self.lab.path("system/etc/portage/binrepos.conf"), binrepos).unwrap();
        self.run("emerge", arguments, &[]);
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
    assert_eq!(client.installed("x", "BUILD_ID"), "3");
}

#[test]
fn a_world_that_is_updated_goes_where_the_releases_go() {
    let lab = Lab::new();
    let client = Client::new(&lab);
    let (a, b) = (client.build("A"), client.build("B"));
    fs::remove_dir_all(lab.path("repo/app-misc")).unwrap();
    lab.publish(std::slice::from_ref(&a));
    let server = Server::new(&lab.folder);
    client.merge(&server, &["--getbinpkgonly", "--quiet", "app-misc/x"]);
    assert_eq!(client.update(&server), "A\n");
    assert_eq!(client.installed("x", "BUILD_ID"), "1");
    lab.publish(std::slice::from_ref(&b));
    assert_eq!(client.update(&server), "B\n");
    lab.publish(std::slice::from_ref(&a));
    assert_eq!(client.update(&server), "A\n");
    lab.publish(&[b]);
    assert_eq!(client.update(&server), "B\n");
    let back = rollback(&crate::rollback::to(&lab, None), &mut |_| {}).unwrap();
    assert_eq!((back.to, back.release), (3, 5));
    assert_eq!(client.update(&server), "A\n");
    let counter = client.installed("x", "COUNTER");
    assert_eq!(client.update(&server), "A\n");
    assert_eq!(
        (client.installed("x", "COUNTER"), client.installed("x", "BUILD_ID")),
        (counter, "5".to_owned())
    );
}

/// Every release may make the ones before it smaller, and the index that a client has just read is soon not the newest one.
#[test]
fn a_client_at_work_never_fails_while_a_hundred_releases_come() {
    let lab = Lab::new();
    let client = Client::new(&lab);
    let packages = ["A", "B", "C"].map(|content| client.build(content));
    fs::remove_dir_all(lab.path("repo/app-misc")).unwrap();
    lab.publish(&packages[..1]);
    let server = Server::new(&lab.folder);
    let (rounds, round_ms, over) = (AtomicU64::new(0), AtomicU64::new(1000), AtomicBool::new(false));
    let seen = std::thread::scope(|scope| {
        let at_work = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                seen.insert(client.install(&server));
                round_ms.store(u64::try_from(begun.elapsed().as_millis()).unwrap(), Ordering::Relaxed);
                rounds.fetch_add(1, Ordering::Relaxed);
            }
            seen
        });
        let (mut round, mut in_round) = (0, 0);
        for number in 1..=100 {
            // Spread over a round of the client's, so that some come between the index that it reads and the package that it fetches.
            std::thread::sleep(Duration::from_millis(round_ms.load(Ordering::Relaxed) / RELEASES_KEPT));
            // As many as are kept may come in one round.
            while in_round == RELEASES_KEPT - 1 && rounds.load(Ordering::Relaxed) == round && !at_work.is_finished() {
                std::thread::sleep(Duration::from_millis(5));
            }
            let now = rounds.load(Ordering::Relaxed);
            in_round = if now == round { in_round + 1 } else { 1 };
            round = now;
            lab.publish(std::slice::from_ref(&packages[number % packages.len()]));
        }
        over.store(true, Ordering::Relaxed);
        at_work.join().unwrap()
    });
    assert!(
        seen.is_subset(&["A\n", "B\n", "C\n"].map(str::to_owned).into()),
        "{seen:?}"
    );
    assert!(rounds.load(Ordering::Relaxed) >= 100 / RELEASES_KEPT, "{rounds:?}");
    assert!(lab.folder.join("releases/0101.json").exists());
    assert_eq!(client.install(&server), "B\n");
    assert_eq!(client.installed("x", "BUILD_ID"), "101");
}

#[test]
fn clients_of_a_binhost_that_is_taken_over_install_nothing_again() {
    let lab = Lab::new();
    let client = Client::new(&lab);
    client.build_as("x", "A", "gpkg");
    client.build_as("y", "Y", "xpak");
    fs::rename(lab.path("built"), lab.path("theirs")).unwrap();
    fs::create_dir(lab.path("built")).unwrap();
    client.run("emaint", &["--fix", "binhost"], &[("PKGDIR", &lab.path("theirs"))]);
    let b = client.build("B");
    fs::remove_dir_all(lab.path("repo/app-misc")).unwrap();
    assert!(lab.path("theirs/app-misc/y/y-1-1.xpak").exists());
    // An audit finds nothing in what Portage itself wrote.
    let found = audit(&lab.path("theirs"), &crate::support::Reading, &mut |_, _| {}).unwrap();
    assert_eq!((found.faults, found.packages, found.releases), (Vec::new(), 2, 0));
    let theirs = Server::new(&lab.path("theirs"));
    client.merge(&theirs, &["--getbinpkgonly", "--quiet", "app-misc/x", "app-misc/y"]);
    let counters = || ["x", "y"].map(|name| client.installed(name, "COUNTER"));
    let times = ["x", "y"].map(|name| client.installed(name, "BUILD_TIME"));
    let before = counters();

    let source = ForeignFolder(lab.path("theirs"));
    let import_ = Import {
        folder: &lab.folder,
        source: &source,
        epoch: crate::support::EPOCH,
        deny: &[],
        private: true,
        signer: None,
    };
    let imported = import(&import_, &mut |_| {}).unwrap();
    assert_eq!(imported.published.added, ["app-misc/x-1-1", "app-misc/y-1-1"]);
    let listed: Vec<String> = lab.listed().into_iter().map(|(_, time)| time.to_string()).collect();
    assert_eq!(listed, times);
    let found = audit(&lab.folder, &crate::support::Reading, &mut |_, _| {}).unwrap();
    assert_eq!(found.faults, []);

    let ours = Server::new(&lab.folder);
    assert_eq!(client.update(&ours), "A\n");
    assert_eq!(counters(), before);
    // Whoever has neither can install both.
    for name in ["x", "y"] {
        fs::remove_dir_all(lab.path(&format!("system/var/db/pkg/app-misc/{name}-1"))).unwrap();
        fs::remove_dir_all(lab.path(&format!("system/usr/share/{name}"))).unwrap();
    }
    fs::remove_dir_all(lab.path("cache")).unwrap();
    client.update(&ours);
    assert_eq!(
        (client.content("x"), client.content("y")),
        ("A\n".to_owned(), "Y\n".to_owned())
    );
    // What is built from now on is later.
    lab.publish(&[b]);
    assert_eq!(client.update(&ours), "B\n");
    assert_eq!(client.installed("x", "BUILD_ID"), "2");
}
