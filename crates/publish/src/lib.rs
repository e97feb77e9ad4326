//! Publishes packages into the folder of a binhost.
//!
//! A folder that was published to looks like this:
//!
//! ```text
//! CATEGORY/NAME/PF-BUILD_ID.gpkg.tar   the packages, stamped and perhaps signed, their time the BUILD_TIME
//! releases/0001.json …                 a record of every kept release: which payload became which instance, signed by whom
//! releases/tags.json                   names of releases
//! releases/client/DIGEST.tar.gz        the client files of every kept release that has any
//! client/                              those of the newest release, one by one and (client.tar.gz) as one file
//! Packages.gz, Packages                the index of the newest release, their time its TIMESTAMP
//! ```
//!
//! Files are 0644 and folders that [`publish`] makes 2775, whatever the umask.
//!
//! # What clients may rely on
//!
//! * The index lists exactly the packages of the newest release, never an older build of one: Portage prefers the newest
//!   BUILD_TIME among equal versions and would take a build that was reverted. When A is published after B after A, A is
//!   a new instance, newer than B.
//! * Everything an index lists is there before the index is, and stays through [`RELEASES_FOR_CLIENTS`] releases that do
//!   not list it any more. A client that works with the index it read a moment ago does not fail.
//! * `client/` is what belongs to the index: it is replaced after the packages and before the index, file by file. A release whose client
//!   files alone are others is a release like any other, with the same packages under a later TIMESTAMP.
//! * TIMESTAMP rises with every release by [`TIMESTAMP_STEP`] or more, BUILD_TIME with every build of a version, BUILD_ID is never used twice.
//!
//! * Every package of a release that is signed is signed when it gets its name: there is no moment at which its name shows an
//!   unsigned file.
//!
//! # What publishers may rely on
//!
//! * A package whose payload digest is in the newest release, signed by the same key, keeps its instance. Publishing the same
//!   again writes nothing. Another key, or none, makes other bytes, and so a new instance.
//! * Packages that belong to the release and cannot be published are named as `lacking`: what the newest release has in their place stays
//!   while all that it needs is there.
//! * A publication that fails leaves what clients see as it was. One that is killed leaves a folder `.farm-publish` that
//!   the next one removes, and perhaps a release that is not in force, which the next one completes or follows.
//! * A release is kept, which is to say that it can be looked at and published again, while it is one of the newest
//!   [`RELEASES_KEPT`] or has a tag. No file that a kept release lists is removed, and no file that farm did not publish.
//! * One publication at a time: the folder itself is locked, so there is no lock file to be left behind.

mod audit;
mod changes;
mod check;
mod client;
mod commit;
mod deny;
mod error;
mod folder;
mod format;
mod held;
mod import;
mod instance;
mod live;
mod moved;
mod parallel;
mod publication;
mod record;
mod releases;
mod signer;
mod stage;
mod staging;

pub use audit::{Audit, Fault, audit};
pub use check::{InForce, in_force, index_digest};
pub use client::ClientFiles;
pub use deny::{Deny, refusal};
pub use error::{ErrorKind, PublishError};
pub use held::Lacking;
pub use import::{ForeignBinhost, ForeignFolder, Import, ImportError, Imported, import};
pub use moved::{
    INDEX_FILES, PackageFile, RECORDS, ReleaseFiles, archived_client_files, client_archive_digest, client_archives,
    is_client_file, is_package_file, needed, packages_of, packages_of_all, record_number, record_numbers, record_path,
};
pub use publication::{Candidate, Publication, Published, Refused, TIMESTAMP_STEP, publish};
pub use releases::{
    Changed, Diff, PresentPackage, PresentRelease, Pruned, RELEASES_FOR_CLIENTS, RELEASES_KEPT, ReleaseError,
    ReleaseLine, Rollback, RolledBack, Tagged, diff, present, prune, release_number, releases, rollback, tag, untag,
};
pub use signer::ReleaseSigner;
