//! Where a farm's root and repositories come from: images of a registry with the layout of Gentoo's own, git, archives, Debian.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;

use crate::support::registry::Registry;
use crate::support::{FarmSpace, Output, Variant, base_image, base_lock, docker};

const MANIFEST: &str = "farms/tiny/farm.yaml";
const LOCK: &str = "farms/tiny/farm.lock";
const OVERLAY: &str = "tiny: { path: overlay }";

/// What the configuration of Gentoo's own stage3 images has, and worse: none of it may reach a package.
const STAGE3: &str = r#"
test "$(ls -d /var/db/pkg/*/* | wc -l)" -ge 20
mkdir -p /etc/portage/package.use /etc/portage/patches/app-misc/leaf /var/db/repos
cat > /etc/portage/make.conf <<'END'
COMMON_FLAGS="-O3 -DPOISON"
CFLAGS="${COMMON_FLAGS}"
USE="upper loud noise"
FEATURES="test"
END
echo '*/* upper loud' > /etc/portage/package.use/poison
echo 'this is no patch' > /etc/portage/patches/app-misc/leaf/poison.patch
ln -s ../../var/db/repos/gentoo/profiles/default/linux/poison /etc/portage/make.profile
"#;

/// An image that holds a repository and nothing else, as `gentoo/portage` does; gone when dropped.
pub(crate) struct RepositoryImage(pub(crate) String);

impl RepositoryImage {
    pub(crate) fn new(name: &str, folder: &Path) -> Self {
        let name = format!("farm-test/repository:{name}-{}", std::process::id());
        let mut tar = Command::new("tar")
            .arg("-C")
            .arg(folder)
            .args(["--transform", "s,^\\.,var/db/repos/gentoo,", "-c", "."])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let status = Command::new("docker")
            .args(["import", "--change", "CMD [\"/bin/true\"]"])
            .args(["--change", "VOLUME /var/db/repos/gentoo"])
            .args(["--change", "LABEL org.farm.test=1", "-", &name])
            .stdin(tar.stdout.take().unwrap())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success() && tar.wait().unwrap().success());
        Self(name)
    }
}

impl Drop for RepositoryImage {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["image", "rm", &self.0])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// What Portage warned about, as farm passed it on.
fn warnings(output: &Output) -> Vec<String> {
    output
        .events()
        .iter()
        .filter(|event| event["event"] == "note")
        .filter_map(|event| event["message"].as_str())
        .filter(|message| message.contains("Portage warns"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn images_of_the_layout_of_gentoos_own() {
    let registry = Registry::start();
    let stage3 = Variant::new(STAGE3);
    let space = FarmSpace::new();
    let stage3_digest = registry.push(stage3.name(), "gentoo/stage3:amd64-openrc-20251101");
    let first = RepositoryImage::new("first", &space.path("farms/tiny/gentoo"));
    let first_digest = registry.push(&first.0, "gentoo/portage:20251101");
    drop(first);

    let stage3_name = format!("{}/gentoo/stage3:amd64-openrc-20251101", registry.address());
    let portage_name = format!("{}/gentoo/portage:20251101", registry.address());
    space.edit(MANIFEST, base_image(), &stage3_name);
    space.edit(
        MANIFEST,
        "gentoo: { path: gentoo }",
        &format!("gentoo: {{ image: \"{portage_name}\" }}"),
    );
    let second_folder = space.folder().join("second");
    fs::rename(space.path("farms/tiny/gentoo"), &second_folder).unwrap();

    let built = space
        .farm(&["build", "tiny", "--json", "tiny:pkgs", "tiny:binhost"])
        .succeeded();
    assert_eq!(warnings(&built), Vec::<String>::new());
    let lock = space.read(LOCK);
    for (name, digest) in [(&stage3_name, &stage3_digest), (&portage_name, &first_digest)] {
        assert!(lock.contains(&format!("\"{name}\" = \"{digest}\"")), "{lock}");
    }

    // The same packages, to the byte, as on the base that has no configuration of its own.
    let plain = FarmSpace::moved();
    let payload = |space: &FarmSpace, node: &str| {
        let guards = space.guards();
        let guard = guards.iter().find(|guard| guard.node == node).unwrap();
        let output = guard.outputs.iter().find(|output| output.role == "payload").unwrap();
        output.digest
    };
    for node in [
        "tiny:pkg/dev-libs/libfoo-1.2",
        "tiny:pkg/dev-libs/bar-2.0",
        "tiny:pkg/dev-util/tool-1.0",
        "tiny:pkg/app-misc/leaf-1.0",
    ] {
        assert_eq!(payload(&space, node), payload(&plain, node), "{node}");
    }

    // A tag that moved changes nothing, until somebody says so.
    fs::write(second_folder.join("licenses/Other"), "Another licence.\n").unwrap();
    let second = RepositoryImage::new("second", &second_folder);
    let second_digest = registry.push(&second.0, "gentoo/portage:20251101");
    drop(second);
    assert_ne!(first_digest, second_digest);
    space
        .farm(&["build", "--json", "tiny:pkgs"])
        .assert_ran("a tag that moved", &[]);
    assert_eq!(space.read(LOCK), lock);

    let update = space.farm(&["update", "tiny"]).succeeded();
    let change = format!("{portage_name}: {first_digest} -> {second_digest}\n");
    assert!(update.stdout.starts_with(&change), "{update}");
    assert!(update.stdout.contains("emerge --pretend"), "{update}");
    assert!(update.stdout.contains("app-misc/leaf-1.0"), "{update}");
    assert_eq!(space.read(LOCK), lock.replace(&first_digest, &second_digest));
    space
        .farm(&["build", "--json", "tiny:pkgs"])
        .assert_ran("a licence that nobody has", &[]);
    let again = space.farm(&["update", "tiny"]).succeeded();
    assert!(again.stderr.contains("nothing moved"), "{again}");
}

/// Runs git in a folder and returns what it printed.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.org"])
        .args(["-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Moves the overlay out of the workspace, into a repository of git with one commit.
pub(crate) fn overlay_in_git(space: &FarmSpace) -> (PathBuf, String) {
    let folder = space.folder().join("overlay.git");
    fs::rename(space.path("farms/tiny/overlay"), &folder).unwrap();
    git(&folder, &["init", "--quiet"]);
    git(&folder, &["add", "."]);
    git(&folder, &["commit", "--quiet", "-m", "The overlay"]);
    let commit = git(&folder, &["rev-parse", "HEAD"]);
    (folder, commit)
}

/// Commits a file that no package has to do with.
pub(crate) fn another_commit(folder: &Path, file: &str) -> String {
    fs::write(folder.join(file), "nothing\n").unwrap();
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "-m", file]);
    git(folder, &["rev-parse", "HEAD"])
}

#[test]
fn a_repository_in_git() {
    let space = FarmSpace::ready();
    let (folder, commit) = overlay_in_git(&space);
    let url = format!("file://{}", folder.display());

    // Pinned in the manifest: what is committed later does not matter, and the tree is the one that was a path.
    let later = another_commit(&folder, "AUTHORS");
    space.edit(
        MANIFEST,
        OVERLAY,
        &format!("tiny: {{ git: \"{url}\", commit: {commit} }}"),
    );
    space.build(&[]).assert_ran("the same tree, from git", &["repo/tiny"]);

    // Pinned by the lock file.
    space.edit(MANIFEST, &format!("commit: {commit}"), "branch: main");
    let first = space.build(&["tiny:repo/tiny"]).succeeded();
    assert!(first.ran().contains("tiny:repo/tiny"), "{first}");
    assert!(space.read(LOCK).contains(&format!("\"{url}#main\" = \"{later}\"")));
    let latest = another_commit(&folder, "THANKS");
    space
        .farm(&["build", "--json", "tiny:repo/tiny"])
        .assert_ran("a branch that moved", &[]);
    let update = space.farm(&["update", "tiny"]).succeeded();
    assert!(
        update.stdout.contains(&format!("{url}#main: {later} -> {latest}\n")),
        "{update}"
    );
    assert!(space.read(LOCK).contains(&latest));

    // A commit that nobody has.
    space.edit(MANIFEST, "branch: main", &format!("commit: {}", "0".repeat(40)));
    let gone = space.farm(&["build", "tiny:repo/tiny"]).ended(3);
    assert!(gone.stderr.contains("hint:"), "{gone}");
}

#[test]
fn a_repository_as_an_archive() {
    let space = FarmSpace::ready();
    let archive = space.path("farms/tiny/overlay.tar.gz");
    let status = Command::new("tar")
        .arg("-C")
        .arg(space.path("farms/tiny"))
        .args(["--transform", "s,^overlay,overlay-1.0,", "-czf"])
        .arg(&archive)
        .arg("overlay")
        .status()
        .unwrap();
    assert!(status.success());
    space.remove("farms/tiny/overlay");
    let sum = Command::new("sha256sum").arg(&archive).output().unwrap();
    let sha256 = String::from_utf8(sum.stdout).unwrap()[..64].to_owned();

    space.edit(
        MANIFEST,
        OVERLAY,
        &format!("tiny: {{ archive: overlay.tar.gz, sha256: {sha256} }}"),
    );
    space
        .build(&[])
        .assert_ran("the same tree, from an archive", &["repo/tiny"]);

    // By address, pinned by the lock file: the same archive, so nothing is done.
    let url = format!("file://{}", archive.display());
    space.edit(
        MANIFEST,
        &format!("archive: overlay.tar.gz, sha256: {sha256}"),
        &format!("archive: \"{url}\""),
    );
    space.build(&[]).assert_ran("the same archive by its address", &[]);
    assert!(space.read(LOCK).contains(&format!("\"{url}\" = \"{sha256}\"")));

    // An archive that is not the one that was meant.
    let wrong = "0".repeat(64);
    space.edit(
        MANIFEST,
        &format!("archive: \"{url}\""),
        &format!("archive: \"{url}\", sha256: {wrong}"),
    );
    let refused = space.farm(&["build", "tiny:repo/tiny"]).ended(3);
    assert!(
        refused.stderr.contains(&format!("{sha256} and not {wrong}")),
        "{refused}"
    );
}

/// The base of the example, and the lock file that [`base_image`] was made with.
fn hosted(space: &FarmSpace) -> String {
    space.edit(
        MANIFEST,
        &format!("{{ image: \"{}\" }}", base_image()),
        "{ hosted: debian, suite: bookworm, portage: 3.0.83, packages: [debugedit, pax-utils] }",
    );
    base_lock()
}

#[test]
fn the_lock_file_lists_all_that_is_in_a_hosted_base() {
    let lock = base_lock();
    let installed = docker(&[
        "run",
        "--rm",
        "--label",
        "org.farm.test=1",
        "--network",
        "none",
        base_image(),
        "dpkg-query",
        "--show",
        "--showformat",
        "${Package} ${Version} ${Architecture}\\n",
    ]);
    let mut listed: Vec<&str> = lock
        .lines()
        .filter_map(|line| {
            let entry = line.trim().strip_prefix('"')?.strip_suffix("\",")?;
            let (rest, sha256) = entry.split_once(" sha256:")?;
            assert_eq!(sha256.len(), 64, "{line}");
            // Name, version, architecture; then its length.
            rest.rsplit_once(' ').map(|(package, _)| package)
        })
        .collect();
    listed.sort_unstable();
    let mut installed: Vec<&str> = installed.lines().collect();
    installed.sort_unstable();
    assert!(installed.len() > 50, "{installed:?}");
    assert_eq!(listed, installed);
    assert!(
        lock.lines()
            .any(|line| line.starts_with("portage = \"3.0.83 ")
                && line.contains("portage-3.0.83-py3-none-any.whl sha256:")),
        "{lock}"
    );
}

#[test]
fn a_version_that_is_no_longer_to_be_had() {
    let space = FarmSpace::new();
    let lock = hosted(&space);
    let line = lock.lines().find(|line| line.contains("\"pax-utils ")).unwrap();
    let version = line
        .split(' ')
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap();
    let gone = line.replace(version, "0.0.1-never");
    // Another hash, too: a file with the right one would do, whatever it is called.
    let (start, sha256) = gone.split_once("sha256:").unwrap();
    let gone = format!("{start}sha256:{}{}", "0".repeat(64), &sha256[64..]);
    space.write(LOCK, lock.replace(line, &gone));
    let before = space.read(LOCK);

    let output = space.farm(&["build", "tiny:base"]).ended(3);
    assert!(output.stderr.contains("pax-utils"), "{output}");
    assert!(output.stderr.contains("0.0.1-never"), "{output}");
    assert!(output.stderr.contains("run `farm update`"), "{output}");
    assert_eq!(
        space.read(LOCK),
        before,
        "nothing but `farm update` moves the lock file"
    );
}
