//! Trees to reproducible tars, layers and docker archives.
