//! What must hold of this crate whatever it is given: one function a format, which panics if it does not.
//!
//! libFuzzer calls these functions (`run.rs`), and so does `tests/fuzz_bounded.rs`, which needs no further program. A new target is a
//! file here, its two lines below, a `[[bin]]` in `Cargo.toml`, and a folder of inputs in `corpus`. An input that was found to break a
//! law is kept there.

mod atom;
mod elf;
mod gpkg;
mod packages_index;
mod version;
mod xpak;

/// A target: its name, and the function that holds an input against its laws.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const ALL: [Target; 6] = [
    ("atom", atom::check),
    ("elf", elf::check),
    ("gpkg", gpkg::check),
    ("packages_index", packages_index::check),
    ("version", version::check),
    ("xpak", xpak::check),
];
