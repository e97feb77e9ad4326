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
    assert_run!(space.farm(&["why", "task/top"]), @r"
    --- stdout
    chain:task/top may have to run: hangs on the output of chain:task/leaf, which runs: input/leaf.txt changed
      chain:task/top waits for `mid.out` of chain:task/mid
      chain:task/mid waits for `leaf.out` of chain:task/leaf
      chain:task/leaf runs: input/leaf.txt changed
        task/leaf: input/leaf.txt: file e0e63aa4c8e1 → file ef40086ad8a3
    --- status 0
    ");
    assert_run!(space.farm(&["why", "task/top", "--json"]), @r#"
    --- stdout
    {"node":"chain:task/top","state":"unknown","when":"pending","reason":"hangs on the output of chain:task/leaf, which runs: input/leaf.txt changed","changes":[{"input":"task/leaf: input/leaf.txt","from":"file KEY","to":"file KEY"}],"path":[{"node":"chain:task/top","why":"waits for `mid.out` of chain:task/mid"},{"node":"chain:task/mid","why":"waits for `leaf.out` of chain:task/leaf"},{"node":"chain:task/leaf","why":"runs: input/leaf.txt changed"}]}
    --- status 0
    "#);
    assert_run!(space.farm(&["why", "task/leaf"]), @r"
    --- stdout
    chain:task/leaf will run: input/leaf.txt changed
      input/leaf.txt: file e0e63aa4c8e1 → file ef40086ad8a3
    --- status 0
    ");
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
    assert_run!(space.farm(&["why", "task/mid"]), @r"
    --- stdout
    chain:task/mid is up to date: every input is as it was when it was built
      built on WHEN in TIME, last used on WHEN
      it ran then because: never built
    --- status 0
    ");
    assert_run!(space.farm(&["why", "task/mid", "--json"]), @r#"
    --- stdout
    {"node":"chain:task/mid","state":"cached","when":"last","reason":"never built","changes":[],"built":{"key":"KEY","began_ms":0,"took_ms":0,"used_ms":0}}
    --- status 0
    "#);
}

#[test]
fn a_maker_came_out_the_same() {
    let space = built();
    space.write("farms/chain/leaf.txt", "one\nand more\n");
    build(&space, &[]);
    assert_run!(space.farm(&["why", "task/mid"]), @r"
    --- stdout
    chain:task/mid is up to date: every input is as it was when it was built
      built on WHEN in TIME, last used on WHEN
      chain:task/leaf was built again on WHEN (input/leaf.txt changed), and its `leaf.out` came out the same
      it ran then because: never built
    --- status 0
    ");
    // Nor did anything above it run.
    assert_run!(space.farm(&["why", "task/top"]), @r"
    --- stdout
    chain:task/top is up to date: every input is as it was when it was built
      built on WHEN in TIME, last used on WHEN
      chain:task/leaf was built again on WHEN (input/leaf.txt changed), and its `leaf.out` came out the same for chain:task/mid
      it ran then because: never built
    --- status 0
    ");
    let answer = space.farm(&["why", "task/leaf", "--json"]).json_lines().remove(0);
    assert_eq!(answer.get("same"), None, "{answer}");
}

#[test]
fn inputs_are_back() {
    let space = built();
    build(&space, &["WORD=two"]);
    build(&space, &["WORD=three"]);
    // Found before it is built, and said after it as well.
    let before = space.farm(&["why", "task/side"]);
    assert_run!(before, @r"
    --- stdout
    chain:task/side is up to date: every input is as it was when it was built
      built on WHEN in TIME, last used on WHEN
      its inputs are back: in between it was built 2 times with others, last on WHEN
      it ran then because: never built
    --- status 0
    ");
    build(&space, &[]);
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
    assert_run!(space.farm(&["why", "task/leaf"]), @r"
    --- stdout
    chain:task/leaf will run: its output farms/chain/leaf.out is gone or was changed, and the store does not have it
    --- status 0
    ");
}

#[test]
fn todays_key_is_that_of_the_guard() {
    let space = built();
    assert_run!(space.farm(&["debug", "hash", "task/top"]), @r"
    --- stdout
    chain:task/top
      key     KEY
      built   WHEN in TIME
      inputs
        rule = task 1
        env/WORD = one
        in = host
        output/top.out = declared
        run/shell = cat mid.out > top.out
        task/mid:mid.out = 0f7b456352b5
    --- status 0
    ");
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
    assert_run!(space.farm(&["debug", "hash", "task/leaf"]), @r"
    --- stdout
    chain:task/leaf
      key     KEY
      built   never with this key
      inputs
        rule = task 1
        in = host
        input/leaf.txt = file ef40086ad8a3
        output/leaf.out = declared
        run/shell = head -n1 leaf.txt > leaf.out
    --- status 0
    ");
    assert_run!(space.farm(&["debug", "hash", "task/mid"]), @r"
    --- stdout
    chain:task/mid
      key     not known yet
      hangs on the output of chain:task/leaf, which runs: input/leaf.txt changed
      inputs
        rule = task 1
        in = host
        output/mid.out = declared
        run/shell = cat leaf.out > mid.out
        task/leaf:leaf.out = not known yet
    --- status 0
    ");
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
    assert_run!(space.farm(&["debug", "hash", &one, "task/side"]), @r"
    --- stdout
    from chain:task/side KEY of WHEN
    to   chain:task/side KEY of WHEN
      env/WORD: one → two
    --- status 1
    ");
    assert_run!(space.farm(&["debug", "hash", &two, "task/side"]), @r"
    --- stdout
    from chain:task/side KEY of WHEN
    to   chain:task/side KEY of WHEN
      the same inputs
    --- status 0
    ");
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
    assert_run!(refused("task/side@abc", &[]), @r"
    --- stderr
    error: `abc` is too short for a key: give 4 digits of it at least
    --- status 2
    ");
    assert_run!(refused("task/none", &[]), @r"
    --- stderr
    error: there is no guard of task/none: it was never built here
    hint: `farm targets` lists what there is; plans and sources are called plan/SUBJECT and fetch/FILE
    --- status 2
    ");
    assert_run!(refused("chain", &[]), @r"
    --- stderr
    error: chain is several nodes, and only one can be compared
    hint: name one of chain:task/leaf, chain:task/mid, chain:task/side, chain:task/top
    --- status 2
    ");
    assert_run!(refused("task/side", &["WORD=x"]), @r"
    --- stderr
    error: two keys are compared as they are recorded: WORD has no say
    --- status 2
    ");
    assert_run!(refused("task/side", &["task/top"]), @r"
    --- stderr
    error: one node to look at, or two keys to compare, and not more
    --- status 2
    ");
    let key = &keys(&space, "task/side")[0];
    let other = if key.starts_with("0000") { "1111" } else { "0000" };
    assert_run!(refused(&format!("task/side@{other}"), &[]), @r"
    --- stderr
    error: no key of chain:task/side that is kept begins with 0000
    hint: there are KEY
    --- status 2
    ");
}

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
    assert_run!(space.farm(&["debug", "hash", "task/side@aaaa", "task/mid"]), @r"
    --- stderr
    error: several keys of chain:task/side begin with aaaa
    hint: there are KEY, KEY
    --- status 2
    ");
    let ended = space.farm(&["debug", "hash", "task/side@aaaa1", "task/side@aaaa2"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
}

#[test]
fn what_a_node_needs_and_what_needs_it() {
    let space = built();
    assert_run!(space.farm(&["debug", "query", "deps", "task/top"]), @r"
    --- stdout
    chain:task/leaf
    chain:task/mid
    --- status 0
    ");
    assert_run!(space.farm(&["debug", "query", "deps", "task/top", "--depth", "1", "--json"]), @r#"
    --- stdout
    ["chain:task/mid"]
    --- status 0
    "#);
    assert_run!(space.farm(&["debug", "query", "rdeps", "task/leaf"]), @r"
    --- stdout
    chain:task/mid
    chain:task/top
    --- status 0
    ");
    assert_run!(space.farm(&["debug", "query", "rdeps", "task/leaf", "--depth", "1"]), @r"
    --- stdout
    chain:task/mid
    --- status 0
    ");
    // Of a whole farm: what its nodes need of each other.
    assert_run!(space.farm(&["debug", "query", "deps", "chain"]), @r"
    --- stdout
    chain:task/leaf
    chain:task/mid
    --- status 0
    ");
    assert_run!(space.farm(&["debug", "query", "rdeps", "task/top", "--json"]), @r"
    --- stdout
    []
    --- status 0
    ");
    assert_run!(space.farm(&["debug", "query", "deps", "task/nosuch"]), @r"
    --- stderr
    error: chain has no task `nosuch`
    hint: it has: leaf, mid, top, side
    --- status 2
    ");
    assert_run!(space.farm(&["debug", "query", "deps"]), @r"
    --- stderr
    error: which node? `farm debug query deps` needs a target
    hint: `farm targets` lists them
    --- status 2
    ");
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
