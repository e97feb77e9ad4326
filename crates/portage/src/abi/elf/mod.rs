//! A shared library as the linker sees it when it links something against it.
//!
//! Names of fields and constants are those of the ELF specification (System V ABI, chapters 4 and 5) and, for versions of
//! symbols, of the Linux Standard Base (Core, "Symbol Versioning"). Sections are what is read, because they are what linkers
//! read; a file without sections gives nothing.

mod sections;
mod symbols;

use crate::digest::FieldHasher;

use sections::{Section, Sections, Strings};
use symbols::{Symbol, exported, versions};

const DT_NEEDED: u64 = 1;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

/// What the linker sees of a shared library.
pub(super) struct Library {
    /// Whether it says under which name it wants to be loaded.
    pub(super) has_soname: bool,
    /// Over all that the linker sees.
    pub(super) digest: blake3::Hash,
}

/// Reads a shared library. `None` if it is none, or not one that can be read to its end.
///
/// In the digest are the kind of machine; SONAME; NEEDED, RPATH and RUNPATH, since the linker opens the libraries that a
/// library needs to see whether anything stays undefined; the versions it defines; and of each symbol that it exports the name,
/// version, binding, type, visibility, and for data the size, of which the linker makes room for a copy in programs. Not in it
/// are code, addresses, undefined symbols, build id and order: they are others after any change to the code.
pub(super) fn library(bytes: &[u8]) -> Option<Library> {
    let sections = Sections::read(bytes)?;
    let symbols_at = sections.find(sections::SHT_DYNSYM)?;
    // Without a bound, many names that end in one long string would take time that grows with the square of the file.
    let mut names = Strings::new(bytes.len().saturating_mul(16));
    let dynamic = Dynamic::read(&sections, &mut names)?;
    let versions = versions(&sections, &mut names)?;
    let symbols = exported(&sections, symbols_at, &versions, &mut names)?;

    let mut hasher = FieldHasher::new("farm-portage 2026-11 shared library v1");
    let machine = sections.machine();
    hasher
        .number(machine.is_64.into())
        .number(machine.is_big_endian.into())
        .number(machine.number.into())
        .number(machine.flags.into());
    // By their names: their numbers come from the order in which a script has them.
    let mut defined: Vec<&[u8]> = versions.values().copied().collect();
    defined.sort_unstable();
    for list in [&dynamic.soname, &dynamic.needed, &dynamic.paths, &defined] {
        hasher.number(list.len() as u64);
        for text in list {
            hasher.bytes(text);
        }
    }
    hasher.number(symbols.len() as u64);
    for symbol in &symbols {
        add(&mut hasher, symbol);
    }
    Some(Library {
        has_soname: !dynamic.soname.is_empty(),
        digest: hasher.finish(),
    })
}

fn add(hasher: &mut FieldHasher, symbol: &Symbol<'_>) {
    hasher.bytes(symbol.name);
    match symbol.version {
        None => hasher.number(0),
        Some((version, is_default)) => hasher.number(1 + u64::from(is_default)).bytes(version),
    };
    hasher
        .number(symbol.binding.into())
        .number(symbol.kind.into())
        .number(symbol.visibility.into())
        .number(symbol.size);
}

/// What of the dynamic section matters.
struct Dynamic<'a> {
    soname: Vec<&'a [u8]>,
    /// Sorted: their order decides where a running program looks first, and nothing about how it is linked.
    needed: Vec<&'a [u8]>,
    paths: Vec<&'a [u8]>,
}

impl<'a> Dynamic<'a> {
    /// Every shared object has this section.
    fn read(sections: &Sections<'a>, names: &mut Strings) -> Option<Self> {
        let section = sections.find(sections::SHT_DYNAMIC)?;
        let strings = sections.linked(&section)?;
        let mut found = Self {
            soname: Vec::new(),
            needed: Vec::new(),
            paths: Vec::new(),
        };
        for entry in entries(sections, &section)? {
            let tag = sections.word(entry, 0)?;
            if tag == 0 {
                break;
            }
            let list = match tag {
                DT_NEEDED => &mut found.needed,
                DT_SONAME => &mut found.soname,
                DT_RPATH | DT_RUNPATH => &mut found.paths,
                _ => continue,
            };
            let offset = sections.word(entry, sections.word_size())?;
            list.push(names.get(strings, offset)?);
        }
        found.needed.sort_unstable();
        Some(found)
    }
}

fn entries<'a>(sections: &Sections<'a>, section: &Section) -> Option<std::slice::ChunksExact<'a, u8>> {
    Some(sections.content(section)?.chunks_exact(2 * sections.word_size()))
}

#[cfg(test)]
mod tests;
