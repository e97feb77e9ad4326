//! The machine's apt, with state and caches of our own.
//!
//! Sources, keys and proxies are the machine's, so that no host name is written down and a site's mirror is used as a
//! matter of course. State, caches and pins are private: no root is needed, nothing of the machine is changed, and what
//! is installed on it has no influence.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::command;
use crate::error::CommandError;
use crate::lock::LockedDeb;

/// The Debian package that has `apt-get`.
const APT: &str = "apt";

/// A private apt, living in one folder.
#[derive(Debug)]
pub(crate) struct Apt {
    folder: PathBuf,
}

/// A suite that the machine's sources offer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OfferedSuite {
    /// `bookworm`.
    pub(crate) codename: String,
    /// `stable`, `oldstable`: what the code name is called this year.
    pub(crate) suite: String,
}

impl Apt {
    /// Makes the private folders and the configuration in `folder`; the lists of an earlier run there are used again.
    pub(crate) fn new(folder: &Path, architecture: &str) -> std::io::Result<Self> {
        for name in ["state/lists/partial", "cache/archives/partial", "preferences.d", "log"] {
            fs_err::create_dir_all(folder.join(name))?;
        }
        // An empty status file: nothing is installed, so every dependency has to be in the plan.
        fs_err::write(folder.join("status"), "")?;
        fs_err::write(folder.join("preferences"), "")?;
        fs_err::write(folder.join("apt.conf"), configuration(folder, architecture))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Gets the package lists. A source that cannot be reached is an error, never a warning.
    pub(crate) fn update(&self) -> Result<(), CommandError> {
        command::run_checked(
            self.command("apt-get")
                .args(["-q", "-o", "APT::Update::Error-Mode=any", "update"]),
            APT,
        )
        .map(drop)
    }

    /// The suites whose package lists are here, sorted.
    pub(crate) fn offered_suites(&self) -> Result<Vec<OfferedSuite>, CommandError> {
        let mut command = self.command("apt-get");
        command.args([
            "indextargets",
            "--format",
            "$(CODENAME) $(SUITE)",
            "Created-By: Packages",
        ]);
        let text = command::run_checked(&mut command, APT)?;
        let mut suites: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(codename, suite)| OfferedSuite {
                codename: codename.to_owned(),
                suite: suite.to_owned(),
            })
            .collect();
        suites.sort_unstable();
        suites.dedup();
        Ok(suites)
    }

    /// Leaves only the packages that Debian itself has in that suite, its updates and its security updates.
    pub(crate) fn keep_only(&self, codename: &str) -> std::io::Result<()> {
        fs_err::write(self.folder.join("preferences"), preferences(codename))
    }

    /// What an installation of `words` into an empty root would take; the caller reads status and words.
    pub(crate) fn simulate(&self, words: &[String]) -> Result<Output, CommandError> {
        let mut command = self.command("apt-get");
        // The archive's strongest hash is not always SHA-256, so it is asked for.
        command
            .args(["-q", "-y", "--print-uris", "-o", "Acquire::ForceHash=SHA256", "install"])
            .args(words);
        command::run(&mut command, APT)
    }

    /// Name, version and architecture of every version of `names` in the lists, with its SHA-256.
    pub(crate) fn versions(&self, names: &[&str]) -> Result<BTreeMap<(String, String, String), String>, CommandError> {
        let mut command = self.command("apt-cache");
        command.arg("show").args(names);
        let output = command::run(&mut command, APT)?;
        // Of unknown names only, apt-cache makes an error; for us it is an answer.
        let unknown_only = String::from_utf8_lossy(&output.stderr).contains("No packages found");
        if !output.status.success() && !unknown_only {
            return Err(command::failed(&command, &output));
        }
        Ok(parse_versions(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Downloads these packages into `folder`, under the names of [`LockedDeb::file_name`].
    pub(crate) fn download(&self, debs: &[&LockedDeb], folder: &Path) -> Result<(), CommandError> {
        let mut command = self.command("apt-get");
        command.current_dir(folder).args(["-q", "-y", "download"]);
        // Architecture-independent packages go by their bare name: apt files them under the native architecture.
        command.args(debs.iter().map(|deb| format!("{}={}", deb.name, deb.version)));
        command::run_checked(&mut command, APT).map(drop)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(self.folder.join("apt.conf"));
        command
    }
}

/// The private configuration, read after the machine's own.
///
/// The machine's hooks are cleared: they work on the machine's caches, and fail for an ordinary user. The lists that
/// desktop tools ask for are not fetched. apt's change of user is switched off because `_apt` could not enter a private
/// folder; nothing runs with more rights than its caller by that.
fn configuration(folder: &Path, architecture: &str) -> String {
    let folder = folder.display();
    format!(
        r#"#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
#clear APT::Architectures;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::DEP-11-icons;
#clear Acquire::IndexTargets::deb::DEP-11-icons-small;
#clear Acquire::IndexTargets::deb::DEP-11-icons-large;
#clear Acquire::IndexTargets::deb::DEP-11-icons-hidpi;
#clear Acquire::IndexTargets::deb::DEP-11-icons-large-hidpi;
#clear Acquire::IndexTargets::deb::Contents-deb;
#clear Acquire::IndexTargets::deb-src;
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Sandbox::User "root";
APT::Default-Release "";
Acquire::Languages "none";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::preferences "{folder}/preferences";
Dir::Etc::preferencesparts "{folder}/preferences.d";
Dir::Log "{folder}/log";
"#
    )
}

/// Pins (apt_preferences(5)): the first record that matches a version decides, so the last one forbids the rest.
fn preferences(codename: &str) -> String {
    let mut text = String::new();
    for name in [
        codename.to_owned(),
        format!("{codename}-updates"),
        format!("{codename}-security"),
    ] {
        text += &format!("Package: *\nPin: release o=Debian,n={name}\nPin-Priority: 500\n\n");
    }
    text + "Package: *\nPin: release a=*\nPin-Priority: -1\n"
}

fn parse_versions(stanzas: &str) -> BTreeMap<(String, String, String), String> {
    stanzas
        .split("\n\n")
        .filter_map(|stanza| {
            let field = |name: &str| {
                let mut lines = stanza.lines();
                lines
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                    .map(str::to_owned)
            };
            Some((
                (field("Package")?, field("Version")?, field("Architecture")?),
                field("SHA256")?,
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_of_a_package_is_read() {
        let text = "Package: a\nVersion: 1:2-3\nArchitecture: amd64\nDepends: b\nSHA256: 11\n\n\
                    Package: a\nVersion: 1:2-4\nArchitecture: amd64\nSHA256: 22\nDescription: x\n y\n\n";
        let versions = parse_versions(text);
        let key = |version: &str| ("a".to_owned(), version.to_owned(), "amd64".to_owned());
        assert_eq!(versions[&key("1:2-3")], "11");
        assert_eq!(versions[&key("1:2-4")], "22");
        assert_eq!(versions.len(), 2);
    }

    #[test]
    fn the_forbidding_pin_comes_last() {
        let text = preferences("bookworm");
        let last = text.trim_end().rsplit("\n\n").next().unwrap();
        assert_eq!(last, "Package: *\nPin: release a=*\nPin-Priority: -1");
        assert!(text.contains("n=bookworm-security\n"));
    }
}
