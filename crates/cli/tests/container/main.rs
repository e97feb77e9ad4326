//! Whole farms: the real program, real Portage, real containers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod base_packages;
mod client_files;
mod clients;
mod contracts;
mod cycles;
mod denied;
mod distfiles;
mod environment;
mod explaining;
mod failures;
mod generations;
mod isolation;
mod job_tokens;
mod kills;
mod live;
mod native;
mod patches;
mod plan_release;
mod plan_write;
mod proposals;
mod publishing;
mod reach;
mod rebuild;
mod records;
mod refusals;
mod remotes;
mod secrets;
mod serving;
mod signed;
mod stages;
mod stand_ins;
mod support;
mod truth_table;
