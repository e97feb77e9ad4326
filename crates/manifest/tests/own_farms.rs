//! The farms and examples that this project ships are read without an error.

use camino::Utf8Path;
use farm_manifest::{LoadError, Overrides, farm_names, load};

#[test]
fn every_farm_and_every_example_is_read() {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut workspaces = vec![root.clone()];
    for entry in fs_err::read_dir(root.join("examples")).unwrap() {
        workspaces.push(root.join("examples").join(entry.unwrap().file_name().to_str().unwrap()));
    }
    for workspace in workspaces {
        let names = farm_names(&workspace).unwrap();
        assert!(!names.is_empty(), "{workspace} has no farm");
        for name in names {
            match load(&workspace, &name, &Overrides::default()) {
                Ok(loaded) => assert_eq!(loaded.farm.name.value, name),
                Err(LoadError::Invalid {
                    diagnostics, sources, ..
                }) => {
                    panic!("{name} of {workspace}:\n{}", diagnostics.render(&sources, false))
                }
                Err(error) => panic!("{name} of {workspace}: {error}"),
            }
        }
    }
}
