use farm_resolver::DependencyKind::{Build, Runtime};
use farm_resolver::{Edge, Installed, Joined, LeftOutReason, NodeRef, Plan, join};

use crate::builder::{Building, plan};

fn names(joined: &Joined) -> Vec<String> {
    joined
        .instances
        .iter()
        .map(|instance| format!("{}: {}", instance.name, instance.subjects.join(" ")))
        .collect()
}

#[test]
fn other_flags_make_another_instance_and_so_does_a_dependency_with_other_flags() {
    let shared = plan(&["base", "library", "program"])
        .edge("library", "base", &[Build])
        .edge("program", "library", &[Build]);
    let mut other = shared.clone();
    other.packages[0].use_flags = vec!["ssl".into()];
    let joined = join([("mc", &shared), ("analysis", &other), ("serving", &other)], None).unwrap();
    assert_eq!(
        names(&joined),
        [
            "c/base-1: mc",
            "c/library-1: mc",
            "c/program-1: mc",
            "c/base-1@analysis: analysis serving",
            "c/library-1@analysis: analysis serving",
            "c/program-1@analysis: analysis serving",
        ]
    );
    assert_eq!(joined.by_subject["serving"], [3, 4, 5]);
    assert_eq!(joined.instances[5].packages, [4]);
    assert_eq!(joined.disagreements.len(), 3);
    assert_eq!(joined.disagreements[0].slot, "c/base:0");
}

#[test]
fn the_merge_order_and_what_emerge_prints_make_no_difference() {
    let one = plan(&["a", "b", "user"])
        .edge("user", "a", &[Build])
        .edge("user", "b", &[Build]);
    let mut two = plan(&["b", "a", "user"])
        .edge("user", "a", &[Build])
        .edge("user", "b", &[Build]);
    two.packages[0].line = "[ebuild   R    ] c/b-1::r  0 KiB".into();
    let joined = join([("one", &one), ("two", &two)], None).unwrap();
    assert_eq!(
        names(&joined),
        ["c/a-1: one two", "c/b-1: one two", "c/user-1: one two"]
    );
    assert_eq!(joined.by_subject["two"], [1, 0, 2]);
    assert_eq!(joined.disagreements, []);
}

#[test]
fn a_runtime_dependency_that_differs_does_not_touch_the_package() {
    let one = plan(&["data", "program"])
        .edge("program", "data", &[Runtime])
        .roots(&["program"]);
    let mut two = one.clone();
    two.packages[0].use_flags = vec!["big".into()];
    let joined = join([("one", &one), ("two", &two)], None).unwrap();
    assert_eq!(
        names(&joined),
        ["c/data-1: one", "c/program-1: one two", "c/data-1@two: two"]
    );
    assert_eq!(joined.runtime_closure("two", &two).0, [2, 1]);
    assert_eq!(joined.runtime_closure("nobody", &two).0, [0; 0]);
}

#[test]
fn an_instance_comes_after_what_it_needs() {
    // The library's plugin comes last in the merge order, but the program is built with both.
    let one = plan(&["library", "program", "plugin"])
        .edge("program", "library", &[Build])
        .edge("library", "plugin", &[Runtime]);
    let joined = join([("one", &one)], None).unwrap();
    assert_eq!(
        names(&joined),
        ["c/library-1: one", "c/plugin-1: one", "c/program-1: one"]
    );
    assert_eq!(joined.instances[2].packages, [0, 1]);
    assert_eq!(joined.by_subject["one"], [0, 2, 1]);
}

#[test]
fn a_circle_is_reported_with_its_subject() {
    let good = plan(&["a"]);
    let bad = plan(&["a", "b"]).edge("a", "b", &[Build]).edge("b", "a", &[Build]);
    let error = join([("good", &good), ("bad", &bad)], None).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("bad: c/a-1 cannot be built before itself"),
        "{error}"
    );
}

#[test]
fn what_a_package_needs_at_run_time_is_found_through_the_root_and_in_circles() {
    let one = plan(&["tool", "c", "b", "a"])
        .installed(&["old"])
        .edge("a", "+old", &[Runtime])
        .edge("+old", "b", &[Runtime])
        .edge("b", "c", &[Runtime])
        .edge("c", "b", &[Runtime])
        .edge("c", "tool", &[Build]);
    let mut two = one.clone();
    // The same `a`, for somebody who has another `b`.
    two.packages[2].use_flags = vec!["big".into()];
    let joined = join([("one", &one), ("two", &two)], None).unwrap();
    let place = |name: &str| joined.instances.iter().position(|one| one.name == name).unwrap();
    let needs = |name: &str| -> Vec<&str> {
        let needs = joined.instances[place(name)].runtime.iter();
        needs.map(|&at| joined.instances[at].name.as_str()).collect()
    };
    assert_eq!(needs("c/tool-1"), [""; 0]);
    assert_eq!(needs("c/b-1"), ["c/c-1"]);
    assert_eq!(needs("c/c-1"), ["c/b-1", "c/b-1@two"]);
    assert_eq!(needs("c/a-1"), ["c/b-1", "c/b-1@two"]);
}

/// freetype with harfbuzz is built with harfbuzz, which is built with freetype. Portage saw a freetype without it as installed.
fn circle() -> (Plan, Plan) {
    let first = plan(&["zlib", "freetype"])
        .edge("freetype", "zlib", &[Runtime])
        .roots(&["freetype"]);
    let mut whole = plan(&["zlib", "harfbuzz", "freetype", "viewer"])
        .edge("harfbuzz", "freetype", &[Build, Runtime])
        .edge("freetype", "harfbuzz", &[Build, Runtime])
        .edge("freetype", "zlib", &[Runtime])
        .edge("viewer", "freetype", &[Build, Runtime])
        .roots(&["viewer"]);
    whole.installed.push(Installed {
        cpv: "c/freetype-1".into(),
        ..Installed::default()
    });
    whole.packages[2].use_flags = vec!["harfbuzz".into()];
    whole.packages[2].replaces = Some("c/freetype-1".into());
    (first, whole)
}

fn root_of(joined: &Joined, name: &str) -> Vec<String> {
    let instance = joined.instances.iter().find(|instance| instance.name == name);
    let packages = &instance.unwrap_or_else(|| panic!("no {name}")).packages;
    packages
        .iter()
        .map(|&index| joined.instances[index].name.clone())
        .collect()
}

#[test]
fn what_is_built_first_is_in_the_roots_that_need_it_and_nowhere_else() {
    let (first, whole) = circle();
    let joined = join([("mc", &whole)], Some(("bootstrap", &first))).unwrap();
    assert_eq!(
        names(&joined),
        [
            "c/zlib-1: bootstrap mc",
            "c/freetype-1@bootstrap: bootstrap",
            "c/harfbuzz-1: mc",
            "c/freetype-1: mc",
            "c/viewer-1: mc",
        ]
    );
    assert_eq!(root_of(&joined, "c/harfbuzz-1"), ["c/zlib-1", "c/freetype-1@bootstrap"]);
    // harfbuzz needs a freetype to run, and the real one is what is being built.
    assert_eq!(
        root_of(&joined, "c/freetype-1"),
        ["c/zlib-1", "c/freetype-1@bootstrap", "c/harfbuzz-1"]
    );
    assert_eq!(
        root_of(&joined, "c/viewer-1"),
        ["c/zlib-1", "c/harfbuzz-1", "c/freetype-1"]
    );
    let left: Vec<_> = joined.instances[3].left_out.iter().map(|left| &left.reason).collect();
    assert_eq!(left, [&LeftOutReason::Bootstrap("c/freetype-1".into())]);
    assert_eq!(joined.instances[2].installed, Vec::<String>::new());
    assert_eq!(joined.disagreements, []);
    let (runtime, _) = joined.runtime_closure("mc", &whole);
    assert_eq!(runtime, [0, 2, 3, 4]);
}

#[test]
fn what_is_built_first_must_not_be_what_people_get() {
    let (first, _) = circle();
    let mut content = plan(&["viewer"]).roots(&["viewer"]);
    content.installed.push(Installed {
        cpv: "c/freetype-1".into(),
        ..Installed::default()
    });
    content.edges.push(Edge {
        parent: NodeRef::Package(0),
        child: NodeRef::Installed(0),
        atoms: vec!["c/freetype".into()],
        kinds: vec![Runtime],
        slot_operator: false,
        satisfied: None,
    });
    let error = join([("mc", &content)], Some(("bootstrap", &first))).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("mc would be given c/freetype-1 as `bootstrap` has it"),
        "{error}"
    );
    assert!(join([("mc", &content)], None).is_ok());
}
