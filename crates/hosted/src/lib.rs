//! A base without Gentoo: Debian packages and the Portage wheel made into a root that Portage believes in.
