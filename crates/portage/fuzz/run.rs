//! The program that libFuzzer makes of a target: `cargo fuzz run atom` in the folder of the crate.
//!
//! On a stable compiler with `RUSTC_BOOTSTRAP=1`. What it finds new goes to the first folder of inputs that it is given, so give it one
//! outside of `corpus`: `cargo fuzz run atom /tmp/atom fuzz/corpus/atom`.
#![no_main]

mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let target = targets::ALL.iter().find(|(name, _)| *name == env!("CARGO_BIN_NAME"));
    let (_, check) = target.expect("the program has the name of a target");
    check(input);
});
