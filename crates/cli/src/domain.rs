//! The border to the domain, in one place: what the program calls, and how the domain's errors become the program's.

pub(crate) use farm_domain::command::{
    Access, Apart, Audit, BinhostWords, BuildOptions, Changed, Check, CleanReport, Compared, Diff, Distfiles, Dropped,
    FarmError, Freed, GcReport, Gpg, GraphView, HashAnswer, HistoryLine, ImportKind, ImportOptions, Imported,
    ImportedFarms, KeyFile, KeyOptions, KeySource, MadeKey, OuterJobs, PatchLine, PatchList, PlanView, Prepared,
    Proposal, Pruned, PublishedImage, Reach, Recorded, RecordedRun, Refused, ReleaseLine, RolledBack, SaveOptions,
    Saved, Setup, Tagged, Tried, When, WhichRun, WhyAnswer, Words, affected, binhost_check, binhost_diff,
    binhost_import, binhost_prune, binhost_releases, binhost_rollback, binhost_tag, binhost_untag, build, clean,
    compare, deps, export_distfiles, gc, graph, guards, hash, history, import, import_distfiles, local_binhosts, log,
    new_key, patch_drop, patch_list, patch_prep, patch_save, patch_try, plan, plan_and_write, plan_diff, plan_release,
    publish_image, publish_pkgs, rdeps, recorded_run, targets, update, why,
};
#[cfg(test)]
pub(crate) use farm_domain::command::{GraphEdge, GraphNode};
pub(crate) use farm_domain::context::Connect;
pub(crate) use farm_domain::git::GitEnvironment;

use crate::error::CliError;

impl From<FarmError> for CliError {
    fn from(error: FarmError) -> Self {
        Self {
            kind: error.kind,
            message: error.message,
            hint: error.hint,
            rendered: error.rendered,
        }
    }
}

/// Whether an answer speaks of the next run, as opposed to the last one.
pub(crate) fn is_pending(answer: &WhyAnswer) -> bool {
    answer.when == When::Pending
}
