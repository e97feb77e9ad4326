//! The files that a task's `inputs` and `outputs` name.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use walkdir::WalkDir;

use crate::tree::standard_filter;
use crate::witness::Witness;

/// What a list of patterns stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// Relative paths, `/` between components, sorted, each once.
    pub paths: Vec<String>,
    /// The patterns that no path matched, in the order given.
    pub unmatched: Vec<String>,
}

/// Why patterns could not be expanded.
#[derive(Debug, thiserror::Error)]
pub enum GlobError {
    /// The pattern is no glob (input).
    #[error("`{pattern}` is not a valid pattern: {reason}")]
    Invalid {
        /// As written.
        pattern: String,
        /// A sentence fragment.
        reason: String,
    },
    /// The pattern is empty, absolute, or climbs out with `..` (input).
    #[error("`{0}` does not stay within its folder")]
    Outside(String),
    /// A matching path that is not UTF-8 (input).
    #[error("{} is not named in UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// A folder could not be read (environment).
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// True if `pattern` holds a character that makes it more than a path.
pub fn is_pattern(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{'])
}

/// Checks and simplifies one pattern or path: `./a//b/` is `a/b`.
///
/// # Errors
/// [`GlobError::Outside`].
pub fn normalise(pattern: &str) -> Result<String, GlobError> {
    let outside = || GlobError::Outside(pattern.to_owned());
    let components: Vec<&str> = pattern.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if components.is_empty() || pattern.starts_with('/') || components.contains(&"..") {
        return Err(outside());
    }
    Ok(components.join("/"))
}

/// Whether the relative path `path` is what `pattern` names.
///
/// # Errors
/// [`GlobError::Invalid`] and [`GlobError::Outside`].
pub fn matches(pattern: &str, path: &str) -> Result<bool, GlobError> {
    Ok(compile(pattern, &normalise(pattern)?)?.is_match(path))
}

/// Expands `patterns` below `folder`.
///
/// A pattern without `*`, `?`, `[` or `{` names one path, which may be a folder. Any other matches files and symlinks, never
/// folders; `*` and `?` stay within a component, `**` does not, and a leading dot is nothing special. What
/// [`standard_filter`] drops is never matched. Symlinks are not followed below the pattern's fixed beginning.
///
/// `witness` is told of every folder whose names were read and of every path that was missing.
///
/// # Errors
/// See [`GlobError`]. A pattern that matches nothing is no error here but listed in [`Expansion::unmatched`].
pub fn expand<S: AsRef<str>>(folder: &Path, patterns: &[S], witness: &Witness) -> Result<Expansion, GlobError> {
    let mut paths = BTreeSet::new();
    let mut unmatched = Vec::new();
    for pattern in patterns {
        let pattern = pattern.as_ref();
        let normal = normalise(pattern)?;
        let matched = if is_pattern(&normal) {
            walk(folder, pattern, &normal, witness, &mut paths)?
        } else {
            let path = folder.join(&normal);
            let there = fs_err::symlink_metadata(&path).is_ok();
            if there {
                // Whoever reads it tells the witness.
                paths.insert(normal);
            } else {
                witness.look(&path);
            }
            there
        };
        if !matched {
            unmatched.push(pattern.to_owned());
        }
    }
    Ok(Expansion {
        paths: paths.into_iter().collect(),
        unmatched,
    })
}

/// One pattern, ready to be compared with many paths.
#[derive(Clone, Debug)]
pub struct Pattern(GlobMatcher);

impl Pattern {
    /// Reads a pattern or a path, as [`matches()`] does.
    ///
    /// # Errors
    /// [`GlobError::Invalid`] and [`GlobError::Outside`].
    pub fn new(pattern: &str) -> Result<Self, GlobError> {
        Ok(Self(compile(pattern, &normalise(pattern)?)?))
    }

    /// Whether the relative path `path` is what it names.
    pub fn matches(&self, path: &Path) -> bool {
        self.0.is_match(path)
    }
}

fn compile(pattern: &str, normal: &str) -> Result<GlobMatcher, GlobError> {
    let glob = GlobBuilder::new(normal)
        .literal_separator(true)
        .backslash_escape(true)
        .build();
    let invalid = |error: globset::Error| GlobError::Invalid {
        pattern: pattern.to_owned(),
        reason: error.kind().to_string(),
    };
    Ok(glob.map_err(invalid)?.compile_matcher())
}

fn walk(
    folder: &Path,
    pattern: &str,
    normal: &str,
    witness: &Witness,
    paths: &mut BTreeSet<String>,
) -> Result<bool, GlobError> {
    let matcher = compile(pattern, normal)?;
    let fixed: Vec<&str> = normal.split('/').take_while(|part| !is_pattern(part)).collect();
    let start = folder.join(fixed.join("/"));
    witness.look(&start);
    if !fs_err::metadata(&start).is_ok_and(|found| found.is_dir()) {
        return Ok(false);
    }
    let deepest = if normal.contains("**") || normal.contains('{') {
        usize::MAX
    } else {
        normal.split('/').count() - fixed.len()
    };
    let kept = |entry: &walkdir::DirEntry| {
        let kept = entry.depth() == 0 || entry.file_name().to_str().is_none_or(standard_filter);
        // Asked before a folder is entered.
        if kept && entry.file_type().is_dir() && entry.depth() < deepest {
            witness.look(entry.path());
        }
        kept
    };
    let mut matched = false;
    for entry in WalkDir::new(&start)
        .min_depth(1)
        .max_depth(deepest)
        .into_iter()
        .filter_entry(kept)
    {
        let entry = entry.map_err(io::Error::from)?;
        if entry.file_type().is_dir() {
            continue;
        }
        let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let Some(relative) = relative.to_str() else {
            return Err(GlobError::NotUtf8(entry.path().to_path_buf()));
        };
        if matcher.is_match(relative) {
            matched = true;
            paths.insert(relative.to_owned());
        }
    }
    Ok(matched)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "a.C",
            "b.C",
            "b.C~",
            ".b.C.swp",
            "sub/c.C",
            "sub/deep/d.C",
            "sub/deep/e.txt",
            "other/.git/x.C",
        ] {
            let path = dir.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, file).unwrap();
        }
        dir
    }

    #[test]
    fn patterns_expand_sorted_and_once() {
        let dir = folder();
        let paths = |patterns: &[&str]| expand(dir.path(), patterns, &Witness::default()).unwrap().paths;
        assert_eq!(paths(&["*.C", "a.C", "./b.C"]), ["a.C", "b.C"]);
        assert_eq!(paths(&["**/*.C"]), ["a.C", "b.C", "sub/c.C", "sub/deep/d.C"]);
        assert_eq!(paths(&["sub/*"]), ["sub/c.C"]);
        assert_eq!(paths(&["sub/"]), ["sub"]);
        assert_eq!(paths(&["sub/**/{d,e}.*"]), ["sub/deep/d.C", "sub/deep/e.txt"]);
        assert_eq!(paths(&["{a.C,sub/deep/d.C}"]), ["a.C", "sub/deep/d.C"]);
    }

    #[test]
    fn a_pattern_for_nothing_is_reported() {
        let dir = folder();
        let found = expand(dir.path(), &["a.C", "*.cc", "none", "none/*"], &Witness::default()).unwrap();
        assert_eq!(
            (found.paths, found.unmatched),
            (vec!["a.C".into()], vec!["*.cc".into(), "none".into(), "none/*".into()])
        );
    }

    #[test]
    fn wrong_patterns_are_errors() {
        let dir = folder();
        for outside in ["", ".", "/etc/passwd", "../x", "sub/../../x"] {
            assert!(
                matches!(
                    expand(dir.path(), &[outside], &Witness::default()),
                    Err(GlobError::Outside(_))
                ),
                "{outside}"
            );
        }
        assert!(matches!(
            expand(dir.path(), &["a[.C"], &Witness::default()),
            Err(GlobError::Invalid { .. })
        ));
    }
}
