//! `MAKEFLAGS`: how clients are told of a job server.

use std::path::{Path, PathBuf};

/// Where a job server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// A FIFO with this path: GNU make from 4.4, ninja from 1.13, cargo, Portage.
    Fifo(PathBuf),
    /// A pipe whose two ends the client has inherited under these numbers. Negative ones are no descriptors: make says with
    /// them that there is a job server, and that this is no client.
    Descriptors {
        /// The end that tokens are read from.
        read: i32,
        /// The end that tokens are written to.
        write: i32,
    },
}

/// What a `MAKEFLAGS` says of jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Where the job server is.
    pub auth: Auth,
    /// How many jobs there are in all, if it says: make tells, cargo does not.
    pub jobs: Option<usize>,
}

impl Invitation {
    /// Reads a `MAKEFLAGS`. `None` if it does not speak of a job server. Where it does so twice, the last word holds, as the
    /// manual of make wants it; `--jobserver-fds` is how make before 4.2 wrote it.
    #[must_use]
    pub fn parse(makeflags: &str) -> Option<Self> {
        let last = |name| values(makeflags, name).filter_map(Auth::parse).next_back();
        let auth = last("--jobserver-auth=").or_else(|| last("--jobserver-fds="))?;
        let jobs = values(makeflags, "-j").chain(values(makeflags, "--jobs="));
        Some(Self {
            auth,
            jobs: jobs.filter_map(|count| count.parse().ok()).next_back(),
        })
    }
}

/// What follows `name` in the words that begin with it.
fn values<'a>(makeflags: &'a str, name: &'a str) -> impl DoubleEndedIterator<Item = &'a str> {
    makeflags
        .split_whitespace()
        .filter_map(move |word| word.strip_prefix(name))
}

impl Auth {
    fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("fifo:") {
            return Some(Self::Fifo(path.into()));
        }
        let (read, write) = text.split_once(',')?;
        Some(Self::Descriptors {
            read: read.parse().ok()?,
            write: write.parse().ok()?,
        })
    }
}

/// Which make programs find, as far as it matters for what they can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// GNU make from 4.4, or none: the path of a FIFO will do.
    Modern,
    /// GNU make before 4.4: it must inherit descriptors, and ends with an error when it is told of a FIFO.
    Descriptors,
    /// Another program: it would not understand GNU make's options.
    Foreign,
}

impl Make {
    /// Tells by what `make --version` prints.
    #[must_use]
    pub fn from_version(text: &str) -> Self {
        let Some(version) = text.strip_prefix("GNU Make ") else {
            return Self::Foreign;
        };
        let mut numbers = version
            .split(|c: char| !c.is_ascii_digit())
            .map(|number| number.parse().unwrap_or(0));
        let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if version >= (4, 4) {
            Self::Modern
        } else {
            Self::Descriptors
        }
    }
}

/// The `MAKEFLAGS` that invites to the job server at `fifo`; `descriptor` is the number under which the clients have it open,
/// for makes that need one.
///
/// With a descriptor, the FIFO is named as well, after `--`: there make expects definitions of variables and looks for no
/// options, while ninja and cargo take the last word that names a job server. They find it even where make closed the
/// descriptor: in recipes that do not look as if they called make.
#[must_use]
pub fn makeflags(fifo: &Path, descriptor: Option<i32>) -> String {
    let fifo = format!("--jobserver-auth=fifo:{}", fifo.display());
    match descriptor {
        None => format!("-j {fifo}"),
        Some(number) => {
            format!("-j --jobserver-fds={number},{number} --jobserver-auth={number},{number} -- {fifo}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptors(read: i32, write: i32) -> Auth {
        Auth::Descriptors { read, write }
    }

    #[test]
    fn what_programs_write_is_understood() {
        let cases = [
            // GNU make 4.3, with and without other options, and for a recipe that is no client in 4.4.
            (" -j4 --jobserver-auth=3,4", Some((descriptors(3, 4), Some(4)))),
            (
                "ks -j8 --jobserver-auth=3,4 -- CC=gcc",
                Some((descriptors(3, 4), Some(8))),
            ),
            (" -j4 --jobserver-auth=-2,-2", Some((descriptors(-2, -2), Some(4)))),
            // GNU make 4.4.
            (
                " -j4 --jobserver-auth=fifo:/tmp/GMfifo77",
                Some((Auth::Fifo("/tmp/GMfifo77".into()), Some(4))),
            ),
            // GNU make before 4.2; cargo.
            (" -j --jobserver-fds=5,6", Some((descriptors(5, 6), None))),
            (
                "-j --jobserver-fds=5,6 --jobserver-auth=5,6",
                Some((descriptors(5, 6), None)),
            ),
            // No job server.
            ("", None),
            ("-j4", None),
            ("--jobserver-auth=", None),
            ("--jobserver-auth=3", None),
            ("--jobserver-auth=a,b", None),
        ];
        for (text, wanted) in cases {
            let found = Invitation::parse(text).map(|found| (found.auth, found.jobs));
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_understood() {
        let fifo = Path::new("/scratch/jobs");
        for descriptor in [None, Some(100)] {
            let found = Invitation::parse(&makeflags(fifo, descriptor));
            assert_eq!(found.map(|found| found.auth), Some(Auth::Fifo(fifo.to_owned())));
        }
    }

    #[test]
    fn makes_are_told_apart() {
        let cases = [
            ("GNU Make 4.4.1\nBuilt for x86_64-pc-linux-gnu\n", Make::Modern),
            ("GNU Make 4.4", Make::Modern),
            ("GNU Make 10.0", Make::Modern),
            ("GNU Make 4.3\n", Make::Descriptors),
            ("GNU Make 3.82\n", Make::Descriptors),
            ("usage: make [-BeikNnqrSstWwX]", Make::Foreign),
        ];
        for (text, wanted) in cases {
            assert_eq!(Make::from_version(text), wanted, "{text}");
        }
    }
}
