//! A workspace with a node of every kind: three farms, whose bases are an image, Debian packages and a stage3 archive.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Path, content. What ends in `.sh` is executable.
const FILES: [(&str, &str); 19] = [
    ("farms/settings.yaml", "salt: golden\nsource_date_epoch: 1700000000\n"),
    (
        "farms/golden/farm.yaml",
        r#"farm: golden
flavour: amd64.opt
binfarm:
  base: { image: "gentoo/stage3:amd64-openrc-20251101" }
  root: root.d
  repos:
    gentoo: { image: "gentoo/portage:20251101" }
    here: { path: ../../overlay }
    there: { git: "https://example.org/there.git", commit: 0123456789abcdef0123456789abcdef01234567 }
    packed: { archive: "https://example.org/packed.tar.gz", sha256: 7777777777777777777777777777777777777777777777777777777777777777 }
  profile: here:golden
  config: [common]
  env: { GREETING: hello }
  capabilities: [SYS_PTRACE]
  scripts: [bootstrap.sh]
  packages: { app-misc/tool: {} }
subjects:
  libs: { packages: { dev-libs/lib: { use: [-loud] } } }
  apps: { needs: [libs], packages: { app-misc/app: {} } }
images:
  app: { from: base, subjects: [apps], strip: [repos, docs], entrypoint: [/usr/bin/app] }
stages:
  app: { from: image/app, subjects: [apps], scripts: [bootstrap.sh], remove: [/usr/share/doc, "/var/cache/*"], sign: 0123456789ABCDEF }
tasks:
  host: { in: host, inputs: [in, "*.txt"], run: "cat in > out", env: { LEVEL: "9" }, outputs: [out] }
  next: { in: host, inputs: [out], run: [cp, out, copy], outputs: [copy] }
  inside: { in: image/app, inputs: [in], run: "app < in > said", outputs: [said] }
publish:
  pkgs: { to: "file:///srv/binhost", private: true }
  images: { to: "registry.example.org/golden/${image}" }
"#,
    ),
    (
        "farms/golden/farm.lock",
        r#"version = 1
[images]
"gentoo/stage3:amd64-openrc-20251101" = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
"gentoo/portage:20251101" = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
[live]
"https://mirror.example.org/own.git#refs/heads/next" = "8888888888888888888888888888888888888888"
"#,
    ),
    ("farms/golden/root.d/etc/motd", "golden\n"),
    ("farms/golden/bootstrap.sh", "#!/bin/sh\ntrue\n"),
    ("farms/golden/in", "in\n"),
    ("farms/golden/one.txt", "one\n"),
    ("farms/golden/two.txt", "two\n"),
    (
        "farms/hosted/farm.yaml",
        r"farm: hosted
flavour: amd64.opt
rebuild: abi
binfarm:
  base: { hosted: debian, suite: bookworm, portage: 3.0.83, packages: [debugedit] }
  repos: { here: { path: ../../overlay } }
  profile: here:golden
subjects:
  libs: { packages: { dev-libs/lib: {} } }
",
    ),
    (
        "farms/hosted/farm.lock",
        r#"version = 1
[[hosted]]
suite = "bookworm"
requested_suite = "bookworm"
architecture = "amd64"
packages = ["debugedit"]
portage = "3.0.83 1939812 portage-3.0.83-py3-none-any.whl sha256:3333333333333333333333333333333333333333333333333333333333333333"
debs = ["bash 5.2.15-2+b12 amd64 1490804 sha256:4444444444444444444444444444444444444444444444444444444444444444"]
"#,
    ),
    (
        "farms/stage3/farm.yaml",
        r"farm: stage3
flavour: amd64.opt
rebuild: portage
binfarm:
  base: { stage3: https://example.org/stage3.tar.xz, keyring: keys.asc }
  repos: { here: { path: ../../overlay } }
  profile: here:golden
subjects:
  libs: { packages: { dev-libs/lib: {} } }
publish: { base: true, pkgs: { to: file:///srv/stage3 } }
",
    ),
    (
        "farms/stage3/farm.lock",
        r#"version = 1
[stage3."https://example.org/stage3.tar.xz"]
digest = "sha256:5555555555555555555555555555555555555555555555555555555555555555"
size = 1
"#,
    ),
    ("farms/stage3/keys.asc", "keys\n"),
    ("profiles/common/package.use", "app-misc/app loud\n"),
    ("profiles/common/env/more", "CFLAGS=-O3\n"),
    ("overlay/profiles/repo_name", "here\n"),
    ("overlay/profiles/golden/eapi", "8\n"),
    ("overlay/metadata/layout.conf", "masters =\n"),
    ("overlay/app-misc/app/app-1.ebuild", "EAPI=8\n"),
];

/// Writes it into a folder.
pub(crate) fn write(folder: &Path) {
    for (path, content) in FILES {
        let path = folder.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, content).unwrap();
        let mode = if path.extension().is_some_and(|extension| extension == "sh") {
            0o755
        } else {
            0o644
        };
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}
