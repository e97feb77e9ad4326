//! The border between blocking callers and the asynchronous client: a runtime, and streams in both directions.

use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::time::Duration;

use farm_executor::{CancelToken, ExecutorError};
use futures_util::{Stream, StreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

/// Big enough that crossing the border costs nothing beside the copying, small enough that dozens of transfers at once do
/// not matter.
const CHUNK: usize = 128 * 1024;

/// Chunks in flight between a reader and its request.
const QUEUE: usize = 4;

/// How often a pending operation looks at its token.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// Resolves when `cancel` has fired.
pub(crate) async fn fired(cancel: &CancelToken) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(CANCEL_POLL).await;
    }
}

/// The runtime that drives the connections, whatever thread waits for them.
#[derive(Debug)]
pub(crate) struct Bridge(Runtime);

impl Bridge {
    /// Starts the runtime's threads.
    pub(crate) fn new() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("docker-executor")
            .enable_all()
            .build()?;
        Ok(Self(runtime))
    }

    /// Waits for `future` on the calling thread.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    /// Waits for `future`, but no longer than until `cancel` fires.
    pub(crate) fn block_on_or<F: Future>(&self, cancel: &CancelToken, future: F) -> Result<F::Output, ExecutorError> {
        self.0.block_on(async {
            tokio::select! {
                output = future => Ok(output),
                () = fired(cancel) => Err(ExecutorError::Cancelled),
            }
        })
    }

    /// Sends everything `source` yields as the body of a request.
    ///
    /// `request` gets the body as a stream and returns the future of the answer. The source is read on the calling thread,
    /// only as fast as the engine takes it. `what` names the source in errors.
    pub(crate) fn send<T, F>(
        &self,
        what: &str,
        source: &mut dyn Read,
        cancel: &CancelToken,
        request: impl FnOnce(Body) -> F,
    ) -> Result<T, ExecutorError>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (sender, mut receiver) = mpsc::channel(QUEUE);
        let body = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
        let answer = self.0.spawn(request(Box::pin(body)));
        let fed = self.feed(source, &sender, cancel);
        if let Err(source) = fed {
            answer.abort();
            return Err(match source {
                Some(source) => ExecutorError::Stream {
                    what: what.to_owned(),
                    source,
                },
                None => ExecutorError::Cancelled,
            });
        }
        drop(sender);
        let abort = answer.abort_handle();
        match self.block_on_or(cancel, answer) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(lost)) => Err(ExecutorError::Stream {
                what: what.to_owned(),
                source: io::Error::other(lost),
            }),
            Err(cancelled) => {
                abort.abort();
                Err(cancelled)
            }
        }
    }

    /// Moves `source` into the channel until its end, or until the other side has gone, whose answer then says why.
    /// `Err(None)` means cancelled.
    fn feed(
        &self,
        source: &mut dyn Read,
        sender: &mpsc::Sender<io::Result<Vec<u8>>>,
        cancel: &CancelToken,
    ) -> Result<(), Option<io::Error>> {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            source.take(CHUNK as u64).read_to_end(&mut chunk).map_err(Some)?;
            if chunk.is_empty() {
                return Ok(());
            }
            let taken = self.block_on_or(cancel, sender.send(Ok(chunk))).map_err(|_| None)?;
            if taken.is_err() {
                return Ok(());
            }
        }
    }

    /// Makes a blocking reader of an answer's body, which fails once `cancel` fires.
    pub(crate) fn reader<'a, S, B>(&'a self, stream: S, cancel: &'a CancelToken) -> BodyReader<'a>
    where
        S: Stream<Item = Result<B, bollard::errors::Error>> + Send + 'a,
        B: Into<Vec<u8>>,
    {
        BodyReader {
            bridge: self,
            stream: Box::pin(stream.map(|chunk| chunk.map(Into::into))),
            cancel,
            chunk: Vec::new(),
            position: 0,
        }
    }
}

/// A request's body.
pub(crate) type Body = Pin<Box<dyn Stream<Item = io::Result<Vec<u8>>> + Send>>;

/// The body of an answer, read by the caller's thread at the caller's speed.
pub(crate) struct BodyReader<'a> {
    bridge: &'a Bridge,
    stream: Pin<Box<dyn Stream<Item = Result<Vec<u8>, bollard::errors::Error>> + Send + 'a>>,
    cancel: &'a CancelToken,
    chunk: Vec<u8>,
    position: usize,
}

impl BodyReader<'_> {
    /// Waits for the first bytes. An engine answers a request for a path that is not there here, and not with an empty body.
    pub(crate) fn open(&mut self) -> Result<(), OpenError> {
        self.advance()
    }

    fn advance(&mut self) -> Result<(), OpenError> {
        self.position = 0;
        self.chunk = match self.bridge.block_on_or(self.cancel, self.stream.next()) {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(Some(Err(error))) => return Err(OpenError::Engine(error)),
            Ok(None) => Vec::new(),
            Err(_) => return Err(OpenError::Cancelled),
        };
        Ok(())
    }
}

/// Why a body does not go on.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The engine said so, or the connection broke.
    Engine(bollard::errors::Error),
    /// The token fired.
    Cancelled,
}

impl Read for BodyReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position == self.chunk.len() {
            self.advance().map_err(|error| match error {
                OpenError::Engine(error) => io::Error::other(crate::fault::words(&error)),
                // Not `Interrupted`, which readers answer by trying again.
                OpenError::Cancelled => io::Error::other("cancelled"),
            })?;
        }
        let rest = self.chunk.get(self.position..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.position += count;
        Ok(count)
    }
}
