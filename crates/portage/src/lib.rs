//! Portage's formats and rules as a pure library.
