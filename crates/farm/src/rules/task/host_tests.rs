//! A line for the shell comes to the same with and without the shell: the shells are asked.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;

use fs_err as fs;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

use super::*;
use crate::action::TaskCommand;
use crate::rules::task::folders::TaskFolders;

/// What a line came to.
#[derive(Debug, PartialEq, Eq)]
struct End {
    status: i32,
    said: String,
    /// Every file and folder: its mode and what is in it.
    left: BTreeMap<PathBuf, (u32, String)>,
}

fn shell_line(line: &str) -> TaskCommand {
    TaskCommand::Shell(line.to_owned())
}

/// A folder in which lines are run, and shells.
struct Ground {
    folder: TempDir,
    own: Pair,
    shells: Vec<PathBuf>,
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut shells = Vec::new();
        for (number, shell) in ["/bin/sh", "/bin/dash", "/bin/bash"].iter().enumerate() {
            // Called `sh`, bash behaves as one. Another name than /bin/sh, so that it is a program like any other to farm.
            let link = folder.path().join(format!("shells/{number}/sh"));
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(shell, &link).unwrap();
            shells.extend(Some(link).filter(|link| link.exists()));
        }
        Self {
            own: TaskFolders::default().take(tempfile::tempdir).unwrap(),
            folder,
            shells,
        }
    }

    /// The folder in which a line is run, as if none had been.
    fn fresh(&self) -> PathBuf {
        let work = self.folder.path().join("work");
        if work.exists() {
            fs::remove_dir_all(&work).unwrap();
        }
        fs::create_dir_all(work.join("dir")).unwrap();
        fs::write(work.join("full"), "was here\n").unwrap();
        symlink("/proc/self/comm", work.join("magic")).unwrap();
        symlink("full", work.join("link")).unwrap();
        for (name, text, mode) in [
            ("script", "#!/bin/cat /proc/self/cmdline\n", 0o755),
            ("noscript", "cat full; exit 3\n", 0o755),
            ("noprogram", "#!/bin/sh\n", 0o644),
            ("victim", "#!/bin/sh\nkill -TERM $$\n", 0o755),
        ] {
            fs::write(work.join(name), text).unwrap();
            fs::set_permissions(work.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        work
    }

    fn task(command: TaskCommand) -> TaskData {
        TaskData {
            folder: "work".into(),
            command,
            env: BTreeMap::new(),
            outputs: Vec::new(),
            image: None,
        }
    }

    /// Runs it with farm's `/bin/sh`, which may be none.
    fn by_farm(&self, line: &str) -> End {
        let work = self.fresh();
        let started = start(&work, &Self::task(shell_line(line)), &self.own, None).unwrap();
        Self::end(&work, started, "/bin/sh")
    }

    /// Runs it without a shell, if farm does.
    fn directly(&self, line: &str) -> Option<End> {
        let work = self.fresh();
        let (reader, writer) = io::pipe().unwrap();
        let child = start_directly(&work, &Self::task(shell_line(line)), &self.own, None, &writer)?;
        drop(writer);
        Some(Self::end(&work, (child, reader), "/bin/sh"))
    }

    fn by_shell(&self, shell: &Path, line: &str) -> End {
        let work = self.fresh();
        let shell = shell.to_str().unwrap();
        let by_hand = [shell, "-e", "-c", line].map(str::to_owned).into();
        let started = start(&work, &Self::task(TaskCommand::Arguments(by_hand)), &self.own, None).unwrap();
        Self::end(&work, started, shell)
    }

    fn end(work: &Path, (mut child, mut output): (Child, PipeReader), shell: &str) -> End {
        // What a shell calls itself, and what it says of a program that was killed by a signal, is for people.
        let text = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes)
                .replace(shell, "sh")
                .replace("/bin/sh", "sh")
                .replace("Terminated\n", "")
        };
        let mut said = Vec::new();
        output.read_to_end(&mut said).unwrap();
        let status = child.wait().unwrap();
        let mut left = BTreeMap::new();
        let mut pending = vec![work.to_owned()];
        while let Some(path) = pending.pop() {
            let found = fs::symlink_metadata(&path).unwrap();
            let mut content = String::new();
            if found.is_dir() {
                pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else if found.is_file() {
                content = text(&fs::read(&path).unwrap());
            }
            left.insert(path, (found.permissions().mode(), content));
        }
        End {
            // A shell that stays says that such a program ended with 128 and the signal's number.
            status: status.code().unwrap_or_else(|| 128 + status.signal().unwrap()),
            said: text(&said),
            left,
        }
    }
}

/// Words of which many are plain, and signs between them that are not.
fn lines() -> impl Strategy<Value = String> {
    let programs = prop::sample::select(vec![
        "cat",
        "cat",
        "cat /proc/self/cmdline",
        "/bin/cat",
        "./script",
        "./noscript",
        "./noprogram",
        "./victim",
        "./dir",
        "victim",
        "nosuch",
        "./nosuch",
        "full/x",
        "head -n 1",
        "expr",
        "cat -",
        "echo",
        "printf",
        "test",
        "true",
        "A=1 cat",
        "time",
        "[",
        "if",
        "%1",
    ]);
    let words = prop::sample::select(vec![
        "a",
        "full",
        "link",
        "magic",
        "dir",
        "dir/a",
        "nodir/a",
        "../a",
        "/dev/null",
        "--",
        "-",
        "a=b",
        "=",
        "a#b",
        "#a",
        "^a",
        "a^b",
        "a,b",
        "a:b",
        "@a",
        "%a",
        "+",
        "a~b",
        "~",
        "{a,b}",
        "*",
        "a?",
        "[a]",
        "!a",
        "!",
        "$a",
        "`a`",
        "'a'",
        "\"a",
        "a\\",
        "é",
        "2",
        "in",
        "do",
        "a=~",
        "a:~",
        ".",
        ":",
        "(",
        ")",
        "",
    ]);
    let signs = prop::sample::select(vec![
        ">", ">", ">>", "<", "2>", "> ", ">> ", "< ", "2> ", "1>", "2>>", ">&", ">|", "<<", "&", "|", ";", "\n", "#",
    ]);
    let part = prop_oneof![
        6 => words.clone().prop_map(str::to_owned),
        1 => Just(" > /dev/stdout".to_owned()),
        3 => (signs, words).prop_map(|(sign, word)| format!("{sign}{word}")),
    ];
    let blanks = prop::sample::select(vec![" ", " ", " ", " ", "  ", "\t", ""]);
    (
        programs,
        prop::collection::vec((blanks, part), 0..5),
        prop::sample::select(vec!["", "", "\n", " "]),
    )
        .prop_map(|(program, parts, end)| {
            let parts = parts.into_iter().map(|(blank, part)| format!("{blank}{part}"));
            format!("{program}{}{end}", parts.collect::<String>())
        })
}

#[test]
fn a_line_comes_to_the_same_without_a_shell() {
    let ground = Ground::new();
    let (started, refused) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config {
        cases: 800,
        failure_persistence: None,
        ..Config::default()
    });
    let judge = |line: String| {
        if super::super::simple_line::SimpleLine::parse(&line).is_none() {
            return Ok(());
        }
        let Some(direct) = ground.directly(&line) else {
            refused.set(refused.get() + 1);
            // What was begun and handed over leaves no trace.
            prop_assert_eq!(&ground.by_farm(&line), &ground.by_shell(&ground.shells[0], &line));
            return Ok(());
        };
        started.set(started.get() + 1);
        for shell in &ground.shells {
            prop_assert_eq!(&direct, &ground.by_shell(shell, &line), "{}", shell.display());
        }
        Ok(())
    };
    runner.run(&lines(), judge).unwrap();
    // Nothing would be shown if all were left to the shell.
    assert!(started.get() > 30, "{}", started.get());
    assert!(refused.get() > 30, "{}", refused.get());
}

#[test]
fn a_program_gets_the_environment_that_it_would_get_from_the_shell() {
    let ground = Ground::new();
    let names = |end: End| -> BTreeSet<String> {
        let lines = end.said.lines().map(str::to_owned);
        // bash counts shells and tells where it found the program; dash does neither, and nobody may rely on them.
        lines
            .filter(|line| !line.starts_with("_=") && !line.starts_with("SHLVL="))
            .collect()
    };
    let direct = names(ground.directly("env").unwrap());
    assert!(direct.iter().any(|line| line.starts_with("PWD=")));
    for shell in &ground.shells {
        assert_eq!(direct, names(ground.by_shell(shell, "env")), "{}", shell.display());
    }
}

#[test]
fn files_are_opened_as_a_shell_opens_them() {
    let ground = Ground::new();
    let flags = |end: End| -> Option<String> {
        let (_, info) = end.left.get(&ground.folder.path().join("work/new"))?;
        info.lines().find(|line| line.starts_with("flags:")).map(str::to_owned)
    };
    for sign in [">", ">>"] {
        let line = format!("cat /proc/self/fdinfo/1 {sign} new");
        let direct = flags(ground.directly(&line).unwrap());
        assert!(direct.is_some(), "{line}");
        for shell in &ground.shells {
            assert_eq!(
                direct,
                flags(ground.by_shell(shell, &line)),
                "{line} {}",
                shell.display()
            );
        }
    }
}

#[test]
fn a_task_with_variables_of_its_own_gets_its_shell() {
    let ground = Ground::new();
    let work = ground.fresh();
    let mut task = Ground::task(shell_line("env"));
    assert!(Direct::of(&work, &task).is_some());
    // It would be a trace of all that the shell does.
    task.env.insert("SHELLOPTS".to_owned(), "xtrace".to_owned());
    assert!(Direct::of(&work, &task).is_none());
}

#[test]
fn nothing_is_truncated_without_a_shell() {
    let ground = Ground::new();
    let work = ground.fresh();
    for (line, expected) in [
        ("cat > full", false),
        ("cat > link", false),
        ("cat > new", true),
        ("cat > magic", false),
    ] {
        assert_eq!(
            Direct::of(&work, &Ground::task(shell_line(line))).is_some(),
            expected,
            "{line}"
        );
    }
    assert_eq!(fs::read_to_string(work.join("full")).unwrap(), "was here\n");
    assert_eq!(
        ground.by_farm("cat > full").left[&ground.folder.path().join("work/full")].1,
        ""
    );
}
