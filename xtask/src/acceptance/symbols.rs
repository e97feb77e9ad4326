//! Debug symbols in packages: of one flavour in files of their own, of the other nowhere.
//!
//! Portage exits with status 0 when a tool that it needs to split symbols is missing, so that only the packages tell.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flate2::Crc;
use fs_err as fs;

use super::binhost::listed;
use super::elf::{self, Elf};
use super::lab::{DBG, Lab, OPT};
use crate::{Outcome, ensure, failed};

/// The packages with programs or libraries. The others are headers, scripts and tables.
const COMPILED: &[&str] = &[
    "dev-libs/log4cpp",
    "dev-util/gperf",
    "sci-libs/cfitsio",
    "sci-libs/fftw",
    "sci-libs/gsl",
    "sci-physics/clhep",
    "sci-physics/fastjet",
    "sci-physics/hep-hello",
    "sci-physics/hep-spectrum",
    "sci-physics/hepmc",
    "sys-libs/zlib",
];

/// Flags that all of a package is compiled with: those of the flavour's profile, and those that `package.env` adds.
const FLAGS: &[(&str, &[&str])] = &[
    ("", &["-Og", "-ggdb"]),
    ("sci-libs/fftw-", &["-fno-math-errno", "-ffinite-math-only"]),
];

/// Into these nothing is compiled. Of fastjet's plugins none is asked for.
const EMPTY: &[&str] = &["usr/lib/debug/usr/lib/libfastjetplugins.so.0.0.0.debug"];

/// Where debuggers look for symbols.
const FOLDER: &str = "usr/lib/debug";

/// The packages for daily work have no symbols at all.
pub(crate) fn nowhere(lab: &Lab) -> Outcome {
    each_package(lab, OPT, |_, root| stripped(root))
}

/// The packages for the debugger have them, apart from the programs and libraries, and they are of what was asked for.
pub(crate) fn apart(lab: &Lab) -> Outcome {
    each_package(lab, DBG, |cpv, root| {
        let symbols = split(root)?;
        let wanted = FLAGS.iter().filter(|(start, _)| cpv.starts_with(start));
        let wanted: Vec<&str> = wanted.flat_map(|(_, flags)| *flags).copied().collect();
        for path in &symbols {
            if EMPTY.iter().any(|empty| path == Path::new(empty)) {
                continue;
            }
            compiled_with(&wanted, &root.join(path)).map_err(|why| format!("{}: {why}", path.display()))?;
        }
        Ok(symbols.len())
    })
}

/// Unpacks every package of a flavour. `check` gets its name and the root of its files, and returns how many programs and
/// libraries it found.
fn each_package(lab: &Lab, flavour: &str, check: impl Fn(&str, &Path) -> Outcome<usize>) -> Outcome {
    let found = listed(&lab.binhost(flavour))?;
    for name in COMPILED {
        ensure(found.keys().any(|cpv| is(cpv, name)), || {
            format!("no {name} in {found:#?}")
        })?;
    }
    for (cpv, (package, _)) in &found {
        let folder = tempfile::tempdir().map_err(failed)?;
        let root = elf::unpack(package, folder.path())?;
        let count = check(cpv, &root).map_err(|why| format!("{cpv} of {flavour}: {why}"))?;
        let compiled = COMPILED.iter().any(|name| is(cpv, name));
        ensure((count > 0) == compiled, || {
            format!("{cpv} of {flavour} has {count} programs and libraries")
        })?;
    }
    Ok(())
}

/// Whether `cpv` is a version of `name`.
fn is(cpv: &str, name: &str) -> bool {
    let version = cpv.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
}

/// Finds no symbols, and nothing that refers to any. Returns the number of programs and libraries.
fn stripped(root: &Path) -> Outcome<usize> {
    ensure(!root.join(FOLDER).exists(), || format!("it has {FOLDER}"))?;
    let programs = elf::all(root)?;
    for (path, program) in &programs {
        has_none(path, program)?;
        ensure(program.link.is_none(), || {
            format!("{} refers to symbols: {:?}", path.display(), program.link)
        })?;
    }
    Ok(programs.len())
}

/// Finds the symbols of every program and library where debuggers look for them, and no others. Returns the files with
/// symbols, one for each.
fn split(root: &Path) -> Outcome<Vec<PathBuf>> {
    let (mut symbols, programs): (BTreeMap<_, _>, BTreeMap<_, _>) = elf::all(root)?
        .into_iter()
        .partition(|(path, _)| path.starts_with(FOLDER));
    let mut found = Vec::new();
    for (path, program) in &programs {
        has_none(path, program)?;
        let at = linked(root, path, program, &symbols).map_err(|why| format!("{}: {why}", path.display()))?;
        symbols.remove(&at);
        found.push(at);
    }
    ensure(symbols.is_empty(), || {
        format!("symbols of nothing: {:?}", symbols.keys())
    })?;
    Ok(found)
}

/// A program or library keeps only what it runs with.
fn has_none(path: &Path, program: &Elf) -> Outcome {
    let left = program
        .sections
        .iter()
        .filter(|name| name.starts_with(".debug_") || *name == ".symtab");
    let left: Vec<_> = left.collect();
    ensure(left.is_empty(), || {
        format!("{} is not stripped: {left:?}", path.display())
    })
}

/// Follows both ways from a program to its symbols, by name and by build id, and returns where they lead.
fn linked(root: &Path, path: &Path, program: &Elf, symbols: &BTreeMap<PathBuf, Elf>) -> Outcome<PathBuf> {
    let (name, crc) = program.link.as_ref().ok_or("it has no .gnu_debuglink")?;
    let at = Path::new(FOLDER)
        .join(path.parent().unwrap_or(Path::new("")))
        .join(name);
    let shown = at.display();
    let there = symbols.get(&at).ok_or_else(|| format!("no symbols at {shown}"))?;
    ensure(there.sections.contains(".symtab"), || {
        format!("no symbols in {shown}: {:?}", there.sections)
    })?;

    let mut sum = Crc::new();
    sum.update(&fs::read(root.join(&at)).map_err(failed)?);
    ensure(sum.sum() == *crc, || {
        format!("{shown} has the CRC {:08x} and not {crc:08x}", sum.sum())
    })?;

    let id = program.build_id.as_ref().ok_or("it has no build id")?;
    ensure(there.build_id.as_ref() == Some(id), || {
        format!("the build id is {id}, and that of {shown} {:?}", there.build_id)
    })?;
    let (start, rest) = id.split_at_checked(2).ok_or("its build id is too short")?;
    let by_id = root
        .join(FOLDER)
        .join(".build-id")
        .join(start)
        .join(format!("{rest}.debug"));
    let leads_to = fs::canonicalize(&by_id).map_err(failed)?;
    ensure(leads_to == fs::canonicalize(root.join(&at)).map_err(failed)?, || {
        format!("the symbols of build id {id} are {}", leads_to.display())
    })?;
    Ok(at)
}

/// Every unit that these are the symbols of was compiled with the flags. Without `-g` there would be no unit.
fn compiled_with(flags: &[&str], symbols: &Path) -> Outcome {
    let producers = elf::producers(symbols)?;
    ensure(!producers.is_empty(), || "nothing says how it was compiled".to_owned())?;
    for producer in producers {
        for flag in flags {
            ensure(producer.split_whitespace().any(|word| word == *flag), || {
                format!("compiled without {flag}: {producer}")
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "symbols_tests.rs"]
mod tests;
