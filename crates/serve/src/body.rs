//! The content of an answer as the library for HTTP takes it, with the account that the log is made from.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::access::Account;
use crate::content::Content;

/// Content, and who is told how much of it was taken. Dropped when the client has all of it, or wants no more.
#[derive(Debug)]
pub(crate) struct Accounted {
    content: Content,
    account: Account,
}

impl Accounted {
    /// Content whose end is told through `account`.
    pub(crate) fn new(content: Content, account: Account) -> Self {
        Self { content, account }
    }
}

impl Body for Accounted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let piece = ready!(this.content.poll_piece(cx));
        Poll::Ready(piece.map(|piece| {
            let piece = piece?;
            this.account.bytes += piece.len() as u64;
            Ok(Frame::data(piece))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.content.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.left())
    }
}

impl Drop for Accounted {
    fn drop(&mut self) {
        self.account.close(self.content.left() == 0);
    }
}
