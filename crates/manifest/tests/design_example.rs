//! The example that fixes the manifest's words, with the parts that are not built yet taken out.

mod support;

use farm_manifest::model::{Base, Deny, ImageFrom, Member, Origin, Place, Rebuild, RepoSource, Run, Strip, Target};
use support::{Workspace, texts};

const EXAMPLE: &str = r#"
farm: hep
vars:                                   # KEY=VALUE on the command line, or FARM_KEY in the environment, overrides
  PLATFORM: amd64
  STAGE3_TAG: 20251101                  # scalars are taken as written, quotes or not
  PORTAGE_TAG: 20251101
  BINFARM_TYPE: opt                     # opt | dbg
flavour: ${PLATFORM}.${BINFARM_TYPE}
matrix: { BINFARM_TYPE: [opt, dbg] }   # optional
rebuild: exact                          # exact | abi | portage

binfarm:
  base: { image: "gentoo/stage3:${PLATFORM}-openrc-${STAGE3_TAG}" }
  root: root.d                          # literal files laid over the base
  repos:
    gentoo: { image: "gentoo/portage:${PORTAGE_TAG}" }    # or path, git (commit-pinned), archive
    hep:    { path: overlay }
  profile: hep:binfarm/${BINFARM_TYPE}
  config: [common, cpu/x86-64-v3, type/${BINFARM_TYPE}]
  toolchain: {}
  update: none
  rebuild: []
  bootstrap: {}
  packages: { dev-vcs/git: {} }
  scripts: [bootstrap.sh]

subjects:
  mc:
    packages:
      sci-physics/hepmc: { use: [-static-libs], accept_keywords: ["~amd64"], env: [debugsyms],
                           deps: { sci-libs/gsl: { use: [cblas] } } }
  analysis:
    needs: [mc]
    config: [analysis]                  # existing package.* files are used as they are
    packages: |                         # a map, a list, a text block, or the path of a Portage set file
      =sci-physics/geant-4.10.6_p2 ~amd64 gdml -c++11
      @hep-base                         # a line: atom, then flags and keywords; # comments

images:
  hep-analysis: { from: base, subjects: [analysis], strip: [repos, docs], entrypoint: [/bin/bash] }

kernels: { desktop: { sources: sys-kernel/gentoo-sources, config: desktop.kconf, fragments: [virtio.kconf], modules: [sys-fs/zfs-kmod] } }
stages:  { node: { from: base, subjects: [analysis], kernel: desktop, scripts: [x.sh], remove: [/x], sign: KEYID } }
disks:   { usb: { stage: node, squashfs: zstd, persistence: luks } }
tasks:
  validate: { in: image/hep-analysis, needs: [pkgs/mc], inputs: [macros/*.C], run: ./validate.sh, outputs: [plots/] }

publish:
  pkgs:   { to: "ssh://collector@binhost/var/www/pkgs", sign: KEYID, needs: [task/validate], deny: [sci-physics/geant, "@EULA"] }
  images: { to: "registry.example.org/hep/${image}", tag: "${flavour}" }
"#;

fn workspace() -> Workspace {
    Workspace::with(EXAMPLE)
        .file("farms/hep/root.d/etc/portage/repos.conf/hep.conf", "[hep]\n")
        .file("farms/hep/root.d/var/src/.keep", "")
        .file("farms/hep/x.sh", "#!/bin/sh -e\ntrue\n")
        .file("farms/hep/bootstrap.sh", "#!/bin/sh -e\nlocale-gen\n")
        .folder("farms/hep/overlay/profiles")
        .file(
            "profiles/common/package.use/media",
            "*/* VIDEO_CARDS: -* amdgpu radeonsi\n",
        )
        .file("profiles/common/env/debugsyms.conf", "CFLAGS=\"${CFLAGS} -ggdb\"\n")
        .file("profiles/cpu/x86-64-v3/make.conf", "CFLAGS=\"-O2 -march=x86-64-v3\"\n")
        .file("profiles/type/opt/make.conf", "USE=\"-debug\"\n")
        .file("profiles/type/dbg/make.conf", "USE=\"debug\"\n")
        .file("profiles/analysis/package.license", "sci-physics/geant geant4\n")
}

#[test]
fn the_example_of_the_design_is_read() {
    let workspace = workspace();
    let loaded = workspace.good();
    let farm = &loaded.farm;

    assert_eq!(farm.name.value, "hep");
    assert_eq!(farm.flavour.value, "amd64.opt");
    assert_eq!(farm.variables["STAGE3_TAG"].value.value, "20251101");
    assert_eq!(farm.rebuild, Rebuild::Exact);
    assert_eq!(farm.matrix["BINFARM_TYPE"].len(), 2);

    let binfarm = farm.binfarm.as_ref().unwrap();
    let Base::Image(image) = &binfarm.base else {
        panic!("an image was written")
    };
    assert_eq!(image.value, "gentoo/stage3:amd64-openrc-20251101");
    assert_eq!(binfarm.root.as_ref().unwrap().value, "farms/hep/root.d");
    assert_eq!(binfarm.repos[0].name.value, "gentoo");
    let RepoSource::Path(path) = &binfarm.repos[1].source else {
        panic!("a path was written")
    };
    assert_eq!(path.value, "farms/hep/overlay");
    assert_eq!(binfarm.profile.as_ref().unwrap().value, "hep:binfarm/opt");
    let config: Vec<&str> = binfarm.config.iter().map(|name| name.value.as_str()).collect();
    assert_eq!(config, ["common", "cpu/x86-64-v3", "type/opt"]);

    let mc = farm.subject("mc").unwrap();
    let settings = mc.packages.settings();
    let shown: Vec<String> = settings
        .iter()
        .map(|entry| {
            let flags: Vec<String> = entry.settings.use_flags.iter().map(ToString::to_string).collect();
            format!("{} {} dep={}", entry.atom, flags.join(" "), entry.dep)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "sci-physics/hepmc -static-libs dep=false",
            "sci-libs/gsl cblas dep=true"
        ]
    );
    let members: Vec<String> = mc.packages.members().map(|member| member.value.to_string()).collect();
    assert_eq!(members, ["sci-physics/hepmc"]);

    let analysis = farm.subject("analysis").unwrap();
    let members: Vec<String> = analysis
        .packages
        .members()
        .map(|member| member.value.to_string())
        .collect();
    assert_eq!(members, ["=sci-physics/geant-4.10.6_p2", "@hep-base"]);
    let geant = &analysis.packages.entries[0];
    assert_eq!(geant.settings.accept_keywords[0].value, "~amd64");
    assert_eq!(
        geant
            .settings
            .use_flags
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["gdml", "-c++11"]
    );
    assert!(matches!(analysis.packages.entries[1].member.value, Member::Set(_)));
    // Every word of a text block knows its place.
    assert_eq!(loaded.sources.slice(geant.member.span), "=sci-physics/geant-4.10.6_p2");
    assert_eq!(loaded.sources.slice(geant.settings.use_flags[1].span), "-c++11");

    let image = farm.image("hep-analysis").unwrap();
    assert_eq!(image.from.value, ImageFrom::Base);
    assert_eq!(
        image.strip.iter().map(|strip| strip.value).collect::<Vec<_>>(),
        [Strip::Repos, Strip::Docs]
    );

    assert_eq!(farm.kernels[0].name, "desktop");
    let stage = farm.stage("node").unwrap();
    assert_eq!(stage.from.value, ImageFrom::Base);
    assert_eq!(stage.scripts[0].value, "farms/hep/x.sh");
    assert_eq!(stage.remove[0].value, "x");
    assert_eq!(stage.kernel.as_ref().unwrap().value, "desktop");
    assert_eq!(stage.sign.as_ref().unwrap().value, "KEYID");
    assert_eq!(farm.disks[0].name, "usb");

    let task = farm.task("validate").unwrap();
    assert_eq!(task.place.value, Place::Image("hep-analysis".to_owned()));
    assert_eq!(task.needs[0].value, Target::PkgsOf("mc".to_owned()));
    assert_eq!(task.run.value, Run::Shell("./validate.sh".to_owned()));
    assert_eq!(task.folder, "farms/hep");

    let pkgs = farm.publish.pkgs.as_ref().unwrap();
    assert_eq!(pkgs.needs[0].value, Target::Task("validate".to_owned()));
    assert!(matches!(pkgs.deny[0].value, Deny::Package(_)));
    assert_eq!(pkgs.deny[1].value, Deny::License("@EULA".to_owned()));
    let images = farm.publish.images.as_ref().unwrap();
    assert_eq!(
        images.reference("hep-analysis"),
        "registry.example.org/hep/hep-analysis:amd64.opt"
    );

    let root = loaded.root.as_ref().unwrap();
    assert_eq!(
        root.files.keys().map(|path| path.as_str()).collect::<Vec<_>>(),
        ["etc/portage/repos.conf/hep.conf"]
    );
    assert_eq!(root.empty_folders, ["var/src"]);
    assert_eq!(
        loaded.layers.keys().collect::<Vec<_>>(),
        ["analysis", "common", "cpu/x86-64-v3", "type/opt"]
    );
    assert!(
        loaded
            .scripts
            .contains_key(camino::Utf8Path::new("farms/hep/bootstrap.sh"))
    );
    let read: Vec<&str> = loaded.sources.files().iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        read,
        [
            "farms/hep/farm.yaml",
            "profiles/common/env/debugsyms.conf",
            "profiles/common/package.use/media",
            "profiles/cpu/x86-64-v3/make.conf",
            "profiles/type/opt/make.conf",
            "profiles/analysis/package.license",
            "farms/hep/bootstrap.sh",
            "farms/hep/x.sh",
        ]
    );
    assert_eq!(loaded.env_file("debugsyms").as_deref(), Some("debugsyms.conf"));
    insta::assert_snapshot!(loaded.notes.render(&loaded.sources, false));
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_manifest() {
    let environment = workspace()
        .variable("FARM_BINFARM_TYPE", "dbg")
        .variable("FARM_SCRATCH", "/scratch")
        .good();
    assert_eq!(environment.farm.flavour.value, "amd64.dbg");
    assert_eq!(environment.farm.variables["BINFARM_TYPE"].origin, Origin::Environment);
    assert!(environment.layers.contains_key("type/dbg"));

    let both = workspace()
        .variable("FARM_BINFARM_TYPE", "dbg")
        .argument("BINFARM_TYPE", "opt")
        .good();
    assert_eq!(both.farm.flavour.value, "amd64.opt");
    assert_eq!(both.farm.variables["BINFARM_TYPE"].origin, Origin::CommandLine);
}

#[test]
fn an_environment_of_a_task_is_a_map_of_texts() {
    let loaded = Workspace::with(
        "farm: hep\ntasks:\n  t: { run: [echo, \"\", 1.10], env: { N: 1.10, EMPTY: } }\n  u: { needs: [t], run: \"true $${X}\" }\n",
    )
    .good();
    let task = loaded.farm.task("t").unwrap();
    assert_eq!(texts(&task.env), [("EMPTY", ""), ("N", "1.10")]);
    assert_eq!(
        task.run.value,
        Run::Arguments(vec!["echo".to_owned(), String::new(), "1.10".to_owned()])
    );
    let other = loaded.farm.task("u").unwrap();
    assert_eq!(other.needs[0].value, Target::Task("t".to_owned()));
    assert_eq!(other.run.value, Run::Shell("true ${X}".to_owned()));
}
