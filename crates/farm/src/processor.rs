//! Which processor the engine's machine has, as far as compilers look at it.
//!
//! What `-march=native` became belongs to one processor. Which one that is cannot be an input of a plan: only the plan itself tells
//! whether anybody says `native`, and whoever does not must keep his plans on every machine. So it is a property of the plan's
//! output, which is gone where the processor is another one, as an image is where the engine does not have it.
//!
//! The engine is asked by a container, because it may be on another machine, even behind a local socket. That takes a fraction of
//! a second, in farms that say `native` only. An engine that does not answer builds nothing, for which reason the plan stays.

use std::collections::BTreeSet;

use farm_engine::{Digest, Failure, FailureKind, Presence};
use farm_executor::{Exit, ImageId, Limits, LogSink, Network, OutputSink, RunSpec};

use crate::context::{Context, executor_failure};

/// Where Linux tells of its processors.
pub const CPUINFO: &str = "/proc/cpuinfo";

/// What of it decides what a compiler takes `native` for, on x86, ARM, POWER, RISC-V and s390. The rest differs from core to core
/// or from moment to moment.
const FIELDS: &[&str] = &[
    "CPU architecture",
    "CPU implementer",
    "CPU part",
    "CPU revision",
    "CPU variant",
    "Features",
    "cache size",
    "cpu",
    "cpu family",
    "features",
    "flags",
    "isa",
    "marchid",
    "model",
    "model name",
    "mvendorid",
    "revision",
    "stepping",
    "uarch",
    "vendor_id",
];

/// A digest of what a text in the form of [`CPUINFO`] says of the kinds of cores there are, however many.
#[must_use]
pub fn digest(cpuinfo: &str) -> Digest {
    let facts: BTreeSet<(&str, &str)> = cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(field, value)| (field.trim(), value.trim()))
        .filter(|(field, _)| FIELDS.contains(field))
        .collect();
    let text: String = facts
        .iter()
        .map(|(field, value)| format!("{field}: {value}\n"))
        .collect();
    Digest::of(text.as_bytes())
}

/// Whether what was made for this processor is good for the engine's machine, which is asked once a run. `root` is an image to
/// ask in.
pub fn presence(context: &Context, processor: &Digest, root: &ImageId) -> Presence {
    if context.executor().is_err() {
        return Presence::Present;
    }
    let found = match context.processor.get() {
        Some(found) => *found,
        None => match ask(context, root) {
            Ok(found) => *context.processor.get_or_init(|| found),
            Err(failure) => return Presence::Lost(format!("the processor cannot be told: {}", failure.message)),
        },
    };
    if found == *processor {
        Presence::Present
    } else {
        Presence::Lost("the processor that `native` meant is another one".to_owned())
    }
}

fn ask(context: &Context, root: &ImageId) -> Result<Digest, Failure> {
    let spec = RunSpec {
        name: "processor".to_owned(),
        image: root.clone(),
        files: Vec::new(),
        argv: vec!["cat".to_owned(), CPUINFO.to_owned()],
        env: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
        user: None,
        workdir: "/".to_owned(),
        network: Network::None,
        capabilities: Vec::new(),
        limits: Limits::default(),
        volumes: Vec::new(),
        labels: [].into(),
        collect: Vec::new(),
        companion: None,
    };
    let mut output = Text(Vec::new());
    let exit = context
        .executor()?
        .run(&spec, &mut output, &mut Nothing, &context.cancel)
        .map_err(|error| executor_failure(&error))?;
    if exit == Exit::Code(0) {
        Ok(digest(&String::from_utf8_lossy(&output.0)))
    } else {
        Err(Failure::new(
            FailureKind::Environment,
            format!("{CPUINFO} cannot be read in {root}"),
        ))
    }
}

struct Text(Vec<u8>);

impl LogSink for Text {
    fn output(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// Takes what is not collected.
struct Nothing;

impl OutputSink for Nothing {
    fn collected(&mut self, _: &str, _: &mut dyn std::io::Read) -> std::io::Result<()> {
        Ok(())
    }

    fn absent(&mut self, _: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_and_clocks_do_not_count_and_flags_do() {
        let core = |number: u32, mhz: &str, flags: &str| {
            format!("processor\t: {number}\nmodel name\t: X 1\ncpu MHz\t\t: {mhz}\nflags\t\t: {flags}\n\n")
        };
        let one = digest(&core(0, "800.1", "sse avx"));
        let two = core(0, "900", "sse avx") + &core(1, "2000", "sse avx");
        assert_eq!(digest(&two), one);
        assert_ne!(digest(&core(0, "800.1", "sse")), one);
        let mixed = core(0, "900", "sse avx") + &core(1, "900", "sse");
        assert_ne!(digest(&mixed), one);
    }
}
