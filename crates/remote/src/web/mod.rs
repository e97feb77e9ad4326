//! Folders of web servers that take PUT, and what S3 has in common with them.

mod client;
mod dav;
mod netrc;

pub(crate) use client::{Answer, Body, Call, Client, Method};
pub(crate) use dav::Dav;
