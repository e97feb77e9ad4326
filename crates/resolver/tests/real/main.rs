//! The resolver program, run by the real Portage in a container.

mod plans;
mod refusals;
mod support;
