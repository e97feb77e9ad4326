//! A farm that continues another, and settings of the workspace.

mod support;

use support::Workspace;

#[test]
fn maps_are_merged_and_paths_belong_to_the_file_they_are_written_in() {
    let loaded = Workspace::with(
        "farm: hep\ninclude: base\nvars: { TYPE: dbg }\nflavour: !override \"x.${TYPE}\"\nsubjects: { two: { needs: [one], packages: [a/c] } }\ntasks: { own: { run: x } }\n",
    )
    .file(
        "farms/base/farm.yaml",
        "farm: base\nvars: { TYPE: opt, OTHER: \"${TYPE}!\" }\nflavour: ${TYPE}\nbinfarm: { base: { image: \"a:${TYPE}\" }, root: root.d }\n\
         subjects: { one: { packages: sets/one } }\ntasks: { shared: { run: x } }\n",
    )
    .file("farms/base/sets/one", "# members\na/b\n@world\n")
    .file("farms/base/root.d/etc/motd", "hello\n")
    .file("farms/settings.yaml", "salt: 007\nsource_date_epoch: 1600000000\n")
    .good();

    let farm = &loaded.farm;
    assert_eq!(farm.name.value, "hep");
    assert_eq!(farm.folder, "farms/hep");
    assert_eq!(farm.flavour.value, "x.dbg");
    assert_eq!(farm.variables["OTHER"].value.value, "dbg!");
    assert_eq!(
        farm.binfarm.as_ref().unwrap().root.as_ref().unwrap().value,
        "farms/base/root.d"
    );
    let subjects: Vec<&str> = farm
        .subjects
        .iter()
        .map(|subject| subject.name.value.as_str())
        .collect();
    assert_eq!(subjects, ["one", "two"]);
    let members: Vec<String> = farm.subjects[0]
        .packages
        .members()
        .map(|member| member.value.to_string())
        .collect();
    assert_eq!(members, ["a/b", "@world"]);
    assert_eq!(farm.task("shared").unwrap().folder, "farms/base");
    assert_eq!(farm.task("own").unwrap().folder, "farms/hep");
    assert_eq!(loaded.settings.salt, "007");
    assert_eq!(loaded.settings.source_date_epoch, 1_600_000_000);
}

#[test]
fn a_farm_that_is_not_there_is_an_error_that_names_those_that_are() {
    let workspace = Workspace::new().file("farms/hepfarm/farm.yaml", "farm: hepfarm\n");
    assert_eq!(workspace.bad(), "there is no farm `hep` here; did you mean `hepfarm`?");
    assert_eq!(farm_manifest::farm_names(&workspace.path()).unwrap(), ["hepfarm"]);
}

#[test]
fn a_farm_cannot_be_called_like_a_target() {
    for name in ["image", "publish-pkgs", "root"] {
        let workspace = Workspace::new().file(&format!("farms/{name}/farm.yaml"), format!("farm: {name}\n"));
        let error = farm_manifest::load(&workspace.path(), name, &farm_manifest::Overrides::default()).unwrap_err();
        assert!(matches!(error, farm_manifest::LoadError::Invalid { .. }), "{name}");
    }
}
