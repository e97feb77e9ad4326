//! The program beside a run's command.

use std::convert::Infallible;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use farm_executor::Companion;
use futures_util::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::DockerExecutor;

/// How often a companion is asked whether there is something to say to its program.
const ASK: Duration = Duration::from_millis(20);

impl DockerExecutor {
    /// Serves the companion for as long as this is polled; with none, or when it is gone, that is all.
    pub(crate) async fn accompany(&self, container: &str, companion: Option<&dyn Companion>) -> Infallible {
        if let Some(companion) = companion {
            // Why does not matter: the run goes on without.
            let _ = self.serve(container, companion).await;
            companion.gone();
        }
        std::future::pending().await
    }

    async fn serve(&self, container: &str, companion: &dyn Companion) -> Result<(), Error> {
        let first = next_input(companion).await;
        let created = self
            .docker
            .create_exec(
                container,
                CreateExecOptions {
                    attach_stdin: Some(true),
                    attach_stdout: Some(true),
                    user: Some("0".to_owned()),
                    cmd: Some(companion.argv()),
                    ..Default::default()
                },
            )
            .await?;
        let started = self.slow.start_exec(&created.id, None::<StartExecOptions>).await?;
        let StartExecResults::Attached { mut output, mut input } = started else {
            return Ok(());
        };
        tell(&mut input, &first).await?;
        loop {
            tokio::select! {
                said = output.next() => match said {
                    Some(said) => {
                        if let LogOutput::StdOut { message } = said? {
                            companion.output(&message);
                        }
                    }
                    None => return Ok(()),
                },
                words = next_input(companion) => tell(&mut input, &words).await?,
            }
        }
    }
}

/// Waits until there is something to say.
async fn next_input(companion: &dyn Companion) -> Vec<u8> {
    loop {
        if let Some(words) = companion.input() {
            return words;
        }
        tokio::time::sleep(ASK).await;
    }
}

async fn tell(input: &mut (impl AsyncWrite + Unpin), words: &[u8]) -> Result<(), Error> {
    input.write_all(words).await?;
    input.flush().await?;
    Ok(())
}
