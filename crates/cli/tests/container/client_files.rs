//! `client/`: a machine that has none of farm's repositories and layers installs what was published, by the commands of its README.

use std::path::Path;

use fs_err as fs;

use crate::signed::Signing;
use crate::support::nginx::Nginx;
use crate::support::{Client, FarmSpace, client_image};

const MANIFEST: &str = "farms/tiny/farm.yaml";
const PROFILE: &str = "farms/tiny/gentoo/profiles/default/linux/amd64/make.defaults";
const LAYER: &str = "profiles/common/make.conf";

/// Makes of the example one whose packages a stranger may not have without further ado: leaf is not stable, libfoo's licence is accepted
/// by a group that only the overlay knows, and bar has a flag that the farm sets for everybody. A layer has what is nobody's business, too.
fn prepare(space: &FarmSpace) {
    let overlay = "farms/tiny/overlay";
    space.edit(PROFILE, "ACCEPT_LICENSE=\"*\"", "ACCEPT_LICENSE=\"-* @FREE\"");
    space.write("farms/tiny/gentoo/profiles/license_groups", "FREE MIT\n");
    space.write(&format!("{overlay}/profiles/license_groups"), "ODD Odd\n");
    space.write(&format!("{overlay}/licenses/Odd"), "As you like it.\n");
    space.edit(
        &format!("{overlay}/app-misc/leaf/leaf-1.0.ebuild"),
        "KEYWORDS=\"amd64\"",
        "KEYWORDS=\"~amd64\"",
    );
    space.edit(
        &format!("{overlay}/dev-libs/libfoo/libfoo-1.2.ebuild"),
        "LICENSE=\"MIT\"",
        "LICENSE=\"Odd\"",
    );
    space.edit(
        &format!("{overlay}/dev-libs/bar/bar-2.0.ebuild"),
        "IUSE=\"noise\"",
        "IUSE=\"noise quick\"",
    );
    // A category that only the overlay has.
    let categories = format!("{overlay}/profiles/categories");
    space.write(&categories, format!("{}sci-odd\n", space.read(&categories)));
    space.write(
        &format!("{overlay}/sci-odd/thing/thing-1.ebuild"),
        "EAPI=8\nDESCRIPTION=\"x\"\nLICENSE=\"MIT\"\nSLOT=\"0\"\nKEYWORDS=\"amd64\"\nS=\"${WORKDIR}\"\n\
         src_install() { echo odd > thing; insinto /usr/share; doins thing; }\n",
    );
    space.write(
        "profiles/common/package.accept_keywords",
        "app-misc/leaf ~amd64 # new\n",
    );
    space.write("profiles/common/package.license", "dev-libs/libfoo @ODD\n");
    let layer = space.read(LAYER);
    space.write(
        LAYER,
        format!(
            "{layer}USE=\"${{USE}} quick\"\nMAKEOPTS=\"-j3\"\nGENTOO_MIRRORS=\"http://SECRET@mirror.example.org\"\n"
        ),
    );
    space.edit(
        MANIFEST,
        "      app-misc/leaf -upper",
        "      sci-odd/thing\n      app-misc/leaf -upper",
    );
}

/// The commands of the README, without the last one, which installs, and that one.
fn commands(readme: &str) -> (String, String) {
    let mut commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let install = commands.pop().unwrap().to_owned();
    (commands.join("\n"), install)
}

/// What Portage on the client says of a package that is installed: its flags.
fn flags(client: &Client, cpv: &str) -> String {
    client.shell(&format!("cat /var/db/pkg/{cpv}/USE"))
}

/// A machine that knows of the packages and of who signed them, and of nothing else.
fn stranger(client_folder: &Path, gentoo: &Path) -> Client {
    let client = Client::new(client_image(), gentoo);
    client.copy(client_folder, "/root/client");
    client
}

#[test]
fn a_machine_without_farms_repositories_installs_a_subject() {
    let signing = Signing::new();
    let space = &signing.space;
    prepare(space);
    let key = signing.key("Farm Test <farm@example.org>");
    signing.signed_by(Some(&key.fingerprint));
    // Where readers find it is known before it is there.
    let www = space.folder().join("www");
    fs::create_dir(&www).unwrap();
    let server = Nginx::serve(&www);
    space.edit(
        MANIFEST,
        "pkgs: { to: \"${PKGS}\"",
        &format!("pkgs: {{ url: \"{}/pkgs\", to: \"${{PKGS}}\"", server.url()),
    );
    let (result, published) = signing.publish("www/pkgs", &[]);
    assert_eq!(result, "built");

    let folder = published.join("client");
    let readme = fs::read_to_string(folder.join("README")).unwrap();
    let (setup, install) = commands(&readme);
    assert_eq!(install, "emerge --ask --getbinpkgonly @apps", "{readme}");
    let gentoo = space.path("farms/tiny/gentoo");

    // Only where the packages are, who signed them, and what the subject is.
    let without = stranger(&folder, &gentoo);
    let some: Vec<&str> = setup
        .lines()
        .filter(|line| !line.contains("profile") && !line.contains("package."))
        .collect();
    without.shell(&format!("cd /root/client\n{}", some.join("\n")));
    without.shell("mkdir -p /etc/portage/sets; cp /root/client/sets/* /etc/portage/sets/");
    let said = without.emerge_refuses("@apps");
    assert!(said.contains("masked by: ~amd64 keyword"), "{said}");
    let said = without.emerge_refuses("dev-libs/libfoo");
    assert!(said.contains("masked by: Odd license"), "{said}");
    assert!(!without.run("test -e /usr/bin/leaf").0);
    drop(without);

    let client = stranger(&folder, &gentoo);
    client.shell(&format!("cd /root/client\n{setup}"));
    let said = client.shell(&format!("{} 2>&1", install.replace("--ask", "--ask=n --color=n")));
    assert!(said.contains("Emerging binary"), "{said}");
    let mut warnings = said
        .lines()
        .filter(|line| line.starts_with("!!!") || line.starts_with("---"));
    assert!(
        warnings.all(|line| line.contains("sandbox") || line.contains("getuto")),
        "Portage warns of the configuration:\n{said}"
    );
    assert_eq!(
        client.shell("leaf; cat /usr/share/thing"),
        "hello, the answer is 42\nodd"
    );
    assert!(
        flags(&client, "dev-libs/bar-2.0")
            .split(' ')
            .any(|flag| flag == "quick")
    );
    // The farm's flag is in force there for whatever comes, and its FEATURES are not.
    let portageq = |name: &str| client.shell(&format!("portageq envvar {name}"));
    assert!(portageq("USE").split(' ').any(|flag| flag == "quick"));
    assert_eq!(portageq("ACCEPT_LICENSE"), "MIT");
    assert!(!portageq("FEATURES").contains("parallel-install"));
    // Again, as after a later release.
    client.shell(&format!("cd /root/client\n{setup}"));
    let again = client.emerge("--pretend --update --deep --newuse @apps");
    assert!(!again.contains("[binary"), "{again}");

    // A machine with a profile of its own takes what the farm adds to it.
    let nodes: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("  ..")).collect();
    assert!(!nodes.is_empty(), "{readme}");
    let parent: String = nodes.iter().map(|node| format!("..{node}\n")).collect();
    client.shell(&format!(
        "rm /etc/portage/make.profile; mkdir /etc/portage/make.profile\n\
         printf 'gentoo:default/linux/amd64\\n%s' '{parent}' > /etc/portage/make.profile/parent\n"
    ));
    assert!(portageq("USE").split(' ').any(|flag| flag == "quick"));
    let whole = client.emerge("--pretend @apps");
    assert!(whole.contains("app-misc/leaf-1.0"), "{whole}");

    nothing_private(&folder);
}

/// No file tells of the machine that built, of its folders, or of what its layers hold for themselves.
fn nothing_private(folder: &Path) {
    let mut pending = vec![folder.to_owned()];
    let mut seen = 0;
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        for word in ["SECRET", "MAKEOPTS", "/var/db/repos", "/tmp", "overlay"] {
            assert!(!text.contains(word), "{word} in {}:\n{text}", path.display());
        }
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn other_client_files_alone_build_nothing() {
    let space = FarmSpace::ready();
    let folder = space.folder().join("pkgs");
    let to = format!("PKGS=file://{}", folder.display());
    let publish = || {
        space
            .farm(&["publish-pkgs", "tiny", "--unsigned", "--json", &to])
            .succeeded()
            .results()
    };
    publish();
    let published = folder.join(format!("{}.opt", space.flavour()));
    let archive = || fs::read(published.join("client/client.tar.gz")).unwrap();
    let binrepos = fs::read_to_string(published.join("client/binrepos.conf")).unwrap();
    assert!(
        binrepos.contains(&format!(
            "sync-uri = file://{}\nverify-signature = false",
            published.display()
        )),
        "{binrepos}"
    );
    let first = archive();
    // The same, published elsewhere from another workspace's state: the same bytes, but for the address.
    space.write("profiles/common/package.license", "*/* Unheard-of\n");
    let results = publish();
    let built: Vec<&String> = results
        .iter()
        .filter(|(_, result)| *result == "built")
        .map(|(name, _)| name)
        .collect();
    assert!(built.iter().any(|name| *name == "tiny:publish-pkgs"), "{built:?}");
    assert!(!built.iter().any(|name| name.contains(":pkg/")), "{built:?}");
    assert!(published.join("releases/0002.json").exists());
    assert_ne!(archive(), first);
    let name = format!("client/package.license/tiny-{}.opt", space.flavour());
    assert_eq!(fs::read_to_string(published.join(name)).unwrap(), "*/* Unheard-of\n");
    // And back: the bytes that were.
    space.remove("profiles/common/package.license");
    publish();
    assert_eq!(archive(), first);
    let checked = space.farm(&["binhost", "check", "tiny", &to]).succeeded();
    assert!(checked.stderr.contains("no faults: "), "{checked}");
    fs::write(published.join("client/README"), "Do something else.\n").unwrap();
    let checked = space.farm(&["binhost", "check", "tiny", &to]).ended(1);
    assert!(
        checked.stdout.contains("client/README: it is not what release 3 has"),
        "{checked}"
    );
    // The next publication mends it.
    assert_eq!(publish()["tiny:publish-pkgs"], "built");
    let _ = space.farm(&["binhost", "check", "tiny", &to]).succeeded();
}
