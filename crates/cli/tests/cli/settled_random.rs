//! Whoever relies on the record of the last run comes to the same as somebody who looks at everything: two copies of a workspace go
//! through the same random steps, and one of them loses its records before each build.
//!
//! `FARM_SETTLED_SEED=N FARM_SETTLED_STEPS=N` takes other steps, or more; a failure says its seed.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process};

use crate::space::{Ended, Space};

const MANIFEST: &str = r#"
farm: f
vars: { WORD: one }
tasks:
  strip:  { in: host, inputs: [src/a], run: 'sed /^#/d src/a > out/strip', outputs: [out/strip] }
  picky:  { in: host, inputs: [src/a, src/b], run: 'if grep -q bad src/b; then exit 3; fi; cat src/a src/b > out/picky', outputs: [out/picky] }
  both:   { in: host, inputs: [out/strip, out/picky], run: 'cat out/strip out/picky > out/both', outputs: [out/both] }
  linked: { in: host, inputs: [out/both], run: 'sed /^b/d out/both > out/l; chmod +x out/l; ln -s l out/m', outputs: [out/l, out/m] }
  behind: { in: host, inputs: [out/m, out/l], run: 'cat out/m > out/behind; sleep 0.03', outputs: [out/behind] }
  glob:   { in: host, inputs: ["glob/**/*.txt"], run: 'cat $(find glob -name "*.txt" -type f | LC_ALL=C sort) > out/glob', outputs: [out/glob] }
  tree:   { in: host, inputs: [tree], run: 'mkdir -p made; (cd tree; ls -R . | grep -v ^total; find . -type f -perm /111) > made/list; cp -R tree made/copy', outputs: [made/] }
  list:   { in: host, inputs: [made/], run: 'cat made/list > out/list', outputs: [out/list] }
  leaf:   { in: host, inputs: [tree/one, src/a], run: 'if grep -q bad tree/one; then exit 4; fi; cat tree/one src/a > out/leaf', outputs: [out/leaf] }
  link:   { in: host, inputs: [link], run: 'if [ -L link ]; then readlink link; else cat link; fi > out/link', outputs: [out/link] }
  alias:  { in: host, inputs: [alias/a], run: 'cat alias/a > out/alias', outputs: [out/alias] }
  mode:   { in: host, inputs: [src/x], run: 'if [ -x src/x ]; then echo program; fi > out/mode; cat src/x >> out/mode', outputs: [out/mode] }
  words:  { in: host, inputs: [src/words], run: 'mkdir -p go; for word in $(cat src/words); do echo $word > go/$word.o; done', outputs: ["go/*.o"] }
  count:  { in: host, inputs: ["go/*.o"], run: 'cat go/*.o > out/count', outputs: [out/count] }
  inner:  { in: host, inputs: [src/b], run: 'grep -v ^# src/b > mixed/inner || true', outputs: [mixed/inner] }
  mixed:  { in: host, inputs: [mixed/], run: 'cat mixed/inner mixed/source > out/mixed', outputs: [out/mixed] }
  self:   { in: host, inputs: [farm.yaml], run: 'grep -c run: farm.yaml > out/self', outputs: [out/self] }
  word:   { in: host, env: { WORD: "${WORD}" }, inputs: [src/a], run: 'echo $WORD > out/word; cat src/a >> out/word', outputs: [out/word] }
  needs:  { in: host, needs: [task/strip], run: 'cat out/strip > out/needs', outputs: [out/needs] }
"#;

const FOLDER: &str = "farms/f";
/// Files that nobody makes.
const SOURCES: [&str; 9] = [
    "src/a",
    "src/b",
    "src/x",
    "src/words",
    "glob/one.txt",
    "glob/deep/two.txt",
    "tree/one",
    "tree/deep/two",
    "mixed/source",
];
const OUTPUTS: [&str; 10] = [
    "out/strip",
    "out/picky",
    "out/both",
    "out/l",
    "out/m",
    "made/list",
    "made/copy/one",
    "go/red.o",
    "mixed/inner",
    "out/word",
];
const CONTENTS: [&str; 6] = [
    "one\n",
    "# comment\none\n",
    "two\n",
    "bad\n",
    "# other\ntwo\nbee\n",
    "one\nbee\n",
];
const WORDS: [&str; 4] = ["red\n", "red green\n", "green blue\n", "blue\n"];

/// Numbers that look random (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// A change that can be made in two workspaces alike.
#[derive(Debug, Clone)]
enum Change {
    Write(&'static str, String),
    Touch(&'static str, u64),
    Mode(&'static str, u32),
    Remove(&'static str),
    Link(&'static str, &'static str),
    Folder(&'static str),
    Move(&'static str, &'static str),
    Manifest(String),
}

impl Change {
    fn random(random: &mut Random) -> Self {
        let source = random.one_of(&SOURCES);
        match random.below(26) {
            0..8 => Self::write(source, random),
            8 => Self::Touch(source, u64::try_from(random.below(1_000_000)).unwrap()),
            9 => Self::Mode(source, random.one_of(&[0o644, 0o755, 0o600])),
            10 => Self::Remove(source),
            11 => Self::Link(source, random.one_of(&["../src/a", "nowhere", "../glob"])),
            12 => Self::Folder(source),
            13 => Self::Write(
                random.one_of(&[
                    "glob/new.txt",
                    "glob/deep/new.txt",
                    "glob/other",
                    "tree/new",
                    "mixed/new",
                ]),
                "new\n".to_owned(),
            ),
            14 => Self::Remove(random.one_of(&[
                "glob/new.txt",
                "glob/deep/new.txt",
                "tree/new",
                "tree/link",
                "mixed/new",
                "glob/deep",
                "tree/deep",
            ])),
            15 => Self::Link(
                random.one_of(&["link", "tree/link", "glob/link.txt"]),
                random.one_of(&["src", "src/a", "nowhere"]),
            ),
            16 => Self::Write("link", random.one_of(&CONTENTS).to_owned()),
            17 => Self::Link("alias", random.one_of(&["src", "src2"])),
            18 => Self::Write("src2/a", random.one_of(&CONTENTS).to_owned()),
            19 | 20 => Self::Write(random.one_of(&OUTPUTS), "by hand\n".to_owned()),
            21 => Self::Remove(random.one_of(&[&OUTPUTS[..], &["made", "go", "out"][..]].concat())),
            22 => random.one_of(&[0, 1, 2]).into_output(random),
            23 => Self::Manifest(random.manifest()),
            24 => Self::Move(source, random.one_of(&SOURCES)),
            _ => Self::Write(
                random.one_of(&["made/foreign", "go/foreign", "out/foreign"]),
                "foreign\n".to_owned(),
            ),
        }
    }

    fn write(path: &'static str, random: &mut Random) -> Self {
        let texts: &[&str] = if path == "src/words" { &WORDS } else { &CONTENTS };
        Self::Write(path, random.one_of(texts).to_owned())
    }

    fn make(&self, space: &Space) {
        let at = |path: &str| space.path(&format!("{FOLDER}/{path}"));
        // What a step cannot do, as an earlier one took the ground away, it cannot do in either workspace.
        let _ = match self {
            Self::Write(path, text) => parent(&at(path)).and_then(|()| write(&at(path), text)),
            Self::Touch(path, seconds) => touch(&at(path), *seconds),
            Self::Mode(path, mode) => fs::set_permissions(at(path), std::fs::Permissions::from_mode(*mode)),
            Self::Remove(path) => remove(&at(path)),
            Self::Link(path, target) => remove(&at(path)).and_then(|()| symlink(target, at(path))),
            Self::Folder(path) => remove(&at(path)).and_then(|()| fs::create_dir(at(path))),
            Self::Move(from, to) => fs::rename(at(from), at(to)),
            Self::Manifest(text) => fs::write(at("farm.yaml"), text),
        };
    }
}

trait IntoOutput {
    fn into_output(self, random: &mut Random) -> Change;
}

impl IntoOutput for i32 {
    fn into_output(self, random: &mut Random) -> Change {
        let output = random.one_of(&OUTPUTS);
        match self {
            0 => Change::Link(output, random.one_of(&["strip", "../src/a"])),
            1 => Change::Mode(output, random.one_of(&[0o644, 0o755])),
            _ => Change::Folder(output),
        }
    }
}

impl Random {
    fn manifest(&mut self) -> String {
        match self.below(5) {
            0 => MANIFEST.replace("sed /^#/d src/a", "sed /^#/d  src/a"),
            1 => MANIFEST.replace("WORD: one", "WORD: three"),
            2 => MANIFEST.replace(
                "inputs: [out/strip, out/picky]",
                "inputs: [out/strip, out/picky, src/x]",
            ),
            3 => format!(
                "{MANIFEST}  more:   {{ in: host, inputs: [src/a], run: 'cat src/a > out/more', outputs: [out/more] }}\n"
            ),
            _ => MANIFEST.to_owned(),
        }
    }
}

fn parent(path: &Path) -> std::io::Result<()> {
    fs::create_dir_all(path.parent().unwrap())
}

/// Writes into a file, and in the place of a link.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if path.is_symlink() {
        fs::remove_file(path)?;
    }
    fs::write(path, text)
}

fn touch(path: &Path, seconds: u64) -> std::io::Result<()> {
    fs::File::options()
        .append(true)
        .open(path)?
        .file()
        .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

/// Everything in the farm's folder: content, target, kind and executable bit by path.
fn tree(space: &Space) -> BTreeMap<String, String> {
    let root = space.path(FOLDER);
    let mut found = BTreeMap::new();
    let mut pending = vec![root.clone()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let text = if meta.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else if meta.is_dir() {
                pending.push(path.clone());
                "folder".to_owned()
            } else {
                format!("{} {}", meta.mode() & 0o100, fs::read_to_string(&path).unwrap())
            };
            found.insert(path.strip_prefix(&root).unwrap().display().to_string(), text);
        }
    }
    found
}

/// What became of each node.
fn results(ended: &Ended) -> BTreeMap<String, String> {
    let events = ended.json_lines();
    let ends = events.iter().filter(|event| event["event"] == "node-finished");
    ends.map(|event| (event["name"].to_string(), event["result"].to_string()))
        .collect()
}

/// A workspace that keeps its records, and one that looks at everything.
struct Pair {
    short: Space,
    long: Space,
    log: Vec<String>,
    /// Runs that did not look at everything.
    shorter: usize,
}

impl Pair {
    fn new(random: &mut Random) -> Self {
        let short = Space::with_farm("f", MANIFEST);
        for source in SOURCES.iter().chain(&["src2/a"]) {
            Change::write(source, random).make(&short);
        }
        Change::Link("link", "src").make(&short);
        Change::Link("alias", "src").make(&short);
        Self {
            long: short.copy(),
            short,
            log: Vec::new(),
            shorter: 0,
        }
    }

    fn make(&mut self, change: &Change) {
        self.log.push(format!("{change:?}"));
        change.make(&self.short);
        change.make(&self.long);
    }

    /// Two runs with these words; `alike` says that nodes must come to the same, too.
    fn run(&mut self, arguments: &[&str], alike: bool, watched: bool) -> bool {
        self.log.push(arguments.join(" "));
        let _ = fs::remove_dir_all(self.long.path(".farm/settled"));
        if watched && self.short.exists(".farm/stat-cache") {
            fs::write(self.short.path(".farm/stat-cache"), "nonsense").unwrap();
        }
        let arguments = [arguments, &["--json"]].concat();
        let (short, long) = (self.short.farm(&arguments), self.long.farm(&arguments));
        self.shorter += usize::from(watched && !short.stderr.contains("stat cache") && short.status != Some(2));
        let what = || {
            format!(
                "{}\n--- short\n{}\n--- long\n{}",
                self.log.join("\n"),
                short.text(),
                long.text()
            )
        };
        assert_eq!(short.status, long.status, "{}", what());
        if alike {
            assert_eq!(results(&short), results(&long), "{}", what());
            assert_eq!(tree(&self.short), tree(&self.long), "{}", what());
        }
        long.status == Some(0)
    }

    fn start(&self) -> [Child; 2] {
        let start = |space: &Space| {
            space
                .command(&["build", "-k"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        };
        [start(&self.short), start(&self.long)]
    }
}

fn step(pair: &mut Pair, random: &mut Random) {
    for _ in 0..=random.below(2) {
        let change = Change::random(random);
        pair.make(&change);
    }
    if random.below(3) > 0 {
        std::thread::sleep(Duration::from_millis(60));
    }
    let watched = random.below(2) == 0;
    let kind = random.below(14);
    if matches!(kind, 4 | 5) {
        // Whether it was in somebody's way depends on the moment.
        pair.make(&Change::Remove("made/foreign"));
    }
    match kind {
        0 => {
            // Who stops at the first failure may have built more or less before it.
            if !pair.run(&["build"], false, watched) {
                pair.run(&["build", "-k"], false, false);
            }
        }
        1 => _ = pair.run(&["build", "-n"], true, watched),
        2 => {
            let task = random.one_of(&["task/both", "task/word", "task/count"]);
            pair.run(&["build", "-k", task], true, watched);
        }
        3 => _ = pair.run(&["build", "-k", "WORD=two"], true, watched),
        4 => {
            let children = pair.start();
            std::thread::sleep(Duration::from_millis(u64::try_from(random.below(120)).unwrap()));
            pair.log.push("killed".to_owned());
            for mut child in children {
                let _ = kill_process(Pid::from_child(&child), Signal::KILL);
                child.wait().unwrap();
            }
            pair.run(&["build", "-k"], false, false);
        }
        5 => {
            let children = pair.start();
            std::thread::sleep(Duration::from_millis(u64::try_from(random.below(120)).unwrap()));
            let change = Change::write(random.one_of(&SOURCES), random);
            pair.make(&change);
            for mut child in children {
                child.wait().unwrap();
            }
            pair.run(&["build", "-k"], false, watched);
        }
        6 => _ = pair.run(&["gc"], false, false),
        _ => _ = pair.run(&["build", "-k"], true, watched),
    }
    if random.below(4) == 0 {
        std::thread::sleep(Duration::from_millis(60));
        pair.run(&["build", "-k"], true, watched);
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how to take other steps is said in the environment"
)]
fn a_record_never_changes_what_a_run_comes_to() {
    let number = |name: &str, other: u64| std::env::var(name).map_or(other, |text| text.parse().unwrap());
    let seed = number("FARM_SETTLED_SEED", 17);
    let steps = number("FARM_SETTLED_STEPS", 40);
    eprintln!("FARM_SETTLED_SEED={seed} FARM_SETTLED_STEPS={steps}");
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut pair = Pair::new(&mut random);
    for _ in 0..steps {
        step(&mut pair, &mut random);
        // Back from where nothing can be built: a source that is gone would end every run the same way.
        if random.below(4) > 0 {
            for source in SOURCES {
                let change = Change::write(source, &mut random);
                if !pair.short.path(&format!("{FOLDER}/{source}")).is_file() {
                    pair.make(&Change::Remove(source));
                    pair.make(&change);
                }
            }
        }
    }
    assert!(pair.shorter > 0 || steps < 40, "no run relied on a record");
    eprintln!("{} runs relied on a record", pair.shorter);
}
