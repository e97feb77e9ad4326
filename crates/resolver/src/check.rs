//! What a plan holds that must not be built as it stands.

use std::collections::BTreeSet;
use std::fmt;

use crate::{Package, Plan, live};

/// What tells a compiler to look at the machine it runs on. The last is Rust's.
const NATIVE: [&str; 4] = ["-march=native", "-mcpu=native", "-mtune=native", "target-cpu=native"];

/// A package whose key would not decide its bytes. All are the user's to mend.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unsound {
    /// A live ebuild whose source farm cannot pin to a commit.
    Live {
        /// `category/PF`.
        cpv: String,
        /// Why not.
        why: String,
    },
    /// The compiler would look at the machine it happens to run on, and farm cannot say in other words what it would find. Of packages and
    /// variables with one reason the first stands for all.
    Native {
        /// The word, such as `-march=native`.
        option: String,
        /// Why it is still there.
        why: String,
        /// `category/PF`.
        cpv: String,
        /// The variable, such as `CFLAGS`.
        variable: String,
    },
    /// The Manifest has no size or no hash of a file to be downloaded.
    NoDigest {
        /// `category/PF`.
        cpv: String,
        /// The file.
        file: String,
    },
}

impl fmt::Display for Unsound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live { cpv, why } => write!(formatter, "{cpv} is a live ebuild that cannot be pinned: {why}"),
            Self::Native {
                option,
                why,
                cpv,
                variable,
            } => write!(
                formatter,
                "{option} in {variable} of {cpv} cannot be made explicit: {why}; write the flags out"
            ),
            Self::NoDigest { cpv, file } => write!(formatter, "the Manifest of {cpv} has no size and hash of {file}"),
        }
    }
}

/// Everything in a plan that must not be built as it stands, in merge order.
#[must_use]
pub fn unsound(plan: &Plan) -> Vec<Unsound> {
    let mut found = Vec::new();
    let mut reasons = BTreeSet::new();
    for (index, package) in plan.packages.iter().enumerate() {
        if let Some(why) = live::unpinnable(package) {
            found.push(Unsound::Live {
                cpv: package.cpv.clone(),
                why,
            });
        }
        for (variable, option) in native_words(package) {
            let why = why_native(plan, index, variable);
            if reasons.insert((option, why.clone())) {
                found.push(Unsound::Native {
                    option: option.to_owned(),
                    why,
                    cpv: package.cpv.clone(),
                    variable: variable.to_owned(),
                });
            }
        }
        for file in &package.distfiles {
            if file.size.is_none() || file.hashes.is_empty() {
                found.push(Unsound::NoDigest {
                    cpv: package.cpv.clone(),
                    file: file.name.clone(),
                });
            }
        }
    }
    found
}

/// The word of a variable's value that tells a compiler to look at the machine it runs on, if there is one.
#[must_use]
pub fn native_word(value: &str) -> Option<&str> {
    value
        .split_whitespace()
        .find(|word| NATIVE.iter().any(|native| word.contains(native)))
}

/// The variables that still have `native` somewhere, and the word.
fn native_words(package: &Package) -> impl Iterator<Item = (&str, &str)> {
    let environment = package.environment.iter();
    environment.filter_map(|(variable, value)| Some((variable.as_str(), native_word(value)?)))
}

fn why_native(plan: &Plan, index: usize, variable: &str) -> String {
    plan.native
        .iter()
        .filter(|native| {
            native
                .used
                .iter()
                .any(|(used, name)| *used == index && name == variable)
        })
        .find_map(|native| native.explicit().err())
        .unwrap_or_else(|| "only -march, -mcpu and -mtune of GCC as words of their own can be".to_owned())
}
