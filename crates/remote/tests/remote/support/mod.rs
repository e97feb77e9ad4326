//! What the tests share.

pub(crate) mod front;
pub(crate) mod lab;
pub(crate) mod site;
