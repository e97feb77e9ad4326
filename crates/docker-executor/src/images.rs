//! The images an engine keeps.

use std::io::Read;

use bollard::models::ImageInspect;
use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder};
use farm_executor::{CancelToken, ExecutorError, ImageId, ImageInfo, ImageStore, Progress, PushedImage};

use crate::DockerExecutor;
use crate::bridge::OpenError;
use crate::container::for_reading;
use crate::credentials;
use crate::fault::is_missing;
use crate::guard::Container;
use crate::reference::{Reference, is_image_id};

impl ImageStore for DockerExecutor {
    fn resolve(&self, reference: &str) -> Result<String, ExecutorError> {
        if is_image_id(reference) {
            return match self.inspect(reference)? {
                Some(info) => Ok(info.id.0),
                None => Err(ExecutorError::NoSuchImage {
                    image: reference.to_owned(),
                }),
            };
        }
        let parts = Reference::split(reference);
        if let Some(digest) = parts.digest {
            return Ok(digest.to_owned());
        }
        let served = match self.name {
            "podman" => self.resolve_by_pulling(reference),
            _ => self.resolve_by_asking(reference),
        };
        let refused = match served {
            Ok(digest) => return Ok(digest),
            Err(refused) => refused,
        };
        // An image that once came from a registry has a name there: when the registry does not answer now, what is here may
        // be old, and must not pass for what the name means today.
        match self.inspect(reference)? {
            Some(info) if digest_in(&info, reference).is_none() => Ok(info.id.0),
            _ => Err(refused),
        }
    }

    fn tags(&self, reference: &str) -> Result<Vec<String>, ExecutorError> {
        self.tags_by_asking(reference)
    }

    fn pull(
        &self,
        reference: &str,
        progress: &mut dyn Progress,
        cancel: &CancelToken,
    ) -> Result<ImageInfo, ExecutorError> {
        if let Some(info) = self.inspect(reference)? {
            return Ok(info);
        }
        let missing = || ExecutorError::NoSuchImage {
            image: reference.to_owned(),
        };
        if is_image_id(reference) {
            return Err(missing());
        }
        self.transfer_in(reference, progress, cancel)?;
        self.inspect(reference)?.ok_or_else(missing)
    }

    fn inspect(&self, image: &str) -> Result<Option<ImageInfo>, ExecutorError> {
        match self.bridge.block_on(self.docker.inspect_image(image)) {
            Ok(inspected) => Ok(Some(info(inspected))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.fault(&format!("inspecting image {image}"), &error)),
        }
    }

    fn list_labelled(&self, label: &str, value: Option<&str>) -> Result<Vec<ImageId>, ExecutorError> {
        let filter = value.map_or_else(|| label.to_owned(), |value| format!("{label}={value}"));
        let filters = [("label", vec![filter])].into_iter().collect();
        let options = ListImagesOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self
            .bridge
            .block_on(self.docker.list_images(Some(options)))
            .map_err(|error| self.fault("listing images", &error))?;
        let mut ids: Vec<ImageId> = listed.into_iter().map(|image| with_algorithm(image.id)).collect();
        ids.sort();
        ids.dedup();
        Ok(ids)
    }

    fn load(&self, archive: &mut (dyn Read + Send)) -> Result<bool, ExecutorError> {
        self.load_archive(archive)
    }

    fn tag(&self, image: &ImageId, reference: &str) -> Result<(), ExecutorError> {
        let parts = Reference::split(reference);
        let options = TagImageOptionsBuilder::new()
            .repo(parts.name)
            .tag(parts.tag.unwrap_or("latest"))
            .build();
        match self.bridge.block_on(self.docker.tag_image(&image.0, Some(options))) {
            Ok(()) => Ok(()),
            Err(error) if is_missing(&error) => Err(ExecutorError::NoSuchImage { image: image.0.clone() }),
            Err(error) => Err(self.fault(&format!("naming an image {reference}"), &error)),
        }
    }

    fn push(
        &self,
        reference: &str,
        progress: &mut dyn Progress,
        cancel: &CancelToken,
    ) -> Result<PushedImage, ExecutorError> {
        self.transfer_out(reference, progress, cancel)
    }

    fn remove_image(&self, image: &str) -> Result<(), ExecutorError> {
        // By its id, because removing a name leaves the image when it has another.
        let Some(info) = self.inspect(image)? else {
            return Ok(());
        };
        let options = RemoveImageOptionsBuilder::new().force(true).build();
        match self
            .bridge
            .block_on(self.slow.remove_image(&info.id.0, Some(options), None))
        {
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(self.fault(&format!("removing image {image}"), &error)),
        }
    }

    fn save(
        &self,
        image: &ImageId,
        sink: &mut dyn FnMut(&mut dyn Read) -> std::io::Result<()>,
    ) -> Result<(), ExecutorError> {
        let operation = || format!("saving image {image}");
        let cancel = CancelToken::new();
        let mut archive = self.bridge.reader(self.slow.export_image(&image.0), &cancel);
        match archive.open() {
            Ok(()) => {}
            Err(OpenError::Cancelled) => return Err(ExecutorError::Cancelled),
            // Docker has no status of its own for an image that is not there.
            Err(OpenError::Engine(_)) if self.inspect(&image.0)?.is_none() => {
                return Err(ExecutorError::NoSuchImage { image: image.0.clone() });
            }
            Err(OpenError::Engine(error)) => return Err(self.fault(&operation(), &error)),
        }
        sink(&mut archive).map_err(|source| ExecutorError::Stream {
            what: operation(),
            source,
        })
    }

    fn read_path(
        &self,
        image: &ImageId,
        path: &str,
        sink: &mut dyn FnMut(&mut dyn Read) -> std::io::Result<()>,
    ) -> Result<(), ExecutorError> {
        let container = Container::create(self, for_reading(image))?;
        let cancel = CancelToken::new();
        let operation = || format!("reading {path} of image {image}");
        let Some(mut tar) = self.download(&container, path, &cancel)? else {
            return Err(ExecutorError::Engine {
                operation: operation(),
                reason: "no such file or folder".to_owned(),
            });
        };
        sink(&mut tar).map_err(|source| ExecutorError::Stream {
            what: operation(),
            source,
        })?;
        drop(tar);
        container.remove()
    }
}

impl DockerExecutor {
    /// Has the engine ask the registry for the digest of a name, which transfers nothing.
    fn resolve_by_asking(&self, reference: &str) -> Result<String, ExecutorError> {
        let credentials = credentials::find(self.credentials.as_deref(), reference)?;
        let answer = self
            .bridge
            .block_on(self.docker.inspect_registry_image(reference, credentials))
            .map_err(|error| self.registry_fault(reference, &error))?;
        answer.descriptor.digest.ok_or_else(|| ExecutorError::Registry {
            reference: reference.to_owned(),
            reason: "the registry does not say which digest the name has".to_owned(),
        })
    }

    /// The same for an engine that cannot ask: it pulls, which transfers only what is new, and knows the digest then.
    fn resolve_by_pulling(&self, reference: &str) -> Result<String, ExecutorError> {
        struct Silent;
        impl Progress for Silent {
            fn progress(&mut self, _line: &str) {}
        }
        self.transfer_in(reference, &mut Silent, &CancelToken::new())?;
        let pulled = self.inspect(reference)?;
        pulled
            .and_then(|info| digest_in(&info, reference))
            .ok_or_else(|| ExecutorError::Registry {
                reference: reference.to_owned(),
                reason: "the engine does not say which digest the name has".to_owned(),
            })
    }
}

/// The digest under which `reference`'s registry knows the image, when the image was pulled from there or pushed there.
pub(crate) fn digest_in(info: &ImageInfo, reference: &str) -> Option<String> {
    let name = Reference::split(reference).familiar_name();
    info.repo_digests.iter().find_map(|known| {
        let known = Reference::split(known);
        (known.familiar_name() == name).then_some(known.digest?.to_owned())
    })
}

/// An engine's description in the executor's terms. Podman leaves the algorithm out of ids.
fn info(inspected: ImageInspect) -> ImageInfo {
    let config = inspected.config.unwrap_or_default();
    ImageInfo {
        id: with_algorithm(inspected.id.unwrap_or_default()),
        layers: inspected.root_fs.and_then(|root| root.layers).unwrap_or_default(),
        env: config.env.unwrap_or_default(),
        entrypoint: config.entrypoint.unwrap_or_default(),
        cmd: config.cmd.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        workdir: config.working_dir.unwrap_or_default(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        repo_digests: inspected.repo_digests.unwrap_or_default(),
        tags: inspected.repo_tags.unwrap_or_default(),
        architecture: inspected.architecture.unwrap_or_default(),
        os: inspected.os.unwrap_or_default(),
    }
}

fn with_algorithm(id: String) -> ImageId {
    ImageId(if id.starts_with("sha256:") {
        id
    } else {
        format!("sha256:{id}")
    })
}
