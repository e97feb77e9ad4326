//! The generations of the binfarm root: what is built of the base's own packages before anything else is.
//!
//! Each is a plan made in the root below it, packages built there, and a root with these packages merged into it. The nodes of a later
//! generation, and of everything after the last, are known from the start but for the packages; they come into the graph with the plan of the
//! one before, since only then there is a root that they could depend on.

use farm_resolver::Mode;

use super::{Lowering, Nodes, Planning, members};
use crate::action::ResolveData;
use crate::names::{TOOLCHAIN, UPDATE};
use crate::rules::image::ImagePlan;
use crate::rules::image_config::ImageConfigPlan;
use crate::rules::join::{self, Brings, JoinData};
use crate::rules::resolve;
use farm_manifest::model::{Binfarm, Update};

/// The local names of the nodes that bring forth others.
pub fn plan_nodes() -> impl Iterator<Item = String> {
    let generations = [TOOLCHAIN, UPDATE].map(|name| format!("generation/{name}"));
    generations.into_iter().chain(["plan".to_owned()])
}

/// The names of the generations that a manifest asks for, in their order.
pub fn generations(binfarm: &Binfarm) -> impl Iterator<Item = &'static str> {
    let names = [TOOLCHAIN, UPDATE].into_iter();
    names.filter(|name| asked(binfarm, name).is_some())
}

/// What one generation asks Portage for.
struct Asked {
    mode: Mode,
    members: Vec<String>,
    reinstall: Vec<String>,
}

impl Lowering<'_> {
    /// The names of the farm's generations, in their order.
    pub(super) fn generations(&self) -> Vec<&'static str> {
        self.farm.binfarm.iter().flat_map(generations).collect()
    }

    pub(super) fn last_generation(&self) -> Option<&'static str> {
        self.generations().pop()
    }

    /// The nodes of all generations, with what comes `after` them.
    pub(super) fn with_generations(&self, planning: &Planning<'_>, after: Nodes) -> Nodes {
        let names = self.generations();
        let mut nodes = after;
        for (at, name) in names.iter().enumerate().rev() {
            let below = at.checked_sub(1).map(|at| names[at]);
            if let Some(asked) = asked(planning.binfarm, name) {
                nodes = self.generation(planning, name, below, asked, nodes);
            }
        }
        nodes
    }

    fn generation(
        &self,
        planning: &Planning<'_>,
        name: &'static str,
        below: Option<&str>,
        asked: Asked,
        later: Nodes,
    ) -> Nodes {
        let root = self.node(&match below {
            Some(below) => format!("root/{below}"),
            None => "base".to_owned(),
        });
        let data = ResolveData {
            members: asked.members,
            mode: asked.mode,
            reinstall: asked.reinstall,
            ..planning.resolve(name, &root)
        };
        let plan = resolve::node(&self.name, data, self.context.epoch);
        let made = ImagePlan {
            local: format!("root/{name}"),
            from: root.clone(),
            subjects: vec![name.to_owned()],
            with_settings: false,
            is_root: true,
            strip: Vec::new(),
            scripts: Vec::new(),
            config: ImageConfigPlan::default(),
            tag: self.tag(&format!("root-{name}")),
        };
        let brings = Brings::Generation {
            name,
            root: Box::new(made),
            later,
        };
        let data = JoinData {
            subjects: vec![(name.to_owned(), plan.name.clone())],
            below: below.map(|below| self.node(&format!("generation/{below}"))),
            ..self.join(planning, &root, brings)
        };
        self.abis(&root).into_iter().chain([plan, join::node(data)]).collect()
    }
}

/// What a generation asks for; `None` where the manifest has nothing for it.
fn asked(binfarm: &Binfarm, name: &str) -> Option<Asked> {
    if name == TOOLCHAIN {
        return (!binfarm.toolchain.is_empty()).then(|| Asked {
            mode: Mode::Members,
            members: members(&binfarm.toolchain),
            reinstall: Vec::new(),
        });
    }
    let mut rebuild: Vec<String> = binfarm.rebuild.iter().map(|atom| atom.value.to_string()).collect();
    rebuild.sort();
    rebuild.dedup();
    let world = ["@world".to_owned()];
    match binfarm.update {
        Update::None if rebuild.is_empty() => None,
        Update::None => Some(Asked {
            mode: Mode::Members,
            members: rebuild,
            reinstall: Vec::new(),
        }),
        Update::World => Some(Asked {
            mode: Mode::Update,
            members: world.into_iter().chain(rebuild.clone()).collect(),
            reinstall: rebuild,
        }),
        Update::Emptytree => Some(Asked {
            mode: Mode::Emptytree,
            members: world.into_iter().chain(rebuild).collect(),
            reinstall: Vec::new(),
        }),
    }
}
