//! Archives of lzop.
//!
//! There is no description of the format but lzop itself (`lzop.c`: `read_header`, `lzo_decompress`). All numbers are big-endian:
//! a signature, a header with a checksum, and blocks, each with the checksums that the header names, up to one of no length.

use std::io::{self, BufRead, Read};

use adler2::adler32_slice;

/// What an archive begins with.
const MAGIC: [u8; 9] = [0x89, b'L', b'Z', b'O', 0, b'\r', b'\n', 0x1a, b'\n'];

/// Bits of the header's flags (`conf.h`): the checksums of a block before and after compression, and what else is in the header.
mod flag {
    pub(super) const ADLER32_PLAIN: u32 = 0x1;
    pub(super) const ADLER32_COMPRESSED: u32 = 0x2;
    pub(super) const EXTRA_FIELD: u32 = 0x40;
    pub(super) const CRC32_PLAIN: u32 = 0x100;
    pub(super) const CRC32_COMPRESSED: u32 = 0x200;
    pub(super) const MULTIPART: u32 = 0x400;
    pub(super) const FILTER: u32 = 0x800;
    pub(super) const HEADER_CRC32: u32 = 0x1000;
}

/// The first version whose header has the version needed, the level and the whole time.
const VERSION_0_94: u16 = 0x0940;

/// The version whose archives are read; a header that needs a later one is refused.
const VERSION_READ: u16 = 0x1040;

/// LZO1X-1, LZO1X-1(15) and LZO1X-999, of which every decompressor undoes all.
const METHODS: std::ops::RangeInclusive<u8> = 1..=3;

/// The biggest block that lzop reads, in bytes (`MAX_BLOCK_SIZE`).
const MAX_BLOCK: u32 = 64 << 20;

/// One archive, and the zeros that may follow it.
pub(super) struct Lzop<R> {
    input: R,
    state: State,
    /// The block that is handed out.
    block: Vec<u8>,
    /// How much of it was.
    given: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Begin,
    /// After the header, which had these flags.
    Blocks(u32),
    /// After the last block, or after an error.
    Over,
}

impl<R: BufRead> Lzop<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            state: State::Begin,
            block: Vec::new(),
            given: 0,
        }
    }

    /// Reads the next block, or the header before.
    fn advance(&mut self, state: State) -> io::Result<State> {
        match state {
            State::Over => Ok(State::Over),
            State::Begin => Ok(State::Blocks(header(&mut self.input)?)),
            State::Blocks(flags) => {
                self.given = 0;
                self.block.clear();
                match block(&mut self.input, flags)? {
                    Some(block) => {
                        self.block = block;
                        Ok(State::Blocks(flags))
                    }
                    None => zeros(&mut self.input).map(|()| State::Over),
                }
            }
        }
    }
}

impl<R: BufRead> Read for Lzop<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let rest = self.block.get(self.given..).unwrap_or_default();
            if !rest.is_empty() {
                let n = rest.len().min(buf.len());
                buf[..n].copy_from_slice(&rest[..n]);
                self.given += n;
                return Ok(n);
            }
            if matches!(self.state, State::Over) {
                return Ok(0);
            }
            // After an error nothing more can be read.
            let state = std::mem::replace(&mut self.state, State::Over);
            self.state = self.advance(state)?;
        }
    }
}

fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// Reads the signature and the header, and gives the flags.
fn header(input: &mut impl Read) -> io::Result<u32> {
    let mut magic = [0; MAGIC.len()];
    input.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(invalid("it does not begin as lzop's archives do"));
    }
    let mut header = Noted {
        input: &mut *input,
        bytes: Vec::new(),
    };
    let version = u16::from_be_bytes(header.array()?);
    let is_new = version >= VERSION_0_94;
    let _library: [u8; 2] = header.array()?;
    if is_new {
        let needed = u16::from_be_bytes(header.array()?);
        if needed > VERSION_READ {
            return Err(invalid("it needs a newer lzop"));
        }
    }
    let [method] = header.array()?;
    if is_new {
        let _level: [u8; 1] = header.array()?;
    }
    let flags = u32::from_be_bytes(header.array()?);
    if !METHODS.contains(&method) || flags & (flag::FILTER | flag::MULTIPART) != 0 {
        return Err(invalid("it uses what of lzop is not supported"));
    }
    let _mode_and_time: [u8; 8] = header.array()?;
    if is_new {
        let _time: [u8; 4] = header.array()?;
    }
    let [name] = header.array()?;
    for _ in 0..name {
        let _: [u8; 1] = header.array()?;
    }
    check(header.bytes.as_slice(), flags & flag::HEADER_CRC32 != 0, number(input)?)?;
    if flags & flag::EXTRA_FIELD != 0 {
        let size = number(input)?;
        let mut field = Vec::new();
        input.by_ref().take(u64::from(size)).read_to_end(&mut field)?;
        // The checksum counts the length, too.
        let whole = [&size.to_be_bytes(), field.as_slice()].concat();
        check(&whole, flags & flag::HEADER_CRC32 != 0, number(input)?)?;
    }
    Ok(flags)
}

/// Reads a block and undoes it; `None` for the mark of the end.
fn block(input: &mut impl Read, flags: u32) -> io::Result<Option<Vec<u8>>> {
    let size = number(input)?;
    if size == 0 {
        return Ok(None);
    }
    let compressed = number(input)?;
    if size > MAX_BLOCK || compressed == 0 || compressed > size {
        return Err(invalid(format!("it has a block of {compressed} bytes for {size}")));
    }
    let mut sum_if = |bit: u32| (flags & bit != 0).then(|| number(input)).transpose();
    let plain = [sum_if(flag::ADLER32_PLAIN)?, sum_if(flag::CRC32_PLAIN)?];
    let packed = if compressed < size {
        [sum_if(flag::ADLER32_COMPRESSED)?, sum_if(flag::CRC32_COMPRESSED)?]
    } else {
        [None, None]
    };
    // What the length claims costs memory only as far as it is there.
    let mut bytes = Vec::new();
    input.by_ref().take(u64::from(compressed)).read_to_end(&mut bytes)?;
    if bytes.len() < compressed as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    check_both(&bytes, packed)?;
    if compressed < size {
        let mut whole = vec![0; size as usize];
        let n = lzo::decompress_into(&bytes, &mut whole).map_err(|error| invalid(error.to_string()))?;
        if n != whole.len() {
            return Err(invalid("a block is shorter than it says"));
        }
        bytes = whole;
    }
    check_both(&bytes, plain)?;
    Ok(Some(bytes))
}

/// Compares with the Adler-32 and the CRC-32 that are there.
fn check_both(bytes: &[u8], [adler, crc]: [Option<u32>; 2]) -> io::Result<()> {
    adler.map_or(Ok(()), |sum| check(bytes, false, sum))?;
    crc.map_or(Ok(()), |sum| check(bytes, true, sum))
}

fn check(bytes: &[u8], is_crc: bool, expected: u32) -> io::Result<()> {
    let found = if is_crc {
        crc32fast::hash(bytes)
    } else {
        adler32_slice(bytes)
    };
    if found == expected {
        Ok(())
    } else {
        Err(invalid("a checksum of lzop's is wrong"))
    }
}

/// After the mark of the end there may be zeros, which `lzop -d` takes for padding.
fn zeros(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let rest = input.fill_buf()?;
        if rest.is_empty() {
            return Ok(());
        }
        if rest.iter().any(|&byte| byte != 0) {
            return Err(invalid("garbage follows lzop's archive"));
        }
        let n = rest.len();
        input.consume(n);
    }
}

fn number(input: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

/// Keeps what is read, for the checksum.
struct Noted<'a, R> {
    input: &'a mut R,
    bytes: Vec<u8>,
}

impl<R: Read> Noted<'_, R> {
    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.bytes.extend(bytes);
        Ok(bytes)
    }
}
