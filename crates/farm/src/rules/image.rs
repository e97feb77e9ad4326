//! `image/NAME`, `binfarm` and `env`: images put together from a root and packages.
//!
//! Packages are installed by Portage itself in a container; what changed becomes one layer over those of the lower image,
//! computed by farm and not taken from what the executor happened to record.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use farm_engine::{Class, Dependency, Digest, Failure, FailureKind, Input, NodeSpec, Output, Run};
use farm_executor::{Collect, Network, OutputSink, TarSource};
use farm_image::{ArchiveLayer, Diff, Exclusions, Index, LayerOptions, diff};
use farm_manifest::model::Strip;
use fs_err as fs;

use super::base::{config_of, load};
use super::container::{self, ContainerRun, capabilities_input, list_input, single_file};
use super::image_config::{ImageConfigPlan, configure, parse_profile_env};
use super::join::JoinData;
use super::repo::OpenRepo;
use super::resolve::{PREPARE, settings_upload};
use super::{root, scan};
use crate::action::{Action, ContainerData};
use crate::context::{Context, LABEL, NODE_LABEL, executor_failure, io_failure};
use crate::files::{FileNode, Files};
use crate::pkgdir::{self, Kept};
use crate::place::{self, Place};
use crate::settings::Settings;
use crate::upload::{self, STAGING};

/// Installs the packages in the order of the plan, adds the members to the world file, and removes what is stripped.
///
/// Portage records when it made a symbolic link and when it wrote a package's entry. Both are the epoch in the layer, and the
/// records have to say the same: the image would differ from run to run, and Portage would take the links for somebody else's.
const ASSEMBLE: &str = r#"set -e
. /.farm/prepare.sh
if [ -s /.farm/dependencies ]; then
  command -v emerge >/dev/null || { echo 'the image this one is made from has no emerge, so no packages can be installed in it'; exit 1; }
  echo '>>> Installing packages'
  PKGDIR=/.farm/packages CONFIG_PROTECT='-*' emerge --ignore-default-opts --quiet --color=n \
    --oneshot --nodeps --usepkgonly \
    --binpkg-respect-use=n --binpkg-respect-user-patches=n $(cat /.farm/dependencies)
  while read -r atom; do
    entry=/var/db/pkg/${atom#=}
    [ ! -e "$entry/CONTENTS" ] || sed -i -E "s/^(sym .* )[0-9]+\$/\1$SOURCE_DATE_EPOCH/" "$entry/CONTENTS"
    [ ! -e "$entry/metadata" ] || sed -i -E "s/^(#dir_mtime=).*/\1${SOURCE_DATE_EPOCH}000000000/" "$entry/metadata"
  done < /.farm/dependencies
fi
if [ -s /.farm/world ]; then
  mkdir -p /var/lib/portage
  touch /var/lib/portage/world
  sort -u /var/lib/portage/world /.farm/world -o /var/lib/portage/world
fi
while read -r path; do
  rm -rf -- "$path"
done < /.farm/strip
"#;

/// Removes what blocks the packages. `emerge --nodeps`, as it installs them, would leave that where it is.
const UNMERGE: &str = r#"set -e
echo '>>> Removing what is blocked'
emerge --ignore-default-opts --quiet --color=n --unmerge $(cat /.farm/uninstalls)
"#;

/// An image as a farm plans it.
#[derive(Debug, Clone, PartialEq)]
pub struct ImagePlan {
    /// Local name of the node: `image/NAME`, `binfarm`, `env`.
    pub local: String,
    /// The node whose image it starts from.
    pub from: String,
    /// Subjects whose members are in it.
    pub subjects: Vec<String>,
    /// Whether the repositories and the farm's settings are in it (`env`).
    pub with_settings: bool,
    /// Whether it is a root that others are planned and built in: what is installed is read from it, and it has no configuration of its own.
    pub is_root: bool,
    /// What is left out.
    pub strip: Vec<Strip>,
    /// Programs run in it once the packages are there: file name and content.
    pub scripts: Vec<(String, Vec<u8>)>,
    /// OCI configuration; what is empty is the lower image's.
    pub config: ImageConfigPlan,
    /// The image's name in the engine.
    pub tag: String,
}

/// What the rule needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageData {
    /// The plan.
    pub plan: ImagePlan,
    /// Nodes of the packages in merge order, and their `CATEGORY/PF`.
    pub packages: Vec<(String, String)>,
    /// Lines for the world file.
    pub world: Vec<String>,
    /// Why these packages cannot be in one image, if so.
    pub conflict: Option<String>,
    /// Packages that are removed before, as `CATEGORY/PF`.
    pub uninstalls: Vec<String>,
    /// Repositories and their nodes.
    pub repos: Vec<(String, String)>,
    /// The farm's configuration.
    pub settings: Arc<Settings>,
    /// How its container runs.
    pub container: ContainerData,
}

/// What is installed in an image.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Contents {
    /// Nodes of the packages in merge order, and their `CATEGORY/PF`.
    pub packages: Vec<(String, String)>,
    /// Lines for the world file.
    pub world: Vec<String>,
    /// Why these packages cannot be in one image, if so.
    pub conflict: Option<String>,
    /// Packages that are removed before, as `CATEGORY/PF`.
    pub uninstalls: Vec<String>,
}

/// The node of an image. `missing` are plans that failed: the image waits for them, and is skipped for that reason.
#[must_use]
pub fn node(data: &JoinData, plan: &ImagePlan, contents: Contents, missing: &[String], epoch: u64) -> NodeSpec<Action> {
    let Contents {
        packages,
        world,
        conflict,
        uninstalls,
    } = contents;
    let config = &plan.config;
    let mut inputs = vec![
        Input::text(
            "packages",
            packages
                .iter()
                .map(|(_, cpv)| cpv.as_str())
                .collect::<Vec<_>>()
                .join(" "),
        ),
        Input::text("world", world.join(" ")),
        list_input("strip", plan.strip.iter().map(|strip| strip_word(*strip))),
        Input::digest("script", Digest::of([PREPARE, ASSEMBLE].concat().as_bytes())),
        list_input("entrypoint", &config.entrypoint),
        list_input("cmd", &config.cmd),
        Input::text("user", config.user.clone().unwrap_or_default()),
        Input::text("workdir", config.workdir.clone().unwrap_or_default()),
        Input::text("epoch", epoch.to_string()),
    ];
    inputs.extend(
        config
            .env
            .iter()
            .map(|(name, value)| Input::text(format!("env/{name}"), value)),
    );
    inputs.extend(
        config
            .labels
            .iter()
            .map(|(name, value)| Input::text(format!("label/{name}"), value)),
    );
    if !uninstalls.is_empty() {
        inputs.push(list_input("uninstalls", &uninstalls));
        inputs.push(Input::digest("script/unmerge", Digest::of(UNMERGE.as_bytes())));
    }
    inputs.extend(root::script_inputs(&plan.scripts));
    inputs.extend(capabilities_input(&data.container));
    let mut dependencies = vec![Dependency::output(&plan.from, "image")];
    dependencies.extend(packages.iter().map(|(node, _)| Dependency::output(node, "payload")));
    dependencies.extend(missing.iter().map(|node| Dependency::output(node, "plan")));
    if plan.with_settings {
        dependencies.extend(data.repos.iter().map(|(_, node)| Dependency::output(node, "tree")));
        for (path, file) in data.settings.tree() {
            inputs.push(Input::digest(format!("settings/{path}"), file.digest()));
        }
    } else {
        dependencies.extend(data.repos.iter().map(|(_, node)| Dependency::before_run(node)));
    }
    NodeSpec {
        name: format!("{}:{}", data.farm, plan.local),
        kind: if plan.local == "env" {
            "env"
        } else if plan.is_root {
            "root"
        } else {
            "image"
        }
        .to_owned(),
        rule_version: 1,
        class: if plan.is_root { Class::Prepare } else { Class::Build },
        inputs,
        dependencies,
        expands: false,
        pools: BTreeMap::new(),
        action: Action::Image(Box::new(ImageData {
            plan: plan.clone(),
            packages,
            world,
            conflict,
            uninstalls,
            repos: data.repos.clone(),
            settings: Arc::clone(&data.settings),
            container: data.container.clone(),
        })),
    }
}

/// Makes the image.
pub fn run(
    context: &Context,
    run: &Run<'_>,
    spec: &NodeSpec<Action>,
    data: &ImageData,
) -> Result<Vec<Output>, Failure> {
    let bug = |what: String| Failure::new(FailureKind::Bug, what);
    let needed = |node: &str| {
        run.dependency(spec, node)
            .ok_or_else(|| bug(format!("{node} is not there")))
    };
    if let Some(conflict) = &data.conflict {
        return Err(Failure::new(FailureKind::Input, conflict.clone())
            .hint("make an image of each subject, or let one of them need the other (`needs:`)"));
    }
    let lower = needed(&data.plan.from)?;
    let lower_image = place::image(lower, "image")?;
    if data.is_lower_root() {
        return Ok(lower.outputs.clone());
    }
    if changes_nothing(data) {
        let failed = |error| executor_failure(&error);
        context.executor()?.tag(&lower_image, &data.plan.tag).map_err(failed)?;
        let digest = Digest::of(lower_image.0.as_bytes());
        let tagged = Place::Image {
            id: lower_image,
            tag: Some(data.plan.tag.clone()),
        }
        .output("image", digest);
        return Ok(vec![place::output(lower, "index")?.clone(), tagged]);
    }
    let lower_index =
        Index::decode(&context.read(&place::blob(lower, "index")?)?).map_err(|error| bug(error.to_string()))?;

    let mut packages = Vec::new();
    for (node, cpv) in &data.packages {
        packages.push((cpv.clone(), Kept::of(needed(node)?)?));
    }
    let mut staged = Files::new();
    let names: String = packages.iter().map(|(cpv, _)| format!("={cpv}\n")).collect();
    let world: String = data.world.iter().map(|line| format!("{line}\n")).collect();
    let strip: String = data
        .plan
        .strip
        .iter()
        .flat_map(|strip| stripped(*strip))
        .map(|path| format!("{path}\n"))
        .collect();
    staged.insert("dependencies".to_owned(), FileNode::text(names));
    staged.insert("world".to_owned(), FileNode::text(world));
    staged.insert("strip".to_owned(), FileNode::text(strip));
    staged.insert("uninstalls".to_owned(), FileNode::text(unmerged(&data.uninstalls)));
    staged.insert("unmerge.sh".to_owned(), FileNode::program(UNMERGE));
    staged.insert("prepare.sh".to_owned(), FileNode::program(PREPARE));
    staged.insert("assemble.sh".to_owned(), FileNode::program(ASSEMBLE));
    staged.extend(root::staged_scripts(&data.plan.scripts));
    let scripts = match data.plan.scripts.as_slice() {
        [] => "",
        _ => " && exec /bin/sh /.farm/run-scripts.sh",
    };
    let assemble = if data.uninstalls.is_empty() {
        "/bin/sh /.farm/assemble.sh".to_owned()
    } else {
        "/bin/sh -c '. /.farm/prepare.sh && . /.farm/unmerge.sh' && /bin/sh /.farm/assemble.sh".to_owned()
    };
    let command = format!("{assemble}{scripts}");
    let packages = pkgdir::upload(context, &format!("{STAGING}/packages"), &packages)?.files(STAGING, staged);
    let mut files: Vec<Box<dyn TarSource>> = vec![Box::new(packages)];
    let concerned: BTreeSet<String> = data
        .packages
        .iter()
        .filter_map(|(_, cpv)| farm_portage::cpv::Cpv::parse(cpv).ok())
        .map(|cpv| cpv.cp())
        .collect();
    let settings = if data.plan.with_settings {
        (*data.settings).clone()
    } else {
        data.settings.for_packages(&concerned)
    };
    let mut settings = settings_upload(context, &settings);
    for (name, node) in &data.repos {
        let repo = OpenRepo::open(context, needed(node)?)?;
        if data.plan.with_settings {
            files.push(upload::tar(&context.store, &repo.tar));
        } else {
            settings = settings.files(&format!("{STAGING}/repos/{name}"), profiles(&repo)?);
        }
    }
    files.push(Box::new(settings));

    context.with_scratch(|scratch| {
        let mut outputs = Outputs {
            lower: &lower_index,
            exclusions: exclusions(&data.plan),
            epoch: context.epoch,
            scratch,
            diff: None,
            profile_env: Vec::new(),
        };
        container::run(
            context,
            run,
            ContainerRun {
                name: &spec.name,
                image: lower_image.clone(),
                files,
                argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), command],
                env: BTreeMap::new(),
                network: Network::None,
                container: &data.container,
                collect: vec![
                    Collect::OnSuccess("/etc/profile.env".to_owned()),
                    Collect::OnSuccess("/".to_owned()),
                ],
                companion: None,
            },
            &mut outputs,
        )?;
        let made = outputs
            .diff
            .take()
            .ok_or_else(|| bug("the executor gave no tree".to_owned()))?;
        let profile_env = std::mem::take(&mut outputs.profile_env);

        let mut config = config_of(&context.image_info(&lower_image.0)?, context.epoch)?;
        let mut layers: Vec<ArchiveLayer<'_>> = config
            .diff_ids
            .iter()
            .map(|diff_id| ArchiveLayer {
                diff_id: *diff_id,
                content: None,
            })
            .collect();
        config.diff_ids.push(made.layer.diff_id);
        if !data.plan.is_root {
            configure(&mut config, &data.plan.config, &profile_env);
        }
        config.labels.insert(LABEL.to_owned(), "1".to_owned());
        config.labels.insert(NODE_LABEL.to_owned(), data.plan.local.clone());
        let file = fs::File::open(scratch.join("layer.tar")).map_err(|error| io_failure("read a layer", &error))?;
        layers.push(ArchiveLayer {
            diff_id: made.layer.diff_id,
            content: Some((made.layer.size, Box::new(file))),
        });
        let tags = std::slice::from_ref(&data.plan.tag);
        let id = load(context, context.executor()?.as_ref(), &config, layers, tags)?;
        let mut outputs = if data.plan.is_root {
            // What is installed is read from the image itself, so that it is what builds will see.
            scan::image(context, &id)?.outputs(context)?
        } else {
            let index = context.keep(&made.root.encode())?;
            vec![Place::Store { blob: index }.output("index", Digest::from(made.root.digest()))]
        };
        let digest = Digest::of(id.0.as_bytes());
        outputs.push(
            Place::Image {
                id,
                tag: Some(data.plan.tag.clone()),
            }
            .output("image", digest),
        );
        Ok(outputs)
    })
}

impl ImageData {
    /// Whether this is a root, and the one below it as it is: nothing had to be built for it.
    #[must_use]
    pub fn is_lower_root(&self) -> bool {
        self.plan.is_root && self.packages.is_empty() && self.uninstalls.is_empty()
    }
}

fn unmerged(packages: &[String]) -> String {
    packages.iter().map(|cpv| format!("={cpv}\n")).collect()
}

/// Whether the image would be the lower one under another name.
fn changes_nothing(data: &ImageData) -> bool {
    data.packages.is_empty()
        && !data.plan.with_settings
        && data.plan.strip.is_empty()
        && data.plan.scripts.is_empty()
        && data.plan.config == ImageConfigPlan::default()
}

/// The manifest's word.
fn strip_word(strip: Strip) -> &'static str {
    match strip {
        Strip::Repos => "repos",
        Strip::Docs => "docs",
    }
}

fn stripped(strip: Strip) -> &'static [&'static str] {
    match strip {
        Strip::Repos => &["/var/db/repos"],
        Strip::Docs => &[
            "/usr/share/doc",
            "/usr/share/gtk-doc",
            "/usr/share/info",
            "/usr/share/man",
        ],
    }
}

/// The farm's settings and repositories are put into the container for the packages' sake only, unless they are wanted.
fn exclusions(plan: &ImagePlan) -> Exclusions {
    if plan.with_settings {
        return Exclusions::standard()
            .with_tree(STAGING)
            .with_contents("var/cache")
            .with_contents("var/log");
    }
    if plan.strip.contains(&Strip::Repos) {
        return Exclusions::standard()
            .with_tree(STAGING)
            .with_tree("etc/portage")
            .with_contents("var/cache")
            .with_contents("var/log");
    }
    root::exclusions()
}

/// What Portage needs of a repository to install packages: its layout and profiles.
fn profiles(repo: &OpenRepo) -> Result<Files, Failure> {
    let mut files = Files::new();
    for path in repo.listing.files.keys() {
        if super::package::is_profile(path) {
            files.insert(path.clone(), repo.read(path)?);
        }
    }
    Ok(files)
}

struct Outputs<'a> {
    lower: &'a Index,
    exclusions: Exclusions,
    epoch: u64,
    scratch: &'a std::path::Path,
    diff: Option<Diff>,
    profile_env: Vec<(String, String)>,
}

impl OutputSink for Outputs<'_> {
    fn collected(&mut self, path: &str, tar: &mut dyn Read) -> std::io::Result<()> {
        if path != "/" {
            let bytes = single_file(tar)?.unwrap_or_default();
            self.profile_env = parse_profile_env(&String::from_utf8_lossy(&bytes));
            return Ok(());
        }
        let mut layer = fs::File::create(self.scratch.join("layer.tar"))?;
        let options = LayerOptions {
            exclusions: &self.exclusions,
            epoch: self.epoch,
            scratch: self.scratch,
        };
        self.diff = Some(diff(self.lower, tar, &options, &mut layer).map_err(std::io::Error::other)?);
        Ok(())
    }

    /// A root without Portage's profile.env sets nothing.
    fn absent(&mut self, _: &str) {}
}
