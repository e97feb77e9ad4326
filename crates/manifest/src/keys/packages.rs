//! `packages:` in all its places.

use super::{BOOLEAN, Section, Shape, TEXT, TEXTS, key};

pub(crate) static PACKAGES_SHAPE: Shape = Shape::Either(&[&Shape::Map(&Shape::Section(&PACKAGE)), &TEXTS, &TEXT]);
static DEPS: Shape = Shape::Map(&Shape::Section(&DEP));
static MASK: Shape = Shape::Either(&[&BOOLEAN, &TEXTS]);

const USE: &str = "USE flags: [foo, -bar]. A flag tagged !override may contradict what the farm says elsewhere.";
const KEYWORDS: &str = "Keywords accepted besides the usual ones: [\"~amd64\"].";
const LICENSE: &str = "Licences accepted besides the usual ones.";
const MASK_DOC: &str = "true masks what the entry names; or a list of atoms to mask.";
const UNMASK_DOC: &str = "true unmasks what the entry names; or a list of atoms to unmask.";
const ENV: &str = "Files of env/ in a configuration layer, read for this package.";

pub(crate) static PACKAGE: Section = Section {
    name: "package",
    doc: "What is set for a member.",
    keys: &[
        key("use", &TEXTS, USE),
        key("accept_keywords", &TEXTS, KEYWORDS),
        key("license", &TEXTS, LICENSE),
        key("mask", &MASK, MASK_DOC),
        key("unmask", &MASK, UNMASK_DOC),
        key("env", &TEXTS, ENV),
        key(
            "deps",
            &DEPS,
            "The same for packages it depends on, which do not become members; it holds for everybody.",
        ),
    ],
};

pub(crate) static DEP: Section = Section {
    name: "dep",
    doc: "What is set for a package that is no member.",
    keys: &[
        key("use", &TEXTS, USE),
        key("accept_keywords", &TEXTS, KEYWORDS),
        key("license", &TEXTS, LICENSE),
        key("mask", &MASK, MASK_DOC),
        key("unmask", &MASK, UNMASK_DOC),
        key("env", &TEXTS, ENV),
        key("deps", &DEPS, "The same for further packages."),
    ],
};
