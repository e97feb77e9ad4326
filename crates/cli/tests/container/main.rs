//! Whole farms: the real program, real Portage, real containers.

mod failures;
mod isolation;
mod kills;
mod support;
mod truth_table;
