//! The rebuild truth table.
use crate::support::FarmSpace;

#[test]
fn nothing_changed() {
    let space = FarmSpace::moved();
    space.build(&[]).assert_ran("a moved workspace", &[]);
    let space = FarmSpace::ready();
    space.build(&[]).assert_ran("the same again", &[]);
}
