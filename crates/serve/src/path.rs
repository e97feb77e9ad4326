//! The path of a request: from percent-encoded text to names below the root, and back.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Relative to the root, made of plain names none of which is hidden. Empty for the root itself.
    pub(crate) path: PathBuf,
    /// Whether a folder is asked for, by a slash at the end.
    pub(crate) is_folder: bool,
}

/// Why a path is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No path could be meant by it.
    Malformed,
    /// It leads over a name that begins with a dot. `.` and `..` are such names, too: clients resolve them before they ask
    /// (RFC 3986, section 5.2.4), and who does not wants to get out.
    Hidden,
}

/// Reads the path of a request. Several slashes count as one, since clients join addresses and names with slashes of their own.
pub(crate) fn parse(text: &str) -> Result<Wanted, Refused> {
    if !text.starts_with('/') {
        return Err(Refused::Malformed);
    }
    let mut path = PathBuf::new();
    for part in text.split('/').filter(|part| !part.is_empty()) {
        let name = decode(part).ok_or(Refused::Malformed)?;
        if name.contains(&0) || name.contains(&b'/') {
            return Err(Refused::Malformed);
        }
        if is_hidden(&name) {
            return Err(Refused::Hidden);
        }
        path.push(OsStr::from_bytes(&name));
    }
    Ok(Wanted {
        path,
        is_folder: text.ends_with('/'),
    })
}

/// Whether a name is neither listed nor served.
pub(crate) fn is_hidden(name: &[u8]) -> bool {
    name.starts_with(b".")
}

/// The path of a URL that [`parse`] reads as `path`, without a slash at its end.
pub(crate) fn of(path: &Path) -> String {
    path.iter().fold(String::new(), |mut text, name| {
        text.push('/');
        text.push_str(&encode(name));
        text
    })
}

/// A name as one segment of a URL: all but the unreserved characters of RFC 3986, section 2.3, are encoded.
pub(crate) fn encode(name: &OsStr) -> String {
    name.as_bytes().iter().fold(String::new(), |mut text, &byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(byte.into());
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

/// The bytes that a segment stands for; `None` if a `%` is not followed by two hexadecimal digits.
fn decode(segment: &str) -> Option<Vec<u8>> {
    let mut bytes = segment.bytes();
    let mut name = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        name.push(if byte == b'%' {
            digit(bytes.next()?)? << 4 | digit(bytes.next()?)?
        } else {
            byte
        });
    }
    Some(name)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_of_requests() {
        let table = [
            ("/", "", true),
            ("//", "", true),
            ("/Packages", "Packages", false),
            ("/a/b/", "a/b", true),
            ("//a///b", "a/b", false),
            ("/a%20b%2B%c3%a4", "a b+ä", false),
            ("/x..y", "x..y", false),
            ("/a\\..\\b", "a\\..\\b", false),
        ];
        for (text, path, is_folder) in table {
            let wanted = Wanted {
                path: path.into(),
                is_folder,
            };
            assert_eq!(parse(text), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn paths_that_lead_elsewhere() {
        for hidden in [
            "/..",
            "/../etc/passwd",
            "/a/../../b",
            "/%2e%2e/etc/passwd",
            "/%2E./x",
            "/.%2e/x",
            "/.",
            "/./a",
            "/.farm-publish/x",
            "/a/.git/config",
            "/%2egit",
            "/...",
        ] {
            assert_eq!(parse(hidden), Err(Refused::Hidden), "{hidden}");
        }
        for malformed in [
            "",
            "*",
            "a/b",
            "/a%00",
            "/%",
            "/%4",
            "/%zz",
            "/%+1",
            "/a%2fb",
            "/..%2f..%2Fetc%2fpasswd",
            "/%2Fetc/passwd",
        ] {
            assert_eq!(parse(malformed), Err(Refused::Malformed), "{malformed}");
        }
    }

    proptest! {
        /// Whatever a request says, what is opened for it goes down only.
        #[test]
        fn no_path_leads_out(text in "(/|\\.|%2e|%2F|%00|a|%|\\\\|é){0,12}") {
            if let Ok(wanted) = parse(&text) {
                prop_assert!(wanted.path.is_relative());
                for component in wanted.path.components() {
                    prop_assert!(matches!(component, std::path::Component::Normal(name) if !is_hidden(name.as_bytes())));
                }
            }
        }

        #[test]
        fn names_come_back(names in proptest::collection::vec("[^./\0][^/\0]{0,8}", 1..4)) {
            let path: PathBuf = names.iter().collect();
            prop_assert_eq!(parse(&of(&path)), Ok(Wanted { path, is_folder: false }));
        }
    }
}
