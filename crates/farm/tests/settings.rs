//! What a manifest's words become in Portage's files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use camino::Utf8Path;
use farm_domain::lower::settings;
use farm_domain::settings::Settings;
use farm_manifest::Overrides;

fn rendered(subjects: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    fs_err::create_dir_all(root.join("farms/x/overlay")).unwrap();
    let text = format!(
        "farm: x\nflavour: f\nbinfarm:\n  base: {{ image: i:1 }}\n  repos: {{ r: {{ path: overlay }} }}\n  profile: r:p\n{subjects}"
    );
    fs_err::write(root.join("farms/x/farm.yaml"), text).unwrap();
    let loaded = farm_manifest::load(root, "x", &Overrides::default()).unwrap();
    settings(&loaded, loaded.farm.binfarm.as_ref().unwrap()).unwrap()
}

fn package_use(settings: &Settings) -> String {
    let path = "profiles/layers/99-packages/package.use";
    settings
        .repo
        .get(path)
        .map(|file| file.as_text().to_owned())
        .unwrap_or_default()
}

#[test]
fn a_flag_that_overrides_wins_wherever_the_letters_would_put_it() {
    for (earlier, later) in [("on", "-on"), ("-on", "on")] {
        let text = format!(
            "subjects:\n  one: {{ packages: {{ a/b: {{ use: [{earlier}, other] }} }} }}\n  \
             two: {{ packages: {{ a/b: {{ use: [!override {later}] }} }} }}\n"
        );
        let lines = package_use(&rendered(&text));
        let mut expected = [format!("a/b {later}"), "a/b other".to_owned()];
        expected.sort();
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected, "{earlier} then {later}");
    }
}
