//! What `farm update` finds that is newer than what a manifest names, and writes into it: with git repositories, and no engine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;

use crate::space::Space;

const MANIFEST: &str = "farms/f/farm.yaml";

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.org"])
        .args([
            "-c",
            "init.defaultBranch=main",
            "-c",
            "commit.gpgsign=false",
            "-c",
            "tag.gpgsign=false",
        ])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A repository with a commit a tag, and one more after them; gives its commits.
fn repository(space: &Space, name: &str, tags: &[&str]) -> (PathBuf, Vec<String>) {
    let folder = space.path(&format!("../{name}.git"));
    fs::create_dir_all(&folder).unwrap();
    git(&folder, &["init", "--quiet"]);
    let mut commits = Vec::new();
    for tag in tags.iter().copied().chain(["later"]) {
        git(&folder, &["commit", "--quiet", "--allow-empty", "-m", tag]);
        commits.push(git(&folder, &["rev-parse", "HEAD"]));
        if tag != "later" {
            // Every other one is an object of its own.
            let (plain, annotated) = (["tag", tag], ["tag", "-a", "-m", tag, tag]);
            let is_annotated = commits.len() % 2 == 0;
            git(&folder, if is_annotated { &annotated } else { &plain });
        }
    }
    (folder, commits)
}

#[test]
fn newer_tags_and_commits_are_written_and_nothing_else() {
    let space = Space::with_farm("f", "farm: f\n");
    let (one, _) = repository(&space, "one", &["v1.2", "v1.10", "v1.9", "nightly-20300101"]);
    let (two, of_two) = repository(&space, "two", &["r1", "r2"]);
    let (three, of_three) = repository(&space, "three", &[]);
    let (four, of_four) = repository(&space, "four", &["1.0", "1.1"]);
    let (one, two, three, four) = (one.display(), two.display(), three.display(), four.display());
    let text = |lib: &str, second: &str, third: &str| {
        format!(
            "# A farm\nfarm: f\nvars:\n  LIB: {lib}   # moves\n  MINE: v1.2\nbinfarm:\n  \
             base: {{ image: 'farm.invalid/stage3:latest' }}\n  repos:\n    gentoo: {{ path: tree }}\n    \
             one: {{ git: \"file://{one}\", tag: \"${{LIB}}\" }}   # by its tag\n    \
             mine: {{ git: \"file://{one}\", tag: \"${{MINE}}\" }}\n    \
             two:\n      git:\n        url: file://{two}\n        commit: {second}   # r1 once\n    \
             three: {{ git: \"file://{three}\", commit: '{third}' }}\n    \
             four: {{ git: \"file://{four}\", commit: {newest} }}\n    \
             gone: {{ git: \"file://{one}.gone\", tag: v1 }}\n  profile: gentoo:x\n\
             subjects: {{ s: {{ packages: {{ sci-libs/gsl: {{}} }} }} }}\n",
            newest = of_four[1]
        )
    };
    // A commit of a branch: the newest of it. One that has a tag: the newest such tag, and not what comes after it.
    git(
        Path::new(&three.to_string()),
        &["commit", "--quiet", "--allow-empty", "-m", "newer"],
    );
    let newest = git(Path::new(&three.to_string()), &["rev-parse", "HEAD"]);
    let before = text("v1.2", &of_two[0], &of_three[0]);
    space.write(MANIFEST, &before);
    space.write("farms/f/tree/profiles/repo_name", "gentoo\n");

    // There is no engine, so that nothing can be planned: that comes after what is asked for here.
    let ended = space.farm(&["update", "f"]);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    let unknown = "note: whether there is something newer for binfarm.repos.gone is not known: ";
    assert!(ended.stderr.contains(unknown), "{}", ended.text());
    assert_eq!(space.read(MANIFEST), before);

    let mut command = space.command(&["update", "f", "--write"]);
    command.env("FARM_MINE", "v1.2");
    let ended = space.ended(command);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    assert_eq!(space.read(MANIFEST), text("v1.10", &of_two[1], &newest));
    for line in [
        "note: farms/f/farm.yaml:4 says now: LIB: v1.10   # moves\n".to_owned(),
        format!(
            "note: farms/f/farm.yaml:15 says now: commit: {}   # r1 once\n",
            of_two[1]
        ),
        // Whoever gives a variable its value is the one to change it.
        "note: not written: binfarm.repos.mine: tag v1.2 -> v1.10 (farms/f/farm.yaml:11): the value of MINE comes from outside \
         of the manifest\n"
            .to_owned(),
    ] {
        assert!(ended.stderr.contains(&line), "no {line:?} in {}", ended.text());
    }
    assert!(!ended.stderr.contains("repos.four"), "{}", ended.text());
    // Nothing is left to write.
    let ended = space.farm(&["update", "f", "--write", "MINE=v1.10"]);
    assert!(!ended.stderr.contains("says now"), "{}", ended.text());
}

#[test]
fn a_variable_that_says_something_else_as_well_is_left_to_people() {
    let space = Space::with_farm("f", "farm: f\n");
    let (one, _) = repository(&space, "one", &["1.0", "1.1"]);
    let (two, _) = repository(&space, "two", &["1.0"]);
    let manifest = format!(
        "farm: f\nvars: {{ TAG: '1.0', OTHER: '1.0' }}\nflavour: amd64.${{OTHER}}\nbinfarm:\n  \
         base: {{ image: 'farm.invalid/stage3:latest' }}\n  repos:\n    gentoo: {{ path: tree }}\n    \
         one: {{ git: \"file://{}\", tag: \"${{TAG}}\" }}\n    two: {{ git: \"file://{}\", tag: \"${{TAG}}\" }}\n    \
         three: {{ git: \"file://{}\", tag: \"${{OTHER}}\" }}\n  profile: gentoo:x\n\
             subjects: {{ s: {{ packages: {{ sci-libs/gsl: {{}} }} }} }}\n",
        one.display(),
        two.display(),
        one.display()
    );
    space.write(MANIFEST, &manifest);
    space.write("farms/f/tree/profiles/repo_name", "gentoo\n");
    let ended = space.farm(&["update", "f", "--write"]);
    assert_eq!(space.read(MANIFEST), manifest);
    for reason in [
        "not written: binfarm.repos.one: tag 1.0 -> 1.1 (farms/f/farm.yaml:8): binfarm.repos.two would be 1.1, too",
        "not written: binfarm.repos.three: tag 1.0 -> 1.1 (farms/f/farm.yaml:10): the flavour would be amd64.1.1",
    ] {
        assert!(ended.stderr.contains(reason), "no {reason:?} in {}", ended.text());
    }
}
