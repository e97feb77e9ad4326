//! A folder as a page.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use rustix::fs::Dir;
use rustix::io::Errno;

use crate::path;
use crate::root::{Patience, Root};

/// A line of the page.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    name: OsString,
    is_folder: bool,
    /// In bytes; of files.
    len: u64,
    /// Seconds since 1970.
    modified: i64,
}

/// What can be asked for in a folder that lies at `path` below the root, sorted by name. What goes away meanwhile is left out.
///
/// # Errors
///
/// The system's, if the folder cannot be read.
pub(crate) fn rows(root: &Root, folder: &OwnedFd, path: &Path) -> Result<Vec<Row>, Errno> {
    let mut rows = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if path::is_hidden(&name) {
            continue;
        }
        let name = OsString::from_vec(name);
        // Opened as it would be for an answer: so nothing is listed that is not served, and nothing told of what lies outside.
        let Ok(found) = root.find(&path.join(&name), Patience::Endless) else {
            continue;
        };
        rows.push(Row {
            name,
            is_folder: found.is_folder,
            len: found.stat.len,
            modified: found.stat.modified.0,
        });
    }
    rows.sort();
    Ok(rows)
}

/// The page.
pub(crate) fn page(path: &Path, rows: &[Row]) -> String {
    let title = escaped(&format!("/{}", path.display()));
    let mut page = format!(
        "<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n\
         <table>\n<tr><th>name</th><th>bytes</th><th>changed (UTC)</th></tr>\n"
    );
    if !path.as_os_str().is_empty() {
        page.push_str("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
    }
    for row in rows {
        let slash = if row.is_folder { "/" } else { "" };
        let len = if row.is_folder {
            String::new()
        } else {
            row.len.to_string()
        };
        page.push_str(&format!(
            "<tr><td><a href=\"{}{slash}\">{}{slash}</a></td><td>{len}</td><td>{}</td></tr>\n",
            path::encode(&row.name),
            escaped(&row.name.to_string_lossy()),
            minute(row.modified)
        ));
    }
    page.push_str("</table>\n</body>\n</html>\n");
    page
}

fn minute(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%d %H:%M").to_string())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use fs_err as fs;

    use super::*;

    #[test]
    fn a_page() {
        let row = |name: &str, is_folder, len| Row {
            name: name.into(),
            is_folder,
            len,
            modified: 784_111_777,
        };
        let text = page(Path::new("a&b"), &[row("<x> \"y\"", false, 12), row("sub", true, 4096)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[3..10],
            [
                "<body>",
                "<h1>/a&amp;b</h1>",
                "<table>",
                "<tr><th>name</th><th>bytes</th><th>changed (UTC)</th></tr>",
                "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>",
                "<tr><td><a href=\"%3Cx%3E%20%22y%22\">&lt;x&gt; &quot;y&quot;</a></td><td>12</td><td>1994-11-06 08:49</td></tr>",
                "<tr><td><a href=\"sub/\">sub/</a></td><td></td><td>1994-11-06 08:49</td></tr>",
            ]
        );
        assert!(
            !page(Path::new(""), &[]).contains("../"),
            "there is nothing above the root"
        );
    }

    #[test]
    fn only_what_is_served_is_listed() {
        let space = tempfile::tempdir().unwrap();
        let path = |name: &str| space.path().join(name);
        fs::create_dir_all(path("root/sub/.hidden")).unwrap();
        fs::write(path("secret"), "secret").unwrap();
        fs::write(path("root/sub/b"), "bb").unwrap();
        fs::write(path("root/sub/.b"), "hidden").unwrap();
        fs::create_dir(path("root/sub/a")).unwrap();
        symlink("b", path("root/sub/c")).unwrap();
        symlink("../../secret", path("root/sub/d")).unwrap();
        symlink("nowhere", path("root/sub/e")).unwrap();
        let root = Root::open(&path("root")).unwrap();
        let folder = root.find(Path::new("sub"), Patience::Endless).unwrap();
        let rows = rows(&root, &folder.file, Path::new("sub")).unwrap();
        let seen: Vec<(&str, bool, u64)> = rows
            .iter()
            .map(|row| {
                (
                    row.name.to_str().unwrap(),
                    row.is_folder,
                    if row.is_folder { 0 } else { row.len },
                )
            })
            .collect();
        assert_eq!(seen, [("a", true, 0), ("b", false, 2), ("c", false, 2)]);
    }
}
