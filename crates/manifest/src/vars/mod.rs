//! Variables: their values, and `${NAME}` in every text.

mod expand;
mod resolve;

pub(crate) use self::expand::{Lookup, Problem, expand, is_name};
pub(crate) use self::resolve::describe;
pub(crate) use self::resolve::{Declared, Given, apply, resolve};
