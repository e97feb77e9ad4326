//! The releases of a folder as something that people see and use.
//!
//! Every publication is a release, and has a record; package files belong to all releases that list them. What is *kept* can be
//! looked at and published again: the newest [`RELEASES_KEPT`] releases, those that have a tag, and in any case the
//! [`RELEASES_FOR_CLIENTS`] before the newest. Of the others go the record and the files that nothing else lists.

mod book;
mod diff;
mod error;
mod list;
mod present;
mod prune;
mod rollback;
mod tags;

pub use diff::{Changed, Diff, diff};
pub use error::ReleaseError;
pub use list::{ReleaseLine, releases};
pub use present::{PresentPackage, PresentRelease, present};
pub use prune::{Pruned, prune};
pub use rollback::{Rollback, RolledBack, release_number, rollback};
pub use tags::{Tagged, tag, untag};

pub(crate) use book::Book;
pub(crate) use prune::forget_the_oldest;

/// How many releases a publication keeps, tagged ones aside. Packages are shared, so that a release more costs what changed.
pub const RELEASES_KEPT: u64 = 10;

/// How many releases before the newest are kept whatever anybody says.
///
/// A client reads the index once and fetches from it for as long as its `emerge` runs; so many further releases in that
/// time do not break it. No clock is asked, because a release that nobody follows removes nothing.
pub const RELEASES_FOR_CLIENTS: u64 = 2;

/// The word for the release in force.
const CURRENT: &str = "current";
