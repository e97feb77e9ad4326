//! Asks Portage itself what is to be built, and turns its answer into data.
