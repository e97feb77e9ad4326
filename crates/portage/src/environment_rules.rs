//! Which parts of a saved environment must not decide whether two packages are the same, each with its reason.

use crate::environment::{Environment, Item};

/// A variable that is taken out, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DroppedVariable {
    /// The variable's name.
    pub name: &'static str,
    /// Why a package is the same whatever its value, and works without it.
    pub reason: &'static str,
}

/// Variables that depend on the machine, the number of jobs, or the moment, and on nothing that is in the package.
///
/// They are dropped rather than fixed: Portage sets each of them anew when it needs it.
pub const JOB_DEPENDENT: &[DroppedVariable] = &[
    DroppedVariable {
        name: "BUILD_ID",
        reason: "counts what lay in PKGDIR; publication gives the real one",
    },
    DroppedVariable {
        name: "BUILD_TIME",
        reason: "the clock; publication gives the real one",
    },
    DroppedVariable {
        name: "GNUMAKEFLAGS",
        reason: "Portage derives the load limit from the number of CPUs",
    },
    DroppedVariable {
        name: "MAKEFLAGS",
        reason: "job count and the job server's descriptors",
    },
    DroppedVariable {
        name: "MAKEOPTS",
        reason: "job count",
    },
    DroppedVariable {
        name: "NINJAFLAGS",
        reason: "job count",
    },
    DroppedVariable {
        name: "NINJAOPTS",
        reason: "job count",
    },
    DroppedVariable {
        name: "NINJA_STATUS",
        reason: "looks of a progress display",
    },
    DroppedVariable {
        name: "CARGO_BUILD_JOBS",
        reason: "job count",
    },
    DroppedVariable {
        name: "CMAKE_BUILD_PARALLEL_LEVEL",
        reason: "job count",
    },
    DroppedVariable {
        name: "PORTAGE_COMPRESSION_COMMAND",
        reason: "carries the job count in the compressor's -T",
    },
    DroppedVariable {
        name: "PORTAGE_BINPKG_TMPFILE",
        reason: "a process number in a file name",
    },
    DroppedVariable {
        name: "PORTAGE_REPO_REVISIONS",
        reason: "the tree's commit, which changes with every other package",
    },
    DroppedVariable {
        name: "REPO_REVISIONS",
        reason: "the tree's commit, which changes with every other package",
    },
];

/// Variables that only describe the package or say where its sources came from. A dependant that runs the package's
/// phases sees them, and nothing it could install depends on them.
pub const INTERFACE_IRRELEVANT_VARIABLES: &[DroppedVariable] = &[
    DroppedVariable {
        name: "A",
        reason: "the names of the source archives",
    },
    DroppedVariable {
        name: "AA",
        reason: "the names of the source archives",
    },
    DroppedVariable {
        name: "DEFINED_PHASES",
        reason: "names functions that are in the text themselves",
    },
    DroppedVariable {
        name: "DESCRIPTION",
        reason: "a text for people",
    },
    DroppedVariable {
        name: "HOMEPAGE",
        reason: "a text for people",
    },
    DroppedVariable {
        name: "KEYWORDS",
        reason: "decided before the package was chosen",
    },
    DroppedVariable {
        name: "LICENSE",
        reason: "decided before the package was chosen",
    },
    DroppedVariable {
        name: "SRC_URI",
        reason: "where the sources came from",
    },
];

/// Functions that never run when a package is merged into a build root: the source phases, and those of unmerging or
/// for people.
pub const INTERFACE_IRRELEVANT_FUNCTIONS: &[&str] = &[
    "pkg_config",
    "pkg_info",
    "pkg_nofetch",
    "pkg_postrm",
    "pkg_prerm",
    "src_compile",
    "src_configure",
    "src_install",
    "src_prepare",
    "src_test",
    "src_unpack",
];

/// Takes the [`JOB_DEPENDENT`] variables out: the environment of the normal form. Functions are not touched.
pub fn normalise(environment: &mut Environment) {
    drop_variables(environment, JOB_DEPENDENT);
}

/// Says of a package that becomes a GPKG that it is one.
///
/// Portage saves the format that it was told to pack, and in nothing else do the environments of a GPKG and an XPAK of
/// one build differ.
pub(crate) fn tell_gpkg(environment: &mut Environment) {
    environment.replace_variable(
        b"declare -x BINPKG_FORMAT=\"xpak\"\n",
        b"declare -x BINPKG_FORMAT=\"gpkg\"\n",
    );
}

/// Takes out what cannot matter to a dependant: the environment of the interface digest.
pub fn reduce_to_interface(environment: &mut Environment) {
    normalise(environment);
    drop_variables(environment, INTERFACE_IRRELEVANT_VARIABLES);
    environment.retain(
        |item| !matches!(item, Item::Function { name, .. } if INTERFACE_IRRELEVANT_FUNCTIONS.contains(&name.as_str())),
    );
}

fn drop_variables(environment: &mut Environment, list: &[DroppedVariable]) {
    environment
        .retain(|item| !matches!(item, Item::Variable { name, .. } if list.iter().any(|dropped| dropped.name == name)));
}
