//! What is computed from plans, on plans made by hand and on random ones.

mod answers;
mod builder;
mod closing;
mod joining;
mod native;
mod showing;
