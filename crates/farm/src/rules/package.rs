//! `pkg/CATEGORY/PF`: one binary package, built by Portage in a root of its own.
//!
//! The root holds the binfarm root and exactly the plan's instances of what the package may use, so that an undeclared
//! dependency fails; the repositories are cut down to this package's folder, its eclasses and the profiles; there is no
//! network. Out comes the package in normal form, with two digests: what dependants' builds can see (`interface`) and all of
//! it (`payload`).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use farm_engine::{Class, Dependency, Digest, Event, Failure, FailureKind, Input, NodeSpec, Output, Run};
use farm_executor::{Collect, Network, OutputSink, TarSource};
use farm_manifest::model::Rebuild;
use farm_portage::gpkg::{Metadata, folded};
use farm_portage::normal::{NormalOptions, normalise, stamp};
use farm_resolver::{Package, keyed_environment, native_word};
use fs_err as fs;

use super::abi;
use super::container::{self, ContainerRun, capabilities_input};
use super::fetch;
use super::jobs;
use super::join::{JoinData, JoinedPlan, PlannedPackage};
use super::live::{self, LiveData};
use super::repo::OpenRepo;
use super::resolve::{PREPARE, settings_upload};
use super::source;
use crate::action::{Action, ContainerData};
use crate::context::{Context, io_failure};
use crate::files::{FileNode, Files};
use crate::pkgdir::{self, Kept};
use crate::place::{self, Place};
use crate::settings::Settings;
use crate::upload::{self, STAGING, Upload};

/// Installs the dependencies as they are in the plan.
const INSTALL: &str = r#"set -e
. /.farm/prepare.sh
if [ -s /.farm/dependencies ]; then
  echo '>>> Installing dependencies'
  PKGDIR=/.farm/packages CONFIG_PROTECT='-*' emerge --ignore-default-opts --quiet --color=n \
    --oneshot --nodeps --usepkgonly \
    --binpkg-respect-use=n --binpkg-respect-user-patches=n $(cat /.farm/dependencies)
fi
rm -rf /.farm/packages
"#;

/// Builds. `$1` is the package's CPV.
pub(super) const BUILD: &str = r#". /.farm/jobs.sh
echo ">>> Building $1"
exec emerge --ignore-default-opts --color=n --oneshot --nodeps --buildpkgonly --usepkg=n --quiet-build=n "=$1"
"#;

/// Where Portage works, and leaves a failed build.
pub(super) const WORK_TREE: &str = "/var/tmp/portage";
/// Where Portage puts what it built.
const BUILT: &str = "/var/cache/binpkgs";

/// What building a package needs.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageData {
    /// What Portage says of it.
    pub package: Package,
    /// Nodes of what is installed before, in merge order, and their `CATEGORY/PF`.
    pub dependencies: Vec<(String, String)>,
    /// Nodes of its source files, and their names in DISTDIR.
    pub distfiles: Vec<(String, String)>,
    /// The node of the source of a live ebuild.
    pub live: Option<String>,
    /// The root's node.
    pub root: String,
    /// Repositories and their nodes.
    pub repos: Vec<(String, String)>,
    /// The farm's configuration.
    pub settings: Arc<Settings>,
    /// How its container runs.
    pub container: ContainerData,
    /// Whether dependants look at its ABI.
    pub abi_counts: bool,
}

/// The name of a package's node.
#[must_use]
pub fn node_name(farm: &str, planned: &PlannedPackage) -> String {
    format!("{farm}:pkg/{}", planned.name)
}

/// The node of a package.
#[must_use]
pub fn node(
    data: &JoinData,
    joined: &JoinedPlan,
    planned: &PlannedPackage,
    fetches: &BTreeMap<String, String>,
    live: Option<(String, LiveData)>,
    epoch: u64,
) -> NodeSpec<Action> {
    let package = &planned.package;
    let mut inputs = vec![
        Input::text("package", &package.cpv),
        Input::text("repository", &package.repository),
        Input::text("epoch", epoch.to_string()),
        Input::text("rebuild", data.rebuild.word()),
        Input::digest("script", Digest::of([PREPARE, INSTALL, BUILD].concat().as_bytes())),
    ];
    inputs.extend(planned.files.iter().map(|(name, digest)| Input::digest(name, *digest)));
    for file in &package.distfiles {
        inputs.push(Input::text(format!("distfile/{}", file.name), fetch::identity(file)));
    }
    for (name, value) in keyed_environment(&package.environment) {
        inputs.push(Input::text(format!("env/{name}"), value));
    }
    for file in &package.configuration {
        let path = file.path.strip_prefix("/etc/portage/").unwrap_or(&file.path);
        inputs.push(Input::text(
            format!("{}/{path}", file.role),
            format!("sha256:{}", file.sha256),
        ));
    }
    let settings = data.settings_of(planned);
    for (path, file) in settings.other_files() {
        inputs.push(Input::digest(format!("settings/{path}"), file.digest()));
    }
    inputs.extend(reached(data.rebuild, planned));
    inputs.extend(capabilities_input(&data.container));
    let live = live.map(|(node, source)| {
        inputs.push(Input::digest("script/live", Digest::of(live::OFFER.as_bytes())));
        inputs.extend(source.inputs().into_iter().map(|input| Input {
            name: format!("live/{}", input.name),
            ..input
        }));
        node
    });

    let others = || planned.dependencies.iter().map(|&index| &joined.packages[index]);
    let dependencies: Vec<(String, String)> = others()
        .map(|other| (node_name(&data.farm, other), other.package.cpv.clone()))
        .collect();
    let distfiles: Vec<(String, String)> = package
        .distfiles
        .iter()
        .map(|file| (fetch::name(&data.farm, file, fetches), file.name.clone()))
        .collect();
    let used = |other: &PlannedPackage| {
        let node = node_name(&data.farm, other);
        match data.rebuild {
            Rebuild::Exact => Dependency::output(node, "interface"),
            // A version that shows the same is the same to whoever is built with it.
            Rebuild::Abi => Dependency::named(node, abi::ROLE, abi::input_name(&other.package)),
            Rebuild::Portage => Dependency::before_run(node),
        }
    };
    let mut edges: Vec<Dependency> = others().map(used).collect();
    if data.rebuild == Rebuild::Exact {
        // What farm built of the root is known better than by what the root says of it.
        edges.extend(planned.made.iter().map(|&index| used(&joined.below[index])));
    }
    edges.extend(distfiles.iter().map(|(node, _)| Dependency::before_run(node)));
    edges.extend(live.iter().map(Dependency::before_run));
    edges.push(Dependency::before_run(&data.root));
    edges.extend(data.repos.iter().map(|(_, node)| Dependency::before_run(node)));
    NodeSpec {
        name: node_name(&data.farm, planned),
        kind: "package".to_owned(),
        rule_version: 1,
        class: Class::Build,
        inputs,
        dependencies: edges,
        expands: false,
        pools: BTreeMap::new(),
        action: Action::Package(Box::new(PackageData {
            package: package.clone(),
            dependencies,
            distfiles,
            live,
            root: data.root.clone(),
            repos: data.repos.clone(),
            settings: Arc::clone(settings),
            container: data.container.clone(),
            abi_counts: data.rebuild == Rebuild::Abi,
        })),
    }
}

/// What of the root and of the plan decides whether the package is built again, by the farm's choice of how far a change reaches.
fn reached(rebuild: Rebuild, planned: &PlannedPackage) -> Vec<Input> {
    if rebuild == Rebuild::Portage {
        let bound = planned.bound.iter();
        return bound
            .map(|(name, slot)| Input::text(format!("bound/{name}"), slot))
            .collect();
    }
    let mut inputs = vec![
        Input::text("portage", &planned.portage),
        Input::digest("base/files that no package owns", planned.unowned),
    ];
    let base = planned.installed.iter();
    inputs.extend(base.map(|record| Input::text(format!("base/{}", record.name), &record.text)));
    let left_out = planned.left_out.iter();
    inputs.extend(left_out.map(|(cpv, reason)| Input::text(format!("left out/{cpv}"), reason)));
    inputs
}

/// Builds the package.
pub fn run(
    context: &Context,
    run: &Run<'_>,
    spec: &NodeSpec<Action>,
    data: &PackageData,
) -> Result<Vec<Output>, Failure> {
    context.with_scratch(|scratch| {
        let mut outputs = Outputs {
            target: scratch.join("built.gpkg.tar"),
            found: false,
            failed: failed_tree(context, &spec.name),
        };
        let work = InRoot {
            script: BUILD,
            arguments: vec![data.package.cpv.clone()],
            collect: vec![
                Collect::OnSuccess(BUILT.to_owned()),
                Collect::OnFailure(format!("{WORK_TREE}/{}", data.package.cpv)),
            ],
        };
        run_in_root(context, run, spec, data, work, &mut outputs)
            .map_err(|failure| source::naming_patch(context, &spec.name, failure))?;
        if !outputs.found {
            return Err(bug("emerge ended well and left no package".to_owned()));
        }
        // What was kept of an earlier failure has no reader any more.
        let _ = fs::remove_file(&outputs.failed);
        keep(context, run, &spec.name, data, &outputs.target)
    })
}

/// What is run in a package's build root.
pub(super) struct InRoot<'a> {
    /// The rest of a shell script that has installed what the package is built with. It may source `/.farm/jobs.sh`, so that what it
    /// runs shares the jobs of all nodes.
    pub(super) script: &'a str,
    /// The script's arguments.
    pub(super) arguments: Vec<String>,
    /// What is taken out.
    pub(super) collect: Vec<Collect>,
}

/// Runs something in the root in which a package is built: its dependencies are installed, its sources, its part of the
/// repositories and its configuration are in their places, and there is no network.
///
/// # Errors
///
/// A script that fails is the step's failure, as in [`container::run`].
pub(super) fn run_in_root(
    context: &Context,
    run: &Run<'_>,
    spec: &NodeSpec<Action>,
    data: &PackageData,
    work: InRoot<'_>,
    outputs: &mut dyn OutputSink,
) -> Result<(), Failure> {
    let needed = |node: &str| {
        run.dependency(spec, node)
            .ok_or_else(|| bug(format!("{node} is not there")))
    };
    let mut installed = Vec::new();
    for (node, cpv) in &data.dependencies {
        installed.push((cpv.clone(), Kept::of(needed(node)?)?));
    }
    let mut staged = Files::new();
    let names: String = installed.iter().map(|(cpv, _)| format!("={cpv}\n")).collect();
    staged.insert("dependencies".to_owned(), FileNode::text(names));
    staged.insert("prepare.sh".to_owned(), FileNode::program(PREPARE));
    let offer = if data.live.is_some() { live::OFFER } else { "" };
    staged.insert(
        "build.sh".to_owned(),
        FileNode::program([INSTALL, offer, work.script].concat()),
    );
    staged.insert("jobs.sh".to_owned(), FileNode::program(jobs::OFFER));
    let packages = pkgdir::upload(context, &format!("{STAGING}/packages"), &installed)?.files(STAGING, staged);

    let mut concerned: BTreeSet<String> = data.dependencies.iter().filter_map(|(_, cpv)| cp(cpv)).collect();
    concerned.insert(format!("{}/{}", data.package.category, data.package.name));
    let mut settings = settings_upload(context, &data.settings.for_packages(&concerned));
    for (name, node) in &data.repos {
        let repo = OpenRepo::open(context, needed(node)?)?;
        let slice = slice(&repo, name, &data.package)?;
        settings = settings.files(&format!("{STAGING}/repos/{name}"), slice);
    }
    let mut distfiles = Upload::new(context).over_existing();
    for (node, name) in &data.distfiles {
        distfiles = distfiles.blob(
            format!("var/cache/distfiles/{name}"),
            place::blob(needed(node)?, "file")?,
        );
    }
    let mut files: Vec<Box<dyn TarSource>> = vec![Box::new(settings), Box::new(packages), Box::new(distfiles)];
    if let Some(node) = &data.live {
        let blob = place::blob(needed(node)?, live::ROLE)?;
        files.push(upload::tar(&context.store, &blob));
    }

    let mut env = explicit_flags(&data.package);
    // For what does not look for tokens. It is a guess, and what it makes of it is not counted.
    env.insert("MAKEOPTS".to_owned(), format!("-j{}", run.jobs));
    let tokens = Arc::new(jobs::ContainerJobs::default());
    (run.tokens)(tokens.clone());
    let command = ["/bin/sh", "/.farm/build.sh"].map(str::to_owned);
    container::run(
        context,
        run,
        ContainerRun {
            name: &spec.name,
            image: place::image(needed(&data.root)?, "image")?,
            files,
            argv: command.into_iter().chain(work.arguments).collect(),
            env,
            network: Network::None,
            container: &data.container,
            collect: work.collect,
            companion: Some(tokens),
        },
        outputs,
    )
}

fn bug(what: String) -> Failure {
    Failure::new(FailureKind::Bug, what)
}

/// Brings what Portage built into normal form and into the store, stamped so that Portage takes it from a local folder.
fn keep(
    context: &Context,
    run: &Run<'_>,
    name: &str,
    data: &PackageData,
    built: &std::path::Path,
) -> Result<Vec<Output>, Failure> {
    let failed = |error: std::io::Error| io_failure("keep a package", &error);
    let unpackable = |error: farm_portage::normal::NormalError| {
        Failure::new(
            FailureKind::Step,
            format!("the package that was built cannot be published: {error}"),
        )
    };
    let source = std::io::BufReader::new(fs::File::open(built).map_err(failed)?);
    let normal_path = built.with_extension("normal");
    let normal_file = fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&normal_path)
        .map_err(failed)?;
    let mut normal = std::io::BufWriter::new(normal_file);
    let report = normalise(source, &mut normal, &NormalOptions::new(context.epoch)).map_err(unpackable)?;
    for warning in &report.warnings {
        (run.events)(Event::Note {
            message: format!("{name}: {warning}"),
        });
    }
    let mut normal = normal.into_inner().map_err(|error| failed(error.into_error()))?;
    normal.seek(SeekFrom::Start(0)).map_err(failed)?;
    let stamped_path = built.with_extension("stamped");
    let mut stamped = std::io::BufWriter::new(fs::File::create(&stamped_path).map_err(failed)?);
    let stamped_report = stamp(
        std::io::BufReader::new(normal),
        &mut stamped,
        pkgdir::LOCAL_BUILD_ID,
        context.epoch,
        None,
    )
    .map_err(unpackable)?;
    stamped.into_inner().map_err(|error| failed(error.into_error()))?;
    refuse_native(&stamped_report.metadata)?;
    let kept = pkgdir::keep(context, &stamped_path, &stamped_report.metadata)?;
    let mut outputs = vec![
        Place::Nowhere.output("interface", Digest::from(report.interface)),
        kept.place().output("payload", Digest::from(report.payload)),
    ];
    if data.abi_counts {
        outputs.push(Place::Nowhere.output(abi::ROLE, abi::seen(report.abi, &data.package)));
    }
    Ok(outputs)
}

/// The variables in which the configuration says `native`, as they are in the key. Of all that sets a variable, the environment
/// of emerge has the last word.
fn explicit_flags(package: &Package) -> BTreeMap<String, String> {
    let variables = package.explicit.iter();
    variables
        .filter_map(|name| Some((name.clone(), package.environment.get(name)?.clone())))
        .collect()
}

/// Refuses a package that was built with `native` all the same: a bashrc, a hook in `env/` or the ebuild put it there while it
/// ran, where neither Portage's configuration nor the key shows it.
fn refuse_native(metadata: &Metadata) -> Result<(), Failure> {
    for name in ["ASFLAGS", "CFLAGS", "CXXFLAGS", "LDFLAGS"] {
        if let Some(word) = native_word(&folded(metadata, name)) {
            let message = format!("{name} came to hold {word} while it was built, which the key does not show");
            return Err(Failure::new(FailureKind::Input, message).hint(
                "a bashrc, a hook in env/ or the ebuild adds it: set it in a make.conf or by package.env instead",
            ));
        }
    }
    Ok(())
}

/// The part of a repository that one package may see: layout and profiles, its own folder, and its eclasses.
fn slice(repo: &OpenRepo, name: &str, package: &Package) -> Result<Files, Failure> {
    let folder = format!("{}/{}/", package.category, package.name);
    let own = package.repository == name;
    let eclasses: BTreeSet<&str> = package
        .eclasses
        .values()
        .filter(|eclass| eclass.repository == name)
        .map(|eclass| eclass.path.as_str())
        .collect();
    let mut files = Files::new();
    for path in repo.listing.files.keys() {
        let wanted = is_profile(path) || (own && path.starts_with(&folder)) || eclasses.contains(path.as_str());
        if wanted {
            files.insert(path.clone(), repo.read(path)?);
        }
    }
    Ok(files)
}

/// Whether a file of a repository is its layout or its profiles. Without `profiles/updates`: emerge would rewrite the root's
/// package database with them (global updates), which the resolver did already.
#[must_use]
pub fn is_profile(path: &str) -> bool {
    path == "metadata/layout.conf" || (path.starts_with("profiles/") && !path.starts_with("profiles/updates/"))
}

fn cp(cpv: &str) -> Option<String> {
    farm_portage::cpv::Cpv::parse(cpv).ok().map(|cpv| cpv.cp())
}

/// Where the work tree of a failed build is kept, as `TAR.zst`.
#[must_use]
pub fn failed_tree(context: &Context, node: &str) -> std::path::PathBuf {
    let mut path = context.state.join("failed");
    path.extend(node.split([':', '/']));
    path.set_file_name(format!(
        "{}.tar.zst",
        path.file_name().unwrap_or_default().to_string_lossy()
    ));
    path
}

struct Outputs {
    target: std::path::PathBuf,
    found: bool,
    failed: std::path::PathBuf,
}

impl OutputSink for Outputs {
    fn collected(&mut self, path: &str, tar: &mut dyn Read) -> std::io::Result<()> {
        if path != BUILT {
            return keep_work_tree(&self.failed, tar);
        }
        let mut archive = tar::Archive::new(tar);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let is_package = entry.path()?.to_string_lossy().ends_with(".gpkg.tar");
            if is_package && entry.header().entry_type().is_file() {
                std::io::copy(&mut entry, &mut fs::File::create(&self.target)?)?;
                self.found = true;
            }
        }
        Ok(())
    }

    fn absent(&mut self, _: &str) {}
}

/// Keeps the work tree of a failed build.
pub(super) fn keep_work_tree(failed: &std::path::Path, tar: &mut dyn Read) -> std::io::Result<()> {
    if let Some(folder) = failed.parent() {
        fs::create_dir_all(folder)?;
    }
    // Speed counts more than size here: the tree is for one person, once.
    let mut packed = zstd::Encoder::new(fs::File::create(failed)?, 1)?;
    std::io::copy(tar, &mut packed)?;
    packed.finish()?;
    Ok(())
}
