//! Outputs of which no `stat` tells whether they are there: images and processor of an engine, folders that are published, images in a
//! registry, and what somebody signed.

use farm_engine::Presence;
use farm_executor::ImageId;

use crate::context::Context;
use crate::place::Place;
use crate::processor;
use crate::rules::{publish_images, publish_pkgs, stage};

/// What was asked about one such output, so that it can be asked again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// The place as guards keep it.
    pub place: String,
    /// What is expected of it: of an image the name under which people look for it, of a publication or a stage the key that signs it.
    pub name: Option<String>,
}

/// What was answered.
pub struct Answer {
    /// Whether it is there.
    pub presence: Presence,
    /// An image that is there without its name.
    pub unnamed: Option<ImageId>,
}

impl From<Presence> for Answer {
    fn from(presence: Presence) -> Self {
        Self {
            presence,
            unnamed: None,
        }
    }
}

/// Asks whoever knows; `None` for a place where `stat` reaches. `name` is the one an image should have, or the key that should have
/// signed a publication or a stage.
#[must_use]
pub fn ask(context: &Context, place: &Place, name: Option<&str>) -> Option<Answer> {
    match place {
        Place::Nowhere | Place::Store { .. } | Place::Blobs { .. } | Place::Files { .. } => None,
        Place::Image { id, .. } => Some(ask_engine(context, id, name)),
        Place::Processor { processor, root } => Some(processor::presence(context, processor, root).into()),
        Place::Stage(placed) => Some(stage::presence(context, placed, name).into()),
        Place::Published { to, index } => Some(publish_pkgs::presence(context, to, index, name).into()),
        Place::Pushed { reference, digest } => Some(publish_images::presence(context, reference, digest).into()),
    }
}

fn ask_engine(context: &Context, id: &ImageId, name: Option<&str>) -> Answer {
    let found = context
        .executor()
        .map(|executor| (executor.name(), executor.inspect(&id.0)));
    match found {
        Ok((engine, Ok(None))) => Presence::Lost(format!("its image is gone from {engine}")).into(),
        Ok((_, Ok(Some(info)))) => Answer {
            presence: Presence::Present,
            unnamed: name
                .filter(|name| !info.tags.iter().any(|tag| tag == name))
                .map(|_| id.clone()),
        },
        // An engine that does not answer does not lose images, and a run with nothing to do needs none.
        _ => Presence::Present.into(),
    }
}

impl Asked {
    /// Whether the answer is that it is there, by its name.
    #[must_use]
    pub fn holds(&self, context: &Context) -> bool {
        Place::parse(&self.place)
            .and_then(|place| ask(context, &place, self.name.as_deref()))
            .is_some_and(|answer| answer.presence == Presence::Present && answer.unnamed.is_none())
    }
}
