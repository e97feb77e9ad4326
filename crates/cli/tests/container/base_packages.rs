//! Packages of the base that nobody built anew, published as the base has them, on a base of twenty packages that Portage merged.

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;

use crate::clients::unsigned_client;
use crate::support::nginx::Nginx;
use crate::support::{Client, FarmSpace, Output, Variant};

const MANIFEST: &str = "farms/tiny/farm.yaml";
const OVERLAY: &str = "farms/tiny/overlay";

/// Merges twenty packages as a base's maker would, and then changes files as it happens in bases: a password, a tool, documents that are removed.
/// `$LIBRARY` is the content of one library.
const BASE: &str = r##"
repository=/var/tmp/repository
mkdir -p $repository/metadata $repository/profiles/here /etc/portage/repos.conf
printf 'repo-name = tiny\nmasters =\nprofile-formats = portage-2\nthin-manifests = true\n' > $repository/metadata/layout.conf
echo tiny > $repository/profiles/repo_name
echo amd64 > $repository/profiles/arch.list
printf 'base-apps\ndev-libs\n' > $repository/profiles/categories
echo 8 > $repository/profiles/here/eapi
cat > $repository/profiles/here/make.defaults <<'END'
ARCH="amd64"
ACCEPT_KEYWORDS="amd64"
ACCEPT_LICENSE="*"
CHOST="x86_64-pc-linux-gnu"
FEATURES="-ipc-sandbox -mount-sandbox -network-sandbox -pid-sandbox -sandbox -usersandbox -merge-sync -news"
CONFIG_PROTECT="/etc"
END
printf '[DEFAULT]\nmain-repo = tiny\n[tiny]\nlocation = %s\n' $repository > /etc/portage/repos.conf/tiny.conf
ln -s $repository/profiles/here /etc/portage/make.profile

ebuild() { # CATEGORY NAME; the rest from standard input
  mkdir -p $repository/$1/$2
  { printf 'EAPI=8\nDESCRIPTION="A part"\nHOMEPAGE="https://example.org/"\nLICENSE="MIT"\nSLOT="0"\nKEYWORDS="amd64"\nS="${WORKDIR}"\n'
    cat; } > $repository/$1/$2/$2-1.0.ebuild
}
ebuild base-apps settings <<'END'
src_install() {
  insinto /etc/settings; newins - kept <<< "as it came"; newins - changed <<< "as it came"
  exeinto /usr/bin; newexe - settings <<< "#!/bin/sh"; newexe - altered <<< "#!/bin/sh"
  insinto /usr/share/settings; newins - one <<< "one file"
  ln "${ED}"/usr/share/settings/{one,two} || die
  dosym one /usr/share/settings/link
  insinto /usr/share/doc; newins - settings.txt <<< "A document"
  insinto /usr/lib/settings; newins - module.py <<< "answer = 42"
  SOURCE_DATE_EPOCH= python3 -m compileall -q --invalidation-mode timestamp "${ED}"/usr/lib/settings || die
  keepdir /var/lib/settings
  fowners portage:portage /var/lib/settings /var/lib/settings/.keep_base-apps_settings-0
  fperms 2750 /var/lib/settings
  fperms 4711 /usr/bin/settings
}
pkg_postinst() {
  python3 -c 'import os; os.setxattr("/usr/bin/settings", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))' || die
}
END
printf 'LICENSE="Closed"\nsrc_install() {\n  insinto /usr/share/closed; newins - secret <<< "not to be passed on"\n}\n' | ebuild base-apps closed
printf 'RESTRICT="bindist"\n' | ebuild base-apps bound
printf 'src_install() {\n  insinto /usr/share/parts; newins - l00 <<< "l00 of the base"\n}\n' | ebuild dev-libs l00
printf 'src_install() {\n  insinto /usr/share/parts; newins - l01 <<< "l01"\n}\n' | ebuild dev-libs l01
printf 'src_install() {\n  insinto /usr/share/parts; newins - l03 <<< "%s"\n}\n' "$LIBRARY" | ebuild dev-libs l03
cd $repository
emerge --quiet --oneshot --jobs=2 base-apps/* dev-libs/* > /var/tmp/said 2>&1 || { cat /var/tmp/said; exit 1; }
cd /
rm -rf $repository /etc/portage /var/tmp/said /var/tmp/portage /var/cache/distfiles
# The others are as Portage would have merged them, in less time.
for number in 02 04 05 06 07 08 09 10 11 12 13 14 15 16; do
  record=/var/db/pkg/dev-libs/l$number-1.0; file=/usr/share/parts/l$number
  cp -r /var/db/pkg/dev-libs/l01-1.0 $record
  mv $record/l01-1.0.ebuild $record/l$number-1.0.ebuild
  echo l$number > $file
  bzip2 -dc $record/environment.bz2 | sed "s/l01/l$number/g" | bzip2 > $record/environment.new
  mv $record/environment.new $record/environment.bz2
  sed -i "s/l01/l$number/g" $record/PF $record/l$number-1.0.ebuild
  sed -i "s|^obj.*|obj $file $(md5sum < $file | cut -c1-32) $(stat -c %Y $file)|" $record/CONTENTS
done
cp -r /var/db/pkg/dev-libs/l01-1.0 /var/db/pkg/dev-libs/handmade-1.0
rm /var/db/pkg/dev-libs/handmade-1.0/environment.bz2 /var/db/pkg/dev-libs/handmade-1.0/CONTENTS

echo "password=secret" > /etc/settings/changed
echo "exec true" >> /usr/bin/altered
rm /usr/share/doc/settings.txt
"##;

fn base(library: &str) -> Variant {
    Variant::new(&format!("LIBRARY='{library}'\n{BASE}"))
}

/// What a test publishes.
struct Published {
    space: FarmSpace,
    folder: std::path::PathBuf,
}

impl Published {
    fn new() -> Self {
        let space = FarmSpace::new();
        let folder = space.folder().join("published");
        part(&space, "app-misc/user");
        part(&space, "dev-libs/l00");
        Self { space, folder }
    }

    fn manifest(&self, base: &Variant, binfarm: &str) {
        self.space.write(
            MANIFEST,
            format!(
                "farm: tiny\nflavour: {}.opt\nbinfarm:\n  base: {{ image: \"{}\" }}\n  \
                 repos: {{ gentoo: {{ path: gentoo }}, tiny: {{ path: overlay }} }}\n  \
                 profile: tiny:binfarm/opt\n  config: [common]\n{binfarm}\
                 subjects:\n  apps: {{ packages: [app-misc/user] }}\n\
                 publish: {{ base: true, deny: [Closed], pkgs: {{ to: \"file://{}\" }} }}\n",
                self.space.flavour(),
                base.name(),
                self.folder.display()
            ),
        );
    }

    fn publish(&self) -> Output {
        let words = ["publish-pkgs", "tiny", "--unsigned", "--json"];
        self.space.farm(&words).succeeded()
    }

    /// The folder that clients read.
    fn binhost(&self) -> std::path::PathBuf {
        self.folder.join(format!("{}.opt", self.space.flavour()))
    }

    /// BUILD_ID and MD5 by CPV, of all that is in the index.
    fn listed(&self) -> BTreeMap<String, (String, String)> {
        let index = fs::read_to_string(self.binhost().join("Packages")).unwrap();
        let stanzas = index.split("\n\n").skip(1).filter(|stanza| !stanza.trim().is_empty());
        stanzas
            .map(|stanza| {
                let value = |key: &str| {
                    let mut lines = stanza.lines();
                    let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
                    value.unwrap_or_default().to_owned()
                };
                (value("CPV"), (value("BUILD_ID"), value("MD5")))
            })
            .collect()
    }
}

/// An ebuild of one file that says who built it.
fn part(space: &FarmSpace, package: &str) {
    let name = package.rsplit('/').next().unwrap();
    let text = format!(
        "EAPI=8\nDESCRIPTION=\"A part\"\nHOMEPAGE=\"https://example.org/\"\nLICENSE=\"MIT\"\nSLOT=\"0\"\nKEYWORDS=\"amd64\"\n\
         S=\"${{WORKDIR}}\"\nsrc_install() {{\n\tinsinto /usr/share/parts\n\tnewins - {name} <<< \"{name} of the farm\"\n}}\n"
    );
    space.write(&format!("{OVERLAY}/{package}/{name}-1.0.ebuild"), text);
}

/// Says of every path of a package what it is, and what is recorded of it; times apart.
const PICTURE: &str = r#"
sed 's/ [0-9]*$//' /var/db/pkg/base-apps/settings-1.0/CONTENTS | sort
cut -d' ' -f2 /var/db/pkg/base-apps/settings-1.0/CONTENTS | sort | while read -r path; do
  [ ! -e "$path" ] || stat -c '%n %F %a %U:%G' "$path"
done
[ /usr/share/settings/one -ef /usr/share/settings/two ] && echo "one file with two names"
readlink /usr/share/settings/link
cat /etc/settings/kept /usr/bin/settings /usr/bin/altered /usr/share/settings/one
python3 -c 'import os; print(os.getxattr("/usr/bin/settings", "security.capability").hex())'
ls /var/db/pkg/base-apps/settings-1.0
"#;

/// Whether Python takes what was compiled for what its source says.
const COMPILED: &str = "python3 -v -B -c 'import sys; sys.path.insert(0, \"/usr/lib/settings\"); import module' 2>&1 | \
                        grep -c 'pycache__/module.*matches'";

fn notes(output: &Output) -> Vec<String> {
    let events = output.events().into_iter();
    events
        .filter(|event| event["event"] == "note")
        .map(|event| event["message"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_nobody_built_anew_is_published_as_the_base_has_it() {
    let published = Published::new();
    let first = base("l03");
    published.manifest(&first, "");
    let output = published.publish();
    assert!(output.ran().contains("tiny:quickpkg"), "{output}");

    let listed = published.listed();
    let mut expected: Vec<String> = (0..17).map(|number| format!("dev-libs/l{number:02}-1.0")).collect();
    expected.insert(0, "app-misc/user-1.0".to_owned());
    expected.insert(1, "base-apps/settings-1.0".to_owned());
    assert_eq!(listed.keys().cloned().collect::<Vec<_>>(), expected, "{output}");
    let notes = notes(&output);
    for note in [
        "base-apps/settings-1.0 of the base is packed without /etc/settings/changed, which changed after the merge and may be the base's own",
        "base-apps/settings-1.0 of the base is packed without /usr/share/doc/settings.txt, which the base does not have any more",
        "base-apps/settings-1.0 of the base is packed with /usr/bin/altered, which changed after the merge, as the base has it",
        "base-apps/settings-1.0 of the base is packed, but `/usr/bin/settings` loses its extended attribute `security.capability`, \
         which a GPKG cannot carry",
        "base-apps/closed-1.0 is not published: its licence is denied: Closed",
        "base-apps/bound-1.0 is not published: RESTRICT=bindist: its licence does not allow binary packages to be passed on",
        "dev-libs/handmade-1.0 is not published: its record in the base has no environment.bz2, without which nobody could install it",
    ] {
        assert!(notes.iter().any(|said| said == note), "{note}\n{notes:#?}");
    }

    published.publish().assert_ran("nothing changed", &[]);
    let plan = published.space.farm(&["plan", "tiny"]).succeeded();
    assert!(
        plan.stdout
            .contains("21 packages of the base, which nobody builds anew, are published, too"),
        "{plan}"
    );

    // Where the base has it, and where nobody ever did.
    let server = Nginx::serve(&published.binhost());
    let gentoo = published.space.path("farms/tiny/gentoo");
    let owner = client(first.name(), &server, &gentoo);
    let there = owner.shell(PICTURE);
    let shown = owner.emerge("--pretend --verbose base-apps/settings");
    assert!(
        shown.contains("[binary   R") && shown.contains("base-apps/settings-1.0-1"),
        "{shown}"
    );
    let fresh = unsigned_client(&server.url(), &gentoo);
    fresh.emerge("--oneshot base-apps/settings dev-libs/l03");
    let taken = fresh.shell(PICTURE);
    let without = |picture: &str| -> Vec<String> {
        // Of what was left out nothing is there. And only a binary package tells its number, only a tree its commit.
        let own = [
            "/etc/settings/changed",
            "/usr/share/doc/settings.txt",
            "BINPKGMD5",
            "BUILD_ID",
            "REPO_REVISIONS",
        ];
        let lines = picture
            .lines()
            .filter(|line| !own.iter().any(|name| line.contains(name)));
        // A program that was altered has another sum than its record, and what Python compiled another time of its source.
        let volatile = ["obj /usr/bin/altered", ".pyc "];
        lines
            .filter(|line| {
                !volatile
                    .iter()
                    .any(|name| line.starts_with(name) || (line.starts_with("obj") && line.contains(name)))
            })
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(without(&taken), without(&there));
    assert_eq!(
        fresh.shell("test -e /etc/settings/changed || echo no"),
        "no",
        "no secret leaves the base"
    );
    assert_eq!(fresh.shell(COMPILED), "1");
    owner.emerge("--oneshot base-apps/settings");
    assert_eq!(without(&owner.shell(PICTURE)), without(&there));
    assert_eq!(
        owner.shell("cat /etc/settings/changed"),
        "password=secret",
        "a client keeps its own"
    );

    // Another base, in which the same was merged on another day, but for one library.
    let second = base("l03 with a patch");
    published.manifest(&second, "");
    let output = published.publish();
    assert!(!output.ran().iter().any(|node| node.contains(":pkg/")), "{output}");
    let mut wanted = listed;
    let patched = published.listed();
    assert_eq!(patched["dev-libs/l03-1.0"].0, "2", "{patched:?}");
    wanted.insert("dev-libs/l03-1.0".to_owned(), patched["dev-libs/l03-1.0"].clone());
    assert_eq!(patched, wanted, "nothing else is another instance");
    fresh.emerge("--oneshot --update --deep dev-libs/l03");
    assert_eq!(fresh.shell("cat /usr/share/parts/l03"), "l03 with a patch");

    // What a generation builds anew takes the place of what the base has.
    published.manifest(&second, "  rebuild: [dev-libs/l00]\n");
    let output = published.publish();
    assert!(output.ran().contains("tiny:pkg/dev-libs/l00-1.0@update"), "{output}");
    assert!(
        !output.ran().contains("tiny:quickpkg"),
        "the base is the same: {output}"
    );
    let rebuilt = published.listed();
    assert_eq!(rebuilt.len(), wanted.len());
    wanted.insert("dev-libs/l00-1.0".to_owned(), rebuilt["dev-libs/l00-1.0"].clone());
    wanted.insert("app-misc/user-1.0".to_owned(), rebuilt["app-misc/user-1.0"].clone());
    assert_eq!(rebuilt, wanted, "nothing else is another instance");
    fresh.emerge("--oneshot dev-libs/l00");
    assert_eq!(fresh.shell("cat /usr/share/parts/l00"), "l00 of the farm");
}

/// A client made of an image, that takes what is served.
fn client(image: &str, server: &Nginx, gentoo: &Path) -> Client {
    let client = Client::new(image, gentoo);
    client.takes_from(&format!(
        "[farm]\npriority = 1\nsync-uri = {}\nverify-signature = false\n",
        server.url()
    ));
    client
}

#[test]
fn a_base_of_stubs_has_nothing_to_publish() {
    let space = FarmSpace::new();
    space.edit(MANIFEST, "publish:\n", "publish:\n  base: true\n");
    let folder = space.folder().join("published");
    let to = format!("PKGS=file://{}", folder.display());
    let output = space
        .farm(&["publish-pkgs", "tiny", "--unsigned", "--json", &to])
        .succeeded();
    assert!(!output.results().contains_key("tiny:quickpkg"), "{output}");
    let index = fs::read_to_string(folder.join(format!("{}.opt/Packages", space.flavour()))).unwrap();
    assert!(!index.contains("CPV: sys-"), "{index}");
}
