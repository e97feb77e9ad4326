//! Looking into files whose names do not tell enough.

use super::class::{Class, class_of};
use super::elf;

/// What begins every ELF file.
const MAGIC: &[u8] = b"\x7fELF";

/// A shared library beyond this many bytes is not held in memory, but counts with all its bytes.
pub const LARGEST_LIBRARY: usize = 512 << 20;

/// What a look into a file came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The file does not count.
    Nothing,
    /// All of its bytes count.
    Content,
    /// A shared library, and the digest of what the linker sees of it.
    Library(blake3::Hash),
}

/// Takes the bytes of a file and says in the end what it is.
///
/// It holds a shared library in memory, for the linker's view begins at the end of one; of anything else it holds a few bytes.
#[derive(Debug)]
pub struct Look {
    class: Class,
    /// Whether the name is one that the linker finds for `-lx`.
    is_linkable: bool,
    largest: usize,
    is_too_large: bool,
    bytes: Vec<u8>,
}

impl Look {
    /// Starts a look at the file at `path`; `None` where its path tells all.
    pub fn at(path: &str) -> Option<Self> {
        let class = class_of(path).filter(|class| matches!(class, Class::Shared | Class::Script))?;
        let name = path.rsplit('/').next().unwrap_or(path);
        Some(Self {
            class,
            is_linkable: name.starts_with("lib"),
            largest: LARGEST_LIBRARY,
            is_too_large: false,
            bytes: Vec::new(),
        })
    }

    /// Takes the next bytes of the file.
    pub fn take(&mut self, bytes: &[u8]) {
        // The first bytes are enough for what is no ELF file.
        let missing = MAGIC.len().saturating_sub(self.bytes.len()).min(bytes.len());
        let (start, rest) = bytes.split_at(missing);
        self.bytes.extend_from_slice(start);
        if self.class != Class::Shared || !self.bytes.starts_with(MAGIC) || self.is_too_large {
            return;
        }
        if self.bytes.len() + rest.len() > self.largest {
            self.is_too_large = true;
            self.bytes = MAGIC.to_vec();
            return;
        }
        self.bytes.extend_from_slice(rest);
    }

    /// Says what the file is, once all of its bytes were taken.
    pub fn finish(&self) -> Finding {
        let whole = |counts: bool| if counts { Finding::Content } else { Finding::Nothing };
        match self.class {
            Class::Script => whole(self.bytes.starts_with(b"#!")),
            _ if self.is_too_large => whole(self.is_linkable),
            _ => match elf::library(&self.bytes) {
                // What nobody finds by `-lx` and what has no name of its own is loaded while a program runs: a module.
                Some(library) if self.is_linkable || library.has_soname => Finding::Library(library.digest),
                Some(_) => Finding::Nothing,
                // A linker script, an empty file, or nothing that a linker can read.
                None => whole(self.is_linkable),
            },
        }
    }
}

/// Whether a look at a file comes to the same under both of its names. Where it does not, the other name has no finding.
pub fn looks_alike(one: &str, other: &str) -> bool {
    match (Look::at(one), Look::at(other)) {
        (Some(one), Some(other)) => (one.class, one.is_linkable) == (other.class, other.is_linkable),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(path: &str, pieces: &[&[u8]]) -> Finding {
        let mut look = Look::at(path).unwrap();
        for piece in pieces {
            look.take(piece);
        }
        look.finish()
    }

    #[test]
    fn texts_in_the_place_of_libraries_count_where_the_linker_looks() {
        for bytes in [&b"GROUP ( libx.so.1 )"[..], b"", b"\x7fEL", b"\x7fELF broken"] {
            assert_eq!(look("usr/lib64/libx.so", &[bytes]), Finding::Content, "{bytes:?}");
            assert_eq!(look("usr/lib64/x.so", &[bytes]), Finding::Nothing, "{bytes:?}");
        }
        assert!(Look::at("usr/include/x.h").is_none() && Look::at("usr/bin/x").is_none());
    }

    #[test]
    fn scripts_print_flags_and_programs_do_not_count() {
        assert_eq!(look("usr/bin/x-config", &[b"#", b"!/bin/sh\n"]), Finding::Content);
        assert_eq!(look("usr/bin/x-config", &[b"\x7fELF"]), Finding::Nothing);
        assert_eq!(look("usr/bin/x-config", &[]), Finding::Nothing);
    }

    #[test]
    fn only_what_may_be_a_library_is_held() {
        let held = |path: &str, pieces: &[&[u8]]| {
            let mut look = Look::at(path).unwrap();
            look.largest = 12;
            for piece in pieces {
                look.take(piece);
            }
            (look.bytes.len(), look.finish())
        };
        assert_eq!(
            held("usr/lib64/libx.so", &[b"INPUT(", b"-ly)", b"more"]),
            (4, Finding::Content)
        );
        assert_eq!(
            held("usr/bin/x-config", &[b"#!/bin/sh", b"more"]),
            (4, Finding::Content)
        );
        assert_eq!(held("usr/lib64/libx.so", &[b"\x7fE", b"LF123", b"45678"]).0, 12);
        let large: &[&[u8]] = &[b"\x7fELF1234", b"56789", b"1"];
        assert_eq!(held("usr/lib64/libx.so", large), (4, Finding::Content));
        assert_eq!(held("usr/lib64/x.so", large), (4, Finding::Nothing));
    }
}
