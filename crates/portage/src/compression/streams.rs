//! Streams of bzip2, gzip and lzip, one after another, and what may follow them.

use std::io::{self, BufRead, Chain, Cursor, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;

/// The input of one stream: the bytes that were read to see whether there is one, and the rest.
type Peeked<R> = Chain<Cursor<Vec<u8>>, R>;

/// How many bytes tell bzip2 and lzip whether there is another stream.
const PEEK: u64 = 4;

/// bzip2 streams up to the end, or to what is none. `None` after that.
pub(super) struct Bzip2<R>(Option<BzDecoder<Peeked<R>>>);

impl<R: BufRead> Bzip2<R> {
    pub(super) fn new(input: R) -> Self {
        Self(Some(BzDecoder::new(Cursor::new(Vec::new()).chain(input))))
    }
}

impl<R: BufRead> Read for Bzip2<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        read_on(&mut self.0, buf, |ended| {
            let (_, input) = ended.into_inner().into_inner();
            let next = another(input, b"BZh")?;
            // The fourth byte is the size of the blocks.
            let next = next.filter(|next| matches!(next.get_ref().0.get_ref().get(3), Some(b'1'..=b'9')));
            Ok(next.map(BzDecoder::new))
        })
    }
}

/// lzip members up to the end, or to what is none. `None` after that.
pub(super) struct Lzip<R: BufRead>(Option<XzDecoder<Peeked<R>>>);

impl<R: BufRead> Lzip<R> {
    pub(super) fn new(input: R) -> io::Result<Self> {
        Self::member(Cursor::new(Vec::new()).chain(input)).map(|member| Self(Some(member)))
    }

    fn member(input: Peeked<R>) -> io::Result<XzDecoder<Peeked<R>>> {
        // Without a limit of memory: a dictionary of lzip has half a GiB at most.
        let decoder = Stream::new_lzip_decoder(u64::MAX, 0)?;
        Ok(XzDecoder::new_stream(input, decoder))
    }
}

impl<R: BufRead> Read for Lzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        read_on(&mut self.0, buf, |ended| {
            let (_, input) = ended.into_inner().into_inner();
            another(input, b"LZIP")?.map(Self::member).transpose()
        })
    }
}

/// Reads from a stream, and after its end from the one that `after` finds behind it.
fn read_on<D: Read>(
    stream: &mut Option<D>,
    buf: &mut [u8],
    after: impl Fn(D) -> io::Result<Option<D>>,
) -> io::Result<usize> {
    while let Some(decoder) = stream {
        let n = decoder.read(buf)?;
        if n > 0 || buf.is_empty() {
            return Ok(n);
        }
        if let Some(ended) = stream.take() {
            *stream = after(ended)?;
        }
    }
    Ok(0)
}

/// Looks what follows a stream, byte by byte as the programs do: a wrong one ends everything, a missing one is an error.
fn another<R: BufRead>(mut input: R, magic: &[u8]) -> io::Result<Option<Peeked<R>>> {
    let mut peeked = Vec::new();
    input.by_ref().take(PEEK).read_to_end(&mut peeked)?;
    let begins = peeked.iter().zip(magic).all(|(found, expected)| found == expected);
    if peeked.is_empty() || !begins {
        return Ok(None);
    }
    if (peeked.len() as u64) < PEEK {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(Cursor::new(peeked).chain(input)))
}

/// gzip members up to the end, or to zeros that fill the rest. `None` after that.
pub(super) struct Gzip<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Gzip<R> {
    pub(super) fn new(input: R) -> Self {
        Self(Some(GzDecoder::new(input)))
    }

    fn after(mut input: R) -> io::Result<Option<GzDecoder<R>>> {
        match input.fill_buf()?.first().copied() {
            None => Ok(None),
            // What is no member is the decoder's error.
            Some(1..) => Ok(Some(GzDecoder::new(input))),
            Some(0) => loop {
                let zeros = input.fill_buf()?;
                if zeros.is_empty() {
                    return Ok(None);
                }
                if zeros.iter().any(|&byte| byte != 0) {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "garbage follows the gzip stream",
                    ));
                }
                let n = zeros.len();
                input.consume(n);
            },
        }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        read_on(&mut self.0, buf, |ended| Self::after(ended.into_inner()))
    }
}
