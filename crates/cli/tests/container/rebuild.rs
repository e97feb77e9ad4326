//! `farm build --rebuild` of what containers make: differences file by file, and the first output stays.

use serde_json::{Value, json};

use crate::support::{FarmSpace, Output, docker};

const TOOL: &str = "farms/tiny/overlay/dev-util/tool/tool-1.0.ebuild";
const RANDOM: &str = "/proc/sys/kernel/random/uuid";

/// The event with which a node of the farm ended.
fn end_of(output: &Output, node: &str) -> Value {
    let name = format!("tiny:{node}");
    let ends = |event: &Value| event["event"] == "node-finished" && event["name"] == name.as_str();
    output.events().into_iter().find(ends).unwrap()
}

fn not_reproducible(output: &Output) -> Value {
    output.events().pop().unwrap()["not-reproducible"].clone()
}

#[test]
fn a_package_that_differs_in_one_file() {
    let space = FarmSpace::ready();
    let install = format!(
        "\tdobin tool\n\tSTAMP=$(< {RANDOM})\n\techo $STAMP > stamp || die\n\tinsinto /usr/share/tool\n\tdoins stamp\n"
    );
    space.edit(TOOL, "\tdobin tool\n", &install);
    let build = |arguments: &[&str]| {
        let mut all = vec!["build", "--json"];
        all.extend(arguments);
        space.farm(&all)
    };
    let output = build(&["tiny:pkg/dev-util/tool"]).succeeded();
    assert_eq!(end_of(&output, "pkg/dev-util/tool-1.0")["reproducible"], Value::Null);
    let first = space.place("tiny:pkg/dev-util/tool-1.0", "payload");

    // Nothing else needs what is rebuilt: it is a goal of its own.
    let output = build(&["tiny:pkg/dev-libs/libfoo", "--rebuild", "tiny:pkg/dev-util/tool"]).ended(1);
    let end = end_of(&output, "pkg/dev-util/tool-1.0");
    assert_eq!(end["result"], "built", "{output}");
    assert_eq!(end["reproducible"], false, "{output}");
    let differences = end["differences"].as_array().unwrap();
    let paths: Vec<&str> = differences
        .iter()
        .map(|difference| difference["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["/usr/share/tool/stamp", "environment/STAMP"], "{output}");
    assert_eq!(differences[0]["what"], "content", "{output}");
    assert_eq!(not_reproducible(&output), 1);
    let said = "not reproducible, the first output stays:\n  tiny:pkg/dev-util/tool-1.0:\n    /usr/share/tool/stamp: content\n";
    assert!(output.stderr.contains(said), "{output}");
    assert_eq!(space.place("tiny:pkg/dev-util/tool-1.0", "payload"), first);
    let output = build(&["tiny:pkg/dev-util/tool"]).succeeded();
    assert!(output.ran().is_empty(), "{output}");

    let output = build(&["--rebuild", "tiny:pkg/dev-libs/libfoo"]).succeeded();
    assert_eq!(
        end_of(&output, "pkg/dev-libs/libfoo-1.2")["reproducible"],
        true,
        "{output}"
    );
    assert_eq!(not_reproducible(&output), 0);
}

#[test]
fn an_image_keeps_its_name_and_the_second_can_be_cleaned() {
    let space = FarmSpace::ready();
    let script = format!("set -eu\ncat {RANDOM} > /etc/stamp\n");
    space.edit("farms/tiny/bootstrap.sh", "set -eu\n", &script);
    let output = space.farm(&["build", "tiny:root", "--json"]).succeeded();
    assert!(output.ran().contains("tiny:root"), "{output}");
    let first = space.place("tiny:root", "image");
    let (id, name) = (first["id"].as_str().unwrap(), first["tag"].as_str().unwrap());

    let output = space.farm(&["build", "--json", "--rebuild", "tiny:root"]).ended(1);
    let differences = json!([{ "path": "/etc/stamp", "what": "content" }]);
    assert_eq!(end_of(&output, "root")["differences"], differences, "{output}");
    let image = |name: &str| docker(&["image", "inspect", "--format", "{{.Id}}", name]);
    assert_eq!(image(name), id, "the name is the first one's again");

    let names = space.read(".farm/image-names");
    let second = names
        .lines()
        .rev()
        .filter_map(|line| line.split_once(' '))
        .find(|(other, named)| *named == name && *other != id);
    let (second, _) = second.unwrap();
    assert_eq!(image(second), second);
    let output = space.farm(&["clean"]).succeeded();
    let left = docker(&["image", "ls", "--all", "--quiet", "--no-trunc"]);
    assert!(!left.contains(id), "the first is left: {output}");
    assert!(!left.contains(second), "the second is left: {output}");
}
