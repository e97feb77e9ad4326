#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use farm_resolver::{Answer, Native, Outcome, Package, Plan, unsound};
use serde_json::{Value, json};

const RECORDED: &str = include_str!("../fixtures/user.json");

/// What GCC 12 of Debian says between the words that every question has.
fn call(options: &str) -> Vec<String> {
    let all = format!("/usr/lib/gcc/cc1 -E -quiet -imultiarch x86_64-linux-gnu - {options} -dumpbase -");
    words(&all)
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A question about these options, and the options of the answer.
fn native(options: &str, answer: &str) -> Native {
    Native {
        compiler: "gcc".into(),
        options: words(options),
        plain: call("-mtune=generic -march=x86-64"),
        answer: call(answer),
        ..Native::default()
    }
}

fn explicit(options: &str, answer: &str) -> String {
    native(options, answer).explicit().unwrap().join(" ")
}

#[test]
fn the_answer_without_what_is_no_matter_of_the_processor() {
    assert_eq!(
        explicit(
            "-march=native",
            "-march=znver3 -mavx2 -mno-fma4 --param l1-cache-size=32 -mtune=znver3"
        ),
        "-march=znver3 -mavx2 -mno-fma4 --param=l1-cache-size=32 -mtune=znver3"
    );
    // The compiler's own default is no part of what was asked, and somebody else may yet name an architecture.
    assert_eq!(
        explicit(
            "-mtune=native",
            "--param l2-cache-size=1024 -mtune=znver3 -march=x86-64"
        ),
        "--param=l2-cache-size=1024 -mtune=znver3"
    );
    // Here the default is the answer.
    assert_eq!(
        explicit("-march=native", "-march=x86-64 -msse2 -mtune=generic"),
        "-march=x86-64 -msse2 -mtune=generic"
    );
    // What the value has besides stays there and is not said twice.
    assert_eq!(
        explicit(
            "-mtune=generic -mno-avx2 -march=native",
            "-march=znver3 -mavx2 -mtune=generic -mno-avx2"
        ),
        "-march=znver3 -mavx2"
    );
    // ARM: one word for both, beside what the driver always says.
    let mut arm = native("-mcpu=native", "-mlittle-endian -mabi=lp64 -mcpu=neoverse-n1+crypto");
    arm.plain = call("-mlittle-endian -mabi=lp64");
    assert_eq!(arm.explicit().unwrap(), ["-mcpu=neoverse-n1+crypto"]);
}

#[test]
fn no_answer_is_said_so() {
    let reason = |native: Native| native.explicit().unwrap_err();
    let clang = Native {
        compiler: "clang".into(),
        answer: words("/usr/lib/llvm/bin/clang -cc1 -triple x86_64 -E -target-cpu znver3"),
        ..native("-march=native", "")
    };
    assert_eq!(
        reason(clang),
        "clang is clang, which has no options for all that it finds"
    );
    let none = Native {
        error: "the root has no gcc".into(),
        ..native("-march=native", "")
    };
    assert_eq!(reason(none), "the root has no gcc");
    for answer in ["-march=native -mtune=generic", "-mabi=lp64"] {
        assert_eq!(
            reason(native("-march=native", answer)),
            "gcc does not know this processor"
        );
    }
}

/// The recorded answer with other values of CFLAGS in its first packages, and these questions.
fn plan(values: &[&str], natives: &[Native]) -> Plan {
    let mut answer: Value = serde_json::from_str(RECORDED).unwrap();
    for (index, value) in values.iter().enumerate() {
        answer["plan"]["packages"][index]["environment"]["CFLAGS"] = json!(value);
    }
    answer["plan"]["native"] = serde_json::to_value(natives).unwrap();
    match Answer::parse(answer.to_string().as_bytes()).unwrap().outcome {
        Outcome::Plan(plan) => *plan,
        Outcome::Refusal(refusal) => panic!("{refusal:?}"),
    }
}

fn used(native: Native, packages: &[usize]) -> Native {
    Native {
        used: packages.iter().map(|&index| (index, "CFLAGS".into())).collect(),
        ..native
    }
}

#[test]
fn a_plan_has_the_flags_in_place_of_the_word() {
    let natives = [
        used(native("-march=native", "-march=znver3 -mavx2 -mtune=znver3"), &[0, 1]),
        used(
            native(
                "-mno-avx2 -march=native",
                "-march=znver3 -mavx2 -mtune=znver3 -mno-avx2",
            ),
            &[2],
        ),
    ];
    let values = [
        "-O2 -march=native  -pipe",
        "-march=native",
        "-O2 -mno-avx2 -pipe -march=native -g",
    ];
    let plan = plan(&values, &natives);
    let flags = |package: &Package| package.environment["CFLAGS"].clone();
    assert_eq!(
        plan.packages[..3].iter().map(flags).collect::<Vec<_>>(),
        [
            "-O2 -march=znver3 -mavx2 -mtune=znver3 -pipe",
            "-march=znver3 -mavx2 -mtune=znver3",
            // As in GCC, what is said beside `native` wins, wherever it stands.
            "-O2 -march=znver3 -mavx2 -mtune=znver3 -mno-avx2 -pipe -g",
        ]
    );
    assert_eq!(plan.packages[0].explicit, ["CFLAGS".to_owned()].into());
    assert!(plan.packages[3].explicit.is_empty());
    assert_eq!(unsound(&plan), []);
    assert_eq!(
        plan.native[0].summary().unwrap(),
        "-march=native is -march=znver3 -mtune=znver3 and 1 more flag, says gcc"
    );
}

#[test]
fn what_cannot_be_replaced_is_refused_once_a_reason() {
    let refused = Native {
        error: "CC is icc, which the root does not have".into(),
        ..native("-march=native", "")
    };
    let values = [
        "-O2 -march=native",
        "-O2 -march=native",
        "-C target-cpu=native",
        "-DFLAGS=-mtune=native",
    ];
    let plan = plan(&values, &[used(refused, &[0, 1])]);
    let found: Vec<String> = unsound(&plan).iter().map(ToString::to_string).collect();
    let cpv = |index: usize| plan.packages[index].cpv.as_str();
    let not_gcc = "only -march, -mcpu and -mtune of GCC as words of their own can be; write the flags out";
    assert_eq!(
        found,
        [
            format!(
                "-march=native in CFLAGS of {} cannot be made explicit: CC is icc, which the root does not have; write the flags out",
                cpv(0)
            ),
            format!(
                "target-cpu=native in CFLAGS of {} cannot be made explicit: {not_gcc}",
                cpv(2)
            ),
            format!(
                "-DFLAGS=-mtune=native in CFLAGS of {} cannot be made explicit: {not_gcc}",
                cpv(3)
            ),
        ]
    );
}

#[test]
fn an_answer_about_no_package_is_none() {
    let mut answer: Value = serde_json::from_str(RECORDED).unwrap();
    answer["plan"]["native"] = json!([used(native("-march=native", ""), &[5])]);
    let error = Answer::parse(answer.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().contains("an index points at no package"), "{error}");
}
