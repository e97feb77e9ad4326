//! Where things go: `publish:`.

use farm_portage::atom::Atom;

use super::Target;
use crate::span::{Span, Spanned};

/// Where packages and images go.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Publish {
    /// Packages and licences that are published nowhere.
    pub deny: Vec<Spanned<Deny>>,
    /// Says that packages of the base that nobody built anew go to the binhost as well.
    pub base: bool,
    /// The binhost.
    pub pkgs: Option<PublishPkgs>,
    /// The registry.
    pub images: Option<PublishImages>,
}

/// Where packages go.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishPkgs {
    /// An address: `file://`, `ssh://`, `s3://`, `http://`, `https://`. Packages land in `TO/FLAVOUR/`.
    pub to: Spanned<String>,
    /// Where clients fetch them from if that is another address than `to`: `http://`, `https://`, `file://`, `ssh://`, without the flavour.
    pub url: Option<Spanned<String>>,
    /// The OpenPGP key that signs: a fingerprint, a long key id, or an e-mail address.
    pub sign: Option<Spanned<String>>,
    /// What must succeed before anything is published.
    pub needs: Vec<Spanned<Target>>,
    /// Packages and licences that are not published here.
    pub deny: Vec<Spanned<Deny>>,
    /// Says that what may not be redistributed may go here.
    pub private: bool,
    /// Where the value starts.
    pub span: Span,
}

/// Where images go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishImages {
    /// The repository without a tag. `${image}` stays in it and stands for the name of the image.
    pub to: Spanned<String>,
    /// The tag; the flavour where the manifest has none. `${image}` stays in it.
    pub tag: Spanned<String>,
    /// What must succeed before anything is published.
    pub needs: Vec<Spanned<Target>>,
    /// Where the value starts.
    pub span: Span,
}

impl PublishImages {
    /// The full reference under which an image is published: `to` and `tag` with `${image}` replaced.
    pub fn reference(&self, image: &str) -> String {
        format!("{}:{}", self.to.value, self.tag.value).replace("${image}", image)
    }
}

/// What is not published.
#[derive(Debug, Clone, PartialEq)]
pub enum Deny {
    /// Packages that match.
    Package(Atom),
    /// Packages under this licence, or a licence group written `@GROUP`.
    License(String),
}
