//! Reading and writing the text of a `Packages` file.

use std::borrow::Cow;
use std::io::Write as _;

use super::{DEFAULTS, INHERITED, Index, Stanza, TRANSLATED};

/// Why a `Packages` file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A version of the format that this crate does not know.
    #[error("the index has version `{0}`; only version 0 is known")]
    Version(String),
    /// A client rejects an index without these.
    #[error("the header has no `{0}`")]
    MissingHeader(&'static str),
}

impl Index {
    /// Parses a `Packages` file as Portage does: lines without a colon are skipped, as are stanzas without a CPV;
    /// defaults and inherited values are filled in.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let text = universal_newlines(text);
        let mut stanzas = Stanzas { lines: text.lines() };
        let header = stanzas.next().unwrap_or_default();
        for key in ["TIMESTAMP", "VERSION"] {
            if header.get(key).is_none_or(String::is_empty) {
                return Err(ParseError::MissingHeader(key));
            }
        }
        let version = header.get("VERSION").map_or("", String::as_str);
        if !version.trim().parse::<i64>().is_ok_and(|version| version <= 0) {
            return Err(ParseError::Version(version.to_owned()));
        }
        let mut packages = Vec::new();
        for mut package in stanzas {
            if package.get("CPV").is_none_or(String::is_empty) {
                continue;
            }
            for (key, value) in DEFAULTS {
                package.entry((*key).to_owned()).or_insert_with(|| (*value).to_owned());
            }
            for key in INHERITED {
                if let Some(value) = header.get(*key).filter(|value| !value.is_empty()) {
                    package.entry((*key).to_owned()).or_insert_with(|| value.clone());
                }
            }
            packages.push(package);
        }
        Ok(Self { header, packages })
    }

    /// Renders the file: header keys sorted, packages sorted by CPV as strings (equal ones in the order they have),
    /// keys sorted by internal name, empty values, defaults and what the header says left out.
    ///
    /// The caller puts TIMESTAMP and PACKAGES into the header; see [`header`](super::header).
    pub fn render(&self) -> String {
        let mut text = String::new();
        write_stanza(&mut text, self.header.iter());
        let mut packages: Vec<&Stanza> = self.packages.iter().collect();
        packages.sort_by(|a, b| a.get("CPV").cmp(&b.get("CPV")));
        for package in packages {
            write_stanza(
                &mut text,
                package.iter().filter(|(key, value)| !self.is_implied(key, value)),
            );
        }
        text
    }

    fn is_implied(&self, key: &str, value: &str) -> bool {
        DEFAULTS.iter().any(|(k, v)| *k == key && *v == value)
            || INHERITED.contains(&key) && self.header.get(key).is_some_and(|header| header == value)
    }
}

/// Makes `Packages.gz` of `Packages`: no name, the header's TIMESTAMP as the time, so that equal indexes are equal
/// bytes.
///
/// The compressed stream is not the one of Python's zlib; clients read both.
pub fn gzip(text: &str, timestamp: u64) -> Vec<u8> {
    // The field has 32 bits; times beyond them are unknown, which gzip writes as 0.
    let mtime = u32::try_from(timestamp).unwrap_or(0);
    let mut encoder = flate2::GzBuilder::new()
        .mtime(mtime)
        .operating_system(255)
        .write(Vec::new(), flate2::Compression::best());
    encoder
        .write_all(text.as_bytes())
        .and_then(|()| encoder.finish())
        .expect("compressing into memory cannot fail")
}

fn write_stanza<'a>(text: &mut String, pairs: impl Iterator<Item = (&'a String, &'a String)>) {
    for (key, value) in pairs.filter(|(_, value)| !value.is_empty()) {
        let name = TRANSLATED
            .iter()
            .find(|(internal, _)| internal == key)
            .map_or(key.as_str(), |(_, name)| name);
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push('\n');
    }
    text.push('\n');
}

/// Makes one kind of line end of three, as Python does with a text file before Portage sees it.
fn universal_newlines(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Splits a file into stanzas; ends, as Portage does, at the first one that holds nothing.
struct Stanzas<'a> {
    lines: std::str::Lines<'a>,
}

impl Iterator for Stanzas<'_> {
    type Item = Stanza;

    fn next(&mut self) -> Option<Stanza> {
        let mut stanza = Stanza::new();
        for line in self.lines.by_ref() {
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let key = TRANSLATED
                .iter()
                .find(|(_, n)| *n == name)
                .map_or(name, |(internal, _)| internal);
            // Exactly one character follows the colon, whatever it is.
            let mut value = value.chars();
            value.next();
            stanza.insert(key.to_owned(), value.as_str().to_owned());
        }
        (!stanza.is_empty()).then_some(stanza)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let text = "CHOST: x86_64-pc-linux-gnu\nPACKAGES: 1\nTIMESTAMP: 5\nVERSION: 0\n\n\
            BUILD_ID: 1\nCPV: a/b-1\nDESC: x: y\nIUSE: z\nMTIME: 7\nREPO: r\n\n";
        let index = Index::parse(text).unwrap();
        assert_eq!(index.packages[0]["CHOST"], "x86_64-pc-linux-gnu");
        assert_eq!(index.packages[0]["SLOT"], "0");
        assert_eq!(index.packages[0]["DESCRIPTION"], "x: y");
        assert_eq!(index.render(), text);
    }

    #[test]
    fn all_three_ends_of_a_line_are_one() {
        let text = "TIMESTAMP: 5\r\nVERSION: 0\r\rCPV: a/b-1\rUSE: x\r\n\nCPV: a/b-2\n";
        let plain = "TIMESTAMP: 5\nVERSION: 0\n\nCPV: a/b-1\nUSE: x\n\nCPV: a/b-2\n";
        assert_eq!(Index::parse(text), Index::parse(plain));
    }

    #[test]
    fn a_strange_version_is_refused() {
        assert_eq!(
            Index::parse("TIMESTAMP: 1\nVERSION: 1\n"),
            Err(ParseError::Version("1".to_owned()))
        );
        assert_eq!(
            Index::parse("VERSION: 0\n"),
            Err(ParseError::MissingHeader("TIMESTAMP"))
        );
    }

    #[test]
    fn the_gzip_header_has_the_time_and_no_name() {
        let bytes = gzip("x", 0x0102_0304);
        assert_eq!(bytes[3..8], [0, 4, 3, 2, 1]);
    }
}
