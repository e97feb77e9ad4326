//! What fails leaves everything as it was.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use farm_publish::{Candidate, ErrorKind, PublishError, releases};
use fs_err as fs;

use crate::support::{EPOCH, Lab, Words, picture, visible_signers};

/// Publishes, breaks something, and checks that the next publication fails and changes nothing.
fn fails(break_it: impl FnOnce(&Lab, &mut Vec<Candidate>)) -> PublishError {
    let lab = Lab::new();
    lab.publish(&[lab.package("dev-libs/a-1", "a")]);
    let mut candidates = vec![lab.package("dev-libs/a-1", "b"), lab.package("dev-libs/c-1", "c")];
    break_it(&lab, &mut candidates);
    let before = picture(&lab.folder);
    let error = lab.try_publish(&candidates).unwrap_err();
    assert_eq!(picture(&lab.folder), before, "{error}");
    error
}

#[test]
fn a_candidate_that_is_no_package() {
    let error = fails(|_, candidates| fs::write(&candidates[1].file, "no package").unwrap());
    assert_eq!(error.kind(), ErrorKind::Input, "{error}");
    assert!(error.to_string().starts_with("dev-libs/c-1: "), "{error}");
}

#[test]
fn a_package_whose_image_is_damaged() {
    // Its metadata are whole, so this shows only when it is copied, after the other one was.
    let error = fails(|_, candidates| {
        let mut bytes = fs::read(&candidates[1].file).unwrap();
        let image = bytes.windows(13).position(|window| window == b"image.tar.zst").unwrap();
        // The content starts where the 512 bytes of the header end.
        let content = image.next_multiple_of(512) + 20;
        bytes[content] ^= 1;
        fs::write(&candidates[1].file, bytes).unwrap();
    });
    assert_eq!(error.kind(), ErrorKind::Input, "{error}");
    assert!(error.to_string().contains("image.tar.zst"), "{error}");
}

#[test]
fn a_package_that_is_gone() {
    let error = fails(|_, candidates| fs::remove_file(&candidates[1].file).unwrap());
    assert_eq!(error.kind(), ErrorKind::Environment, "{error}");
}

#[test]
fn a_package_under_a_wrong_name() {
    let error = fails(|_, candidates| candidates[1].cpv = "dev-libs/d-1".to_owned());
    assert_eq!(
        error.to_string(),
        "the package given as `dev-libs/d-1` calls itself `dev-libs/c-1`"
    );
}

#[test]
fn something_is_where_a_folder_must_be() {
    // The package before it has its name already when this shows.
    let error = fails(|lab, candidates| {
        candidates.push(lab.package("net-misc/d-1", "d"));
        fs::write(lab.folder.join("net-misc"), "a file").unwrap();
    });
    assert_eq!(error.kind(), ErrorKind::Environment, "{error}");
    let error = fails(|lab, _| {
        fs::remove_dir_all(lab.folder.join("releases")).unwrap();
        fs::write(lab.folder.join("releases"), "a file").unwrap();
    });
    assert_eq!(error.kind(), ErrorKind::Environment, "{error}");
}

#[test]
fn an_index_that_cannot_be_replaced() {
    let error = fails(|lab, _| {
        fs::remove_file(lab.folder.join("Packages.gz")).unwrap();
        fs::create_dir(lab.folder.join("Packages.gz")).unwrap();
    });
    assert_eq!(error.kind(), ErrorKind::Environment, "{error}");
}

#[test]
fn records_that_cannot_be_trusted() {
    let rewrite =
        |text: &'static str| fails(move |lab, _| fs::write(lab.folder.join("releases/0001.json"), text).unwrap());
    let newer = rewrite("{\"format\": 3}");
    assert!(matches!(newer, PublishError::NewerFormat { format: 3, .. }), "{newer}");
    let damaged = rewrite("{\"format\": 1}");
    assert!(matches!(damaged, PublishError::Record { .. }), "{damaged}");
    assert_eq!(damaged.kind(), ErrorKind::Environment);
}

#[test]
fn a_folder_that_was_not_there_is_not_there_afterwards() {
    let lab = Lab::new();
    let candidate = lab.package("dev-libs/a-1", "a");
    fs::write(&candidate.file, "no package").unwrap();
    lab.try_publish(&[candidate]).unwrap_err();
    assert_eq!(picture(&lab.path("pub")), BTreeMap::new());
}

#[test]
fn two_publications_at_once() {
    let lab = Lab::new();
    let candidates = [lab.package("dev-libs/a-1", "a")];
    let mut second = None;
    lab.publish_watched(&candidates, &mut |_| second = Some(lab.try_publish(&candidates)))
        .unwrap();
    let error = second.unwrap().unwrap_err();
    assert!(matches!(error, PublishError::Locked(_)), "{error}");
    assert_eq!(error.kind(), ErrorKind::Environment);
    assert!(!lab.publish(&candidates).changed);
}

/// The environment variable by which a test of this file knows that it is the other process.
const CHILD: &str = "FARM_TEST_PUBLISH_CHILD";

/// Where and what the other process publishes.
#[expect(clippy::disallowed_methods, reason = "a test's switch, not a library's")]
fn child() -> Option<(std::path::PathBuf, Candidate)> {
    let value = std::env::var(CHILD).ok()?;
    let parts: Vec<&str> = value.split(' ').collect();
    let candidate = Candidate {
        cpv: parts[1].to_owned(),
        payload: blake3::Hash::from_hex(parts[2]).unwrap(),
        file: parts[3].into(),
    };
    Some((parts[0].into(), candidate))
}

/// Has a command run one test of this program, which finds its task with [`child`].
fn prepared<'c>(command: &'c mut Command, test: &str, lab: &Lab, candidate: &Candidate) -> &'c mut Command {
    let task = [
        lab.folder.to_str().unwrap(),
        &candidate.cpv,
        &candidate.payload.to_string(),
        candidate.file.to_str().unwrap(),
    ];
    command.args(["--exact", test]).env(CHILD, task.join(" "))
}

/// Runs one test of this program in another process; tells whether it succeeded.
fn in_child(command: &mut Command, test: &str, lab: &Lab, candidate: &Candidate) -> bool {
    let output = prepared(command, test, lab, candidate).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "{text}");
    output.status.success()
}

#[test]
fn a_folder_that_may_not_be_written() {
    if let Some((folder, candidate)) = child() {
        let mut lab = Lab::new();
        lab.folder = folder;
        let error = lab.try_publish(&[candidate]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Environment);
        assert!(error.to_string().contains(lab.folder.to_str().unwrap()), "{error}");
        return;
    }
    let lab = Lab::new();
    lab.publish(&[lab.package("dev-libs/a-1", "a")]);
    let candidate = lab.package("dev-libs/a-1", "b");
    for path in [lab.path(""), lab.path("packages"), lab.folder.clone()] {
        fs::set_permissions(path, std::fs::Permissions::from_mode(0o555)).unwrap();
    }
    fs::set_permissions(&candidate.file, std::fs::Permissions::from_mode(0o444)).unwrap();
    let before = picture(&lab.folder);
    // Permissions mean nothing to root, so the publisher is nobody then. A copy of this program lies where nobody may go.
    let program = lab.path("packages/program");
    fs::set_permissions(lab.path("packages"), std::fs::Permissions::from_mode(0o755)).unwrap();
    // Copied by another process: were it open for writing here, a test that starts a process at this moment would keep it
    // from being run.
    let copied = Command::new("cp")
        .arg(std::env::current_exe().unwrap())
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(program);
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let succeeded = in_child(
        &mut command,
        "failures::a_folder_that_may_not_be_written",
        &lab,
        &candidate,
    );
    assert!(succeeded);
    assert_eq!(picture(&lab.folder), before);
    for path in [lab.path(""), lab.folder.clone()] {
        fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_publication_that_is_killed_while_it_writes_a_package() {
    if let Some((folder, candidate)) = child() {
        let mut lab = Lab::new();
        lab.folder = folder;
        lab.publish(&[candidate]);
        return;
    }
    let lab = Lab::new();
    lab.publish(&[lab.package("dev-libs/a-1", "a")]);
    // Random enough not to be compressed below the limit, under which writing a larger file kills.
    let mut noise = [0; 60_000];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    let large: String = noise.iter().map(|byte| char::from(byte % 64 + 48)).collect();
    let candidate = lab.package("dev-libs/a-1", &large);
    let before = picture(&lab.folder);
    let mut command = Command::new("prlimit");
    command
        .args(["--core=0", "--fsize=30000"])
        .arg(std::env::current_exe().unwrap());
    // What is killed does not clean up, so its temporary folder lies in this test's.
    command.env("TMPDIR", lab.path("packages"));
    let succeeded = in_child(
        &mut command,
        "failures::a_publication_that_is_killed_while_it_writes_a_package",
        &lab,
        &candidate,
    );
    assert!(!succeeded);
    let leftovers = lab.folder.join(".farm-publish");
    assert!(leftovers.exists());
    let mut after = picture(&lab.folder);
    after.retain(|path, _| !path.starts_with(".farm-publish"));
    assert_eq!(after, before);

    lab.publish(&[candidate]);
    assert!(!leftovers.exists());
    assert_eq!(lab.listed(), [("dev-libs/a/a-1-2.gpkg.tar".to_owned(), EPOCH + 1)]);
}

#[test]
fn a_signer_that_fails() {
    let mut lab = Lab::new().signed_by("KEY");
    lab.publish(&[lab.package("dev-libs/a-1", "a")]);
    let before = picture(&lab.folder);
    lab.signer = Some(Box::new(Words {
        fails: true,
        ..Words::of("KEY")
    }));
    let more: Vec<Candidate> = (0..20)
        .map(|number| lab.package(&format!("dev-libs/b-{number}"), "b"))
        .collect();
    let error = lab.try_publish(&more).unwrap_err();
    assert_eq!(picture(&lab.folder), before);
    assert_eq!(error.kind(), ErrorKind::Environment);
    assert_eq!(error.hint(), Some("buy ink"));
    // Of many that failed, the first by name is told of.
    assert_eq!(
        error.to_string(),
        "dev-libs/b-0: signature of `metadata.tar.zst`: the pen is dry"
    );
}

#[test]
fn a_publication_that_is_killed_while_it_signs() {
    if let Some((folder, candidate)) = child() {
        let mut lab = Lab::new();
        lab.folder = folder;
        lab.signer = Some(Box::new(Words {
            delay: Duration::from_millis(2),
            ..Words::of("KEY")
        }));
        let mut candidates: Vec<Candidate> = (0..30)
            .map(|number| lab.package(&format!("dev-libs/b-{number}"), "b"))
            .collect();
        candidates.push(candidate);
        loop {
            // Again and again something new, until somebody ends it.
            lab.publish(&candidates);
            let number = candidates.len();
            candidates.push(lab.package(&format!("dev-libs/c-{number}"), "c"));
        }
    }
    let lab = Lab::new().signed_by("KEY");
    let candidate = lab.package("dev-libs/a-1", "a");
    let released = || releases(&lab.folder).map_or(0, |releases| releases[0].release);
    for round in 0..8 {
        let before = released();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env("TMPDIR", lab.path("packages"));
        let mut child = prepared(
            &mut command,
            "failures::a_publication_that_is_killed_while_it_signs",
            &lab,
            &candidate,
        )
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
        // At another moment of what follows a release of its own.
        let deadline = Instant::now() + Duration::from_secs(60);
        while released() == before && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(9 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        for (path, signer) in visible_signers(&lab.folder) {
            assert_eq!(signer.as_deref(), Some("KEY"), "{}", path.display());
        }
    }
    lab.publish(&[candidate]);
    let shown = visible_signers(&lab.folder);
    assert!(
        shown.len() > 1 && shown.values().all(|signer| signer.as_deref() == Some("KEY")),
        "{shown:?}"
    );
}
