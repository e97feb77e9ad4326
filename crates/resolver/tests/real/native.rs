//! `native` in a root that cannot say what it means.

use farm_resolver::{Answer, Outcome, unsound};

use crate::support::{Toy, request};

#[test]
fn a_root_that_cannot_say_what_native_means() {
    // The root of these tests has no compiler. What a package's environment names is asked before what the root would take.
    let toy = Toy::with(
        r#"-- etc/portage/make.conf --
COMMON_FLAGS="-O2 -march=native"
CFLAGS="${COMMON_FLAGS} -mno-avx"
-- etc/portage/env/special.conf --
CC="clang-16 -pipe"
-- etc/portage/env/silent.conf --
CC="true"
-- etc/portage/package.env --
dev-libs/environment special.conf
dev-libs/plain silent.conf
"#,
    );
    let request = request(&["dev-libs/environment", "dev-libs/leaf", "dev-libs/plain"]);
    let bytes = toy.answer_bytes(&request);
    assert_eq!(bytes, toy.answer_bytes(&request), "equal questions have equal answers");
    let Outcome::Plan(plan) = Answer::parse(&bytes).unwrap().outcome else {
        panic!("no plan");
    };
    let questions: Vec<(String, String)> = plan
        .native
        .iter()
        .map(|native| (native.compiler.clone(), native.options.join(" ")))
        .collect();
    let asked = |compiler: &str, options: &str| (compiler.to_owned(), options.to_owned());
    assert_eq!(
        questions,
        [
            asked("", "-march=native"),
            asked("", "-march=native -mno-avx"),
            asked("clang-16 -pipe", "-march=native"),
            asked("clang-16 -pipe", "-march=native -mno-avx"),
            asked("true", "-march=native"),
            asked("true", "-march=native -mno-avx"),
        ]
    );
    assert!(plan.packages.iter().all(|package| package.explicit.is_empty()));
    let mut reasons: Vec<String> = unsound(&plan)
        .iter()
        .map(ToString::to_string)
        .filter_map(|fault| Some(fault.split_once("explicit: ")?.1.to_owned()))
        .collect();
    reasons.sort();
    assert_eq!(
        reasons,
        [
            "CC is clang-16, which the root does not have; write the flags out",
            "the root has no gcc; write the flags out",
            "true: it does not say how it would call its compiler; write the flags out",
        ]
    );
}
