//! `farm debug query affected`: which nodes a change of files can concern, and that no file that is read is missed.

use std::io::Write as _;
use std::process::Stdio;

use crate::space::{Ended, Space, assert_run};

/// Tasks that read a file, a glob, a folder, what another one makes, and nothing.
const READS: &str = r#"
farm: reads
tasks:
  file: { in: host, inputs: [one.txt], run: 'cp one.txt file.out', outputs: [file.out] }
  glob: { in: host, inputs: ['src/**/*.c'], run: 'cat src/*.c > glob.out', outputs: [glob.out] }
  folder: { in: host, inputs: [data/], run: 'ls data > folder.out', outputs: [folder.out] }
  after: { in: host, inputs: [file.out], run: 'cp file.out after.out', outputs: [after.out] }
  last: { in: host, needs: [after], run: 'echo > last.out', outputs: [last.out] }
  alone: { in: host, run: 'echo > alone.out', outputs: [alone.out] }
"#;

fn reads() -> Space {
    let space = Space::with_farm("reads", READS);
    for file in ["one.txt", "src/a.c", "src/deep/b.c", "data/x", "README"] {
        space.write(&format!("farms/reads/{file}"), "text\n");
    }
    space
}

fn affected(space: &Space, files: &[&str]) -> Ended {
    space.farm(&[&["debug", "query", "affected"], files].concat())
}

fn names(space: &Space, files: &[&str]) -> Vec<String> {
    let ended = affected(space, files);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    ended
        .stdout
        .lines()
        .map(|name| name.split_once('/').map_or(name, |(_, task)| task).to_owned())
        .collect()
}

#[test]
fn readers_and_what_hangs_on_them() {
    let space = reads();
    assert_run!(affected(&space, &["farms/reads/one.txt"]), @r"
    --- stdout
    reads:task/after
    reads:task/file
    reads:task/last
    --- status 0
    ");
    assert_run!(affected(&space, &["farms/reads/src/a.c", "farms/reads/data/x", "--json"]), @r#"
    --- stdout
    ["reads:task/folder","reads:task/glob"]
    --- status 0
    "#);
}

#[test]
fn files_that_are_gone_or_to_come_are_read_as_well() {
    let space = reads();
    for (file, task) in [
        ("farms/reads/src/new/c.c", "glob"),
        ("farms/reads/data/deep/new", "folder"),
        ("farms/reads/alone.out", "alone"),
        ("farms/reads/src", "glob"),
    ] {
        assert_eq!(names(&space, &[file]), [task], "{file}");
    }
    assert!(names(&space, &["farms/reads/src/new.h"]).is_empty());
}

#[test]
fn a_file_that_nobody_reads() {
    let space = reads();
    assert_run!(affected(&space, &["farms/reads/README", "docs/x"]), @r"
    --- stderr
    note: nobody reads farms/reads/README, docs/x
    --- status 0
    ");
    assert_run!(affected(&space, &["README", "--json"]), @r"
    --- stdout
    []
    --- stderr
    note: nobody reads README
    --- status 0
    ");
}

#[test]
fn the_manifest_is_read_for_everything() {
    let space = reads();
    assert_run!(affected(&space, &["farms/reads/farm.yaml"]), @r"
    --- stdout
    reads:task/after
    reads:task/alone
    reads:task/file
    reads:task/folder
    reads:task/glob
    reads:task/last
    --- stderr
    note: farms/reads/farm.yaml is read for all of reads: anything in it may change
    --- status 0
    ");
    for file in ["farms/settings.yaml", "farms/reads/farm.lock", "farms"] {
        assert_eq!(names(&space, &[file]).len(), 6, "{file}");
    }
}

#[test]
fn an_included_manifest_concerns_whoever_includes_it() {
    let space = reads();
    space.write(
        "farms/more/farm.yaml",
        "farm: more\ninclude: [reads]\ntasks:\n  own: { in: host, run: 'echo > own.out', outputs: [own.out] }\n",
    );
    assert_run!(affected(&space, &["farms/reads/one.txt"]), @r"
    --- stdout
    more:task/after
    more:task/file
    more:task/last
    reads:task/after
    reads:task/file
    reads:task/last
    --- status 0
    ");
    assert_eq!(names(&space, &["farms/reads/farm.yaml"]).len(), 6 + 7);
    assert_eq!(names(&space, &["farms/more/farm.yaml"]).len(), 7);
}

#[test]
fn names_are_those_of_git_wherever_it_is_asked() {
    let space = reads();
    fs_err::create_dir(space.path(".git")).unwrap();
    for (folder, file) in [
        (".", "farms/reads/one.txt"),
        ("farms/reads", "one.txt"),
        ("farms/reads", "farms/reads/one.txt"),
        ("farms", "./reads/src/../one.txt"),
    ] {
        let mut command = space.command(&["debug", "query", "affected", file]);
        command.current_dir(space.path(folder));
        let ended = space.ended(command);
        assert!(
            ended.stdout.starts_with("reads:task/after\n"),
            "{folder} {file}: {}",
            ended.text()
        );
    }
    // The workspace is a folder of the repository.
    fs_err::rename(space.path(".git"), space.path("../.git")).unwrap();
    assert_eq!(names(&space, &["workspace/farms/reads/one.txt"]).len(), 3);
    let absolute = space.path("farms/reads/one.txt");
    assert_eq!(names(&space, &[absolute.to_str().unwrap()]).len(), 3);
}

#[test]
fn names_on_standard_input() {
    let space = reads();
    let ask = |list: &[u8], more: &[&str]| {
        let mut command = space.command(&[&["debug", "query", "affected", "-"], more].concat());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(list).unwrap();
        space.end_of(child)
    };
    assert_run!(ask(b"farms/reads/src/a.c\nfarms/reads/README\n", &[]), @r"
    --- stdout
    reads:task/glob
    --- stderr
    note: nobody reads farms/reads/README
    --- status 0
    ");
    assert_run!(ask(b"farms/reads/src/\xff.c\0farms/reads/data/a\nb\0", &["-z"]), @r"
    --- stdout
    reads:task/folder
    reads:task/glob
    --- status 0
    ");
    assert_run!(ask(b"\"farms/reads/src/\\377.c\"\n", &[]), @r#"
    --- stderr
    error: the name "farms/reads/src/\377.c" is quoted, so it may be another one
    hint: take `git diff --name-only -z`, and `-z` here
    --- status 2
    "#);
    assert_run!(ask(b"", &[]), @"--- status 0");
}

#[test]
fn files_behind_links_are_found_by_where_they_are() {
    let space = reads();
    space.write("shared/inc/x.h", "text\n");
    space.write(
        "shared/more.yaml",
        "farm: linked\ntasks:\n  own: { in: host, inputs: ['inc/*.h'], run: 'true > o', outputs: [o] }\n",
    );
    fs_err::create_dir_all(space.path("farms/linked")).unwrap();
    std::os::unix::fs::symlink("../../shared/more.yaml", space.path("farms/linked/farm.yaml")).unwrap();
    std::os::unix::fs::symlink("../../shared/inc", space.path("farms/linked/inc")).unwrap();
    for file in [
        "shared/inc/x.h",
        "shared/inc/new.h",
        "farms/linked/inc/x.h",
        "shared/more.yaml",
    ] {
        assert_eq!(names(&space, &[file]), ["own"], "{file}");
    }
    assert!(names(&space, &["shared/inc/x.c"]).is_empty());
}

#[test]
fn a_farm_whose_names_are_not_pinned_is_no_answer() {
    let space = Space::with_farm(
        "hep",
        "farm: hep\nbinfarm: { base: { image: nowhere.invalid/x:1 }, profile: 'gentoo:default', repos: { gentoo: { path: tree } } }\nsubjects: { s: { packages: [app-misc/a] } }\n",
    );
    space.write("farms/hep/tree/profiles/repo_name", "gentoo\n");
    assert_run!(affected(&space, &["farms/hep/tree/profiles/x"]), @r"
    --- stderr
    error: nobody can say what is affected in hep: its names are not pinned
    hint: `farm build` pins what is missing, `farm update` pins everything anew
    --- status 2
    ");
    assert_run!(affected(&space, &["farms/hep/README"]), @r"
    --- stderr
    note: nobody reads farms/hep/README
    --- status 0
    ");
}

/// Whatever a dry run says of an edit, the query must have said before: it may say more, never less.
#[test]
fn what_an_edit_makes_run_was_said_to_be_affected() {
    let space = reads();
    let ended = space.farm(&["build"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    let comment = "\n# more\n";
    for (file, text) in [
        ("farms/reads/one.txt", "other\n"),
        ("farms/reads/src/a.c", "other\n"),
        ("farms/reads/src/deep/new.c", "new\n"),
        ("farms/reads/data/new", "new\n"),
        ("farms/reads/README", "other\n"),
        ("farms/reads/file.out", "by hand\n"),
        ("farms/settings.yaml", "salt: other\n"),
        ("farms/reads/farm.yaml", comment),
    ] {
        let before = space.exists(file).then(|| space.read(file));
        let said = names(&space, &[file]);
        let text = if text == comment {
            format!("{READS}{comment}").replace("cp one.txt", "cat one.txt >")
        } else {
            text.to_owned()
        };
        space.write(file, &text);
        let ended = space.farm(&["build", "-n", "--json"]);
        assert_eq!(ended.status, Some(0), "{file}: {}", ended.text());
        let nodes = ended.json_lines().remove(0)["nodes"].as_array().unwrap().clone();
        for node in nodes.iter().filter(|node| node["state"] != "cached") {
            let name = node["name"].as_str().unwrap().trim_start_matches("reads:task/");
            assert!(
                said.iter().any(|said| said == name),
                "{file}: {name} runs, and only {said:?} were named"
            );
        }
        let runs = nodes.iter().filter(|node| node["state"] != "cached").count();
        let is_read = !said.is_empty() && file != "farms/reads/file.out";
        assert_eq!(runs > 0, is_read, "{file}: {}", ended.text());
        match before {
            Some(before) => space.write(file, &before),
            None => fs_err::remove_file(space.path(file)).unwrap(),
        }
    }
}
