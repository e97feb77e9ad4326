//! What can go wrong, one enum an operation.

use thiserror::Error;

/// Whose fault an error is, which decides farm's exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What the user asked for cannot be had: exit status 2.
    Input,
    /// The machine, the network or a source is not as needed: exit status 3.
    Environment,
    /// A rule of this crate's own does not hold: exit status 70.
    Bug,
}

/// A word of a [`HostedSpec`](crate::HostedSpec) that breaks the rule of its field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidSpec {
    /// Not a suite's name.
    #[error("{0:?} is not the name of a Debian suite")]
    Suite(String),
    /// Not an architecture's name.
    #[error("{0:?} is not the name of a Debian architecture")]
    Architecture(String),
    /// Not a version of Portage.
    #[error("{0:?} is not a version of Portage")]
    Portage(String),
    /// Not a package's name.
    #[error("{0:?} is not the name of a Debian package (a plain name: no version, architecture or pattern)")]
    Package(String),
}

/// A program that could not be started or ended badly.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The program is not installed.
    #[error("{program} is not installed (Debian package {package})")]
    Missing {
        /// The program that was to be started.
        program: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// It could not be started, or its output not be read.
    #[error("cannot run {program}: {source}")]
    Run {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It ended with a status other than 0.
    #[error("{program} ended with {status}: {output}")]
    Failed {
        /// The program and its first words.
        program: String,
        /// `exit status: 100`, `signal: 9`…
        status: String,
        /// The last lines of what it wrote.
        output: String,
    },
}

/// Why names could not be turned into a lock.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// A word of the specification is malformed.
    #[error(transparent)]
    Invalid(#[from] InvalidSpec),
    /// The machine's apt sources do not have the suite.
    #[error("the apt sources of this machine do not offer suite {suite} for {architecture}; they offer: {offered}")]
    SuiteNotOffered {
        /// The suite asked for.
        suite: String,
        /// The architecture asked for.
        architecture: String,
        /// What they offer, separated by blanks.
        offered: String,
    },
    /// Packages that the suite does not have.
    #[error("suite {suite} has no package {}", packages.join(", "))]
    UnknownPackages {
        /// The suite.
        suite: String,
        /// The names, sorted.
        packages: Vec<String>,
    },
    /// The packages exclude each other.
    #[error("apt cannot install these packages together: {explanation}")]
    Unsatisfiable {
        /// apt's own words.
        explanation: String,
    },
    /// There is no such wheel.
    #[error("there is no wheel of portage {version}: {explanation}")]
    NoSuchPortage {
        /// The version asked for.
        version: String,
        /// pip's own words.
        explanation: String,
    },
    /// A program failed.
    #[error("{operation}: {source}")]
    Command {
        /// What it was to do, as a short phrase.
        operation: &'static str,
        /// How it failed.
        source: CommandError,
    },
    /// apt answered in a form this crate does not know.
    #[error("apt's answer is not understood: {line:?}")]
    Unreadable {
        /// The line.
        line: String,
    },
    /// The scratch folder failed us.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl ResolveError {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_)
            | Self::UnknownPackages { .. }
            | Self::Unsatisfiable { .. }
            | Self::NoSuchPortage { .. } => ErrorKind::Input,
            Self::SuiteNotOffered { .. } | Self::Command { .. } | Self::Io(_) => ErrorKind::Environment,
            Self::Unreadable { .. } => ErrorKind::Bug,
        }
    }
}

/// Why the files of a lock could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Versions that no source has any more; moving the lock is the way out.
    #[error("no longer to be had: {}", packages.join(", "))]
    Gone {
        /// `name version` of each, sorted.
        packages: Vec<String>,
    },
    /// A file with other bytes than the lock says.
    #[error("{file} has SHA-256 {found}, but the lock says {wanted}")]
    Mismatch {
        /// The file's name.
        file: String,
        /// In the lock.
        wanted: String,
        /// Of the bytes that came.
        found: String,
    },
    /// apt said that it fetched a file, and it is not there.
    #[error("{file} was not delivered")]
    NotDelivered {
        /// The file's name.
        file: String,
    },
    /// A program failed.
    #[error("{operation}: {source}")]
    Command {
        /// What it was to do, as a short phrase.
        operation: &'static str,
        /// How it failed.
        source: CommandError,
    },
    /// A folder failed us.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl FetchError {
    /// Whose fault it is: never the user's, since the lock was right when it was made. Exit status 3.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Environment
    }
}

/// Why the root could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
    /// A file of the lock is missing or has other bytes.
    #[error("{file} is not the file of the lock: {reason}")]
    WrongFile {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A Portage whose source is not as this crate knows it, so that it cannot be made a system installation.
    #[error("this version of Portage cannot be made a system installation: {reason}")]
    UnknownPortage {
        /// What was looked for and where.
        reason: String,
    },
    /// The wheel is damaged.
    #[error("the Portage wheel cannot be read: {0}")]
    Wheel(#[from] zip::result::ZipError),
    /// The root's packages are not those of the lock.
    #[error("the packages of the root are not those of the lock: {difference}")]
    NotTheLock {
        /// The first differences.
        difference: String,
    },
    /// The root is not as a Debian root is.
    #[error("the root is not usable: {reason}")]
    BadRoot {
        /// What is wrong.
        reason: String,
    },
    /// A program failed.
    #[error("{operation}: {source}")]
    Command {
        /// What it was to do, as a short phrase.
        operation: &'static str,
        /// How it failed.
        source: CommandError,
    },
    /// A folder or the output failed us.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl BuildError {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownPortage { .. } => ErrorKind::Input,
            Self::Stopped | Self::WrongFile { .. } | Self::Wheel(_) | Self::Command { .. } | Self::Io(_) => {
                ErrorKind::Environment
            }
            Self::NotTheLock { .. } | Self::BadRoot { .. } => ErrorKind::Bug,
        }
    }
}
