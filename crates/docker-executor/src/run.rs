//! One run, from its container's creation to its removal.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, DownloadFromContainerOptionsBuilder, InspectContainerOptions,
    KillContainerOptionsBuilder, ListContainersOptionsBuilder, ListVolumesOptionsBuilder, RemoveVolumeOptions,
    StartContainerOptions, UploadToContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use farm_executor::{
    CancelToken, Collect, Companion, Executor, ExecutorError, Exit, LogSink, OutputSink, RunSpec, VolumeMount,
};
use futures_util::{StreamExt, TryStreamExt};

use crate::DockerExecutor;
use crate::bridge::{BodyReader, OpenError, fired};
use crate::container::{for_run, oom_kills as parse_oom_kills};
use crate::fault::{is_missing, words};
use crate::guard::Container;

/// How long a cancelled command has for tidying up its volumes before it is killed. Its files are thrown away.
const GRACE: Duration = Duration::from_millis(500);

impl Executor for DockerExecutor {
    fn name(&self) -> &str {
        self.name
    }

    fn run(
        &self,
        spec: &RunSpec,
        log: &mut dyn LogSink,
        outputs: &mut dyn OutputSink,
        cancel: &CancelToken,
    ) -> Result<Exit, ExecutorError> {
        if cancel.is_cancelled() {
            return Err(ExecutorError::Cancelled);
        }
        for volume in &spec.volumes {
            self.provide_volume(volume)?;
        }
        let container = Container::create(self, for_run(spec, self.has_init))?;
        for (index, file) in spec.files.iter().enumerate() {
            let what = format!("upload {} of {} for {}", index + 1, spec.files.len(), spec.name);
            let mut source = file.open().map_err(|source| ExecutorError::Stream {
                what: what.clone(),
                source,
            })?;
            self.upload(&container, &what, &mut *source, cancel)?;
        }
        let exit = self.attend(&container, log, spec.companion.as_deref(), cancel)?;
        self.hand_over(&container, &spec.collect, exit, outputs, cancel)?;
        container.remove()?;
        Ok(exit)
    }

    fn remove_leftovers(&self, label: &str, value: &str) -> Result<usize, ExecutorError> {
        let filter = format!("{label}={value}");
        self.bridge.block_on(async {
            let filters = [("label", vec![filter.as_str()])].into_iter().collect();
            let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
            let containers = self
                .docker
                .list_containers(Some(options))
                .await
                .map_err(|error| self.fault("listing containers", &error))?;
            let ids: Vec<String> = containers.into_iter().filter_map(|container| container.id).collect();
            for id in &ids {
                self.remove_container(id)
                    .await
                    .map_err(|error| self.fault("removing a container", &error))?;
            }
            let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
            let volumes = self
                .docker
                .list_volumes(Some(options))
                .await
                .map_err(|error| self.fault("listing volumes", &error))?;
            for volume in volumes.volumes.unwrap_or_default() {
                match self
                    .docker
                    .remove_volume(&volume.name, None::<RemoveVolumeOptions>)
                    .await
                {
                    Err(error) if !is_missing(&error) => return Err(self.fault("removing a volume", &error)),
                    _ => {}
                }
            }
            Ok(ids.len())
        })
    }
}

impl DockerExecutor {
    /// Makes a volume with its labels, unless it is there. Podman would make it without them when it makes the container.
    fn provide_volume(&self, volume: &VolumeMount) -> Result<(), ExecutorError> {
        let request = VolumeCreateRequest {
            name: Some(volume.volume.clone()),
            labels: Some(volume.labels.clone().into_iter().collect()),
            ..Default::default()
        };
        match self.bridge.block_on(self.docker.create_volume(request)) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.fault(&format!("making the volume {}", volume.volume), &error)),
        }
    }

    /// Unpacks one stream at the root of a container that has not started.
    fn upload(
        &self,
        container: &Container<'_>,
        what: &str,
        source: &mut dyn std::io::Read,
        cancel: &CancelToken,
    ) -> Result<(), ExecutorError> {
        let docker = self.slow.clone();
        let id = container.id().to_owned();
        // A file may replace an empty folder or the other way round: later uploads win, as layers do.
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let answer = self.bridge.send(what, source, cancel, |body| async move {
            docker
                .upload_to_container(&id, Some(options), bollard::body_try_stream(body.map_ok(Into::into)))
                .await
        })?;
        answer.map_err(|error| self.fault(what, &error))
    }

    /// Starts the command, streams its output, and waits for its end.
    fn attend(
        &self,
        container: &Container<'_>,
        log: &mut dyn LogSink,
        companion: Option<&dyn Companion>,
        cancel: &CancelToken,
    ) -> Result<Exit, ExecutorError> {
        self.bridge.block_on(async {
            let id = container.id();
            // Before the start, or the first output is lost.
            let options = AttachContainerOptionsBuilder::new()
                .stream(true)
                .stdout(true)
                .stderr(true)
                .build();
            let mut attached = self
                .slow
                .attach_container(id, Some(options))
                .await
                .map_err(|error| self.fault("attaching to a container", &error))?;
            self.docker
                .start_container(id, None::<StartContainerOptions>)
                .await
                .map_err(|error| self.fault("starting a container", &error))?;
            let mut oom_kills = 0;
            {
                let ending = async {
                    while let Some(output) = attached.output.next().await {
                        let output = output.map_err(|error| self.fault("reading a container's output", &error))?;
                        match &output {
                            LogOutput::StdErr { message } => match parse_oom_kills(message) {
                                Some(count) => oom_kills += count,
                                None => log.output(message),
                            },
                            output => log.output(output.as_ref()),
                        }
                    }
                    // The output also ends when the command closes it and goes on.
                    self.stopped(id)
                        .await
                        .map_err(|error| self.fault("waiting for a container", &error))
                };
                tokio::pin!(ending);
                tokio::select! {
                    ended = &mut ending => ended?,
                    never = self.accompany(id, companion) => match never {},
                    () = fired(cancel) => {
                        let terminate = KillContainerOptionsBuilder::new().signal("SIGTERM").build();
                        // A container that has just ended cannot be signalled; removal comes in any case.
                        let _ = self.docker.kill_container(id, Some(terminate)).await;
                        let _ = tokio::time::timeout(GRACE, ending).await;
                        return Err(ExecutorError::Cancelled);
                    }
                }
            }
            self.exit(id, oom_kills).await
        })
    }

    /// Resolves when the container is not running.
    async fn stopped(&self, id: &str) -> Result<(), Error> {
        let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
        let mut answers = Box::pin(self.slow.wait_container(id, Some(options)));
        match answers.next().await {
            // The client makes an error of every status but 0.
            None | Some(Ok(_) | Err(Error::DockerContainerWaitError { .. })) => Ok(()),
            Some(Err(error)) => Err(error),
        }
    }

    /// How a stopped container ended, of which the kernel killed this many processes for memory.
    async fn exit(&self, id: &str, oom_kills: u64) -> Result<Exit, ExecutorError> {
        let operation = "reading how a container ended";
        let state = self
            .docker
            .inspect_container(id, None::<InspectContainerOptions>)
            .await
            .map_err(|error| self.fault(operation, &error))?
            .state
            .unwrap_or_default();
        let (Some(code), Some(false)) = (state.exit_code, state.running) else {
            return Err(ExecutorError::Engine {
                operation: operation.to_owned(),
                reason: "the engine stopped waiting before the command ended".to_owned(),
            });
        };
        // A killed child may have been tried again with success; then nothing was lost.
        if code != 0 && (oom_kills > 0 || state.oom_killed == Some(true)) {
            return Ok(Exit::OutOfMemory);
        }
        Ok(Exit::Code(code))
    }

    /// Hands over what was asked for, for this way of ending.
    fn hand_over(
        &self,
        container: &Container<'_>,
        collect: &[Collect],
        exit: Exit,
        outputs: &mut dyn OutputSink,
        cancel: &CancelToken,
    ) -> Result<(), ExecutorError> {
        for wanted in collect {
            let (path, due, required) = match wanted {
                Collect::OnSuccess(path) => (path, exit.success(), true),
                Collect::OnFailure(path) => (path, !exit.success(), false),
            };
            if !due {
                continue;
            }
            match self.download(container, path, cancel)? {
                Some(mut tar) => {
                    if let Err(source) = outputs.collected(path, &mut tar) {
                        if cancel.is_cancelled() {
                            return Err(ExecutorError::Cancelled);
                        }
                        return Err(ExecutorError::Stream {
                            what: format!("collecting {path}"),
                            source,
                        });
                    }
                }
                None if required => outputs.absent(path),
                None => {}
            }
        }
        Ok(())
    }

    /// Opens a path of a stopped or never started container as a tar; `None` when it is not there.
    pub(crate) fn download<'a>(
        &'a self,
        container: &Container<'_>,
        path: &str,
        cancel: &'a CancelToken,
    ) -> Result<Option<BodyReader<'a>>, ExecutorError> {
        let mut reader = if path == "/" {
            self.bridge.reader(self.slow.export_container(container.id()), cancel)
        } else {
            let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
            self.bridge
                .reader(self.slow.download_from_container(container.id(), Some(options)), cancel)
        };
        match reader.open() {
            Ok(()) => Ok(Some(reader)),
            Err(OpenError::Cancelled) => Err(ExecutorError::Cancelled),
            Err(OpenError::Engine(error)) if is_no_such_path(&error) => Ok(None),
            Err(OpenError::Engine(error)) => Err(self.fault(&format!("reading {path}"), &error)),
        }
    }
}

/// Whether a download failed because the path is not there. A file where the path wants a folder counts as well, which
/// engines report as a failure of their own.
fn is_no_such_path(error: &Error) -> bool {
    is_missing(error) || words(error).contains("not a directory")
}
