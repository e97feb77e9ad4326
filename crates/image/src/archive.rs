//! Docker archives: what `docker load` takes.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::Serialize;

use crate::oci::ImageConfig;
use crate::sha256::Sha256;
use crate::tar_write::{Attributes, Body, TarWriter};

/// One layer of an image to be loaded.
pub struct ArchiveLayer<'a> {
    /// SHA-256 of the uncompressed tar.
    pub diff_id: Sha256,
    /// Length and bytes of the tar. `None` leaves it out, which an engine accepts if it has that layer on the same layers
    /// below already; otherwise the load fails and names the missing file.
    pub content: Option<(u64, Box<dyn Read + 'a>)>,
}

impl fmt::Debug for ArchiveLayer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.content.as_ref().map(|(size, _)| size);
        f.debug_struct("ArchiveLayer")
            .field("diff_id", &self.diff_id)
            .field("size", &size)
            .finish()
    }
}

/// Why no archive could be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The layers are not those that the configuration lists (a bug of the caller's).
    #[error("the layers given are not those of the image's configuration")]
    OtherLayers,
    /// A layer could not be read or the archive not written (environment).
    #[error("failed to write an image archive")]
    Io(#[from] io::Error),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest<'a> {
    config: String,
    repo_tags: &'a [String],
    layers: Vec<String>,
}

/// Writes an image as a docker archive: `manifest.json`, the configuration as `ID.json`, and the layers as `DIFF_ID.tar`,
/// each once. Docker 20.10 and everything after it loads this form; layers are never compressed. Returns the image's id.
///
/// # Errors
/// See [`ArchiveError`].
pub fn docker_archive(
    config: &ImageConfig,
    layers: Vec<ArchiveLayer<'_>>,
    repo_tags: &[String],
    out: &mut dyn Write,
) -> Result<Sha256, ArchiveError> {
    if layers
        .iter()
        .map(|layer| layer.diff_id)
        .ne(config.diff_ids.iter().copied())
    {
        return Err(ArchiveError::OtherLayers);
    }
    let json = config.to_json();
    let id = Sha256::of(&json);
    let manifest = Manifest {
        config: format!("{}.json", id.to_hex()),
        repo_tags,
        layers: layers.iter().map(|layer| layer_name(layer.diff_id)).collect(),
    };
    let manifest_json = serde_json::to_vec(&[&manifest]).map_err(io::Error::from)?;
    let mut tar = TarWriter::new(io::BufWriter::with_capacity(1 << 16, out), config.epoch);
    let attributes = Attributes {
        mode: 0o644,
        ..Attributes::default()
    };
    let mut put = |name: &str, size: u64, content: &mut dyn Read| {
        tar.append(Path::new(name), attributes, Body::File { size, content })
    };
    put(
        "manifest.json",
        manifest_json.len() as u64,
        &mut manifest_json.as_slice(),
    )?;
    put(&manifest.config, json.len() as u64, &mut json.as_slice())?;
    let mut written = BTreeSet::new();
    for layer in layers {
        if let Some((size, mut content)) = layer.content
            && written.insert(layer.diff_id)
        {
            put(&layer_name(layer.diff_id), size, &mut content)?;
        }
    }
    tar.finish()?;
    Ok(id)
}

fn layer_name(diff_id: Sha256) -> String {
    format!("{}.tar", diff_id.to_hex())
}
