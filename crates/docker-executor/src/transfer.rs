//! Images on their way into the engine and out of it.

use std::io::Read;

use bollard::errors::Error;
use bollard::query_parameters::{CreateImageOptionsBuilder, ImportImageOptionsBuilder, PushImageOptionsBuilder};
use farm_executor::{CancelToken, ExecutorError, ImageStore, Progress, PushedImage};
use futures_util::{StreamExt, TryStreamExt};

use crate::DockerExecutor;
use crate::credentials;
use crate::fault::words;
use crate::images::digest_in;
use crate::progress::Transfer;
use crate::reference::Reference;

impl DockerExecutor {
    /// Pulls `reference` from its registry.
    pub(crate) fn transfer_in(
        &self,
        reference: &str,
        progress: &mut dyn Progress,
        cancel: &CancelToken,
    ) -> Result<(), ExecutorError> {
        let parts = Reference::split(reference);
        let credentials = credentials::find(self.credentials.as_deref(), reference)?;
        let options = CreateImageOptionsBuilder::new()
            .from_image(parts.name)
            .tag(parts.tag_or_digest())
            .build();
        self.bridge.block_on_or(cancel, async {
            let mut events = Box::pin(self.slow.create_image(Some(options), None, credentials));
            let mut transfer = Transfer::new();
            while let Some(event) = events.next().await {
                let event = event.map_err(|error| self.registry_fault(reference, &error))?;
                let detail = event.progress_detail.unwrap_or_default();
                let status = event.status.unwrap_or_default();
                if let Some(line) = transfer.event(event.id.as_deref(), &status, detail.current, detail.total) {
                    progress.progress(&line);
                }
            }
            Ok(())
        })?
    }

    /// Pushes `reference` to its registry and returns the digest it has there.
    pub(crate) fn transfer_out(
        &self,
        reference: &str,
        progress: &mut dyn Progress,
        cancel: &CancelToken,
    ) -> Result<PushedImage, ExecutorError> {
        let parts = Reference::split(reference);
        let tag = parts.tag.unwrap_or("latest");
        let credentials = credentials::find(self.credentials.as_deref(), reference)?;
        let options = PushImageOptionsBuilder::new().tag(tag).build();
        let said = self.bridge.block_on_or(cancel, async {
            let mut events = Box::pin(self.slow.push_image(parts.name, Some(options), credentials));
            let mut transfer = Transfer::new();
            let mut said = None;
            while let Some(event) = events.next().await {
                let event = event.map_err(|error| self.registry_fault(reference, &error))?;
                let status = event.status.unwrap_or_default();
                said = said.or_else(|| digest_said(&status));
                if let Some(line) = transfer.anonymous_event(&status) {
                    progress.progress(&line);
                }
            }
            Ok(said)
        })??;
        let digest = match said {
            Some(digest) => Some(digest),
            None => self.inspect(reference)?.and_then(|info| digest_in(&info, reference)),
        };
        match digest {
            Some(digest) => Ok(PushedImage {
                reference: format!("{}:{tag}", parts.name),
                digest,
            }),
            None => Err(ExecutorError::Registry {
                reference: reference.to_owned(),
                reason: "the push ended without a digest".to_owned(),
            }),
        }
    }

    /// Streams a docker-archive into the engine; `false` when it leaves out a layer that the engine does not have.
    pub(crate) fn load_archive(&self, archive: &mut dyn Read) -> Result<bool, ExecutorError> {
        let docker = self.slow.clone();
        let options = ImportImageOptionsBuilder::new().quiet(true).build();
        let answer = self
            .bridge
            .send("the image archive", archive, &CancelToken::new(), |body| async move {
                let body = body.map_ok(Into::into);
                docker
                    .import_image_stream(options, body, None)
                    .try_for_each(|_| async { Ok(()) })
                    .await
            })?;
        match answer {
            Ok(()) => Ok(true),
            Err(error) if is_missing_layer(&error) => Ok(false),
            Err(error) => Err(self.fault("loading an image", &error)),
        }
    }
}

/// The digest in the last words of a push: `TAG: digest: sha256:… size: N`.
fn digest_said(status: &str) -> Option<String> {
    let (_, rest) = status.split_once("digest: ")?;
    rest.split(' ')
        .next()
        .filter(|digest| digest.starts_with("sha256:"))
        .map(str::to_owned)
}

/// Whether a load failed because a layer that the archive's manifest names is not in it.
///
/// Podman tries all formats it knows, says why it is none of them, and wants every layer in every archive. Docker opens the
/// layer's file and passes on the system's words, or with containerd's store looks for the content by digest. An archive
/// without a manifest reads alike: the engine then looks for the file that manifests replaced.
fn is_missing_layer(error: &Error) -> bool {
    let words = words(error);
    if words.contains("supported image formats") {
        return words.contains("layer tarfiles are missing");
    }
    let content = words.contains("not found") && (words.contains("content digest") || words.contains("blob"));
    let file = words.contains("no such file or directory") && !words.contains("/repositories:");
    content || file
}
