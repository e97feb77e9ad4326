//! Whole farms: the real program, real Portage, real containers.

mod support;
mod truth_table;
