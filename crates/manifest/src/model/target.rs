//! The names a user can build.

use std::fmt;

use thiserror::Error;

/// A target of one farm, as it is written on the command line and in `needs:` (DESIGN: the command line's fixed names).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// `binfarm`: the binfarm as an image.
    Binfarm,
    /// `env`: the subjects' build environment as an image.
    Env,
    /// `pkgs`: the packages of all subjects.
    Pkgs,
    /// `pkgs/SUBJECT`: the packages of one subject.
    PkgsOf(String),
    /// `pkg/CATEGORY/NAME`, or `pkg/CATEGORY/PF`, or `pkg/CATEGORY/PF@SUBJECT`; held without `pkg/`.
    Pkg(String),
    /// `binhost`: the folder of packages with its index.
    Binhost,
    /// `image/NAME`.
    Image(String),
    /// `stage/NAME`.
    Stage(String),
    /// `kernel/NAME`.
    Kernel(String),
    /// `disk/NAME`.
    Disk(String),
    /// `task/NAME`.
    Task(String),
    /// `publish-pkgs`.
    PublishPkgs,
    /// `publish-image`.
    PublishImage,
}

/// A text that is no target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// The first word is none that targets start with.
    #[error("`{0}` is no target")]
    Unknown(String),
    /// `image`, `task`... without what follows.
    #[error("`{0}` wants a name: {0}/NAME")]
    NameMissing(String),
    /// `binhost/x`.
    #[error("`{0}` takes no name after it")]
    NameUnwanted(String),
    /// `pkg/NAME` without a category.
    #[error("a package is pkg/CATEGORY/NAME")]
    CategoryMissing,
}

/// Words that start a target, or name a kind of node; no farm may be called like one.
const WORDS: &[&str] = &[
    "base",
    "binfarm",
    "binhost",
    "disk",
    "env",
    "fetch",
    "image",
    "kernel",
    "pkg",
    "pkgs",
    "plan",
    "publish-image",
    "publish-pkgs",
    "repo",
    "root",
    "stage",
    "task",
];

/// Says whether a word is taken by targets or nodes, so that no farm may be called so.
pub fn is_target_word(word: &str) -> bool {
    WORDS.contains(&word)
}

impl Target {
    /// Reads the written form.
    ///
    /// # Errors
    /// Says which rule of the form is broken; whether the thing exists is not looked at.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let (word, name) = match text.split_once('/') {
            Some((word, name)) => (word, Some(name)),
            None => (text, None),
        };
        let bare = |target: Self| match name {
            None => Ok(target),
            Some(_) => Err(TargetError::NameUnwanted(word.to_owned())),
        };
        let named = |target: fn(String) -> Self| match name {
            Some(name) if !name.is_empty() => Ok(target(name.to_owned())),
            _ => Err(TargetError::NameMissing(word.to_owned())),
        };
        match word {
            "binfarm" => bare(Self::Binfarm),
            "env" => bare(Self::Env),
            "binhost" => bare(Self::Binhost),
            "publish-pkgs" => bare(Self::PublishPkgs),
            "publish-image" => bare(Self::PublishImage),
            "pkgs" if name.is_none() => Ok(Self::Pkgs),
            "pkgs" => named(Self::PkgsOf),
            "pkg" => match name.and_then(|name| name.split_once('/')) {
                Some((category, package)) if !category.is_empty() && !package.is_empty() => named(Self::Pkg),
                _ => Err(TargetError::CategoryMissing),
            },
            "image" => named(Self::Image),
            "stage" => named(Self::Stage),
            "kernel" => named(Self::Kernel),
            "disk" => named(Self::Disk),
            "task" => named(Self::Task),
            _ => Err(TargetError::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binfarm => formatter.write_str("binfarm"),
            Self::Env => formatter.write_str("env"),
            Self::Pkgs => formatter.write_str("pkgs"),
            Self::PkgsOf(name) => write!(formatter, "pkgs/{name}"),
            Self::Pkg(name) => write!(formatter, "pkg/{name}"),
            Self::Binhost => formatter.write_str("binhost"),
            Self::Image(name) => write!(formatter, "image/{name}"),
            Self::Stage(name) => write!(formatter, "stage/{name}"),
            Self::Kernel(name) => write!(formatter, "kernel/{name}"),
            Self::Disk(name) => write!(formatter, "disk/{name}"),
            Self::Task(name) => write!(formatter, "task/{name}"),
            Self::PublishPkgs => formatter.write_str("publish-pkgs"),
            Self::PublishImage => formatter.write_str("publish-image"),
        }
    }
}
