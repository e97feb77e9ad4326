//! The symbols that a shared library exports, and their versions.

use std::collections::BTreeMap;

use super::sections::{SHT_GNU_VERDEF, SHT_GNU_VERSYM, Section, Sections, Strings};

const SHN_UNDEF: u16 = 0;
const STB_LOCAL: u8 = 0;
const STV_INTERNAL: u8 = 1;
const STV_HIDDEN: u8 = 2;
const STT_OBJECT: u8 = 1;
const STT_COMMON: u8 = 5;
const STT_TLS: u8 = 6;

const VER_FLG_BASE: u16 = 1;
/// The version of symbols that are not exported.
const VER_NDX_LOCAL: u16 = 0;
/// In a symbol's version: the linker does not take it unless it is asked for by its version.
const VERSYM_HIDDEN: u16 = 0x8000;

/// An exported symbol. The order is that of the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Symbol<'a> {
    pub(super) name: &'a [u8],
    /// The version, and whether it is the one that the linker takes (`name@@version`).
    pub(super) version: Option<(&'a [u8], bool)>,
    pub(super) binding: u8,
    pub(super) kind: u8,
    pub(super) visibility: u8,
    /// Of data; 0 of code, whose size nobody outside depends on.
    pub(super) size: u64,
}

/// The versions that the library defines, by the numbers that its symbols have.
pub(super) type Versions<'a> = BTreeMap<u16, &'a [u8]>;

/// Reads the definitions of versions, of which many libraries have none.
pub(super) fn versions<'a>(sections: &Sections<'a>, names: &mut Strings) -> Option<Versions<'a>> {
    let mut found = BTreeMap::new();
    let Some(section) = sections.find(SHT_GNU_VERDEF) else {
        return Some(found);
    };
    let strings = sections.linked(&section)?;
    let mut rest = sections.content(&section)?;
    loop {
        let flags = sections.half(rest, 2)?;
        let number = sections.half(rest, 4)?;
        let first = usize::try_from(sections.int(rest, 12)?).ok()?;
        // The base is the library as a whole, under its SONAME.
        if flags & VER_FLG_BASE == 0 {
            let name = u64::from(sections.int(rest.get(first..)?, 0)?);
            found.insert(number, names.get(strings, name)?);
        }
        // Every step leads forward, so that there is an end.
        match sections.int(rest, 16)? {
            0 => return Some(found),
            next => rest = rest.get(usize::try_from(next).ok()?..)?,
        }
    }
}

/// Reads the symbols, sorted.
pub(super) fn exported<'a>(
    sections: &Sections<'a>,
    section: Section,
    versions: &Versions<'a>,
    names: &mut Strings,
) -> Option<Vec<Symbol<'a>>> {
    let strings = sections.linked(&section)?;
    let numbers = match sections.find(SHT_GNU_VERSYM) {
        Some(section) => Some(sections.content(&section)?),
        None => None,
    };
    let is_64 = sections.machine().is_64;
    let (entry_size, info_at, shndx_at, size_at) = if is_64 { (24, 4, 6, 16) } else { (16, 12, 14, 8) };
    let mut found = Vec::new();
    for (index, entry) in sections.content(&section)?.chunks_exact(entry_size).enumerate() {
        let (info, other) = (*entry.get(info_at)?, *entry.get(info_at + 1)?);
        let (binding, kind, visibility) = (info >> 4, info & 0xf, other & 3);
        let is_private = binding == STB_LOCAL || matches!(visibility, STV_INTERNAL | STV_HIDDEN);
        if is_private || sections.half(entry, shndx_at)? == SHN_UNDEF {
            continue;
        }
        let number = match numbers {
            Some(numbers) => Some(sections.half(numbers, index.checked_mul(2)?)?),
            None => None,
        };
        if number.is_some_and(|number| number & !VERSYM_HIDDEN == VER_NDX_LOCAL) {
            continue;
        }
        let version = number.and_then(|number| {
            let name = versions.get(&(number & !VERSYM_HIDDEN))?;
            Some((*name, number & VERSYM_HIDDEN == 0))
        });
        let is_data = matches!(kind, STT_OBJECT | STT_COMMON | STT_TLS);
        found.push(Symbol {
            name: names.get(strings, u64::from(sections.int(entry, 0)?))?,
            version,
            binding,
            kind,
            visibility,
            size: if is_data { sections.word(entry, size_at)? } else { 0 },
        });
    }
    found.sort_unstable();
    Some(found)
}
