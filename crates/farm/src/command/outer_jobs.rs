//! The job server that whoever started farm may run.

use std::sync::{Arc, OnceLock};

use farm_engine::{Event, EventSink, TokenSource};
use farm_job_tokens::{Client, Invitation};

/// What farm was told of a job server when it was started, and its place among that server's clients once it took it.
#[derive(Debug, Default)]
pub struct OuterJobs {
    makeflags: Option<String>,
    client: OnceLock<Option<Arc<Client>>>,
}

/// How many jobs there may be, and who has the tokens for them.
pub(super) struct Jobs {
    /// The bound, at least 1.
    pub(super) count: usize,
    /// Whose tokens they are; `None` is farm's own.
    pub(super) tokens: Option<Arc<dyn TokenSource>>,
}

impl OuterJobs {
    /// What `MAKEFLAGS` says, if it is set.
    #[must_use]
    pub fn new(makeflags: Option<String>) -> Self {
        Self {
            makeflags,
            client: OnceLock::new(),
        }
    }

    /// Gives back whatever farm took. For a process that ends without ending its run.
    pub fn leave(&self) {
        if let Some(Some(client)) = self.client.get() {
            client.leave();
        }
    }

    /// The jobs of a run: `asked` on the command line, else those of the job server, else one a processor.
    ///
    /// As with make: a number on the command line means a pool of its own, and a job server that is closed to farm leaves it one
    /// job. Both are told.
    pub(super) fn jobs(&self, asked: Option<usize>, events: &dyn EventSink) -> Jobs {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let own = |count| Jobs { count, tokens: None };
        let note = |message: String| events.event(&Event::Note { message });
        let Some(invitation) = self.makeflags.as_deref().and_then(Invitation::parse) else {
            return own(asked.unwrap_or(processors));
        };
        if let Some(count) = asked {
            note(format!(
                "-j{count}: the job server of the make that started farm is not used"
            ));
            return own(count);
        }
        let open = || match Client::open(&invitation.auth) {
            Ok(client) => Some(Arc::new(client)),
            Err(error) => {
                note(format!(
                    "the job server of the make that started farm cannot be used: {error}; one job at a time (put + before \
                     the command in the makefile)"
                ));
                None
            }
        };
        match self.client.get_or_init(open) {
            Some(client) => Jobs {
                count: invitation.jobs.unwrap_or(processors),
                tokens: Some(Arc::clone(client) as Arc<dyn TokenSource>),
            },
            None => own(1),
        }
    }
}
