//! What a plan holds that must not be built as it stands.

use std::fmt;

use crate::{Package, Plan};

/// Variables in which a compiler is told what to compile for.
const FLAG_VARIABLES: [&str; 9] = [
    "CFLAGS",
    "CXXFLAGS",
    "FCFLAGS",
    "FFLAGS",
    "OBJCFLAGS",
    "OBJCXXFLAGS",
    "LDFLAGS",
    "CPPFLAGS",
    "RUSTFLAGS",
];

/// A package whose key would not decide its bytes. All are the user's to mend.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unsound {
    /// The ebuild takes the head of a branch, which is another thing every day.
    Live {
        /// `category/PF`.
        cpv: String,
    },
    /// The compiler would look at the machine it happens to run on.
    Native {
        /// `category/PF`.
        cpv: String,
        /// The variable, such as `CFLAGS`.
        variable: &'static str,
        /// The option, such as `-march=native`.
        option: String,
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
            Self::Live { cpv } => write!(formatter, "{cpv} is a live ebuild: pin it to a commit"),
            Self::Native { cpv, variable, option } => {
                write!(
                    formatter,
                    "{option} in {variable} of {cpv} means the machine of the day: name the processor"
                )
            }
            Self::NoDigest { cpv, file } => write!(formatter, "the Manifest of {cpv} has no size and hash of {file}"),
        }
    }
}

/// Everything in a plan that must not be built as it stands, in merge order.
#[must_use]
pub fn unsound(plan: &Plan) -> Vec<Unsound> {
    plan.packages.iter().flat_map(unsound_package).collect()
}

fn unsound_package(package: &Package) -> Vec<Unsound> {
    let cpv = || package.cpv.clone();
    let mut found = Vec::new();
    if package.properties.iter().any(|property| property == "live") {
        found.push(Unsound::Live { cpv: cpv() });
    }
    for variable in FLAG_VARIABLES {
        let value = package.environment.get(variable).map_or("", String::as_str);
        let native = |word: &&str| {
            [
                "-march=native",
                "-mtune=native",
                "-mcpu=native",
                "target-cpu=native",
                "-Ctarget-cpu=native",
            ]
            .contains(word)
        };
        if let Some(option) = value.split_whitespace().find(native) {
            found.push(Unsound::Native {
                cpv: cpv(),
                variable,
                option: option.to_owned(),
            });
        }
    }
    for file in &package.distfiles {
        if file.size.is_none() || file.hashes.is_empty() {
            found.push(Unsound::NoDigest {
                cpv: cpv(),
                file: file.name.clone(),
            });
        }
    }
    found
}
