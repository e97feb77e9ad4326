//! What an answer consists of after its headers: short texts, and parts of a file.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::Bytes;
use rustix::io::Errno;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::buffers::{Buffers, PIECE};
use crate::range::Span;
use crate::root::{Patience, read};

/// The content of an answer, handed out piece by piece as the client takes it.
#[derive(Debug, Default)]
pub(crate) struct Content {
    segments: VecDeque<Segment>,
    /// How many bytes are still to come.
    left: u64,
    source: Option<Source>,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

/// Where parts come from.
#[derive(Debug, Clone)]
struct Source {
    file: Arc<OwnedFd>,
    buffers: Buffers,
}

#[derive(Debug)]
enum Segment {
    Text(Bytes),
    Part(Span),
}

impl Content {
    /// A text.
    pub(crate) fn text(text: impl Into<Bytes>) -> Self {
        let mut content = Self::default();
        content.push_text(text);
        content
    }

    /// Nothing yet, with parts of `file` to come.
    pub(crate) fn of(file: OwnedFd, buffers: &Buffers) -> Self {
        let source = Source {
            file: Arc::new(file),
            buffers: buffers.clone(),
        };
        Self {
            source: Some(source),
            ..Self::default()
        }
    }

    /// Adds a text at the end.
    pub(crate) fn push_text(&mut self, text: impl Into<Bytes>) {
        let text = text.into();
        if !text.is_empty() {
            self.left += text.len() as u64;
            self.segments.push_back(Segment::Text(text));
        }
    }

    /// Adds a part of the file at the end.
    pub(crate) fn push_part(&mut self, part: Span) {
        if part.len > 0 {
            self.left += part.len;
            self.segments.push_back(Segment::Part(part));
        }
    }

    /// How many bytes are still to come.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// The next piece; `None` at the end.
    ///
    /// What is in memory is taken at once. For the rest a thread waits that may: others are served meanwhile.
    ///
    /// # Errors
    ///
    /// The disk's. [`io::ErrorKind::UnexpectedEof`] if the file became shorter: nobody may fill up what was promised.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(reading) = &mut self.reading {
            let outcome = ready!(Pin::new(reading).poll(cx));
            self.reading = None;
            let outcome = outcome.unwrap_or_else(|lost| Err(io::Error::other(lost)));
            return Poll::Ready(Some(outcome.inspect(|piece| self.advance(piece.len() as u64))));
        }
        let (source, part) = match (self.segments.front_mut(), &self.source) {
            (None, _) => return Poll::Ready(None),
            (Some(Segment::Text(text)), _) => {
                let text = std::mem::take(text);
                self.advance(text.len() as u64);
                return Poll::Ready(Some(Ok(text)));
            }
            (Some(Segment::Part(part)), Some(source)) => (source.clone(), *part),
            (Some(Segment::Part(_)), None) => return Poll::Ready(Some(Err(io::ErrorKind::NotFound.into()))),
        };
        match source.read(part, Patience::None) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.reading = Some(spawn_blocking(move || source.read(part, Patience::Endless)));
                self.poll_piece(cx)
            }
            outcome => Poll::Ready(Some(outcome.inspect(|piece| self.advance(piece.len() as u64)))),
        }
    }

    /// Notes that the first `count` bytes of what was left are handed out.
    fn advance(&mut self, count: u64) {
        self.left -= count;
        if let Some(Segment::Part(part)) = self.segments.front_mut()
            && part.len > count
        {
            part.first += count;
            part.len -= count;
        } else {
            self.segments.pop_front();
        }
    }
}

impl Source {
    /// The beginning of a part.
    fn read(&self, part: Span, patience: Patience) -> io::Result<Bytes> {
        let mut buffer = self.buffers.take();
        let wanted = usize::try_from(part.len).map_or(PIECE, |len| len.min(PIECE));
        match read(&self.file, &mut buffer.room()[..wanted], part.first, patience) {
            Ok(0) => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file became shorter while it was served",
            )),
            Ok(count) => Ok(buffer.freeze(count)),
            Err(Errno::AGAIN) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use fs_err as fs;

    use super::*;

    async fn drained(content: &mut Content) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(piece) = poll_fn(|cx| content.poll_piece(cx)).await {
            let piece = piece?;
            assert!(!piece.is_empty(), "an empty piece says nothing");
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    fn file(bytes: &[u8]) -> (tempfile::NamedTempFile, OwnedFd) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        let opened: OwnedFd = fs::File::open(file.path()).unwrap().into_file().into();
        (file, opened)
    }

    #[tokio::test]
    async fn texts_and_parts_in_their_order() {
        let bytes: Vec<u8> = (0..3 * PIECE + 7).map(|at| (at % 251) as u8).collect();
        let (_kept, opened) = file(&bytes);
        let mut content = Content::of(opened, &Buffers::default());
        let first = Span {
            first: 5,
            len: 2 * PIECE as u64,
        };
        let second = Span {
            first: bytes.len() as u64 - 3,
            len: 3,
        };
        content.push_text("begin");
        content.push_part(first);
        content.push_text("");
        content.push_part(second);
        content.push_text("end");
        let expected = [b"begin", &bytes[5..5 + 2 * PIECE], &bytes[bytes.len() - 3..], b"end"].concat();
        assert_eq!(content.left(), expected.len() as u64);
        assert!(drained(&mut content).await.unwrap() == expected);
        assert_eq!(content.left(), 0);
    }

    #[tokio::test]
    async fn a_file_that_became_shorter() {
        let (kept, opened) = file(&[7; 1000]);
        let mut content = Content::of(opened, &Buffers::default());
        content.push_part(Span { first: 0, len: 1000 });
        kept.as_file().set_len(400).unwrap();
        let error = drained(&mut content).await.unwrap_err();
        assert_eq!((error.kind(), content.left()), (io::ErrorKind::UnexpectedEof, 600));
    }
}
