//! What the program's commands do, without arguments, terminals or exit codes.

mod affected;
mod binhost;
mod binhosts;
mod build;
mod clean;
mod damage;
mod debug;
mod distfiles;
mod error;
mod gc;
mod goals;
mod hash;
mod import;
mod inspect;
mod key;
mod killed;
mod look;
mod matrix;
mod outer_jobs;
mod patch;
pub mod pins;
mod plan;
mod query;
mod recording;
mod runs;
mod session;
mod settled;
mod setup;
mod update;
mod why;
mod words;

pub use affected::{Affected, affected};
pub use binhost::{
    BinhostWords, binhost_check, binhost_diff, binhost_import, binhost_prune, binhost_releases, binhost_rollback,
    binhost_tag, binhost_untag,
};
pub use binhosts::local_binhosts;
pub use build::{BuildOptions, PublishedImage, build, publish_image, publish_pkgs};
pub use clean::{CleanReport, clean};
pub use debug::guards;
pub use distfiles::{Distfiles, export_distfiles, import_distfiles};
pub use error::FarmError;
pub use farm_publish::{Audit, Changed, Diff, Imported, Pruned, Refused, ReleaseLine, RolledBack, Tagged};
pub use farm_remote::Access;
pub use farm_signing::{Gpg, KeyFile, KeySource};
pub use gc::{Freed, GcReport, gc};
pub use hash::{Compared, HashAnswer, HashInput, Recorded, compare, hash};
pub use import::{ImportKind, ImportOptions, Imported as ImportedFarms, import};
pub use inspect::{GraphEdge, GraphNode, GraphView, TargetLine, graph, log, targets};
pub use key::{KeyOptions, MadeKey, new_key};
pub use look::Built;
pub use outer_jobs::OuterJobs;
pub use patch::{
    Check, Dropped, PatchLine, PatchList, Prepared, Reach, SaveOptions, Saved, TreeLine, Tried, patch_drop, patch_list,
    patch_prep, patch_save, patch_try,
};
pub use plan::{PlanView, plan, plan_and_write, plan_diff, plan_release};
pub use query::{deps, rdeps};
pub use runs::{HistoryLine, RecordedRun, WhichRun, history, recorded_run};
pub use setup::Setup;
pub use update::{Proposal, UpdateView, update};
pub use why::{Apart, Back, Same, Step, When, WhyAnswer, why};
pub use words::Words;
