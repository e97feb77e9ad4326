//! Which `Content-Type` a file has, by its name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// What the end of a name says. `.gz` is a file that happens to be compressed and no coding of another one: with a
/// `Content-Encoding` clients would unpack what Portage wants as it is.
const BY_END: [(&str, &str); 13] = [
    (".tar", "application/x-tar"),
    (".gz", "application/gzip"),
    (".bz2", "application/x-bzip2"),
    (".tbz2", "application/x-bzip2"),
    (".xz", "application/x-xz"),
    (".zst", "application/zstd"),
    (".json", "application/json"),
    (".html", "text/html; charset=utf-8"),
    (".txt", "text/plain; charset=utf-8"),
    (".log", "text/plain; charset=utf-8"),
    (".sha256", "text/plain; charset=utf-8"),
    (".asc", "application/pgp-signature"),
    (".sig", "application/pgp-signature"),
];

/// The type of a file of this name.
pub(crate) fn type_of(name: &OsStr) -> &'static str {
    let name = name.as_bytes();
    if name == b"Packages" {
        return "text/plain; charset=utf-8";
    }
    let found = BY_END.iter().find(|(end, _)| name.ends_with(end.as_bytes()));
    found.map_or("application/octet-stream", |(_, media)| media)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name() {
        let table = [
            ("Packages", "text/plain; charset=utf-8"),
            ("Packages.gz", "application/gzip"),
            ("zlib-1.3-1.gpkg.tar", "application/x-tar"),
            ("0001.json", "application/json"),
            ("README", "application/octet-stream"),
            ("packages", "application/octet-stream"),
        ];
        for (name, media) in table {
            assert_eq!(type_of(OsStr::new(name)), media, "{name}");
        }
    }
}
