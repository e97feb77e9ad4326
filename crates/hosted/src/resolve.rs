//! Names to a lock: what apt and pip would take today.

use std::path::Path;

use crate::apt::{Apt, OfferedSuite};
use crate::command;
use crate::contents::sha256_of_file;
use crate::error::ResolveError;
use crate::lock::{HostedLock, LockedDeb, LockedWheel};
use crate::pip;
use crate::spec::HostedSpec;

/// apt calls itself essential; a root that is made once and never upgraded needs no apt.
const ESSENTIAL: &str = "?and(?essential,?not(?exact-name(apt)))";

/// Asks the machine's apt and pip what `spec` comes to today.
///
/// `scratch` is a folder of the caller's; the package lists are kept there and make the next call quick. Needs the
/// network, `apt-get`, and python3 with pip; needs no root, and changes nothing outside `scratch`.
///
/// # Errors
/// See [`ResolveError`]; [`ResolveError::kind`] tells the user's mistakes from the machine's.
pub fn resolve(spec: &HostedSpec, scratch: &Path) -> Result<HostedLock, ResolveError> {
    spec.validate()?;
    let folder = scratch.join(format!("apt-{}", spec.architecture));
    fs_err::create_dir_all(&folder)?;
    let apt = Apt::new(&folder, &spec.architecture)?;
    let apt_error = |operation| move |source| ResolveError::Command { operation, source };
    apt.update().map_err(apt_error("cannot get the package lists"))?;
    let offered = apt.offered_suites().map_err(apt_error("cannot list the suites"))?;
    let suite = codename(spec, &offered)?;
    apt.keep_only(&suite)?;

    let mut words = vec![ESSENTIAL.to_owned()];
    words.extend(spec.all_packages());
    let output = apt.simulate(&words).map_err(apt_error("cannot ask apt for a plan"))?;
    if !output.status.success() {
        return Err(refusal(
            spec,
            &String::from_utf8_lossy(&output.stderr),
            &String::from_utf8_lossy(&output.stdout),
        ));
    }
    let mut debs = parse_uris(&String::from_utf8_lossy(&output.stdout))?;
    debs.sort_unstable();

    let mut packages = spec.packages.clone();
    packages.sort_unstable();
    packages.dedup();
    Ok(HostedLock {
        suite,
        requested_suite: spec.suite.clone(),
        architecture: spec.architecture.clone(),
        packages,
        portage: resolve_wheel(&spec.portage, scratch)?,
        debs,
    })
}

fn codename(spec: &HostedSpec, offered: &[OfferedSuite]) -> Result<String, ResolveError> {
    let asked = &spec.suite;
    let found = offered
        .iter()
        .find(|suite| suite.codename == *asked || suite.suite == *asked);
    found
        .map(|suite| suite.codename.clone())
        .ok_or_else(|| ResolveError::SuiteNotOffered {
            suite: asked.clone(),
            architecture: spec.architecture.clone(),
            offered: offered
                .iter()
                .map(|suite| suite.codename.as_str())
                .collect::<Vec<_>>()
                .join(" "),
        })
}

/// Sorts apt's refusals into names that do not exist and packages that exclude each other.
fn refusal(spec: &HostedSpec, stderr: &str, stdout: &str) -> ResolveError {
    let mut packages: Vec<String> = stderr
        .lines()
        .filter_map(|line| {
            let name = line.strip_prefix("E: Unable to locate package ").or_else(|| {
                line.strip_prefix("E: Package '")?
                    .strip_suffix("' has no installation candidate")
            })?;
            Some(name.to_owned())
        })
        .collect();
    if packages.is_empty() {
        let explanation = command::last_lines(&format!("{stdout}\n{stderr}"));
        return ResolveError::Unsatisfiable { explanation };
    }
    packages.sort_unstable();
    ResolveError::UnknownPackages {
        suite: spec.suite.clone(),
        packages,
    }
}

/// Reads `'URI' FILE SIZE SHA256:HEX` lines (apt-get(8), `--print-uris`). The URI is not looked at: it has a host in it.
fn parse_uris(text: &str) -> Result<Vec<LockedDeb>, ResolveError> {
    text.lines()
        .filter(|line| line.starts_with('\''))
        .map(|line| parse_uri_line(line).ok_or_else(|| ResolveError::Unreadable { line: line.to_owned() }))
        .collect()
}

fn parse_uri_line(line: &str) -> Option<LockedDeb> {
    let mut words = line.rsplit(' ');
    let sha256 = words.next()?.strip_prefix("SHA256:")?;
    let size = words.next()?;
    let [name, version, architecture]: [&str; 3] = words
        .next()?
        .strip_suffix(".deb")?
        .split('_')
        .collect::<Vec<_>>()
        .try_into()
        .ok()?;
    let version = version.replace("%3a", ":").replace("%5f", "_").replace("%25", "%");
    // Through the lock's own reader, so that nothing gets in that could not be read back.
    format!("{name} {version} {architecture} {size} sha256:{sha256}")
        .parse()
        .ok()
}

fn resolve_wheel(version: &str, scratch: &Path) -> Result<LockedWheel, ResolveError> {
    let folder = tempfile::Builder::new().prefix("wheel-").tempdir_in(scratch)?;
    let output = pip::download(version, folder.path()).map_err(|source| ResolveError::Command {
        operation: "cannot get the Portage wheel",
        source,
    })?;
    if !output.status.success() {
        let explanation = command::last_lines(&String::from_utf8_lossy(&output.stderr));
        if pip::says_no_such_version(&output) {
            return Err(ResolveError::NoSuchPortage {
                version: version.to_owned(),
                explanation,
            });
        }
        let source = crate::error::CommandError::Failed {
            program: "python3 -m pip".to_owned(),
            status: output.status.to_string(),
            output: explanation,
        };
        return Err(ResolveError::Command {
            operation: "cannot get the Portage wheel",
            source,
        });
    }
    let no_wheel = || ResolveError::NoSuchPortage {
        version: version.to_owned(),
        explanation: "no wheel came".into(),
    };
    let path = pip::wheel_in(folder.path())?.ok_or_else(no_wheel)?;
    let file = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(no_wheel)?
        .to_owned();
    let (sha256, size) = sha256_of_file(&path)?;
    Ok(LockedWheel {
        version: version.to_owned(),
        size,
        file,
        sha256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(suite: &str) -> HostedSpec {
        HostedSpec {
            suite: suite.into(),
            architecture: "amd64".into(),
            portage: "3.0.83".into(),
            packages: vec!["cmake".into()],
        }
    }

    #[test]
    fn a_uri_line_gives_a_package_and_no_host() {
        let digest = "0f".repeat(32);
        let text = format!(
            "Reading package lists...\n'http://host.example/pool/g/gcc_12.deb' gcc_4%3a12.2.0-3_amd64.deb 5216 SHA256:{digest}\n"
        );
        let debs = parse_uris(&text).unwrap();
        assert_eq!(debs.len(), 1);
        assert_eq!(
            debs[0].to_string(),
            format!("gcc 4:12.2.0-3 amd64 5216 sha256:{digest}")
        );
        assert_eq!(debs[0].file_name(), "gcc_4%3a12.2.0-3_amd64.deb");
    }

    #[test]
    fn a_weaker_hash_is_not_taken() {
        assert!(parse_uris("'x' a_1_all.deb 5 MD5Sum:00\n").is_err());
    }

    #[test]
    fn a_suite_goes_by_either_name() {
        let offered = [OfferedSuite {
            codename: "bookworm".into(),
            suite: "oldstable".into(),
        }];
        assert_eq!(codename(&spec("oldstable"), &offered).unwrap(), "bookworm");
        assert_eq!(codename(&spec("bookworm"), &offered).unwrap(), "bookworm");
        let error = codename(&spec("sid"), &offered).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the apt sources of this machine do not offer suite sid for amd64; they offer: bookworm"
        );
    }

    #[test]
    fn refusals_are_told_apart() {
        let said = "E: Unable to locate package nosuch\nE: Package 'awk' has no installation candidate\n";
        assert_eq!(
            refusal(&spec("bookworm"), said, "").to_string(),
            "suite bookworm has no package awk, nosuch"
        );
        let conflict = refusal(
            &spec("bookworm"),
            "E: Unable to correct problems\n",
            " a : Conflicts: b\n",
        );
        assert_eq!(
            conflict.to_string(),
            "apt cannot install these packages together:  a : Conflicts: b\nE: Unable to correct problems"
        );
    }
}
