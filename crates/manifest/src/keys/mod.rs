//! The one table of the manifest's keys: what the reader accepts, what messages suggest, and what the schema says.

mod binfarm;
mod farm;
mod packages;

pub(crate) use self::binfarm::{ARCHIVE, BASE_HOSTED, BASE_IMAGE, BASE_STAGE3, BINFARM, GIT, LIMITS, REPO};
pub(crate) use self::farm::{
    DISTFILES, FARM, IMAGE, LIVE_CHECKOUT, PUBLISH, PUBLISH_IMAGES, PUBLISH_PKGS, SECRET, SETTINGS, STAGE, SUBJECT,
    TASK,
};
pub(crate) use self::packages::{DEP, PACKAGE};

/// The keys that a map takes.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its name in the schema, and in messages.
    pub(crate) name: &'static str,
    /// One line on what it is.
    pub(crate) doc: &'static str,
    /// The keys in the order in which people write them.
    pub(crate) keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// One line, or a few, on what it means.
    pub(crate) doc: &'static str,
    pub(crate) shape: &'static Shape,
    /// Must be there.
    pub(crate) required: bool,
}

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Any text; numbers and truth values are taken as written.
    Text,
    /// A whole number, or a text of its digits.
    Number,
    /// `true` or `false`.
    Boolean,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A list.
    List(&'static Self),
    /// A map from names that the user chooses.
    Map(&'static Self),
    /// A map with fixed keys.
    Section(&'static Section),
    /// A section that is read later: anything.
    Anything,
    /// One of several.
    Either(&'static [&'static Self]),
}

impl Section {
    /// Finds a key by its name.
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

const fn key(name: &'static str, shape: &'static Shape, doc: &'static str) -> Key {
    Key {
        name,
        doc,
        shape,
        required: false,
    }
}

const fn required(name: &'static str, shape: &'static Shape, doc: &'static str) -> Key {
    Key {
        name,
        doc,
        shape,
        required: true,
    }
}

static TEXT: Shape = Shape::Text;
static NUMBER: Shape = Shape::Number;
static BOOLEAN: Shape = Shape::Boolean;
static TEXTS: Shape = Shape::List(&TEXT);
static TEXT_MAP: Shape = Shape::Map(&TEXT);
