//! A container with the real Portage and a toy repository.
//!
//! The image is made once for an engine: a small Debian root with Portage's wheel as a system installation. It stays there under its name, and is
//! labelled so that it can be found and removed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use farm_resolver::{Answer, Outcome, Plan, Refusal, Request, program};

const IMAGE: &str = "farm-test/portage-root:3.0.83";
const WHEEL: &str = "portage==3.0.83";
const FOLDER: &str = "/var/tmp/farm-resolver";
const UNPACK: &str = "
import os, sys
path, files = None, {}
for line in sys.stdin:
    if line.startswith('-- ') and line.endswith(' --\\n'):
        path = line[3:-4]
        files[path] = []
    elif path is not None:
        files[path].append(line)
for path, lines in files.items():
    path = os.path.join('/', path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as file:
        file.writelines(lines)
";

/// A running container with the toy configuration. It ends with this value, and with this process however that ends: the container lives as
/// long as its standard input.
pub(crate) struct Toy {
    name: String,
    container: Child,
    /// One resolver at a time: Portage locks the package database, and says so when it has to wait.
    turn: Mutex<()>,
}

impl Drop for Toy {
    fn drop(&mut self) {
        drop(self.container.stdin.take());
        let _ = self.container.wait();
    }
}

/// The one container that tests share which change nothing in it.
pub(crate) fn toy() -> &'static Toy {
    static TOY: OnceLock<Toy> = OnceLock::new();
    TOY.get_or_init(|| Toy::with(""))
}

impl Toy {
    /// A container of its own, with further files in the form of the fixture.
    pub(crate) fn with(files: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        make_image();
        let name = format!(
            "farm-test-resolver-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let container = Command::new("docker")
            .args([
                "run",
                "--interactive",
                "--rm",
                "--network=none",
                "--label=org.farm.test=resolver",
                "--name",
                &name,
                IMAGE,
                "cat",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the docker client can be started");
        let toy = Self {
            name,
            container,
            turn: Mutex::new(()),
        };
        while !docker(&["inspect", "--format={{.State.Running}}", &toy.name], b"")
            .is_some_and(|text| text.starts_with(b"true"))
        {
            std::thread::yield_now();
        }
        toy.unpack(include_str!("../fixtures/toy.txtar"));
        toy.unpack(files);
        let folder = FOLDER.trim_start_matches('/');
        toy.unpack(
            &program::FILES
                .map(|(name, text)| format!("-- {folder}/{name} --\n{text}"))
                .concat(),
        );
        toy.exec(
            &[
                "ln",
                "-s",
                "../../var/db/repos/gentoo/profiles/base",
                "/etc/portage/make.profile",
            ],
            b"",
        );
        toy
    }

    fn unpack(&self, files: &str) {
        self.exec(&["python3", "-c", UNPACK], files.as_bytes());
    }

    /// Runs a command in the container and returns its output; it must succeed.
    pub(crate) fn exec(&self, command: &[&str], input: &[u8]) -> Vec<u8> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut arguments = vec!["exec", "--interactive", &self.name];
        arguments.extend(command);
        docker(&arguments, input).unwrap_or_else(|| panic!("{command:?} failed"))
    }

    /// The bytes of the program's answer.
    pub(crate) fn answer_bytes(&self, request: &Request) -> Vec<u8> {
        let command = program::command(FOLDER, "$d/request", "$d/answer").join(" ");
        let script = format!("d=$(mktemp -d); cat > $d/request; {command} && cat $d/answer; s=$?; rm -r $d; exit $s");
        self.exec(&["sh", "-c", &script], &request.to_json())
    }

    pub(crate) fn answer(&self, request: &Request) -> Answer {
        Answer::parse(&self.answer_bytes(request)).expect("the program answers")
    }

    pub(crate) fn plan(&self, members: &[&str]) -> Plan {
        match self.answer(&request(members)) {
            Answer {
                outcome: Outcome::Plan(plan),
                warnings,
                ..
            } => {
                assert_eq!(warnings, "");
                *plan
            }
            answer => panic!("no plan: {answer:#?}"),
        }
    }

    pub(crate) fn refusal(&self, members: &[&str]) -> Refusal {
        match self.answer(&request(members)).outcome {
            Outcome::Refusal(refusal) => *refusal,
            Outcome::Plan(plan) => panic!("no refusal: {plan:#?}"),
        }
    }
}

/// A request for members, with the environment of a build.
pub(crate) fn request(members: &[&str]) -> Request {
    let environment = [
        ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "UTC"),
        ("SOURCE_DATE_EPOCH", "1700000000"),
    ];
    Request {
        members: members.iter().map(ToString::to_string).collect(),
        environment: BTreeMap::from(environment.map(|(name, value)| (name.to_owned(), value.to_owned()))),
        ..Request::default()
    }
}

/// The output of a docker command, or nothing if it failed.
fn docker(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new("docker")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the docker client can be started");
    let mut stdin = child.stdin.take().expect("it was asked for");
    let input = input.to_vec();
    // Beside the reading of the output, so that neither pipe can fill up; a command that does not read is no error.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the docker client ends");
    writer.join().expect("writing does not panic");
    output.status.success().then_some(output.stdout)
}

/// Makes the image if the engine does not have it. Test programs that run side by side wait for each other.
fn make_image() {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("portage-root");
    fs_err::create_dir_all(&cache).expect("the target folder can be written");
    let lock = fs_err::File::create(cache.join("lock")).expect("the target folder can be written");
    lock.file().lock().expect("the lock can be had");
    if docker(&["image", "inspect", IMAGE], b"").is_some() {
        return;
    }
    let base = format!("farm-test/portage-base:{}", std::process::id());
    run(Command::new("sh").args(["-ceu", "mmdebstrap --quiet --variant=minbase --include=python3,bzip2,zstd bookworm - | docker import --change 'LABEL org.farm.test=base' - \"$0\"", &base]));
    let wheel = wheel(&cache);
    let name = format!("farm-test-portage-root-{}", std::process::id());
    run(Command::new("docker")
        .args([
            "create",
            "--network=none",
            "--label=org.farm.test=resolver",
            "--name",
            &name,
            &base,
            "python3",
            "/tmp/install_wheel.py",
        ])
        .arg(format!(
            "/tmp/{}",
            wheel.file_name().expect("a wheel is a file").to_string_lossy()
        )));
    let installer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/install_wheel.py");
    for file in [&installer, &wheel] {
        run(Command::new("docker").arg("cp").arg(file).arg(format!("{name}:/tmp/")));
    }
    run(Command::new("docker").args(["start", "--attach", &name]));
    run(Command::new("docker").args([
        "commit",
        "--change",
        "LABEL org.farm.test=base",
        "--change",
        "CMD [\"bash\"]",
        &name,
        IMAGE,
    ]));
    run(Command::new("docker").args(["rm", &name]));
    run(Command::new("docker").args(["rmi", "--no-prune", &base]));
}

/// Portage's wheel, downloaded once.
fn wheel(cache: &Path) -> PathBuf {
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", WHEEL, "--dest"])
        .arg(cache));
    let mut files = fs_err::read_dir(cache)
        .expect("the folder was made above")
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    files
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .expect("pip downloaded the wheel")
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
