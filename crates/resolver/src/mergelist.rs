//! A plan as emerge prints it, with what farm knows of each package.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::{Operation, Package};

/// What was built of a package before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Former {
    /// Its version.
    pub version: String,
    /// The flags that were enabled.
    pub use_flags: BTreeSet<String>,
}

/// Whether the list is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    #[default]
    Never,
    /// ANSI colours, chosen as emerge chooses them: green packages, red enabled and blue disabled flags.
    Ansi,
}

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const BLUE: &str = "\x1b[34m";
const FAINT: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// The merge list: each package's line as `emerge --pretend --verbose` prints it, `notes[i]` (such as `cached`, or `build: CFLAGS changed`) after
/// package `i`'s, and the count of packages at the end. Packages without a note, or beyond the end of `notes`, have just their line.
///
/// The marks before the name compare with the root, as Portage does. Where something else of the package was built before (`former[i]`), its
/// version stands in brackets and flags that were otherwise have a `*`, as emerge shows what is installed.
#[must_use]
pub fn render(packages: &[Package], former: &[Option<&Former>], notes: &[String], colour: Colour) -> String {
    let mut text = String::new();
    for (index, package) in packages.iter().enumerate() {
        let line = match former.get(index).copied().flatten() {
            Some(former) => compared(package, former),
            None => package.line.clone(),
        };
        let line = match colour {
            Colour::Never => line,
            Colour::Ansi => coloured(&line),
        };
        text.push_str(&line);
        if let Some(note) = notes.get(index).filter(|note| !note.is_empty()) {
            let _ = match colour {
                Colour::Never => write!(text, "  ({note})"),
                Colour::Ansi => write!(text, "  {FAINT}({note}){RESET}"),
            };
        }
        text.push('\n');
    }
    text.push_str(&summary(packages));
    text
}

/// `Total: 3 packages (1 upgrade, 2 new)`, in emerge's words and order.
fn summary(packages: &[Package]) -> String {
    let of = |operation| packages.iter().filter(move |package| package.operation == operation);
    let count = |operation| of(operation).count();
    let kinds = [
        (Operation::Upgrade, "upgrade", "upgrades"),
        (Operation::Downgrade, "downgrade", "downgrades"),
        (Operation::New, "new", "new"),
        (Operation::NewSlot, "in new slot", "in new slots"),
        (Operation::Rebuild, "reinstall", "reinstalls"),
    ];
    let parts: Vec<_> = kinds
        .into_iter()
        .filter_map(|(operation, one, many)| match count(operation) {
            0 => None,
            1 => Some(format!("1 {one}")),
            more => Some(format!("{more} {many}")),
        })
        .collect();
    let total = packages.len();
    let noun = if total == 1 { "package" } else { "packages" };
    if parts.is_empty() {
        format!("Total: {total} {noun}\n")
    } else {
        format!("Total: {total} {noun} ({})\n", parts.join(", "))
    }
}

/// A package's line with what was built before.
fn compared(package: &Package, former: &Former) -> String {
    let Some((marks, rest)) = package.line.split_once("] ") else {
        return package.line.clone();
    };
    let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut text = format!("{marks}] {name}");
    // Portage's own brackets are about the root.
    if former.version != package.version && !rest.trim_start().starts_with('[') {
        let _ = write!(text, " [{}]", former.version);
    }
    let mut group = None;
    for word in rest.split(' ') {
        let (variable, flag) = match word.split_once("=\"") {
            Some((variable, flag)) if group.is_none() => {
                group = Some(variable);
                (format!("{variable}=\""), flag)
            }
            _ => (String::new(), word),
        };
        let _ = write!(text, " {variable}");
        let Some(inside) = group else {
            text.push_str(flag);
            continue;
        };
        let bare = flag.trim_end_matches(['"', ')', '}']);
        let word = bare.trim_matches(['(', '{', '*', '%']);
        let (word, enabled) = word.strip_prefix('-').map_or((word, true), |word| (word, false));
        let full = match inside {
            "USE" => word.to_owned(),
            group => format!("{}_{word}", group.to_lowercase()),
        };
        let changed = !word.is_empty() && former.use_flags.contains(&full) != enabled;
        let mark = if changed && !bare.contains(['*', '%']) { "*" } else { "" };
        let _ = write!(text, "{bare}{mark}{}", &flag[bare.len()..]);
        if flag.ends_with('"') {
            group = None;
        }
    }
    text
}

/// A line of emerge's with colours put in: the marks, the package's name, and its flags.
fn coloured(line: &str) -> String {
    let Some(rest) = line.strip_prefix('[') else {
        return line.to_owned();
    };
    let Some((marks, rest)) = rest.split_once("] ") else {
        return line.to_owned();
    };
    let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut text = format!("[{GREEN}{marks}{RESET}] {GREEN}{name}{RESET}");
    let mut quoted = false;
    for word in rest.split(' ') {
        text.push(' ');
        let (before, flag) = match word.split_once("=\"") {
            Some((variable, flag)) if !quoted => {
                quoted = true;
                (format!("{variable}=\""), flag)
            }
            _ => (String::new(), word),
        };
        text.push_str(&before);
        if !quoted {
            text.push_str(flag);
            continue;
        }
        let bare = flag.trim_end_matches('"');
        let hue = if bare.trim_start_matches('(').starts_with('-') {
            BLUE
        } else {
            RED
        };
        if bare.is_empty() {
            text.push_str(flag);
        } else {
            let _ = write!(text, "{hue}{bare}{RESET}{}", &flag[bare.len()..]);
        }
        quoted = !flag.ends_with('"');
    }
    text
}
