//! A hosted base made of the machine's real Debian packages and the real Portage, built twice, and used in a container.
//!
//! Needs apt with a reachable source, pip, mmdebstrap and Docker. As root it also makes an ordinary user for a while,
//! since what that user builds must be the same bytes.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test itself does")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use farm_hosted::{
    BuildReport, ErrorKind, FARM_DPKG, FetchError, HostedLock, HostedSpec, ResolveError, SOURCE_DATE_EPOCH, build,
    fetch, resolve,
};

const PORTAGE: &str = "3.0.83";

/// Everything in Docker that is of these tests has this label.
const LABEL: &str = "org.farm.test";

fn spec(packages: &[&str]) -> HostedSpec {
    HostedSpec {
        suite: "bookworm".into(),
        architecture: "amd64".into(),
        portage: PORTAGE.into(),
        packages: packages.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_hosted_base_is_the_same_bytes_for_everybody_and_portage_works_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let scratch = folder.join("scratch");
    fs_err::create_dir(&scratch).unwrap();

    let wanted = spec(&["pkgconf"]);
    let lock = resolve(&wanted, &scratch).unwrap();
    assert!(lock.answers(&wanted));
    assert!(lock.debs.is_sorted());
    let text = toml::to_string_pretty(&lock).unwrap();
    assert!(
        !text.contains("://") && !text.contains(&folder.display().to_string()),
        "{text}"
    );
    assert_eq!(toml::from_str::<HostedLock>(&text).unwrap(), lock);
    let again = resolve(&wanted, &scratch).unwrap();
    assert_eq!(again.digest(), lock.digest(), "a second resolution finds the same");

    let files = folder.join("files");
    let first = fetch(&lock, &|_| None, &files, &scratch).unwrap();
    assert!(first.iter().all(|file| !file.reused));
    assert_eq!(first.len(), lock.debs.len() + 1);
    assert!(
        fetch(&lock, &|_| None, &files, &scratch)
            .unwrap()
            .iter()
            .all(|file| file.reused)
    );

    let root = folder.join("root.tar");
    let report = build_to(&lock, &files, &scratch, &root);
    assert_eq!(report.size, fs_err::metadata(&root).unwrap().len());
    assert_eq!(
        fs_err::read_dir(&scratch).unwrap().count(),
        1,
        "only apt's lists are left in the scratch folder"
    );
    check_report(&report, &lock);
    assert_eq!(build_as_somebody_else(&text, &files, folder), report.digest.to_string());

    use_in_a_container(&root);
}

fn build_to(lock: &HostedLock, files: &Path, scratch: &Path, root: &Path) -> BuildReport {
    let mut out = fs_err::File::create(root).unwrap();
    build(lock, files, scratch, SOURCE_DATE_EPOCH, &|| false, &mut out).unwrap()
}

fn check_report(report: &BuildReport, lock: &HostedLock) {
    let names: Vec<&str> = report.stubs.iter().map(|stub| stub.name.as_str()).collect();
    for name in [
        "sys-devel/gcc",
        "sys-devel/binutils",
        "sys-libs/glibc",
        "virtual/libc",
        "virtual/pkgconfig",
        "dev-build/make",
        "dev-lang/python",
        "dev-lang/perl",
        "app-shells/bash",
        "sys-apps/portage",
        "app-misc/pax-utils",
    ] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    assert!(!names.contains(&"dev-build/cmake"), "nobody asked for it");
    for stub in &report.stubs {
        assert_eq!(stub.files["SLOT"].trim_end(), stub.slot);
        for line in stub.files[FARM_DPKG].lines() {
            let (name, version) = line.split_once(' ').unwrap();
            assert!(
                lock.debs.iter().any(|deb| deb.name == name && deb.version == version),
                "{line}"
            );
        }
    }
    let make = report.stubs.iter().find(|stub| stub.name == "dev-build/make").unwrap();
    assert!(make.files[FARM_DPKG].contains("libc6 ") && !make.files[FARM_DPKG].contains("gcc-12 "));
    // Portage's own files are in CONTENTS, Debian's in its lists: what is left is a matter of configuration.
    for path in &report.unowned {
        let top = path.split('/').next().unwrap();
        assert!(
            ["etc", "root", "usr"].contains(&top) && !path.contains("portage"),
            "{path} is unowned"
        );
    }
    assert!(report.unowned.len() < 100, "{:?}", report.unowned);
}

/// Name, beside this program, of the file that makes [`build_for_another_user`] do something.
const REQUEST: &str = "request.toml";

/// Builds the lock as an ordinary user with a private home and a tight umask, and returns the digest; without root,
/// as the same user again.
fn build_as_somebody_else(lock: &str, files: &Path, folder: &Path) -> String {
    let home = tempfile::tempdir().unwrap();
    let program = home.path().join("program");
    fs_err::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs_err::write(home.path().join(REQUEST), lock).unwrap();
    let private = home.path().join("files");
    fs_err::create_dir(&private).unwrap();
    for entry in fs_err::read_dir(files).unwrap() {
        let entry = entry.unwrap();
        fs_err::copy(entry.path(), private.join(entry.file_name())).unwrap();
    }
    let script = "umask 077; cd \"$0\" && exec ./program build_for_another_user --exact --nocapture";
    let output = if rustix::process::geteuid().is_root() {
        let user = TestUser::new();
        run(Command::new("chown").args(["-R", &user.0]).arg(home.path()));
        Command::new("runuser")
            .args(["-u", &user.0, "--", "sh", "-c", script])
            .arg(home.path())
            .output()
            .unwrap()
    } else {
        Command::new("sh")
            .args(["-c", script])
            .arg(home.path())
            .output()
            .unwrap()
    };
    assert!(output.status.success(), "{}", said(&output));
    assert!(folder.exists());
    fs_err::read_to_string(home.path().join("digest")).unwrap()
}

/// The other user's half: this very program, run again beside a request.
#[test]
fn build_for_another_user() {
    let program = std::env::current_exe().unwrap();
    let home = program.parent().unwrap();
    let Ok(request) = fs_err::read_to_string(home.join(REQUEST)) else {
        return;
    };
    let lock: HostedLock = toml::from_str(&request).unwrap();
    let scratch = home.join("another scratch");
    let mut out = std::io::sink();
    let report = build(
        &lock,
        &home.join("files"),
        &scratch,
        SOURCE_DATE_EPOCH,
        &|| false,
        &mut out,
    )
    .unwrap();
    fs_err::write(home.join("digest"), report.digest.to_string()).unwrap();
}

/// An ordinary user with subordinate ids, gone when dropped.
struct TestUser(String);

impl TestUser {
    fn new() -> Self {
        let name = format!("farmtest{}", std::process::id());
        run(Command::new("useradd").args(["--no-create-home", "--shell", "/bin/sh", &name]));
        Self(name)
    }
}

impl Drop for TestUser {
    fn drop(&mut self) {
        let _ = Command::new("userdel").arg(&self.0).output();
    }
}

/// Imports the root and lets the real Portage plan, compile, pack and merge in it.
fn use_in_a_container(root: &Path) {
    let image = TestImage(format!("farm-hosted-test-{}:root", std::process::id()));
    let label = format!("{LABEL}=hosted-{}", std::process::id());
    run(Command::new("docker")
        .args(["import", "--change", &format!("LABEL {label}")])
        .arg(root)
        .arg(&image.0));
    let script = fs_err::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/portage.sh")).unwrap();
    let output = Command::new("docker")
        .args(["run", "--interactive", "--rm", "--network", "none", "--label", &label])
        .args(["--env", &format!("PORTAGE={PORTAGE}"), &image.0, "bash", "-s"])
        .stdin(Stdio::from(script.into_parts().0))
        .output()
        .unwrap();
    let said = said(&output);
    assert!(output.status.success() && said.contains("ALL IS WELL"), "{said}");
}

/// An image that is gone when dropped.
struct TestImage(String);

impl Drop for TestImage {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rmi", "--force", &self.0]).output();
    }
}

#[test]
fn what_cannot_be_had_is_said_in_so_many_words() {
    let scratch = tempfile::tempdir().unwrap();
    let scratch = scratch.path();

    let error = resolve(&spec(&["nosuchpackage-of-farm", "awk"]), scratch).unwrap_err();
    assert_eq!(
        error.to_string(),
        "suite bookworm has no package awk, nosuchpackage-of-farm"
    );
    assert_eq!(error.kind(), ErrorKind::Input);

    let elsewhere = HostedSpec {
        suite: "nosuchsuite".into(),
        ..spec(&[])
    };
    let error = resolve(&elsewhere, scratch).unwrap_err();
    assert!(
        matches!(&error, ResolveError::SuiteNotOffered { offered, .. } if offered.contains("bookworm")),
        "{error}"
    );

    let error = resolve(
        &HostedSpec {
            portage: "0.0.1".into(),
            ..spec(&[])
        },
        scratch,
    )
    .unwrap_err();
    assert!(matches!(&error, ResolveError::NoSuchPortage { .. }), "{error}");

    let mut lock = resolve(&spec(&[]), scratch).unwrap();
    let bash = lock.debs.iter_mut().find(|deb| deb.name == "bash").unwrap();
    bash.version = "0.99-1".into();
    bash.sha256 = "00".repeat(32);
    let files = scratch.join("files");
    let error = fetch(&lock, &|_| None, &files, scratch).unwrap_err();
    let FetchError::Gone { packages } = &error else {
        panic!("{error}")
    };
    assert_eq!(packages, &["bash 0.99-1"]);
    assert_eq!(
        fs_err::read_dir(&files).unwrap().count(),
        0,
        "nothing is downloaded in vain"
    );
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", said(&output));
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
