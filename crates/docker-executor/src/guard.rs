//! A container that cannot be forgotten.

use bollard::errors::Error;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptions, RemoveContainerOptionsBuilder};
use farm_executor::ExecutorError;

use crate::DockerExecutor;
use crate::fault;

/// A container, removed with its anonymous volumes when this is dropped, whatever state it is in: also when a sink of the
/// caller's panics.
pub(crate) struct Container<'a> {
    executor: &'a DockerExecutor,
    id: String,
    removed: bool,
}

impl<'a> Container<'a> {
    /// Makes a container without starting it.
    pub(crate) fn create(executor: &'a DockerExecutor, mut body: ContainerCreateBody) -> Result<Self, ExecutorError> {
        let image = body.image.clone().unwrap_or_default();
        let labels = body.labels.get_or_insert_default();
        for (key, value) in &executor.labels {
            labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
        let created = executor
            .bridge
            .block_on(executor.docker.create_container(None::<CreateContainerOptions>, body));
        match created {
            Ok(created) => Ok(Self {
                executor,
                id: created.id,
                removed: false,
            }),
            // The command is looked up at the start, not here: all that can be missing is the image.
            Err(error) if fault::is_missing(&error) => Err(ExecutorError::NoSuchImage { image }),
            Err(error) => Err(executor.fault("creating a container", &error)),
        }
    }

    /// The engine's id of the container.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Removes the container and says if that failed, which dropping cannot.
    pub(crate) fn remove(mut self) -> Result<(), ExecutorError> {
        self.removed = true;
        let executor = self.executor;
        executor
            .bridge
            .block_on(executor.remove_container(&self.id))
            .map_err(|error| executor.fault("removing a container", &error))
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        if !self.removed {
            // Nobody is left to tell; the labels lead the next run's clean-up to what remains.
            let _ = self.executor.bridge.block_on(self.executor.remove_container(&self.id));
        }
    }
}

impl DockerExecutor {
    /// Kills and removes a container with its anonymous volumes. One that has gone, or that somebody else is removing at
    /// this moment, is as good as removed.
    pub(crate) async fn remove_container(&self, id: &str) -> Result<(), Error> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.slow.remove_container(id, Some(options)).await {
            Err(error) if fault::is_missing(&error) => Ok(()),
            Err(error) if fault::status(&error) == Some(409) && fault::words(&error).contains("in progress") => Ok(()),
            other => other,
        }
    }
}
