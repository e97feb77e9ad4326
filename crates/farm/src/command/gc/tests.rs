//! Whatever was built when: no blob goes that a kept guard needs, and no other stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8Path;
use farm_engine::{Clock, GuardStore as _, Input, Key, Output, Reason};
use farm_executor::{CancelToken, ExecutorError};
use proptest::prelude::*;

use super::*;
use crate::place::KeptFile;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

#[derive(Clone, Copy)]
struct At(u64);

impl Clock for At {
    fn now_ms(&self) -> u64 {
        self.0
    }
}

struct Silent;

impl EventSink for Silent {
    fn event(&self, _: &Event) {}
}

fn setup(root: &Path) -> Setup {
    Setup {
        workspace: Some(root.to_owned()),
        current_dir: root.to_owned(),
        environment: BTreeMap::new(),
        scratch: root.to_owned(),
        connect: Arc::new(|_| {
            Err(ExecutorError::Unreachable {
                name: "none".to_owned(),
                address: "none".to_owned(),
                reason: "nobody is asked".to_owned(),
            })
        }),
        program: None,
        cancel: CancelToken::new(),
        arguments: Vec::new(),
        outer_jobs: Arc::default(),
        holder: "farm gc".to_owned(),
        gpg: farm_signing::Gpg::new("gpg", BTreeMap::new()),
        keys: farm_signing::KeySource::GnuPg(farm_signing::Gpg::new("gpg", BTreeMap::new())),
        remotes: farm_remote::Access::default(),
        git: crate::git::GitEnvironment::default(),
    }
}

/// A guard of node `node` with key `key` whose outputs are some of the blobs, kept in each of the ways there are.
fn guard(node: u8, key: u8, blobs: &[Blob]) -> Guard {
    let outputs = blobs.iter().enumerate().map(|(at, blob)| {
        let place = match at % 3 {
            0 => Place::Store { blob: *blob },
            1 => Place::Blobs {
                blobs: BTreeMap::from([("tar".to_owned(), *blob)]),
            },
            _ => Place::Files {
                files: BTreeMap::from([(
                    "out".to_owned(),
                    KeptFile::File {
                        blob: *blob,
                        executable: false,
                    },
                )]),
                folder: "farms/f".to_owned(),
            },
        };
        place.output(&format!("out{at}"), blob.digest)
    });
    Guard {
        node: format!("f:task/n{node}"),
        key: Key(Digest::of(&[node, key])),
        inputs: vec![Input::text("key", key.to_string())],
        outputs: outputs.collect(),
        reason: Reason::NeverBuilt,
        started_ms: 0,
        duration_ms: 1,
        version: "0".to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_a_kept_guard_needs_stays_and_nothing_else(
        // Node, key, days ago, and which blobs.
        mut builds in prop::collection::vec((0_u8..2, 0_u8..9, 0_u64..60, prop::collection::vec(0_u8..12, 0..4)), 0..25),
        dry_run in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let root = Utf8Path::from_path(&root).unwrap().as_std_path();
        fs::create_dir_all(root.join("farms")).unwrap();
        let state = root.join(".farm");
        let store = Store::open(&state.join("store")).unwrap();
        let blobs: Vec<Blob> = (0..12_u8).map(|number| store.put_bytes(&[number]).unwrap()).collect();
        builds.sort_by_key(|(_, _, days, _)| std::cmp::Reverse(*days));
        let now = SystemClock.now_ms();
        let path = state.join("guards");
        let mut model: Vec<(Guard, u64)> = Vec::new();
        for (node, key, days, of) in &builds {
            let outputs: Vec<Blob> = of.iter().map(|at| blobs[usize::from(*at)]).collect();
            let guard = guard(*node, *key, &outputs);
            // A minute more: the last of 30 days is not over while this test runs.
            let clock = At(now - days * DAY_MS + 60_000);
            let file = GuardFile::open_with_clock(&path, Mode::Write, Box::new(clock)).unwrap().guards;
            file.record(guard.clone()).unwrap();
            model.retain(|(other, _)| (&other.node, other.key) != (&guard.node, guard.key));
            model.push((guard, *days));
        }
        let kept: Vec<&Guard> = model
            .iter()
            .enumerate()
            .filter(|(at, (guard, days))| {
                let later = model[at + 1..].iter().filter(|(other, _)| other.node == guard.node).count();
                later < 5 || *days <= 30
            })
            .map(|(_, (guard, _))| guard)
            .collect();
        // Every output's digest is that of its blob.
        let digests = kept.iter().flat_map(|guard| &guard.outputs).map(|output| output.digest);
        let digests: BTreeSet<Digest> = digests.collect();
        let needed: BTreeSet<Blob> = blobs.iter().filter(|blob| digests.contains(&blob.digest.into())).copied().collect();

        let report = gc(&setup(root), dry_run, &Silent).unwrap();
        prop_assert_eq!(report.kept, kept.len() as u64);
        prop_assert_eq!(report.guards.count, (model.len() - kept.len()) as u64);
        prop_assert_eq!(report.blobs.count, (12 - needed.len()) as u64);
        let left: BTreeSet<Blob> = store.iter().unwrap().collect();
        let file = GuardFile::open(&path, Mode::Read).unwrap().guards;
        if dry_run {
            prop_assert_eq!(left.len(), 12);
            prop_assert_eq!(file.all().len(), model.len());
        } else {
            prop_assert_eq!(left, needed);
            prop_assert_eq!(file.all().len(), kept.len());
            for guard in kept {
                let found = file.find(&guard.node, &guard.key);
                prop_assert_eq!(found.as_ref(), Some(guard));
            }
            prop_assert!(gc(&setup(root), false, &Silent).unwrap().is_empty());
        }
    }
}

fn output(place: &str) -> Output {
    Output {
        role: "out".to_owned(),
        digest: Digest::of(b""),
        place: place.to_owned(),
    }
}

#[test]
fn blobs_stay_where_a_guard_is_not_understood() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("farms")).unwrap();
    let state = folder.path().join(".farm");
    let store = Store::open(&state.join("store")).unwrap();
    let blob = store.put_bytes(b"x").unwrap();
    let strange = Guard {
        outputs: vec![output(r#"{"in":"a place of tomorrow"}"#)],
        ..guard(0, 0, &[])
    };
    let file = GuardFile::open(&state.join("guards"), Mode::Write).unwrap().guards;
    file.record(strange).unwrap();
    drop(file);
    let report = gc(&setup(folder.path()), false, &Silent).unwrap();
    assert!(report.blobs_left.unwrap().contains("f:task/n0"));
    assert!(store.present(&blob));
}

#[test]
fn the_answers_that_a_plan_names_stay_with_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("farms")).unwrap();
    let state = folder.path().join(".farm");
    let store = Store::open(&state.join("store")).unwrap();
    let answer = store.put_bytes(b"answer").unwrap();
    let plan = join::JoinedPlan {
        subjects: BTreeMap::from([(
            "libs".to_owned(),
            join::SubjectPlan {
                members: [].into(),
                packages: Vec::new(),
                runtime: Vec::new(),
                below: Vec::new(),
                world: Vec::new(),
                command: String::new(),
                answer,
            },
        )]),
        ..join::JoinedPlan::default()
    };
    let blob = store.put_bytes(&serde_json::to_vec(&plan).unwrap()).unwrap();
    let joined = Guard {
        outputs: vec![Place::Store { blob }.output("joined", blob.digest)],
        ..guard(0, 0, &[])
    };
    let file = GuardFile::open(&state.join("guards"), Mode::Write).unwrap().guards;
    file.record(joined).unwrap();
    drop(file);
    assert!(gc(&setup(folder.path()), false, &Silent).unwrap().is_empty());
    assert!(store.present(&blob) && store.present(&answer));
}

#[test]
fn old_logs_and_work_trees_go_and_what_was_in_the_way_stays() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let put = |path: &str| {
        let path = state.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "text").unwrap();
        path
    };
    let (kept, gone) = (put("logs/f/task/a.log"), put("logs/f/pkg/x/y-1.log"));
    let trees = [put("failed/f/pkg/x/y-1.tar.zst"), put("failed/f/task/a/out/file")];
    let theirs = put("failed/f/task/a/in-the-way/file");
    let needed = BTreeSet::from([log_below(state, "f:task/a")]);
    // Nothing is as old as that.
    assert_eq!(files::take_logs(state, &needed, 0, false).unwrap(), Freed::default());
    assert_eq!(files::take_failed(state, 0, false).unwrap(), Freed::default());
    let later = SystemClock.now_ms() + DAY_MS;
    assert_eq!(files::take_logs(state, &needed, later, true).unwrap().count, 1);
    assert!(gone.exists());
    assert_eq!(
        files::take_logs(state, &needed, later, false).unwrap(),
        Freed { count: 1, bytes: 4 }
    );
    assert_eq!(files::take_failed(state, later, false).unwrap().count, 2);
    assert!(kept.exists() && !gone.exists() && theirs.exists());
    assert!(trees.iter().all(|tree| !tree.exists()));
}

#[test]
fn a_forgotten_image_is_left_and_its_name_is_noted_for_clean() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("farms")).unwrap();
    let state = folder.path().join(".farm");
    fs::create_dir_all(&state).unwrap();
    for key in 0..7 {
        let place = Place::Image {
            id: ImageId(format!("sha256:{key}")),
            tag: Some("farm/f-root:x".to_owned()),
        };
        let image = Guard {
            outputs: vec![output(&place.to_text())],
            ..guard(0, key, &[])
        };
        let opened = GuardFile::open_with_clock(&state.join("guards"), Mode::Write, Box::new(At(u64::from(key))));
        opened.unwrap().guards.record(image).unwrap();
    }
    let report = gc(&setup(folder.path()), false, &Silent).unwrap();
    assert_eq!((report.guards.count, report.images.len()), (2, 2));
    let noted: Vec<String> = given_names(&state).unwrap().into_iter().map(|(id, _)| id).collect();
    assert_eq!(noted, ["sha256:0", "sha256:1"]);
}
