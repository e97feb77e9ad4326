//! In what two outputs of one node differ, for `--rebuild`: part by part, in words.
//!
//! Every kind of output is brought into one shape, parts by name, before it is compared: only what the output's digest knows
//! is in it, so that a difference that is named is one that counts.

mod package;
mod parts;
mod trees;

use std::collections::BTreeMap;

use farm_engine::{Difference, Digest, Failure, FailureKind, Guard, Output};
use farm_executor::ImageId;
use farm_image::Index;
use farm_store::Blob;

use self::parts::{Parts, compare};
use super::quickpkg;
use super::repo::RepoListing;
use crate::context::{Context, executor_failure};
use crate::place::Place;

/// In what the outputs that were made now differ from those of `former`. What cannot be read any more is said so, as one more
/// difference: that there is one is certain.
#[must_use]
pub fn of(context: &Context, former: &Guard, now: &[Output]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for output in now {
        let other = former.outputs.iter().find(|other| other.role == output.role);
        let Some(other) = other.filter(|other| other.digest != output.digest) else {
            continue;
        };
        match of_output(context, other, output) {
            Ok(found) => differences.extend(found),
            Err(failure) => {
                let what = format!("content, which cannot be compared: {}", failure.message);
                differences.push(Difference::new(&output.role, what));
            }
        }
    }
    differences
}

fn of_output(context: &Context, former: &Output, now: &Output) -> Result<Vec<Difference>, Failure> {
    let places = (Place::parse(&former.place), Place::parse(&now.place));
    let (Some(former), Some(now_at)) = places else {
        return Ok(Vec::new());
    };
    let role = now.role.as_str();
    Ok(match (former, now_at) {
        (Place::Files { files: former, .. }, Place::Files { files: now, .. }) => {
            compare(&trees::of_files(&former), &trees::of_files(&now))
        }
        (Place::Blobs { blobs: former }, Place::Blobs { blobs: now }) => {
            if let (Some(former), Some(now)) = (former.get("package"), now.get("package")) {
                compare(&package::parts(context, former)?, &package::parts(context, now)?)
            } else if let (Some(former), Some(now)) = (former.get("listing"), now.get("listing")) {
                compare(&listing(context, former)?, &listing(context, now)?)
            } else if role == quickpkg::ROLE {
                let payloads = |blobs| quickpkg::payloads(context, blobs);
                compare(&of_payloads(payloads(&former)?), &of_payloads(payloads(&now)?))
            } else {
                Vec::new()
            }
        }
        (Place::Store { blob: former }, Place::Store { blob: now }) => match role {
            "index" => compare(&index(context, &former)?, &index(context, &now)?),
            // Read from the files that the index lists.
            "installed" => Vec::new(),
            _ => vec![Difference::new(role, parts::content(former.size, now.size))],
        },
        (Place::Image { id: former, .. }, Place::Image { id: now, .. }) => {
            compare(&configuration(context, &former)?, &configuration(context, &now)?)
        }
        // Said of what it was taken from.
        (Place::Stage(_), Place::Stage(_)) | (Place::Nowhere, Place::Nowhere) => Vec::new(),
        _ => vec![Difference::new(role, "content")],
    })
}

/// The packages of a base, by what is in each.
fn of_payloads(payloads: BTreeMap<String, Digest>) -> Parts {
    let payloads = payloads.into_iter();
    payloads
        .map(|(cpv, payload)| (cpv, parts::value(&payload.short())))
        .collect()
}

fn index(context: &Context, blob: &Blob) -> Result<Parts, Failure> {
    let index = Index::decode(&context.read(blob)?)
        .map_err(|error| Failure::new(FailureKind::Bug, format!("an index of the store: {error}")))?;
    Ok(trees::of_index(&index))
}

fn listing(context: &Context, blob: &Blob) -> Result<Parts, Failure> {
    let listing: RepoListing = serde_json::from_slice(&context.read(blob)?)
        .map_err(|error| Failure::new(FailureKind::Bug, format!("a repository's listing: {error}")))?;
    Ok(trees::of_listing(&listing))
}

/// What an image is beside its files, which its index has.
fn configuration(context: &Context, image: &ImageId) -> Result<Parts, Failure> {
    let info = context
        .executor()?
        .inspect(&image.0)
        .map_err(|error| executor_failure(&error))?
        .ok_or_else(|| Failure::new(FailureKind::Environment, format!("image {image} is gone")))?;
    let mut parts = Parts::new();
    for line in &info.env {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        parts.insert(format!("configuration/env/{name}"), parts::value(value));
    }
    for (name, value) in &info.labels {
        parts.insert(format!("configuration/label/{name}"), parts::value(value));
    }
    for (name, value) in [
        ("architecture", info.architecture),
        ("cmd", info.cmd.join(" ")),
        ("entrypoint", info.entrypoint.join(" ")),
        ("os", info.os),
        ("user", info.user),
        ("workdir", info.workdir),
    ] {
        parts.insert(format!("configuration/{name}"), parts::value(&value));
    }
    Ok(parts)
}
