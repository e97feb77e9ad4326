//! What farm says of a node: why it runs, why it does not, what its key is made of, what it needs and what needs it.

use std::collections::BTreeMap;

use crate::space::{Space, assert_run};

/// `leaf` reads a file and leaves its first line; `mid` and `top` hang on that, `side` on nothing.
const CHAIN: &str = r#"
farm: chain
vars: { WORD: one }
tasks:
  leaf: { in: host, inputs: [leaf.txt], run: 'head -n1 leaf.txt > leaf.out', outputs: [leaf.out] }
  mid: { in: host, inputs: [leaf.out], run: 'cat leaf.out > mid.out', outputs: [mid.out] }
  top: { in: host, inputs: [mid.out], env: { WORD: "${WORD}" }, run: 'cat mid.out > top.out', outputs: [top.out] }
  side: { in: host, env: { WORD: "${WORD}" }, run: 'echo side > side.out', outputs: [side.out] }
"#;

fn built() -> Space {
    let space = Space::with_farm("chain", CHAIN);
    space.write("farms/chain/leaf.txt", "one\n");
    build(&space, &[]);
    space
}

fn build(space: &Space, more: &[&str]) {
    let ended = space.farm(&[&["build"], more].concat());
    assert_eq!(ended.status, Some(0), "{}", ended.text());
}

/// The keys of a node that are kept, the one used last first.
fn keys(space: &Space, node: &str) -> Vec<String> {
    let guards = space.farm(&["debug", "guard", node, "--json"]).json_lines();
    guards
        .iter()
        .map(|guard| guard["key"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_way_to_what_changed() {
    let space = built();
    space.write("farms/chain/leaf.txt", "two\n");
    assert_run!(space.farm(&["why", "task/top"]), @r"");
    assert_run!(space.farm(&["why", "task/top", "--json"]), @r"");
    assert_run!(space.farm(&["why", "task/leaf"]), @r"");
}

#[test]
fn the_shortest_way_is_taken() {
    let space = Space::with_farm(
        "two",
        r#"
farm: two
tasks:
  leaf: { in: host, inputs: [leaf.txt], run: 'cp leaf.txt leaf.out', outputs: [leaf.out] }
  mid: { in: host, inputs: [leaf.out], run: 'cat leaf.out > mid.out', outputs: [mid.out] }
  top: { in: host, inputs: [mid.out, leaf.out], run: 'cat mid.out > top.out', outputs: [top.out] }
"#,
    );
    space.write("farms/two/leaf.txt", "one\n");
    let answer = space.farm(&["why", "task/top", "--json"]).json_lines().remove(0);
    let path = answer["path"].as_array().unwrap();
    let names: Vec<&str> = path.iter().map(|step| step["node"].as_str().unwrap()).collect();
    assert_eq!(names, ["two:task/top", "two:task/leaf"]);
}

#[test]
fn nothing_changed() {
    let space = built();
    assert_run!(space.farm(&["why", "task/mid"]), @r"");
    assert_run!(space.farm(&["why", "task/mid", "--json"]), @r"");
}

#[test]
fn a_maker_came_out_the_same() {
    let space = built();
    space.write("farms/chain/leaf.txt", "one\nand more\n");
    build(&space, &[]);
    assert_run!(space.farm(&["why", "task/mid"]), @r"");
    // Nor did anything above it run.
    assert_run!(space.farm(&["why", "task/top"]), @r"");
    let answer = space.farm(&["why", "task/leaf", "--json"]).json_lines().remove(0);
    assert_eq!(answer.get("same"), None, "{answer}");
}

#[test]
fn inputs_are_back() {
    let space = built();
    build(&space, &["WORD=two"]);
    build(&space, &["WORD=three"]);
    // Found before it is built, and said after it as well.
    for _ in 0..2 {
        assert_run!(space.farm(&["why", "task/side"]), @r"");
        build(&space, &[]);
    }
    let answer = space.farm(&["why", "task/side", "--json"]).json_lines().remove(0);
    assert_eq!(answer["back"]["others"], 2, "{answer}");
    let answer = space
        .farm(&["why", "task/side", "WORD=three", "--json"])
        .json_lines()
        .remove(0);
    assert_eq!(answer.get("back"), None, "{answer}");
}

#[test]
fn an_output_changed_by_hand() {
    let space = built();
    fs_err::remove_dir_all(space.path(".farm/store")).unwrap();
    fs_err::remove_file(space.path("farms/chain/leaf.out")).unwrap();
    assert_run!(space.farm(&["why", "task/leaf"]), @r"");
}

#[test]
fn todays_key_is_that_of_the_guard() {
    let space = built();
    assert_run!(space.farm(&["debug", "hash", "task/top"]), @r"");
    for node in ["task/leaf", "task/mid", "task/top", "task/side"] {
        let answer = space.farm(&["debug", "hash", node, "--json"]).json_lines().remove(0);
        assert_eq!(answer["key"], keys(&space, node)[0], "{node}");
        assert_eq!(answer["built"]["key"], answer["key"], "{node}");
        let guard = space.farm(&["debug", "guard", node, "--json"]).json_lines().remove(0);
        assert_eq!(answer["inputs"], guard["inputs"], "{node}");
    }
}

#[test]
fn a_key_that_no_build_has_and_one_that_nobody_knows() {
    let space = built();
    space.write("farms/chain/leaf.txt", "two\n");
    assert_run!(space.farm(&["debug", "hash", "task/leaf"]), @r"");
    assert_run!(space.farm(&["debug", "hash", "task/mid"]), @r"");
    let answer = space
        .farm(&["debug", "hash", "task/mid", "--json"])
        .json_lines()
        .remove(0);
    assert!(answer["key"].is_null(), "{answer}");
    let inputs = answer["inputs"].as_array().unwrap();
    let unknown: Vec<&serde_json::Value> = inputs.iter().filter(|input| input["value"].is_null()).collect();
    assert_eq!(unknown.len(), 1, "{answer}");
    assert_eq!(unknown[0]["name"], "task/leaf:leaf.out");
}

#[test]
fn two_keys_compared() {
    let space = built();
    build(&space, &["WORD=two"]);
    let keys = keys(&space, "task/side");
    let (two, one) = (
        format!("task/side@{}", &keys[0][..8]),
        format!("task/side@{}", keys[1].to_uppercase()),
    );
    assert_run!(space.farm(&["debug", "hash", &one, "task/side"]), @r"");
    assert_run!(space.farm(&["debug", "hash", &two, "task/side"]), @r"");
    let ended = space.farm(&["debug", "hash", "task/leaf", "task/mid", "--json"]);
    assert_eq!(ended.status, Some(1), "{}", ended.text());
    let answer = ended.json_lines().remove(0);
    assert_eq!(answer["from"]["node"], "chain:task/leaf");
    let changes = answer["changes"].as_array().unwrap();
    let by_name: BTreeMap<&str, &serde_json::Value> = changes
        .iter()
        .map(|change| (change["input"].as_str().unwrap(), change))
        .collect();
    let digest = by_name["task/leaf:leaf.out"]["to"].as_str().unwrap();
    assert_eq!(
        (by_name["task/leaf:leaf.out"]["from"].is_null(), digest.len()),
        (true, 64),
        "digests are whole"
    );
    assert!(!by_name.contains_key("rule"));
}

#[test]
fn keys_that_cannot_be_compared() {
    let space = built();
    let refused = |first: &str, more: &[&str]| {
        let ended = space.farm(&[&["debug", "hash", first, "task/mid"], more].concat());
        assert_eq!(ended.status, Some(2), "{}", ended.text());
        ended
    };
    assert_run!(refused("task/side@abc", &[]), @r"");
    assert_run!(refused("task/none", &[]), @r"");
    assert_run!(refused("chain", &[]), @r"");
    assert_run!(refused("task/side", &["WORD=x"]), @r"");
    assert_run!(refused("task/side", &["task/top"]), @r"");
    let key = &keys(&space, "task/side")[0];
    let other = if key.starts_with("0000") { "1111" } else { "0000" };
    assert_run!(refused(&format!("task/side@{other}"), &[]), @r"");
}

/// Many keys of one node, so that two begin alike in four digits: by the birthday rule, 600 of 65,536.
#[test]
fn a_prefix_of_several_keys_lists_them() {
    let space = built();
    let guards = space.path(".farm/guards");
    let text = space.farm(&["debug", "guard", "task/side", "--json"]).stdout;
    let guard: farm_engine::Guard = serde_json::from_str(text.trim()).unwrap();
    let file = farm_guard_file::GuardFile::open(&guards, farm_guard_file::Mode::Write)
        .unwrap()
        .guards;
    let keys = ["aaaa1", "aaaa2"].map(|start| format!("{start:0<64}"));
    for key in &keys {
        let key = serde_json::from_value(serde_json::json!(key)).unwrap();
        farm_engine::GuardStore::record(&file, farm_engine::Guard { key, ..guard.clone() }).unwrap();
    }
    drop(file);
    assert_run!(space.farm(&["debug", "hash", "task/side@aaaa", "task/mid"]), @r"");
    let ended = space.farm(&["debug", "hash", "task/side@aaaa1", "task/side@aaaa2"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
}

#[test]
fn what_a_node_needs_and_what_needs_it() {
    let space = built();
    assert_run!(space.farm(&["debug", "query", "deps", "task/top"]), @r"");
    assert_run!(space.farm(&["debug", "query", "deps", "task/top", "--depth", "1", "--json"]), @r"");
    assert_run!(space.farm(&["debug", "query", "rdeps", "task/leaf"]), @r"");
    assert_run!(space.farm(&["debug", "query", "rdeps", "task/leaf", "--depth", "1"]), @r"");
    // Of a whole farm: what its nodes need of each other.
    assert_run!(space.farm(&["debug", "query", "deps", "chain"]), @r"");
    assert_run!(space.farm(&["debug", "query", "rdeps", "task/top", "--json"]), @r"");
    assert_run!(space.farm(&["debug", "query", "deps", "task/nosuch"]), @r"");
    assert_run!(space.farm(&["debug", "query", "deps"]), @r"");
}

#[test]
fn looking_leaves_nothing() {
    let space = Space::with_farm("chain", CHAIN);
    space.write("farms/chain/leaf.txt", "one\n");
    for arguments in [
        &["debug", "hash", "task/top"][..],
        &["debug", "query", "deps", "task/top"],
        &["debug", "query", "affected", "farms/chain/leaf.txt"],
    ] {
        let ended = space.farm(arguments);
        assert_eq!(ended.status, Some(0), "{}", ended.text());
    }
    assert!(!space.exists(".farm"));
}
