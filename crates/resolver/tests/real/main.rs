//! The resolver program, run by the real Portage in a container.

mod client;
mod imported;
mod live;
mod marks;
mod native;
mod plans;
mod refusals;
mod support;
