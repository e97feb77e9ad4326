//! `CONTENTS`: what an installed package owns.

/// One line of `CONTENTS`. Paths are absolute, without ROOT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentsEntry {
    /// `dir PATH`
    Directory {
        /// The directory.
        path: String,
    },
    /// `obj PATH MD5 MTIME`
    File {
        /// The file.
        path: String,
        /// The MD5 of its content in hexadecimal digits.
        md5: String,
        /// Seconds since the epoch.
        mtime: i64,
    },
    /// `sym PATH -> TARGET MTIME`
    Symlink {
        /// The link.
        path: String,
        /// What it points to, verbatim.
        target: String,
        /// Seconds since the epoch.
        mtime: i64,
    },
    /// `fif PATH`
    Fifo {
        /// The FIFO.
        path: String,
    },
    /// `dev PATH`
    Device {
        /// The device node.
        path: String,
    },
}

impl ContentsEntry {
    /// The path that the package owns.
    pub fn path(&self) -> &str {
        match self {
            Self::Directory { path }
            | Self::File { path, .. }
            | Self::Symlink { path, .. }
            | Self::Fifo { path }
            | Self::Device { path } => path,
        }
    }
}

/// Why a `CONTENTS` file does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("CONTENTS line {line}: `{text}` is no entry")]
pub struct ContentsError {
    /// Counted from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

/// Parses a `CONTENTS` file; empty lines are skipped.
///
/// Paths may hold spaces: digest and time are taken from the end of the line. A link is cut at the last ` -> `, as
/// Portage does. The fourth column that very old versions wrote for links (a device and inode) is not supported.
pub fn parse_contents(text: &str) -> Result<Vec<ContentsEntry>, ContentsError> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() {
            continue;
        }
        let entry = parse_line(line).ok_or_else(|| ContentsError {
            line: index + 1,
            text: line.to_owned(),
        })?;
        entries.push(entry);
    }
    Ok(entries)
}

fn parse_line(line: &str) -> Option<ContentsEntry> {
    let (kind, rest) = line.split_once(' ')?;
    let absolute = |path: &str| path.starts_with('/').then(|| path.to_owned());
    Some(match kind {
        "dir" => ContentsEntry::Directory { path: absolute(rest)? },
        "fif" => ContentsEntry::Fifo { path: absolute(rest)? },
        "dev" => ContentsEntry::Device { path: absolute(rest)? },
        "obj" => {
            let (rest, mtime) = rest.rsplit_once(' ')?;
            let (path, md5) = rest.rsplit_once(' ')?;
            let is_md5 = md5.len() == 32 && md5.bytes().all(|b| b.is_ascii_hexdigit());
            ContentsEntry::File {
                path: absolute(path)?,
                md5: is_md5.then(|| md5.to_owned())?,
                mtime: mtime.parse().ok()?,
            }
        }
        "sym" => {
            let (rest, mtime) = rest.rsplit_once(' ')?;
            let (path, target) = rest.rsplit_once(" -> ")?;
            ContentsEntry::Symlink {
                path: absolute(path)?,
                target: target.to_owned(),
                mtime: mtime.parse().ok()?,
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_may_hold_spaces() {
        let text = "dir /usr\nobj /usr/a b 0123456789abcdef0123456789abcdef 17\nsym /l n -> t g 18\nfif /f\ndev /d\n";
        let entries = parse_contents(text).unwrap();
        assert_eq!(
            entries.iter().map(ContentsEntry::path).collect::<Vec<_>>(),
            ["/usr", "/usr/a b", "/l n", "/f", "/d"]
        );
        assert_eq!(
            entries[2],
            ContentsEntry::Symlink {
                path: "/l n".to_owned(),
                target: "t g".to_owned(),
                mtime: 18
            }
        );
        assert_eq!(parse_contents("dir /a\nxyz /b\n").unwrap_err().line, 2);
        assert!(parse_contents("obj /a nothex 1\n").is_err());
    }
}
