//! The table of sections of an ELF file. Nothing in the file is trusted: every place is looked up with its bounds.

const ELFCLASS32: u8 = 1;
const ELFCLASS64: u8 = 2;
const ELFDATA2LSB: u8 = 1;
const ELFDATA2MSB: u8 = 2;
const ET_DYN: u16 = 3;

pub(super) const SHT_DYNAMIC: u32 = 6;
pub(super) const SHT_DYNSYM: u32 = 11;
pub(super) const SHT_GNU_VERDEF: u32 = 0x6fff_fffd;
pub(super) const SHT_GNU_VERSYM: u32 = 0x6fff_ffff;

/// What a file was made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    pub(super) is_64: bool,
    pub(super) is_big_endian: bool,
    /// `e_machine`
    pub(super) number: u16,
    /// `e_flags`: of some machines, the calling convention.
    pub(super) flags: u32,
}

/// A section's header, as far as it is needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    kind: u32,
    offset: u64,
    size: u64,
    link: u32,
}

/// The sections of a shared object.
pub(super) struct Sections<'a> {
    bytes: &'a [u8],
    machine: Machine,
    all: Vec<Section>,
}

impl<'a> Sections<'a> {
    /// `None` for anything that is no shared object with a table of sections.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let is_64 = match *bytes.get(4)? {
            ELFCLASS32 => false,
            ELFCLASS64 => true,
            _ => return None,
        };
        let is_big_endian = match *bytes.get(5)? {
            ELFDATA2LSB => false,
            ELFDATA2MSB => true,
            _ => return None,
        };
        let mut this = Self {
            bytes,
            machine: Machine {
                is_64,
                is_big_endian,
                number: 0,
                flags: 0,
            },
            all: Vec::new(),
        };
        if !bytes.starts_with(b"\x7fELF") || this.half(bytes, 16)? != ET_DYN {
            return None;
        }
        this.machine.number = this.half(bytes, 18)?;
        this.machine.flags = this.int(bytes, if is_64 { 48 } else { 36 })?;
        let table = usize::try_from(this.word(bytes, if is_64 { 40 } else { 32 })?).ok()?;
        let entry_size = usize::from(this.half(bytes, if is_64 { 58 } else { 46 })?);
        if table == 0 || entry_size < this.header_size() {
            return None;
        }
        let headers = bytes.get(table..)?;
        let first = this.section(headers)?;
        // More sections than two bytes can count are counted in the first one.
        let count = match this.half(bytes, if is_64 { 60 } else { 48 })? {
            0 => usize::try_from(first.size).ok()?,
            count => usize::from(count),
        };
        let headers = headers.get(..count.checked_mul(entry_size)?)?;
        this.all = headers
            .chunks_exact(entry_size)
            .map(|header| this.section(header))
            .collect::<Option<_>>()?;
        Some(this)
    }

    fn header_size(&self) -> usize {
        if self.machine.is_64 { 64 } else { 40 }
    }

    fn section(&self, header: &[u8]) -> Option<Section> {
        let (offset, size, link) = if self.machine.is_64 { (24, 32, 40) } else { (16, 20, 24) };
        Some(Section {
            kind: self.int(header, 4)?,
            offset: self.word(header, offset)?,
            size: self.word(header, size)?,
            link: self.int(header, link)?,
        })
    }

    pub(super) fn machine(&self) -> Machine {
        self.machine
    }

    /// The first section of a kind. Of the kinds that are asked for, a file has one.
    pub(super) fn find(&self, kind: u32) -> Option<Section> {
        self.all.iter().find(|section| section.kind == kind).copied()
    }

    /// The bytes of a section.
    pub(super) fn content(&self, section: &Section) -> Option<&'a [u8]> {
        let start = usize::try_from(section.offset).ok()?;
        let size = usize::try_from(section.size).ok()?;
        self.bytes.get(start..start.checked_add(size)?)
    }

    /// The bytes of the section that another one refers to: its strings.
    pub(super) fn linked(&self, section: &Section) -> Option<&'a [u8]> {
        self.content(self.all.get(usize::try_from(section.link).ok()?)?)
    }

    pub(super) fn half(&self, bytes: &[u8], at: usize) -> Option<u16> {
        let field = bytes.get(at..)?.first_chunk()?;
        Some(if self.machine.is_big_endian {
            u16::from_be_bytes(*field)
        } else {
            u16::from_le_bytes(*field)
        })
    }

    pub(super) fn int(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let field = bytes.get(at..)?.first_chunk()?;
        Some(if self.machine.is_big_endian {
            u32::from_be_bytes(*field)
        } else {
            u32::from_le_bytes(*field)
        })
    }

    /// A field that is as wide as an address.
    pub(super) fn word(&self, bytes: &[u8], at: usize) -> Option<u64> {
        if !self.machine.is_64 {
            return self.int(bytes, at).map(u64::from);
        }
        let field = bytes.get(at..)?.first_chunk()?;
        Some(if self.machine.is_big_endian {
            u64::from_be_bytes(*field)
        } else {
            u64::from_le_bytes(*field)
        })
    }

    pub(super) fn word_size(&self) -> usize {
        if self.machine.is_64 { 8 } else { 4 }
    }
}

/// Takes names out of tables of strings, and not more bytes altogether than are allowed.
pub(super) struct Strings {
    left: usize,
}

impl Strings {
    pub(super) fn new(allowed: usize) -> Self {
        Self { left: allowed }
    }

    /// The string at an offset, without its end. `None` if it is not there, or if too much was taken.
    pub(super) fn get<'a>(&mut self, table: &'a [u8], offset: u64) -> Option<&'a [u8]> {
        let rest = table.get(usize::try_from(offset).ok()?..)?;
        let rest = rest.get(..rest.len().min(self.left))?;
        let name = &rest[..rest.iter().position(|byte| *byte == 0)?];
        self.left -= name.len() + 1;
        Some(name)
    }
}
