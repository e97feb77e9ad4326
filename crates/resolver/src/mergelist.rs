//! A plan as emerge prints it, with what farm knows of each package.

mod marks;

use std::collections::BTreeSet;
use std::fmt::Write;

use self::marks::{marked, operation};
use crate::{Operation, Package};

/// What is known of a package besides what Portage says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// What its line compares with.
    pub before: Before,
    /// Whether all its source files are at hand: one that may not be fetched has `f`, then, and not `F`.
    pub has_files: bool,
    /// Said after its line, such as `cached`, or `build: CFLAGS changed`. May be empty.
    pub note: String,
}

/// What a package's line compares with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Before {
    /// The root, as Portage itself does.
    #[default]
    Root,
    /// What was built in its slot.
    Slot(Former),
    /// What was built in other slots; nothing was in its own, nor is it in the root.
    OtherSlots(Vec<Former>),
}

/// What was built of a package before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Former {
    /// Its version.
    pub version: String,
    /// Its slot.
    pub slot: String,
    /// Its subslot.
    pub subslot: String,
    /// The repository it was built from.
    pub repository: String,
    /// All flags that it had, implicit ones as well; `None` where that was not kept.
    pub iuse: Option<BTreeSet<String>>,
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

/// The merge list: each package's line as `emerge --pretend --verbose` prints it, with what is known of it, and the counts at the end. Packages
/// beyond the end of `known` have just their line.
///
/// Marks, the version in brackets and the marks of flags compare with the root, as Portage does, or with what was built before, as Portage would if
/// that were installed.
#[must_use]
pub fn render(packages: &[Package], known: &[Known], colour: Colour) -> String {
    let nothing = Known::default();
    let mut text = String::new();
    let mut counts = Counts::default();
    for (index, package) in packages.iter().enumerate() {
        let known = known.get(index).unwrap_or(&nothing);
        counts.add(package, known);
        let line = marked(package, &known.before, known.has_files);
        let line = match colour {
            Colour::Never => line,
            Colour::Ansi => coloured(&line),
        };
        text.push_str(&line);
        if !known.note.is_empty() {
            let note = &known.note;
            let _ = match colour {
                Colour::Never => write!(text, "  ({note})"),
                Colour::Ansi => write!(text, "  {FAINT}({note}){RESET}"),
            };
        }
        text.push('\n');
    }
    text.push_str(&counts.text());
    text
}

/// How many packages are what.
#[derive(Default)]
struct Counts {
    operations: Vec<Operation>,
    /// Packages whose files must be brought by hand.
    fetch: usize,
    /// Those of them whose files are there.
    fetched: usize,
}

impl Counts {
    fn add(&mut self, package: &Package, known: &Known) {
        self.operations.push(operation(package, &known.before));
        if package.restrict.iter().any(|word| word == "fetch") {
            self.fetch += 1;
            self.fetched += usize::from(known.has_files);
        }
    }

    /// `Total: 3 packages (1 upgrade, 2 new)`, in emerge's words and order.
    fn text(&self) -> String {
        let count = |wanted| self.operations.iter().filter(|operation| **operation == wanted).count();
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
        let packages = |count: usize| if count == 1 { "package" } else { "packages" };
        let total = self.operations.len();
        let mut text = format!("Total: {total} {}", packages(total));
        if !parts.is_empty() {
            let _ = write!(text, " ({})", parts.join(", "));
        }
        if self.fetch > 0 {
            let _ = write!(text, "\nFetch Restriction: {} {}", self.fetch, packages(self.fetch));
            if self.fetched < self.fetch {
                let _ = write!(text, " ({} unsatisfied)", self.fetch - self.fetched);
            }
        }
        text.push('\n');
        text
    }
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
