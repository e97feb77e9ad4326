//! Memory for pieces of files, used again and again: fresh memory would have to be zeroed for every piece.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Bytes;

/// How much of a file is read at once, in bytes. Smaller pieces cost calls, bigger ones fall out of the processor's cache between
/// the read and the write.
pub(crate) const PIECE: usize = 128 * 1024;

/// How many pieces are kept for whoever needs one next.
const KEPT: usize = 32;

/// A store of buffers of [`PIECE`] bytes each; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// A buffer with whatever was in it before.
    pub(crate) fn take(&self) -> Buffer {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Buffer {
            bytes: kept.unwrap_or_else(|| vec![0; PIECE]),
            len: 0,
            home: self.clone(),
        }
    }
}

/// A buffer, which goes back when it is dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// How many of its bytes are content.
    len: usize,
    home: Buffers,
}

impl Buffer {
    /// All of it, to be written over.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Its first `len` bytes, without a copy.
    pub(crate) fn freeze(mut self, len: usize) -> Bytes {
        self.len = len.min(PIECE);
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut kept = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back() {
        let buffers = Buffers::default();
        let mut first = buffers.take();
        first.room()[..5].copy_from_slice(b"first");
        let bytes = first.freeze(5);
        let copy = bytes.clone();
        drop(bytes);
        assert_eq!(buffers.0.lock().unwrap().len(), 0, "somebody still reads it");
        assert_eq!(&copy[..], b"first");
        drop(copy);
        assert_eq!(buffers.0.lock().unwrap().len(), 1);
        let second = buffers.take();
        assert_eq!((second.bytes.len(), second.as_ref()), (PIECE, &b""[..]));
        drop((0..2 * KEPT).map(|_| buffers.take()).collect::<Vec<_>>());
        assert_eq!(buffers.0.lock().unwrap().len(), KEPT);
    }
}
