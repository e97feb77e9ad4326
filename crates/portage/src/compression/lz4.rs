//! Frames of lz4.

use std::io::{self, BufRead, Chain, Cursor, Read};

use lz4_flex::frame::FrameDecoder;

/// What a frame begins with; the format is `lz4_Frame_format.md` of lz4's own documents.
const MAGIC: u32 = 0x184D_2204;

/// The frames that are to be skipped begin with one of these sixteen.
const SKIPPABLE: std::ops::RangeInclusive<u32> = 0x184D_2A50..=0x184D_2A5F;

/// The format before there were frames, which nothing writes unless it is asked to (`lz4 -l`).
const LEGACY: u32 = 0x184C_2102;

/// The input of a frame: its first bytes, which were read to see what it is, and the rest.
type Peeked<R> = Chain<Cursor<[u8; 4]>, R>;

/// lz4 frames up to the end. `None` after that.
pub(super) struct Lz4<R: Read>(State<R>);

enum State<R: Read> {
    /// Between two frames.
    Between(R),
    /// In a frame.
    Within(Box<FrameDecoder<Watched<Peeked<R>>>>),
    /// After the last frame, or after an error.
    Over,
}

impl<R: BufRead> Lz4<R> {
    pub(super) fn new(input: R) -> Self {
        Self(State::Between(input))
    }

    /// Looks at what comes next.
    fn next(mut input: R) -> io::Result<State<R>> {
        loop {
            let mut magic = [0; 4];
            if input.fill_buf()?.is_empty() {
                return Ok(State::Over);
            }
            input.read_exact(&mut magic)?;
            match u32::from_le_bytes(magic) {
                MAGIC => {
                    let input = Cursor::new(magic).chain(input);
                    let input = Watched { input, ended: false };
                    return Ok(State::Within(Box::new(FrameDecoder::new(input))));
                }
                number if SKIPPABLE.contains(&number) => {
                    let mut size = [0; 4];
                    input.read_exact(&mut size)?;
                    let size = u64::from(u32::from_le_bytes(size));
                    if io::copy(&mut input.by_ref().take(size), &mut io::sink())? < size {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                LEGACY => return Err(invalid("it is in lz4's legacy format, which is not supported")),
                _ => return Err(invalid("something else than a frame follows lz4's last")),
            }
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            // After an error nothing more can be read.
            match std::mem::replace(&mut self.0, State::Over) {
                State::Over => return Ok(0),
                State::Between(input) => self.0 = Self::next(input)?,
                State::Within(mut frame) => {
                    let n = frame.read(buf)?;
                    if n > 0 || buf.is_empty() {
                        self.0 = State::Within(frame);
                        return Ok(n);
                    }
                    let watched = frame.into_inner();
                    // The library takes an input that ends between two blocks for the end of the frame.
                    if watched.ended {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    self.0 = State::Between(watched.input.into_inner().1);
                }
            }
        }
    }
}

/// Notes that somebody wanted more than there is.
struct Watched<R> {
    input: R,
    ended: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buf)?;
        self.ended |= n == 0 && !buf.is_empty();
        Ok(n)
    }
}
