//! Standard output: results, and nothing else.

use std::io::{self, Write};

use crate::error::CliError;

/// Writes results. After the first failure nothing more is written: a reader that is gone (`farm graph | head`) is no error, and
/// a build goes on without its audience.
pub(crate) struct Results {
    out: Box<dyn Write + Send>,
    failure: Option<io::Error>,
}

impl Results {
    /// Results on standard output.
    pub(crate) fn stdout() -> Self {
        Self::new(Box::new(io::BufWriter::new(io::stdout())))
    }

    fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out, failure: None }
    }

    /// One line.
    pub(crate) fn line(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.bytes(b"\n");
    }

    /// A JSON value on a line of its own.
    pub(crate) fn json(&mut self, value: &serde_json::Value) {
        self.line(&value.to_string());
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        if self.failure.is_none() {
            self.failure = self.out.write_all(bytes).err();
        }
    }

    /// Hands everything on to the reader.
    pub(crate) fn flush(&mut self) {
        if self.failure.is_none() {
            self.failure = self.out.flush().err();
        }
    }

    /// Writes out what is left.
    ///
    /// # Errors
    ///
    /// The environment's: results were lost, on a full disk say. A reader that had enough is none.
    pub(crate) fn finish(mut self) -> Result<(), CliError> {
        self.flush();
        match self.failure.take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::environment(format!(
                "cannot write to standard output: {error}"
            ))),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Results {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Results")
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn ending(kind: io::ErrorKind) -> Result<(), CliError> {
        let mut results = Results::new(Box::new(Broken(kind)));
        results.line("a");
        results.line("b");
        results.finish()
    }

    #[test]
    fn a_reader_that_is_gone_is_no_error() {
        assert_eq!(ending(io::ErrorKind::BrokenPipe), Ok(()));
    }

    #[test]
    fn a_full_disk_is() {
        assert!(
            ending(io::ErrorKind::StorageFull)
                .unwrap_err()
                .message
                .contains("standard output")
        );
    }
}
