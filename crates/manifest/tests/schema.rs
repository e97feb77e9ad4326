//! The schema and the reader know the same keys. (That the reader reads every key of the table, and none besides, is asserted
//! by the reader itself whenever a test reads a map.)

#![allow(clippy::unwrap_used, reason = "a schema of another shape should stop the test")]

mod support;

use std::collections::BTreeSet;

use serde_json::Value;
use support::Workspace;

/// Every `properties` of the schema as a name and its keys.
fn sections(schema: &Value) -> Vec<(String, BTreeSet<String>)> {
    let keys = |object: &Value| {
        object["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<BTreeSet<_>>()
    };
    let mut found = vec![("farm".to_owned(), keys(schema))];
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        found.push((name.clone(), keys(definition)));
    }
    found
}

/// A manifest in which `KEY` stands as a key of the section.
fn manifest_with(section: &str, key: &str) -> Option<String> {
    let start = "farm: hep\n";
    let base = "base: { image: \"a:1\" }";
    let value = format!("{{ {key}: zzz }}");
    Some(match section {
        "farm" => format!("{key}: zzz\n"),
        "binfarm" => format!("{start}binfarm: {value}\n"),
        "base-image" => format!("{start}binfarm: {{ base: {{ image: \"a:1\", {key}: zzz }} }}\n"),
        "base-hosted" => format!("{start}binfarm: {{ base: {{ hosted: debian, {key}: zzz }} }}\n"),
        "base-stage3" => format!("{start}binfarm: {{ base: {{ stage3: x, {key}: zzz }} }}\n"),
        "repo" => format!("{start}binfarm: {{ {base}, repos: {{ r: {value} }} }}\n"),
        "git" => format!("{start}binfarm: {{ {base}, repos: {{ r: {{ git: {value} }} }} }}\n"),
        "archive" => format!("{start}binfarm: {{ {base}, repos: {{ r: {{ archive: {value} }} }} }}\n"),
        "limits" => format!("{start}binfarm: {{ {base}, limits: {value} }}\n"),
        "subject" => format!("{start}subjects: {{ s: {value} }}\n"),
        "package" => format!("{start}subjects: {{ s: {{ packages: {{ a/b: {value} }} }} }}\n"),
        "dep" => format!("{start}subjects: {{ s: {{ packages: {{ a/b: {{ deps: {{ a/c: {value} }} }} }} }} }}\n"),
        "image" => format!("{start}images: {{ i: {value} }}\n"),
        "stage" => format!("{start}stages: {{ s: {value} }}\n"),
        "task" => format!("{start}tasks: {{ t: {value} }}\n"),
        "publish" => format!("{start}publish: {value}\n"),
        "publish-pkgs" => format!("{start}publish: {{ pkgs: {value} }}\n"),
        "publish-images" => format!("{start}publish: {{ images: {value} }}\n"),
        "secret" => format!("{start}secrets: {{ s: {value} }}\n"),
        "live" => format!("{start}live: {{ a/b: {value} }}\n"),
        "distfiles" => format!("{start}distfiles: {value}\n"),
        _ => return None,
    })
}

fn says_unknown(manifest: &str, key: &str) -> bool {
    match Workspace::with(manifest).load() {
        Ok(_) => false,
        Err(farm_manifest::LoadError::Invalid { diagnostics, .. }) => diagnostics
            .0
            .iter()
            .any(|one| one.message.ends_with(&format!("has no key `{key}`"))),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_reader_knows_the_keys_of_the_schema_and_no_others() {
    let sections = sections(&farm_manifest::schema());
    let everything: BTreeSet<&String> = sections.iter().flat_map(|(_, keys)| keys).collect();
    for (section, keys) in &sections {
        for key in &everything {
            let manifest =
                manifest_with(section, key).unwrap_or_else(|| panic!("no manifest is known for `{section}`"));
            // A key that the surrounding text already has would be a duplicate, and a base of another kind is read as that kind.
            let repeated = manifest.matches(&format!("{key}: ")).count() > 1;
            let other_base = section.starts_with("base-") && ["image", "hosted", "stage3"].contains(&key.as_str());
            if repeated || other_base {
                continue;
            }
            assert_eq!(
                says_unknown(&manifest, key),
                !keys.contains(*key),
                "`{key}` of {section}:\n{manifest}"
            );
        }
    }
}

#[test]
fn the_schema_documents_every_key() {
    let schema = farm_manifest::schema();
    for (section, keys) in sections(&schema) {
        let object = if section == "farm" {
            &schema
        } else {
            &schema["$defs"][&section]
        };
        for key in keys {
            let description = object["properties"][&key]["description"].as_str().unwrap_or_default();
            assert!(
                description.ends_with('.'),
                "`{key}` of {section} has no sentence that says what it is"
            );
        }
    }
    insta::assert_json_snapshot!(schema);
}
