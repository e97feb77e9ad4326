//! `-jN` counts what tasks start, whatever starts it: make, ninja, and farm under a make.
//!
//! What is counted stands in for a compiler: it writes down when it begins and when it ends. The first ones stay until as many
//! run as there are to be, so that a test cannot pass because the machine was slow.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use farm_engine::TokenLine as _;
use farm_job_tokens::{Fifo, makeflags};
use rustix::process::Signal;

use crate::signals::{pipe, signal};
use crate::space::Space;

/// The ninja that knows of job servers, as pip installs it.
const NINJA: &str = "ninja==1.13.0 \
                     --hash=sha256:fb46acf6b93b8dd0322adc3a4945452a4e774b75b91293bafcc7b7f8e6517dfa";

/// `$1` is where the log is, `$2` how many have to run at once before the first may end. Gives up waiting after a while: then
/// the peak is too low.
const COMPILER: &str = r#"#!/bin/sh
echo + >> "$1/log"
i=0
while [ ! -e "$1/full" ] && [ $i -lt 400 ]; do
  now=$(($(grep -c + "$1/log") - $(grep -c - "$1/log")))
  if [ $now -ge "$2" ]; then : > "$1/full"; fi
  sleep 0.05
  i=$((i + 1))
done
sleep 0.05
echo - >> "$1/log"
"#;

/// A workspace in which compilers are counted.
struct Counted(Space);

impl Counted {
    /// With a farm of these tasks. In their commands, `CC` is the compiler that waits for `WANTED` others.
    fn new(tasks: &str) -> Self {
        let space = Space::new();
        space.write("cc", COMPILER);
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(space.path("cc"), executable).unwrap();
        space.write("farms/count/farm.yaml", &format!("farm: count\ntasks:\n{tasks}"));
        Self(space)
    }

    /// A makefile with `jobs` jobs.
    fn makefile(&self, path: &str, jobs: usize, wanted: usize) {
        let names: Vec<String> = (0..jobs).map(|job| format!("job{job}")).collect();
        let names = names.join(" ");
        let compile = self.compile(wanted);
        self.0.write(path, &format!("all: {names}\n{names}:\n\t@{compile}\n"));
    }

    fn compile(&self, wanted: usize) -> String {
        let folder = self.0.path("");
        format!("{}cc {} {wanted}", folder.display(), folder.display())
    }

    /// The most that ran at once, and how many ran.
    fn peak(&self) -> (usize, usize) {
        let (mut now, mut peak, mut begun) = (0_usize, 0, 0);
        for line in self.0.read("log").lines() {
            if line == "+" {
                begun += 1;
                now += 1;
                peak = peak.max(now);
            } else {
                now -= 1;
            }
        }
        (peak, begun)
    }
}

/// A ninja that knows of job servers, installed once for all tests.
fn ninja() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ninja-1.13.0");
        if !folder.exists() {
            // Beside it at first: another run of the tests may be at it, too.
            let making = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let wanted = making.path().join("requirements");
            fs_err::write(&wanted, NINJA).unwrap();
            let status = Command::new("python3")
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "--no-deps",
                ])
                .args(["--only-binary=:all:", "--require-hashes", "--target"])
                .arg(making.path().join("ninja"))
                .arg("--requirement")
                .arg(&wanted)
                .status()
                .unwrap();
            assert!(status.success(), "pip cannot install {NINJA}");
            let made = fs_err::rename(making.path().join("ninja"), &folder);
            assert!(made.is_ok() || folder.exists(), "{made:?}");
        }
        folder.join("bin/ninja")
    })
}

#[test]
fn a_single_make_gets_all_jobs() {
    let counted = Counted::new("  it: { in: host, run: 'make -f mk && echo > out', outputs: [out] }\n");
    counted.makefile("farms/count/mk", 12, 4);
    let ended = counted.0.farm(&["build", "-j4"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    assert_eq!(counted.peak(), (4, 12));
}

#[test]
fn makes_and_ninjas_share_what_there_is() {
    let tasks = format!(
        "  a: {{ in: host, run: 'make -f a.mk && echo > a', outputs: [a] }}\n\
         \x20 b: {{ in: host, run: 'make -f b.mk && echo > b', outputs: [b] }}\n\
         \x20 c: {{ in: host, run: '{} -f c.ninja && echo > c', outputs: [c] }}\n",
        ninja().display()
    );
    let counted = Counted::new(&tasks);
    counted.makefile("farms/count/a.mk", 10, 4);
    // A make below a make, which its recipe does not show.
    counted.makefile("farms/count/below.mk", 10, 4);
    counted
        .0
        .write("farms/count/b.mk", "below = make -f below.mk\nall:\n\t@+$(below)\n");
    let mut rules = format!("rule cc\n  command = {}\n", counted.compile(4));
    (0..10).for_each(|job| rules.push_str(&format!("build job{job}: cc\n")));
    counted.0.write("farms/count/c.ninja", &rules);

    let ended = counted.0.farm(&["build", "-j4"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    assert_eq!(counted.peak(), (4, 30));
}

#[test]
fn a_ninja_finds_the_tokens_below_a_make_that_hides_its_own() {
    let tasks = format!(
        "  it: {{ in: host, run: 'make NINJA={} && echo > out', outputs: [out] }}\n",
        ninja().display()
    );
    let counted = Counted::new(&tasks);
    counted.0.write("farms/count/Makefile", "all:\n\t@$(NINJA)\n");
    let mut rules = format!("rule cc\n  command = {}\n", counted.compile(2));
    (0..8).for_each(|job| rules.push_str(&format!("build job{job}: cc\n")));
    counted.0.write("farms/count/build.ninja", &rules);
    let ended = counted.0.farm(&["build", "-j2"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    assert_eq!(counted.peak(), (2, 8));
}

/// cargo runs one build script a token; what it compiles holds tokens as well, and is not counted.
#[test]
fn cargo_and_make_share_what_there_is() {
    let cargo = Path::new(env!("CARGO"));
    let rustc = cargo.with_file_name("rustc");
    let tasks = format!(
        "  rust: {{ in: host, run: '{} build --offline && echo > rust', outputs: [rust], env: {{ RUSTC: '{}' }} }}\n\
         \x20 make: {{ in: host, run: 'make -f mk && echo > make', outputs: [make] }}\n",
        cargo.display(),
        rustc.display()
    );
    let counted = Counted::new(&tasks);
    counted.makefile("farms/count/mk", 6, 4);
    let write = |path: &str, text: &str| counted.0.write(&format!("farms/count/{path}"), text);
    let package = |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\n");
    let members: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
    write(
        "Cargo.toml",
        &format!("[workspace]\nmembers = {members:?}\nresolver = \"2\"\n"),
    );
    let script = format!(
        "fn main() {{ assert!(std::process::Command::new(\"sh\").arg(\"-c\").arg({:?}).status().unwrap().success()); }}\n",
        counted.compile(4)
    );
    for member in &members {
        write(&format!("{member}/Cargo.toml"), &package(member));
        write(&format!("{member}/src/lib.rs"), "");
        write(&format!("{member}/build.rs"), &script);
    }
    let ended = counted.0.farm(&["build", "-j4"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    assert_eq!(counted.peak(), (4, 14));
}

#[test]
fn the_tokens_of_a_killed_make_come_back() {
    let tasks = "  killed: { in: host, run: 'make -f killed.mk', outputs: [never] }\n  \
                 other: { in: host, run: 'until [ -e two ]; do sleep 0.05; done; make -f other.mk; : > out', outputs: [out] }\n";
    let counted = Counted::new(tasks);
    // Two jobs run, one of them by a token, when their make is killed. Before, nobody else takes a token.
    counted.0.write(
        "farms/count/killed.mk",
        "all: one two\none:\n\t@: > one; while [ ! -e two ]; do sleep 0.05; done; kill -9 $$PPID\n\
         two:\n\t@: > two; while [ ! -e one ]; do sleep 0.05; done; sleep 5\n",
    );
    // Four at once is what only somebody can have who has them all.
    counted.makefile("farms/count/other.mk", 12, 4);
    let ended = counted.0.farm(&["build", "-j4", "-k"]);
    assert_eq!(ended.status, Some(1), "{}", ended.text());
    assert!(counted.0.exists("farms/count/two"), "{}", ended.text());
    assert_eq!(counted.peak(), (4, 12), "{}", ended.text());
}

#[test]
fn the_variable_of_a_task_is_its_own() {
    let run = "echo \"[$MAKEFLAGS]\" > out";
    let tasks = format!("  it: {{ in: host, run: '{run}', outputs: [out], env: {{ MAKEFLAGS: '-s' }} }}\n");
    let counted = Counted::new(&tasks);
    let ended = counted.0.farm(&["build", "-j4"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    assert_eq!(counted.0.read("farms/count/out"), "[-s]\n");
}

/// Starts make with a makefile in the workspace; `farm` in it is the program.
fn make(counted: &Counted, arguments: &[&str], makefile: &str) -> std::process::Output {
    let program = assert_cmd::cargo::cargo_bin!("farm").display().to_string();
    counted
        .0
        .write("Makefile", &makefile.replace("farm build", &format!("{program} build")));
    Command::new("make")
        .args(arguments)
        .current_dir(counted.0.path(""))
        .env_clear()
        .env("HOME", counted.0.path("../home"))
        .env("TMPDIR", counted.0.path("../tmp"))
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .output()
        .unwrap()
}

fn said(output: &std::process::Output) -> String {
    format!(
        "{}{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn farm_is_one_client_of_the_make_that_starts_it() {
    let counted = Counted::new(
        "  a: { in: host, run: 'make -f a.mk && echo > a', outputs: [a] }\n  \
         b: { in: host, run: 'make -f a.mk && echo > b', outputs: [b] }\n  \
         c: { in: host, run: 'make -f a.mk && echo > c', outputs: [c] }\n",
    );
    counted.makefile("farms/count/a.mk", 6, 4);
    let compile = counted.compile(4);
    let makefile =
        format!("all: farm one two three four five\nfarm:\n\t+@farm build\none two three four five:\n\t@{compile}\n");
    let ended = make(&counted, &["-j4"], &makefile);
    let said = said(&ended);
    // Make counts its tokens at the end, and says when some are missing.
    assert!(ended.status.success() && !said.contains("tokens"), "{said}");
    assert!(!said.contains("job server"), "{said}");
    assert_eq!(counted.peak(), (4, 18 + 5), "{said}");
}

#[test]
fn farm_alone_under_a_make_has_all_its_jobs() {
    let counted = Counted::new("  it: { in: host, run: 'make -f mk && echo > out', outputs: [out] }\n");
    counted.makefile("farms/count/mk", 9, 3);
    let ended = make(&counted, &["-j3"], "all:\n\t+@farm build\n");
    let said = said(&ended);
    assert!(ended.status.success() && !said.contains("tokens"), "{said}");
    assert_eq!(counted.peak(), (3, 9), "{said}");
}

#[test]
fn a_job_server_that_is_closed_leaves_one_job() {
    let counted = Counted::new("  it: { in: host, run: 'make -f mk && echo > out', outputs: [out] }\n");
    counted.makefile("farms/count/mk", 4, 1);
    let ended = make(&counted, &["-j3"], "all:\n\t@farm build\n");
    let said = said(&ended);
    assert!(said.contains("put + before the command in the makefile"), "{said}");
    assert_eq!(counted.peak(), (1, 4), "{said}");
}

#[test]
fn a_number_on_the_command_line_is_farms_own() {
    let counted = Counted::new("  it: { in: host, run: 'make -f mk && echo > out', outputs: [out] }\n");
    counted.makefile("farms/count/mk", 8, 4);
    let ended = make(&counted, &["-j2"], "all:\n\t+@farm build -j4\n");
    let said = said(&ended);
    assert!(
        said.contains("-j4: the job server of the make that started farm is not used"),
        "{said}"
    );
    assert_eq!(counted.peak(), (4, 8), "{said}");
}

/// A pool with three tokens, and farm about to be started as its client.
fn pool(space: &Space) -> (Fifo, Vec<(&'static str, String)>) {
    let fifo = Fifo::create(&space.path("../pool")).unwrap();
    fifo.lend(3);
    let flags = makeflags(fifo.path(), None);
    (fifo, vec![("MAKEFLAGS", flags)])
}

/// Two tasks that run at once, of which the second ends as `end` says, while the first waits for it.
fn two_tasks(end: &str) -> Space {
    let space = Space::new();
    let (started, go) = (space.path("started"), space.path("go"));
    let manifest = format!(
        "farm: two\ntasks:\n  a: {{ in: host, run: 'echo > {started}; read x < {go}; {end}', outputs: [a] }}\n  \
         b: {{ in: host, run: 'echo x > {go}; sleep 0.2; echo > b', outputs: [b] }}\n",
        started = started.display(),
        go = go.display(),
    );
    space.write("farms/two/farm.yaml", &manifest);
    pipe(&started);
    pipe(&go);
    space
}

#[test]
fn tokens_go_back_to_their_owner_after_a_failure() {
    let space = two_tasks("exit 3");
    let (fifo, env) = pool(&space);
    let mut command = space.command(&["build", "-k"]);
    command.envs(env).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child: Child = command.spawn().unwrap();
    // Each waits for the other: without a second job this would not end.
    fs_err::read(space.path("started")).unwrap();
    let ended = space.end_of(child);
    assert_eq!(ended.status, Some(1), "{}", ended.text());
    assert_eq!(fifo.unused(), 3);
}

#[test]
fn tokens_go_back_to_their_owner_after_a_stop() {
    let manifest = "farm: two\ntasks:\n  a: { in: host, run: 'echo > STARTED; read x < GO', outputs: [a] }\n  \
                    b: { in: host, run: 'trap \"\" TERM; echo > STARTED; read x < GO', outputs: [b] }\n";
    for signals in [&[Signal::INT][..], &[Signal::TERM, Signal::TERM]] {
        let space = Space::new();
        let (started, go) = (space.path("started"), space.path("go"));
        let manifest = manifest
            .replace("STARTED", &started.to_string_lossy())
            .replace("GO", &go.to_string_lossy());
        space.write("farms/two/farm.yaml", &manifest);
        pipe(&started);
        pipe(&go);
        let (fifo, env) = pool(&space);
        let mut command = space.command(&["build"]);
        command.envs(env).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        // Both run when both have written.
        let mut written = 0;
        let mut pipe = fs_err::File::options().read(true).write(true).open(&started).unwrap();
        while written < 2 {
            written += std::io::Read::read(&mut pipe, &mut [0; 2]).unwrap();
        }
        assert!(fifo.unused() < 3);
        for number in signals {
            signal(&child, *number);
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let ended = space.end_of(child);
        assert!(matches!(ended.status, Some(130 | 143)), "{}", ended.text());
        assert_eq!(fifo.unused(), 3, "{}", ended.text());
    }
}

#[test]
fn how_many_jobs_there_are_and_where_is_no_part_of_any_key() {
    let counted = Counted::new("  it: { in: host, run: 'make -f mk && echo > out', outputs: [out] }\n");
    counted.makefile("farms/count/mk", 2, 1);
    let ended = counted.0.farm(&["build", "-j1"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    let ended = counted.0.farm(&["build", "-j4"]);
    assert!(ended.stderr.contains("nothing to do"), "{}", ended.text());
}
