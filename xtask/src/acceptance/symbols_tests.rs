use tempfile::TempDir;

use super::*;
use crate::command::output;

/// The files of a package with `usr/bin/program`, made by the real compiler and split as Portage does it.
struct Package {
    folder: TempDir,
}

const PROGRAM: &str = "usr/bin/program";
const SYMBOLS: &str = "usr/lib/debug/usr/bin/program.debug";

impl Package {
    fn new() -> Self {
        Self::returning("0")
    }

    fn returning(status: &str) -> Self {
        let package = Self::unsplit(status);
        package.split();
        package
    }

    /// As it comes from the compiler: with its symbols inside.
    fn unsplit(status: &str) -> Self {
        let package = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for folder in ["usr/bin", "usr/lib/debug/usr/bin"] {
            fs::create_dir_all(package.path(folder)).unwrap();
        }
        fs::write(
            package.path("main.c"),
            format!("int main(void) {{ return {status}; }}\n"),
        )
        .unwrap();
        package.run("cc -Og -ggdb -Wl,--build-id main.c -o usr/bin/program");
        package
    }

    /// Moves the symbols into a file of their own.
    fn split(&self) {
        self.run(&format!("objcopy --only-keep-debug {PROGRAM} {SYMBOLS}"));
        self.run(&format!("strip --strip-unneeded {PROGRAM}"));
        self.refer();
        let by_id = self.by_id();
        fs::create_dir_all(by_id.parent().unwrap()).unwrap();
        fs::os::unix::fs::symlink("../../usr/bin/program.debug", by_id).unwrap();
    }

    /// Writes the name and the CRC of that file into the program.
    fn refer(&self) {
        self.run(&format!("objcopy --add-gnu-debuglink={SYMBOLS} {PROGRAM}"));
    }

    /// The link that has the name of the build id.
    fn by_id(&self) -> PathBuf {
        let id = elf::all(self.folder.path()).unwrap()[Path::new(PROGRAM)]
            .build_id
            .clone()
            .unwrap();
        self.path(FOLDER)
            .join(".build-id")
            .join(&id[..2])
            .join(format!("{}.debug", &id[2..]))
    }

    fn run(&self, line: &str) {
        let mut words = line.split(' ');
        let mut command = std::process::Command::new(words.next().unwrap());
        output(command.current_dir(self.folder.path()).args(words)).unwrap();
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    #[track_caller]
    fn refused(&self, why: &str) {
        let said = split(self.folder.path()).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn symbols_apart_are_accepted_where_they_belong() {
    let package = Package::new();
    let found = split(package.folder.path()).unwrap();
    assert_eq!(found, [Path::new(SYMBOLS)]);
    assert_eq!(stripped(package.folder.path()).unwrap_err(), "it has usr/lib/debug");
}

#[test]
fn a_stripped_program_without_symbols_is_for_daily_work() {
    let package = Package::unsplit("0");
    package.run(&format!("strip --strip-unneeded {PROGRAM}"));
    fs::remove_dir_all(package.path(FOLDER)).unwrap();
    assert_eq!(stripped(package.folder.path()), Ok(1));
    package.refused("it has no .gnu_debuglink");
}

#[test]
fn a_program_with_symbols_inside_is_refused_in_both_flavours() {
    let package = Package::unsplit("0");
    package.refused("is not stripped");
    fs::remove_dir_all(package.path(FOLDER)).unwrap();
    let said = stripped(package.folder.path()).unwrap_err();
    assert!(
        said.contains("is not stripped") && said.contains(".debug_info"),
        "{said}"
    );
}

#[test]
fn a_reference_to_symbols_that_are_not_there_is_refused_in_both_flavours() {
    let package = Package::new();
    fs::remove_file(package.path(SYMBOLS)).unwrap();
    package.refused("no symbols at");
    fs::remove_dir_all(package.path(FOLDER)).unwrap();
    let said = stripped(package.folder.path()).unwrap_err();
    assert!(said.contains("refers to symbols"), "{said}");
}

#[test]
fn symbols_that_changed_afterwards_are_refused() {
    let package = Package::new();
    let mut bytes = fs::read(package.path(SYMBOLS)).unwrap();
    bytes.push(0);
    fs::write(package.path(SYMBOLS), bytes).unwrap();
    package.refused("has the CRC");
}

#[test]
fn symbols_of_another_build_are_refused() {
    let (package, other) = (Package::new(), Package::returning("1"));
    fs::copy(other.path(SYMBOLS), package.path(SYMBOLS)).unwrap();
    package.run(&format!("strip --remove-section=.gnu_debuglink {PROGRAM}"));
    package.refer();
    package.refused("the build id is");
}

#[test]
fn symbols_that_no_build_id_leads_to_are_refused() {
    let package = Package::new();
    fs::remove_file(package.by_id()).unwrap();
    package.refused(".build-id");
}

#[test]
fn symbols_of_nothing_are_refused() {
    let package = Package::new();
    fs::copy(package.path(SYMBOLS), package.path("usr/lib/debug/gone.debug")).unwrap();
    package.refused("symbols of nothing");
}

#[test]
fn flags_are_read_from_the_symbols() {
    let package = Package::new();
    let symbols = package.path(SYMBOLS);
    assert_eq!(compiled_with(&["-Og", "-ggdb"], &symbols), Ok(()));
    let said = compiled_with(&["-Og", "-O3"], &symbols).unwrap_err();
    assert!(said.starts_with("compiled without -O3: GNU C"), "{said}");
    let said = compiled_with(&[], &package.path(PROGRAM)).unwrap_err();
    assert_eq!(said, "nothing says how it was compiled");
}

#[test]
fn a_name_is_not_the_start_of_another() {
    assert!(is("sci-libs/gsl-2.7.1", "sci-libs/gsl"));
    assert!(!is("sci-libs/gsl-extra-1", "sci-libs/gsl"));
    assert!(!is("sci-libs/gsl", "sci-libs/gsl"));
}
