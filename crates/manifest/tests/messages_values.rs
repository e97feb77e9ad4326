//! What is said about values: atoms, flags, variables, places, and what refers to something else.

mod support;

use farm_manifest::model::SecretAccess;
use support::{Workspace, all_bad, all_bad_whole};

#[test]
fn atoms() {
    insta::assert_snapshot!(all_bad(&[
        "subjects: { mc: { packages: { pkg: {} } } }\n",
        "subjects: { mc: { packages: { cat/pkg-1.2: {}, \"=cat/pkg\": {}, \"=>cat/pkg-1\": {} } } }\n",
        "subjects: { mc: { packages: [cat/pkg, \"!cat/other\", \"cat/third[x]\"] } }\n",
        "subjects: { mc: { packages: { \"cat/pkg[x,-y]\": {} } } }\n",
        "subjects:\n  mc:\n    packages: |\n      cat/pkg ~amd64 fo!o\n\n        # comment\n      cat/pkg/x\n      @-set\n      =cat/pkg\n",
        "vars: { A: cat }\nsubjects:\n  mc:\n    packages: |\n\n        ${A}/pkg fo!o\n        ${A}/pkg-1 x\n        ok/pkg ba!r\n",
        "subjects: { mc: { packages: [\"cat/pkg fo!o\", 'a/b $x'] } }\n",
        "subjects:\n  mc:\n    packages: >\n      cat/pkg\n      cat/other\n",
        "subjects: { mc: { packages: { a/b: { use: [\"+x\", \"~amd64\", \"a b\"], accept_keywords: [amd!64] } } } }\n",
        "subjects: { mc: { packages: { a/b: { mask: [c], unmask: maybe } } } }\n",
        "subjects: { mc: { packages: { \"@set\": { use: [x] } } } }\n",
        "subjects: { mc: { packages: [a/b, c/d, a/b] } }\n",
        "publish: { deny: [a/b/c] }\n",
    ]));
}

#[test]
fn contradicting_flags() {
    insta::assert_snapshot!(all_bad(&[
        "subjects:\n  mc:\n    packages:\n      a/b: { use: [foo, bar, -foo] }\n",
        "subjects:\n  mc:\n    packages:\n      a/b: { deps: { c/d: { use: [foo] } } }\n  two:\n    packages: |\n      c/d -foo\n",
    ]));
    Workspace::with(
        "farm: hep\nbinfarm: { base: { image: \"a:1\" } }\nsubjects:\n  mc: { packages: { a/b: { use: [foo] } } }\n  \
         two: { packages: { a/b: { use: [!override -foo] } } }\n  three: { packages: { a/b: { use: !override [foo] } } }\n",
    )
    .good();
}

#[test]
fn contradicting_layers() {
    let layers = |later: &str| {
        Workspace::with("farm: hep\nbinfarm: { base: { image: \"a:1\" }, config: [one, two] }\n")
            .file("profiles/one/package.use", "# flags\na/b foo bar\n")
            .file("profiles/two/package.use/x", later)
    };
    insta::assert_snapshot!(layers("a/b baz -foo\n").bad());
    layers("a/b baz -foo # !override: the other is wrong\n").good();
    layers("a/b -baz foo\nc/d -foo\n").good();
}

#[test]
fn layers_that_portage_would_not_read() {
    let workspace = Workspace::with("farm: hep\nbinfarm: { base: { image: \"a:1\" }, config: [one, tow] }\n")
        .file("profiles/one/package.use", "a/b foo\nb foo\n")
        .file("profiles/one/package.mask/x", ">=a/b\n")
        .file("profiles/one/make.conf", "USE=\"a\nCFLAGS=x y\n")
        .file("profiles/one/sets/hep", "a/b foo\n")
        .file("profiles/two/make.conf", "");
    insta::assert_snapshot!(workspace.bad());
}

#[test]
fn files_for_packages() {
    let workspace = Workspace::with(
        "farm: hep\nbinfarm: { base: { image: \"a:1\" }, config: [one], root: r }\nsubjects: { mc: { packages: { a/b: { env: \
         [debug, debgu, tmp, none, ../x] } } } }\n",
    )
    .file("profiles/one/env/debug.conf", "A=\"1\"\n")
    .file("farms/hep/r/etc/portage/env/tmp", "");
    insta::assert_snapshot!(workspace.bad());
}

#[test]
fn variables() {
    insta::assert_snapshot!(all_bad_whole(&[
        "farm: hep\nvars: { PLATFORM: x }\nflavour: ${PLATFROM}\n",
        "farm: hep\nflavour: a${b\n",
        "farm: hep\nflavour: \"${1}\"\n",
        "farm: hep\nvars: { A: \"${B}\", B: \"x${C}\", C: \"${A}\", D: \"${A}\", E: \"${F}\" }\nflavour: ${D}${E}\n",
        "farm: hep\ntasks: { t: { run: \"echo ${HOME}\" } }\n",
        "farm: hep\ntasks: { t: { run: \"echo ${image}\" } }\n",
    ]));
}

#[test]
fn variables_from_outside() {
    let workspace = Workspace::with("farm: hep\nvars: { PLATFORM: x }\nflavour: ${PLATFORM}\n");
    insta::assert_snapshot!(
        workspace
            .argument("PLATFROM", "y")
            .argument("PLATFORM", "a b")
            .variable("FARM_X", "z")
            .bad()
    );
}

#[test]
fn references() {
    insta::assert_snapshot!(all_bad(&[
        "subjects: { mc: { packages: [a/b] }, two: { needs: [mcc], packages: [a/c] } }\n",
        "subjects: { a: { needs: [b], packages: [a/b] }, b: { needs: [c], packages: [a/c] }, c: { needs: [b], packages: [a/d] } }\n",
        "images: { x: { from: bsae }, y: { from: image/z }, z: { from: image/y, subjects: [mc] } }\n",
        "tasks: { t: { in: image/x, needs: [u, image/y, pkg/z, binhosts, publish-pkgs], run: [] } }\n",
        "tasks: { a: { needs: [b], run: x }, b: { needs: [task/a], run: x } }\n",
        "tasks: { a: { in: hots, run: x, inputs: [/etc/passwd, ../x, \"[\", ./], env: { PATH: /x } } }\n",
        "matrix: { TYPE: [a] }\n",
        "publish: { pkgs: { to: \"ssh://a/b\", needs: [publish-image, task/x] } }\n",
    ]));
}

#[test]
fn binfarm_values() {
    insta::assert_snapshot!(all_bad_whole(&[
        "farm: hep\nbinfarm: { base: { image: \"A/b\" } }\n",
        "farm: hep\nbinfarm: { base: { image: \"a@sha256:1\" } }\n",
        "farm: hep\nbinfarm: { base: { hosted: fedora, suite: 1, portage: 3, packages: [\"Cmake\"] } }\n",
        "farm: hep\nbinfarm: { base: { image: \"a:1\" }, profile: x, capabilities: [ptrace, ALL], limits: { memory: 8X, pids: 0 } }\n",
        "farm: hep\nbinfarm: { base: { image: \"a:1\" }, repos: { g: { path: nowhere }, h: {}, i: { git: x, commit: 12 }, j: { path: ., image: \"a:1\" }, k: x }, profile: gg:x }\n",
        "farm: hep\nbinfarm: { base: { image: \"a:1\" }, root: ../../../x, scripts: [none.sh, farm.yaml], config: [../x] }\n",
        "farm: hep\nbinfarm: { base: { image: \"a:1\" }, packages: a/b }\n",
        "farm: hep\nbinfarm: { base: { image: \"a:1\" }, packages: sets/none }\n",
    ]));
}

#[test]
fn publish_values() {
    insta::assert_snapshot!(all_bad(&[
        "publish: { pkgs: { to: /var/www } }\n",
        "publish: { pkgs: { to: \"host:/var/www\" } }\n",
        "publish: { pkgs: { to: \"sssh://host/x\" } }\n",
        "publish: { pkgs: { to: \"file://x\" } }\n",
        "publish: { pkgs: { to: \"ssh://a/b\", url: /var/www } }\n",
        "publish: { pkgs: { to: \"ssh://a/b\", url: \"s3://bucket/a\" } }\n",
        "publish: { pkgs: { to: \"ssh://a/b\", url: \"https://\" } }\n",
        "publish: { pkgs: { to: \"ssh://a/b\", url: \"https://me:secret@example.org/x\" } }\n",
        "images: { a: { from: base }, b: { from: base } }\npublish: { images: { to: example.org/hep } }\n",
        "publish: { images: { to: \"example.org/Hep\" } }\n",
        "publish: { base: true }\n",
        "publish: { base: world, pkgs: { to: \"ssh://a/b\" } }\n",
        "distfiles: { mirrors: [example.org], proxy: x }\n",
        "resolve: [backtrack]\n",
    ]));
}

#[test]
fn secret_values() {
    insta::assert_snapshot!(all_bad(&[
        "secrets: { a: { for: \"https://example.org/\" } }\n",
        "secrets: { a: { for: \"https://example.org/\", token_file: t, ssh: agent } }\n",
        "secrets: { a: { for: example.org/group, token_file: t }, b: { for: \"file:///x\", token_file: t } }\n",
        "secrets: { a: { for: \"https://me@example.org/\", token_file: t }, b: { for: \"https://me:wheat@example.org/\", token_file: t } }\n",
        "secrets: { a: { for: \"ssh://example.org/\", token_file: t }, b: { for: \"https://example.org/\", ssh: agent, user: me } }\n",
        "secrets:\n  a: { for: \"https://example.org/x/\", token_file: t }\n  b: { for: \"https://EXAMPLE.org:443/x\", token_file: u }\n",
        "secrets: { a: { for: \"https://example.org/\", token_file: ~you/t }, b: { for: \"https://example.com/\", token_file: x/ } }\n",
        "secrets: { a: { for: \"ssh://example.org/\", ssh: key } }\n",
        "secrets:\n  a: { for: \"https://example.org/\", token: wheat }\n  b: { for: \"https://example.com/\", password: \"wheat and rye\" }\n",
    ]));
}

#[test]
fn secrets_are_read() {
    let loaded = Workspace::with(
        "farm: hep\nvars: { HOST: example.org }\nsecrets:\n  a: { for: \"https://${HOST}/x\", token_file: ../../../t }\n  \
         b: { for: \"https://${HOST}\", token_file: ~/t, user: me }\n  c: { for: \"ssh://git@${HOST}/\", ssh: agent }\n  \
         d: { for: \"http://${HOST}/\", token_file: ./a/../t }\n",
    )
    .good();
    let told: Vec<String> = loaded
        .farm
        .secrets
        .iter()
        .map(|secret| match &secret.access {
            SecretAccess::Token { file, user } => format!("{} {user} {}", secret.prefix.value, file.value),
            SecretAccess::Agent => format!("{} agent", secret.prefix.value),
        })
        .collect();
    assert_eq!(
        told,
        [
            "https://example.org/x oauth2 ../t",
            "https://example.org/ me ~/t",
            "ssh://git@example.org/ agent",
            "http://example.org/ oauth2 farms/hep/t",
        ]
    );
    // What goes over the network as it is, is said.
    insta::assert_snapshot!(loaded.notes.render(&loaded.sources, false));
}

/// Whatever is wrong with a line, and whatever stands beside it.
#[test]
fn passwords_in_addresses_are_refused_and_not_shown() {
    let said = all_bad_whole(&[
        "farm: hep\nbinfarm:\n  base: { image: \"a:1\" }\n  profile: g:x\n  repos:\n    g: { git: \"https://me:wheat@example.org/x.git\" }\n    h: { git: { url: \"ssh://git:wheat@example.org/x.git\", commit: 1 } }\n    i: { git: \"https://wheat@example.org/x.git\" }\n    j: { archive: \"https://me:wheat@example.org/x.tar\" }\n    k: { archive: { url: \"https://me:wheat@example.org/y.tar\" } }\n",
        "farm: hep\nbinfarm: { base: { stage3: \"https://me:wheat@example.org/s.tar\", signature: \"http://wheat@example.org/s.asc\", keyring: k } }\n",
        "farm: hep\ndistfiles:\n  mirrors: [\"https://me:wheat@example.org/\"]\n  proxy: \"http://me:wheat@example.org:3128\"\n",
        "farm: hep\npublish: { pkgs: { to: \"ssss://me:wheat@example.org/x\", url: \"https://me:wheat@example.org/x\" } }\n",
        "farm: hep\nvars: { A: \"https://me:wheat@example.org/\" }\ndistfiles: { mirrors: [\"${A}\"] }\n",
        "farm: hep\nflavor: \"https://me:wheat@example.org/\"\n",
        "farm: hep\nflavour: [https://me:wheat@example.org/\n",
    ]);
    assert!(!said.contains("wheat"), "{said}");
    let outside = Workspace::with("farm: hep\nvars: { A: x }\ndistfiles: { mirrors: [\"${A}\"] }\n")
        .argument("A", "https://me:wheat@example.org/")
        .bad();
    assert!(
        outside.contains("a password does not belong into a manifest"),
        "{outside}"
    );
    assert!(!outside.contains("wheat"), "{outside}");
    insta::assert_snapshot!(said);
}

#[test]
fn root_values() {
    insta::assert_snapshot!(all_bad_whole(&[
        "farm: hep\nrebuild: all\nbinfarm: { base: { image: \"a:1\" }, update: yes, rebuild: [glibc] }\n",
        "farm: hep\nbinfarm: { base: { image: \"a:1\" }, bootstrap: [\"@hep\"] }\nsubjects: { toolchain: { packages: [a/b] } }\n",
    ]));
}

#[test]
fn stage3_values() {
    insta::assert_snapshot!(all_bad_whole(&[
        "farm: hep\nbinfarm: { base: { stage3: stage3.tar.xz } }\n",
        "farm: hep\nbinfarm: { base: { stage3: \"ftp://example.org/stage3.tar.xz\", signature: \"gpg://x\", keyring: keys.asc } }\n",
        "farm: hep\nbinfarm: { base: { stage3: ../../../stage3.tar.xz, keyring: keys.asc } }\n",
        "farm: hep\nbinfarm: { base: { stage3: stage3.tar.xz, keyring: none.asc } }\n",
    ]));
}

#[test]
fn stage_values() {
    insta::assert_snapshot!(all_bad(&[
        "stages: { s: { subjects: [none], kernel: none } }\n",
        "stages: { s: { from: image/none, remove: [x, /, /a/../b] } }\n",
        "stages: { a/b: { from: base, scripts: [none.sh] } }\n",
    ]));
}

#[test]
fn included_farms() {
    let workspace = Workspace::with(
        "farm: hep\ninclude: [base, bsae]\nvars: { A: 2 }\nflavour: two\ntasks: { t: { run: x }, u: { run: y } }\n",
    )
    .file(
        "farms/base/farm.yaml",
        "farm: base\ninclude: hep\nvars: { A: 1, B: 1 }\nflavour: one\ntasks: { t: { run: z } }\n",
    );
    insta::assert_snapshot!(workspace.bad());
}
