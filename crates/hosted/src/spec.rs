//! What a manifest asks for, before names become versions.

use crate::error::InvalidSpec;

/// Debian packages that every hosted base has, besides the essential ones.
///
/// This is what Portage 3.0 itself calls: its interpreter, its unpackers and compressors, `wget` and `rsync` to fetch,
/// a compiler, and `pax-utils`, without whose `scanelf` nothing is stripped or recorded in NEEDED at exit status 0.
/// `debugedit` and `dwz` are what `FEATURES=installsources` and `dedupdebug` call, `passwd` what acct-* packages call.
pub const REQUIRED_PACKAGES: &[&str] = &[
    "bzip2",
    "ca-certificates",
    "debugedit",
    "dwz",
    "file",
    "g++",
    "gawk",
    "gcc",
    "make",
    "passwd",
    "patch",
    "pax-utils",
    "python3",
    "rsync",
    "wget",
    "xz-utils",
    "zstd",
];

/// The `hosted:` base of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedSpec {
    /// Debian suite or code name, such as `bookworm` or `stable`. The machine's apt sources must offer it.
    pub suite: String,
    /// Debian architecture, such as `amd64`.
    pub architecture: String,
    /// Version of Portage, such as `3.0.83`.
    pub portage: String,
    /// Debian packages wanted besides the essential ones and [`REQUIRED_PACKAGES`].
    pub packages: Vec<String>,
}

impl HostedSpec {
    /// Checks every word by Debian's and Python's own rules, so that none can reach a command line as an option,
    /// a pattern or a path.
    ///
    /// # Errors
    /// The first word that breaks its rule.
    pub fn validate(&self) -> Result<(), InvalidSpec> {
        if !is_word(&self.suite, |c| c.is_ascii_alphanumeric() || "+.-".contains(c)) {
            return Err(InvalidSpec::Suite(self.suite.clone()));
        }
        if !is_word(&self.architecture, |c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
        }) {
            return Err(InvalidSpec::Architecture(self.architecture.clone()));
        }
        if !is_word(&self.portage, |c| c.is_ascii_alphanumeric() || ".+!".contains(c)) {
            return Err(InvalidSpec::Portage(self.portage.clone()));
        }
        match self.packages.iter().find(|name| !is_package_name(name)) {
            Some(name) => Err(InvalidSpec::Package(name.clone())),
            None => Ok(()),
        }
    }

    /// All packages asked for by name, sorted and each once.
    #[must_use]
    pub fn all_packages(&self) -> Vec<String> {
        let mut all: Vec<String> = REQUIRED_PACKAGES.iter().map(ToString::to_string).collect();
        all.extend(self.packages.iter().cloned());
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Whether `name` is a Debian package name (Debian Policy 5.6.1).
///
/// apt takes a name that ends in `-` as "remove", so such a name is refused although policy allows it.
fn is_package_name(name: &str) -> bool {
    name.len() >= 2
        && !name.ends_with('-')
        && is_word(name, |c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c)
        })
}

fn is_word(word: &str, allowed: impl Fn(char) -> bool) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(packages: &[&str]) -> HostedSpec {
        HostedSpec {
            suite: "bookworm".into(),
            architecture: "amd64".into(),
            portage: "3.0.83".into(),
            packages: packages.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn words_that_apt_would_read_as_something_else_are_refused() {
        for name in [
            "-o",
            "gcc-",
            "gcc=1",
            "~nfoo",
            "?essential",
            "a",
            "../x",
            "foo bar",
            "Foo",
            "",
        ] {
            assert_eq!(spec(&[name]).validate(), Err(InvalidSpec::Package(name.into())));
        }
        assert_eq!(spec(&["libstdc++6", "g++", "zlib1g-dev", "0ad"]).validate(), Ok(()));
    }

    #[test]
    fn packages_are_sorted_and_listed_once() {
        let all = spec(&["zsh", "gcc", "cmake"]).all_packages();
        assert!(all.is_sorted());
        assert_eq!(all.iter().filter(|name| *name == "gcc").count(), 1);
        assert!(all.contains(&"cmake".to_owned()));
    }
}
