//! Plans of the real Portage for the toy repository.

use std::collections::BTreeMap;

use crate::support::{Toy, request, toy};
use farm_resolver::{
    BuildRoot, DependencyKind, LeftOut, LeftOutReason, NodeRef, Operation, Outcome, Plan, closures, join,
    keyed_environment, mergelist, runtime_closure,
};

fn order(plan: &Plan) -> Vec<&str> {
    plan.packages.iter().map(|package| package.cpv.as_str()).collect()
}

/// CPV to its build root, as names.
fn roots(plan: &Plan) -> BTreeMap<String, (Vec<String>, Vec<String>, BuildRoot)> {
    let named = |indices: &[usize], node: fn(usize) -> NodeRef| {
        indices.iter().map(|&index| plan.cpv(node(index)).to_owned()).collect()
    };
    closures(plan)
        .expect("Portage made this plan")
        .into_iter()
        .enumerate()
        .map(|(index, root)| {
            let packages = named(&root.packages, NodeRef::Package);
            let installed = named(&root.installed, NodeRef::Installed);
            (plan.packages[index].cpv.clone(), (packages, installed, root))
        })
        .collect()
}

fn left_out(cpv: &str, wanted_by: &str, reason: LeftOutReason) -> LeftOut {
    LeftOut {
        cpv: cpv.into(),
        wanted_by: wanted_by.into(),
        reason,
    }
}

const SYSTEM: [&str; 2] = ["sys-devel/compiler-12", "sys-libs/libc-2"];

#[test]
fn a_build_root_holds_the_runtime_closure_of_the_build_dependencies() {
    let plan = toy().plan(&["dev-libs/user"]);
    assert_eq!(
        order(&plan),
        [
            "dev-libs/leaf-2",
            "dev-libs/installer-1",
            "dev-libs/middle-1",
            "dev-libs/plugin-1",
            "dev-libs/user-1"
        ]
    );
    let roots = roots(&plan);
    let (packages, installed, root) = &roots["dev-libs/user-1"];
    assert_eq!(
        packages,
        &[
            "dev-libs/leaf-2",
            "dev-libs/installer-1",
            "dev-libs/middle-1",
            "dev-libs/plugin-1"
        ]
    );
    assert_eq!(installed, &SYSTEM);
    assert_eq!(root.left_out, []);
    // IDEPEND is there for the package's own phases; its RDEPEND and PDEPEND are not needed to build it.
    assert_eq!(roots["dev-libs/middle-1"].0, ["dev-libs/installer-1"]);
    // The plugin is built against what it plugs into, without itself.
    assert_eq!(
        roots["dev-libs/plugin-1"].0,
        ["dev-libs/leaf-2", "dev-libs/installer-1", "dev-libs/middle-1"]
    );
    let all = runtime_closure(&plan, [NodeRef::Package(2)]);
    assert_eq!(all.packages, [0, 1, 2, 3]);
}

#[test]
fn a_chain_of_pdepends_back_to_the_package_is_left_out_and_recorded() {
    let plan = toy().plan(&["dev-libs/post-a"]);
    assert_eq!(
        order(&plan),
        ["dev-libs/post-a-1", "dev-libs/post-b-1", "dev-libs/post-c-1"]
    );
    let roots = roots(&plan);
    assert_eq!(roots["dev-libs/post-b-1"].0, ["dev-libs/post-a-1"]);
    // Here the chain comes back to the package itself.
    assert_eq!(
        roots["dev-libs/post-b-1"].2.left_out,
        [left_out(
            "dev-libs/post-b-1",
            "dev-libs/post-a-1",
            LeftOutReason::BeingBuilt
        )]
    );
    assert_eq!(roots["dev-libs/post-c-1"].0, ["dev-libs/post-b-1"]);
    assert_eq!(
        runtime_closure(&plan, plan.roots.iter().map(|root| root.node)).packages,
        [0, 1, 2]
    );
}

#[test]
fn a_plugin_that_is_built_later_is_left_out() {
    let plan = toy().plan(&["dev-libs/late-user"]);
    assert_eq!(
        order(&plan),
        ["dev-libs/late-base-1", "dev-libs/late-user-1", "dev-libs/late-plugin-1"]
    );
    let (packages, _, root) = &roots(&plan)["dev-libs/late-user-1"];
    assert_eq!(packages, &["dev-libs/late-base-1"]);
    assert_eq!(
        root.left_out,
        [left_out(
            "dev-libs/late-plugin-1",
            "dev-libs/late-base-1",
            LeftOutReason::ComesLater
        )]
    );
}

#[test]
fn a_runtime_ring_is_built_and_used_as_a_whole() {
    let plan = toy().plan(&["dev-libs/ring-user"]);
    let roots = roots(&plan);
    assert_eq!(roots["dev-libs/ring-a-1"].0, [""; 0]);
    assert_eq!(roots["dev-libs/ring-b-1"].0, [""; 0]);
    assert_eq!(roots["dev-libs/ring-user-1"].0.len(), 2);
}

#[test]
fn what_the_root_satisfies_stands_in_for_what_comes_later() {
    let plan = toy().plan(&["sys-libs/zlib"]);
    assert_eq!(order(&plan), ["sys-libs/zlib-2"]);
    assert_eq!(plan.packages[0].operation, Operation::Upgrade);
    assert_eq!(plan.packages[0].replaces.as_deref(), Some("sys-libs/zlib-1"));
    let roots = roots(&plan);
    let (packages, installed, root) = &roots["sys-libs/zlib-2"];
    assert_eq!(packages, &[""; 0]);
    // The builder's own need of zlib is met by the root's.
    assert_eq!(
        installed,
        &[
            "sys-devel/builder-3",
            "sys-devel/compiler-12",
            "sys-libs/libc-2",
            "sys-libs/zlib-1"
        ]
    );
    assert_eq!(root.left_out.len(), 1);
    assert_eq!(root.left_out[0].wanted_by, "sys-devel/builder-3");
    assert_eq!(root.left_out[0].reason, LeftOutReason::InRoot("sys-libs/zlib-1".into()));
    // Another package that uses the builder gets the new zlib, in place of the old one.
    let plan = toy().plan(&["sys-libs/zlib", "dev-libs/plain"]);
    let roots = self::roots(&plan);
    let (packages, installed, _) = &roots["dev-libs/plain-1"];
    assert_eq!(packages, &["sys-libs/zlib-2"]);
    assert_eq!(
        installed,
        &["sys-devel/builder-3", "sys-devel/compiler-12", "sys-libs/libc-2"]
    );
}

#[test]
fn a_member_that_the_root_holds_is_a_node_and_nothing_else_is() {
    let plan = toy().plan(&["sys-devel/builder", "dev-libs/plain"]);
    assert_eq!(
        order(&plan),
        ["dev-libs/leaf-2", "sys-devel/builder-3", "dev-libs/plain-1"]
    );
    assert_eq!(plan.packages[1].operation, Operation::Rebuild);
}

#[test]
fn flags_decide_dependencies_and_slot_operators_are_marked() {
    let plan = toy().plan(&["dev-libs/use-parent", "dev-libs/slot-op"]);
    assert_eq!(
        order(&plan),
        ["dev-libs/leaf-2", "dev-libs/use-parent-1", "dev-libs/slot-op-1"]
    );
    let bound = plan
        .edges
        .iter()
        .find(|edge| plan.cpv(edge.parent) == "dev-libs/slot-op-1")
        .unwrap();
    assert!(bound.slot_operator);
    assert_eq!(bound.kinds, [DependencyKind::Build, DependencyKind::Runtime]);
    assert_eq!(plan.packages[0].subslot, "2");
    assert_eq!(
        plan.packages[1].line,
        "[ebuild  N     ] dev-libs/use-parent-1::gentoo  USE=\"flag -other\" 0 KiB"
    );
}

#[test]
fn everything_a_key_needs_is_there() {
    let plan = toy().plan(&["dev-libs/environment", "dev-libs/inheriting", "@pair"]);
    let find = |name: &str| plan.packages.iter().find(|package| package.name == name).unwrap();
    let special = find("environment");
    assert_eq!(special.environment["CFLAGS"], "-O2 -fspecial");
    assert_eq!(find("leaf").environment["CFLAGS"], "-O2");
    assert_eq!(special.environment["SOURCE_DATE_EPOCH"], "1700000000");
    assert_eq!(special.configuration.len(), 1);
    assert_eq!(
        special.configuration[0].path,
        "/etc/portage/patches/dev-libs/environment/fix.patch"
    );
    assert_eq!(special.defined_phases, [""; 0]);
    let inheriting = find("inheriting");
    let homes: Vec<_> = inheriting
        .eclasses
        .iter()
        .map(|(name, eclass)| (name.as_str(), eclass.repository.as_str()))
        .collect();
    assert_eq!(homes, [("helper", "gentoo"), ("more", "extra")]);
    assert_eq!(
        inheriting.files,
        [
            "dev-libs/inheriting/files/sub/one.patch",
            "dev-libs/inheriting/files/two.patch"
        ]
    );
    assert_eq!(inheriting.ebuild, "dev-libs/inheriting/inheriting-1.ebuild");
    let wanted: Vec<_> = inheriting
        .distfiles
        .iter()
        .map(|file| (file.name.as_str(), file.size, file.uris[0].as_str()))
        .collect();
    assert_eq!(
        wanted,
        [
            ("doc.tar.gz", Some(7), "https://example.org/doc.tar.gz"),
            ("inheriting-1.tar.gz", Some(5), "mirror://example/a/a-1.tar.gz")
        ]
    );
    assert_eq!(inheriting.distfiles[0].hashes["BLAKE2B"], "bb");
    assert_eq!(plan.profile.mirrors["example"], ["https://mirror.example.org/"]);
    assert_eq!(plan.profile.header["ARCH"], "amd64");
    let groups = &plan.profile.license_groups;
    let licenses = |group: &str| groups[group].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(licenses("FREE"), ["MIT"]);
    assert_eq!(licenses("EULA"), ["MIT", "Secret"]);
    let members: Vec<_> = plan
        .roots
        .iter()
        .map(|root| (root.member.as_str(), plan.cpv(root.node)))
        .collect();
    assert_eq!(
        members,
        [
            ("@pair", "dev-libs/leaf-2"),
            ("@pair", "dev-libs/plain-1"),
            ("dev-libs/environment", "dev-libs/environment-1"),
            ("dev-libs/inheriting", "dev-libs/inheriting-1"),
        ]
    );
    insta::assert_snapshot!(
        keyed_environment(&special.environment)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect::<String>()
    );
}

#[test]
fn a_set_of_sets_and_a_package_of_the_root_without_an_ebuild() {
    let plan = toy().plan(&["@nested"]);
    assert_eq!(
        order(&plan),
        ["dev-libs/leaf-2", "dev-libs/on-stub-1", "dev-libs/plain-1"]
    );
    assert!(plan.roots.iter().all(|root| root.member == "@nested"));
    assert_eq!(plan.roots.len(), 3);
    let stub = plan
        .installed
        .iter()
        .find(|package| package.cpv == "sys-devel/stub-1")
        .unwrap();
    assert_eq!((stub.slot.as_str(), stub.subslot.as_str()), ("3", "4"));
    assert_eq!(stub.use_flags, ["ssl"]);
    assert!(
        roots(&plan)["dev-libs/on-stub-1"]
            .1
            .contains(&"sys-devel/stub-1".to_owned())
    );
    let by_hand = &plan.packages[1];
    assert_eq!(by_hand.restrict, ["fetch"]);
    assert!(
        by_hand.fetch_instructions.contains("Get by-hand.tar.gz by hand."),
        "{}",
        by_hand.fetch_instructions
    );
    assert_eq!(by_hand.distfiles[0].size, Some(9));
}

#[test]
fn equal_questions_have_equal_answers_in_every_container() {
    let request = request(&[
        "dev-libs/user",
        "dev-libs/post-a",
        "dev-libs/ring-user",
        "dev-libs/inheriting",
        "@pair",
    ]);
    let first = toy().answer_bytes(&request);
    assert_eq!(toy().answer_bytes(&request), first);
    let other = Toy::with("");
    assert_eq!(other.answer_bytes(&request), first);
}

#[test]
fn the_merge_list_is_what_emerge_prints() {
    let answer = toy().answer(&request(&[
        "sys-libs/zlib",
        "sys-devel/builder",
        "dev-libs/use-parent",
        "dev-libs/inheriting",
    ]));
    let Outcome::Plan(plan) = answer.outcome else {
        panic!("no plan")
    };
    let printed = toy().exec(&answer.command.iter().map(String::as_str).collect::<Vec<_>>(), b"");
    let printed = String::from_utf8(printed).unwrap();
    let wanted: Vec<_> = printed
        .lines()
        .filter(|line| line.starts_with('[') || line.starts_with("Total"))
        .map(|line| line.split(", Size of").next().unwrap())
        .collect();
    let rendered = mergelist::render(&plan.packages, &[], mergelist::Colour::Never);
    assert_eq!(rendered.lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn a_seed_decides_where_it_fits_and_is_dropped_where_it_does_not() {
    let plan_of = |members: &[&str], seed: &[&str]| {
        let mut request = request(members);
        request.seed = seed.iter().map(ToString::to_string).collect();
        match toy().answer(&request).outcome {
            Outcome::Plan(plan) => *plan,
            Outcome::Refusal(refusal) => panic!("{refusal:#?}"),
        }
    };
    let plan = plan_of(&["dev-libs/plain"], &["=dev-libs/leaf-1"]);
    assert_eq!(order(&plan), ["dev-libs/leaf-1", "dev-libs/plain-1"]);
    assert_eq!(plan.roots.len(), 1);
    // An instance that another subject builds is taken instead of the root's, even of the same version.
    let plan = plan_of(&["dev-libs/plain"], &["=sys-devel/builder-3"]);
    assert!(order(&plan).contains(&"sys-devel/builder-3"));
    // What nobody here needs is no node.
    assert_eq!(
        order(&plan_of(&["dev-libs/leaf"], &["=dev-libs/plain-1", "=dev-libs/user-1"])),
        ["dev-libs/leaf-2"]
    );
    let plan = plan_of(
        &["dev-libs/wants-two"],
        &["=dev-libs/leaf-1", "=dev-libs/plain-1", "=dev-libs/gone-1"],
    );
    assert_eq!(order(&plan), ["dev-libs/leaf-2", "dev-libs/wants-two-1"]);
    assert_eq!(plan.dropped_seed, ["=dev-libs/leaf-1", "=dev-libs/gone-1"]);
}

#[test]
fn subjects_share_what_is_the_same() {
    let one = toy().plan(&["dev-libs/user"]);
    let two = toy().plan(&["dev-libs/middle", "dev-libs/plain"]);
    let joined = join([("one", &one), ("two", &two)], None).unwrap();
    let names: Vec<_> = joined
        .instances
        .iter()
        .map(|instance| (instance.name.as_str(), instance.subjects.join(" ")))
        .collect();
    assert!(names.contains(&("dev-libs/middle-1", "one two".into())), "{names:?}");
    assert!(names.contains(&("dev-libs/user-1", "one".into())));
    assert!(names.iter().all(|(name, _)| !name.contains('@')));
    assert_eq!(joined.disagreements, []);
    let (packages, installed) = joined.runtime_closure("two", &two);
    assert_eq!(packages.len(), 5);
    assert_eq!(installed, [""; 0]);
}

#[test]
fn what_portage_complains_of_is_handed_on() {
    let toy = Toy::with("-- etc/portage/package.mask/bad --\n>dev-libs/nothing\n");
    let answer = toy.answer(&request(&["dev-libs/leaf"]));
    assert!(
        answer
            .warnings
            .contains("Invalid atom in /etc/portage/package.mask/bad: >dev-libs/nothing"),
        "{}",
        answer.warnings
    );
}
