//! `plan/SUBJECT`: what Portage's own resolver says is to be built for a subject.

use std::collections::BTreeMap;
use std::sync::Arc;

use farm_engine::{Class, Dependency, Digest, Event, Failure, FailureKind, Input, NodeSpec, Output, Run};
use farm_executor::{Collect, Network, TarSource};
use farm_resolver::suggest::{self, Section, SuggestedLine};
use farm_resolver::{Answer, AnswerError, Mode, Outcome, Plan, Refusal, Request, bootstrap, program};

use super::container::{self, ContainerRun, Take, capabilities_input, environment, list_input, single_file};
use super::repo::OpenRepo;
use crate::action::{Action, ResolveData};
use crate::context::Context;
use crate::files::{FileNode, Files};
use crate::place::{self, Place};
use crate::processor;
use crate::settings::{SETTINGS_REPO, Settings};
use crate::upload::{self, STAGING, Upload};

/// Puts what farm brought into its place. Whatever the base has there is the base's and not the farm's.
pub const PREPARE: &str = "rm -rf /etc/portage /var/db/repos\n\
                           mkdir -p /var/db /var/cache/binpkgs /var/cache/distfiles\n\
                           mv /.farm/etc-portage /etc/portage\n\
                           mv /.farm/repos /var/db/repos\n";

const PROGRAM_FOLDER: &str = "/.farm/resolver";
const REQUEST: &str = "/.farm/request.json";
const ANSWER: &str = "/.farm/answer.json";
const CPUINFO: &str = "/.farm/cpuinfo";

/// Makes Portage take the packages of the bootstrap plan for installed, in this container.
const FIRST: &str = "while read -r cpv; do rm -rf \"/var/db/pkg/$cpv\"; done < /.farm/replaced\n\
                     mkdir -p /var/db/pkg\n\
                     cp -R /.farm/first/. /var/db/pkg/\n";

/// The node of a subject's plan.
#[must_use]
pub fn node(farm: &str, data: ResolveData, epoch: u64) -> NodeSpec<Action> {
    let mut inputs = vec![
        Input::digest("resolver", program::digest()),
        Input::digest("script", Digest::of(PREPARE.as_bytes())),
        list_input("members", &data.members),
        list_input("options", &data.options),
        Input::text("epoch", epoch.to_string()),
    ];
    if data.mode != Mode::Members {
        inputs.push(Input::text("mode", data.mode.word()));
    }
    if !data.reinstall.is_empty() {
        inputs.push(list_input("reinstall", &data.reinstall));
    }
    if data.bootstrap.is_some() {
        inputs.push(Input::digest("script/bootstrap", Digest::of(FIRST.as_bytes())));
    }
    inputs.extend(capabilities_input(&data.container));
    for (path, file) in data.settings.tree() {
        inputs.push(Input::digest(format!("settings/{path}"), file.digest()));
    }
    for (name, value) in &data.container.env {
        inputs.push(Input::text(format!("env/{name}"), value));
    }
    let mut dependencies = vec![
        Dependency::output(&data.root, "installed"),
        Dependency::before_run(&data.root),
    ];
    dependencies.extend(data.repos.iter().map(|(_, node)| Dependency::output(node, "tree")));
    dependencies.extend(data.seeds.iter().map(|node| Dependency::output(node, "versions")));
    dependencies.extend(data.bootstrap.iter().map(|node| Dependency::output(node, "plan")));
    NodeSpec {
        name: format!("{farm}:plan/{}", data.subject),
        kind: "plan".to_owned(),
        rule_version: 1,
        class: Class::Plan,
        inputs,
        dependencies,
        expands: false,
        pools: BTreeMap::new(),
        action: Action::Resolve(Arc::new(data)),
    }
}

/// The configuration as an upload, to be put in place by [`PREPARE`].
#[must_use]
pub fn settings_upload(context: &Context, settings: &Settings) -> Upload {
    Upload::new(context)
        .folder(format!("{STAGING}/repos"))
        .files(&format!("{STAGING}/etc-portage"), settings.etc.clone())
        .files(&format!("{STAGING}/repos/{SETTINGS_REPO}"), settings.repo.clone())
}

/// Asks Portage.
pub fn run(
    context: &Context,
    run: &Run<'_>,
    spec: &NodeSpec<Action>,
    data: &ResolveData,
) -> Result<Vec<Output>, Failure> {
    let bug = |what: String| Failure::new(FailureKind::Bug, what);
    let needed = |node: &str| {
        run.dependency(spec, node)
            .ok_or_else(|| bug(format!("{node} is not there")))
    };
    let mut files: Vec<Box<dyn TarSource>> = Vec::new();
    for (_, node) in &data.repos {
        let repo = OpenRepo::open(context, needed(node)?)?;
        files.push(upload::tar(&context.store, &repo.tar));
    }
    files.push(Box::new(settings_upload(context, &data.settings)));

    let mut seed = Vec::new();
    for node in &data.seeds {
        let versions = context.read(&place::blob(needed(node)?, "versions")?)?;
        seed.extend(String::from_utf8_lossy(&versions).lines().map(|cpv| format!("={cpv}")));
    }
    seed.sort();
    seed.dedup();
    let request = Request {
        members: data.members.clone(),
        mode: data.mode,
        reinstall: data.reinstall.clone(),
        options: data.options.clone(),
        seed,
        environment: environment(context, &data.container),
    };
    let mut staged: Files = program::FILES
        .iter()
        .map(|(name, text)| (format!("resolver/{name}"), FileNode::text(*text)))
        .collect();
    let request_file = FileNode::File {
        bytes: request.to_json(),
        executable: false,
    };
    staged.insert("request.json".to_owned(), request_file);
    let mut prepare = PREPARE.to_owned();
    if let Some(node) = &data.bootstrap {
        let answer = context.read(&place::blob(needed(node)?, "plan")?)?;
        let answer = Answer::parse(&answer).map_err(|error| bug(error.to_string()))?;
        if let Outcome::Plan(first) = &answer.outcome {
            staged.extend(installed_first(first));
            prepare.push_str(FIRST);
        }
    }
    staged.insert("prepare.sh".to_owned(), FileNode::program(&prepare));
    files.push(Box::new(Upload::new(context).files(STAGING, staged)));

    let command = program::command(PROGRAM_FOLDER, REQUEST, ANSWER).join(" ");
    let (mut answer, mut cpuinfo) = (None, None);
    let mut take = Take(|path: &str, tar: &mut dyn std::io::Read| {
        let file = if path == ANSWER { &mut answer } else { &mut cpuinfo };
        *file = single_file(tar)?;
        Ok(())
    });
    let image = place::image(needed(&data.root)?, "image")?;
    container::run(
        context,
        run,
        ContainerRun {
            name: &spec.name,
            image: image.clone(),
            files,
            argv: vec![
                "/bin/sh".into(),
                "-c".into(),
                format!(
                    "set -e\n. /.farm/prepare.sh\ncat {} > {CPUINFO}\nexec {command}",
                    processor::CPUINFO
                ),
            ],
            env: [].into(),
            network: Network::None,
            container: &data.container,
            collect: [ANSWER, CPUINFO]
                .map(|path| Collect::OnSuccess(path.to_owned()))
                .to_vec(),
            companion: None,
        },
        &mut take,
    )?;
    let bytes = answer.ok_or_else(|| bug("the resolver gave no answer".to_owned()))?;
    let answer = Answer::parse(&bytes).map_err(|error| {
        let kind = match error {
            AnswerError::Crash { .. } => FailureKind::Environment,
            _ => FailureKind::Bug,
        };
        Failure::new(kind, error.to_string())
    })?;
    if !answer.warnings.trim().is_empty() {
        let message = format!("Portage warns about {}:\n{}", data.subject, answer.warnings.trim_end());
        (run.events)(Event::Note { message });
    }
    match answer.outcome {
        Outcome::Refusal(refusal) => {
            let failure = refused(&data.subject, &refusal);
            context.refused(&spec.name, *refusal);
            Err(failure)
        }
        Outcome::Plan(plan) => {
            let mut versions: Vec<&str> = plan.packages.iter().map(|package| package.cpv.as_str()).collect();
            versions.sort_unstable();
            let versions = context.keep((versions.join("\n") + "\n").as_bytes())?;
            let blob = context.keep(&bytes)?;
            let mut outputs = vec![
                Place::Store { blob }.output("plan", Digest::from(blob.digest)),
                Place::Store { blob: versions }.output("versions", Digest::from(versions.digest)),
            ];
            if !plan.native.is_empty() {
                let cpuinfo = cpuinfo.ok_or_else(|| bug("the container's processor is not known".to_owned()))?;
                let processor = processor::digest(&String::from_utf8_lossy(&cpuinfo));
                outputs.push(Place::Processor { processor, root: image }.output("native", processor));
            }
            Ok(outputs)
        }
    }
}

/// The entries of the packages database for what is built first, and the list of what these replace.
fn installed_first(plan: &Plan) -> Files {
    let entries = bootstrap::vdb_entries(plan).into_iter();
    let mut files: Files = entries
        .map(|(path, text)| (format!("first/{path}"), FileNode::text(text)))
        .collect();
    let replaced: String = bootstrap::replaced(plan).iter().map(|cpv| format!("{cpv}\n")).collect();
    files.insert("replaced".to_owned(), FileNode::text(replaced));
    files
}

/// Portage's own explanation, and what to put into the manifest.
fn refused(subject: &str, refusal: &Refusal) -> Failure {
    let message = format!("Portage cannot resolve {subject}:\n{}", refusal.explanation.trim_end());
    let failure = Failure::new(FailureKind::Input, message);
    let mut hints = suggest::advice(refusal);
    let lines: Vec<String> = suggest::manifest_lines(refusal).iter().map(shown).collect();
    if !lines.is_empty() {
        hints.push(format!("put into the manifest, where it fits:\n{}", lines.join("\n")));
    }
    if hints.is_empty() {
        failure
    } else {
        failure.hint(hints.join("\n"))
    }
}

fn shown(line: &SuggestedLine) -> String {
    let wanted: Vec<&str> = line.wanted_by.iter().map(|wanted| wanted.parent.as_str()).collect();
    let mut text = format!("  {}", line.text);
    if line.section == Section::Bootstrap {
        text = format!("  bootstrap: {{ {} }}", line.text);
    }
    if !wanted.is_empty() {
        text.push_str(&format!("   # wanted by {}", wanted.join(", ")));
    }
    if let Some(note) = &line.note {
        text.push_str(&format!("   # {}", note.lines().collect::<Vec<_>>().join(" ")));
    }
    text
}
