//! `-jN` counts what package builds start, in whatever container.
//!
//! What is counted stands in for a compiler: it writes into the build's log when it begins and when it ends. Containers share
//! nothing but the clock.

use crate::support::{FarmSpace, Variant, base_image};

/// Each compiler says when it ran. The makefile is called as `emake` calls it, and by a make below it.
const EBUILD: &str = r#"EAPI=8

DESCRIPTION="Keeps processors busy"
HOMEPAGE="https://example.org/busy"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"

S="${WORKDIR}"

src_compile() {
	cat > compiler <<-'END' || die
		#!/bin/sh
		echo "compiler + $(date +%s%N)"
		sleep 0.3
		echo "compiler - $(date +%s%N)"
	END
	chmod +x compiler || die
	{
		echo 'all: 1 2 3 4 5 6 7 8 below'
		printf '1 2 3 4 5 6 7 8:\n\t@./compiler\n'
		printf 'below:\n\t@echo make is $(MAKE)\n\t@$(MAKE) -f below.mk\n'
	} > Makefile || die
	printf 'all: 1 2 3 4\n1 2 3 4:\n\t@./compiler\n' > below.mk || die
	emake
	NINJA
}

src_install() {
	env -i PATH="${PATH}" sh -c 'command -v make' > installed || die
	insinto /usr/share/${PN}
	doins installed
}
"#;

/// The same for a task, whose compilers are lines of a shell.
const MAKEFILE: &str = "all: 1 2 3 4 5 6 7 8 9 10 11 12\n\
    1 2 3 4 5 6 7 8 9 10 11 12:\n\
    \t@echo \"compiler + $$(date +%s%N)\"; sleep 0.3; echo \"compiler - $$(date +%s%N)\"\n";

/// Adds packages that keep processors busy, with `more` in their compile phase.
fn add(space: &FarmSpace, names: &[&str], more: &str) {
    for name in names {
        space.write(
            &format!("farms/tiny/overlay/app-misc/{name}/{name}-1.0.ebuild"),
            EBUILD.replace("\tNINJA\n", more),
        );
    }
    let lines: String = names.iter().map(|name| format!("      app-misc/{name}\n")).collect();
    space.edit(
        "farms/tiny/farm.yaml",
        "    packages: |\n",
        &format!("    packages: |\n{lines}"),
    );
}

/// The most compilers that ran at once in these builds, and how many ran.
fn peak(space: &FarmSpace, names: &[&str]) -> (usize, usize) {
    let logs: Vec<String> = names.iter().map(|name| format!("pkg/app-misc/{name}-1.0")).collect();
    peak_of(space, &logs)
}

/// The same of the nodes with these logs.
fn peak_of(space: &FarmSpace, nodes: &[String]) -> (usize, usize) {
    let mut moments = Vec::new();
    for node in nodes {
        let log = space.read(&format!(".farm/logs/tiny/{node}.log"));
        for line in log.lines() {
            if let Some((sign, time)) = line.strip_prefix("compiler ").and_then(|rest| rest.split_once(' ')) {
                moments.push((time.parse::<u128>().unwrap(), sign == "+"));
            }
        }
    }
    // In the same moment, one ends before another begins.
    moments.sort_unstable();
    let (mut now, mut peak) = (0_usize, 0);
    for (_, begins) in &moments {
        now = if *begins { now + 1 } else { now - 1 };
        peak = peak.max(now);
    }
    (peak, moments.len() / 2)
}

#[test]
fn builds_side_by_side_share_the_jobs() {
    let space = FarmSpace::ready();
    // Portage itself takes part, and takes what it needs from the same tokens.
    space.edit(
        "profiles/common/make.conf",
        "USE=",
        "FEATURES=\"jobserver-token\"\nUSE=",
    );
    add(&space, &["busy", "busier"], "");
    let targets = ["tiny:pkg/app-misc/busy", "tiny:pkg/app-misc/busier"];
    let output = space.farm(&["build", targets[0], targets[1], "-j4"]).succeeded();
    let (peak, count) = peak(&space, &["busy", "busier"]);
    assert_eq!(count, 2 * 12, "{output}");
    assert!((3..=4).contains(&peak), "{peak} at once\n{output}");
}

#[test]
fn a_build_alone_has_all_jobs_and_makes_the_same_with_one() {
    let space = FarmSpace::ready();
    add(&space, &["busy"], "");
    let target = "tiny:pkg/app-misc/busy";
    let output = space.farm(&["build", target, "-j4"]).succeeded();
    assert_eq!(peak(&space, &["busy"]), (4, 12), "{output}");
    let log = space.read(".farm/logs/tiny/pkg/app-misc/busy-1.0.log");
    // What stands for an old make shows nowhere.
    assert!(log.contains("make is make\n"), "{log}");
    assert!(!log.contains("jobserver unavailable"), "{log}");

    let output = space.farm(&["build", "--rebuild", target, "-j1", "--json"]).succeeded();
    assert_eq!(peak(&space, &["busy"]), (1, 12), "{output}");
    assert!(output.stdout.contains("\"reproducible\":true"), "{output}");
}

#[test]
fn tasks_in_images_share_the_jobs() {
    let space = FarmSpace::ready();
    space.write("farms/tiny/Makefile", MAKEFILE);
    let names = ["one", "other"];
    let tasks: String = names
        .iter()
        .map(|name| format!("  {name}:\n    in: base\n    inputs: [Makefile]\n    run: make\n"))
        .collect();
    space.edit("farms/tiny/farm.yaml", "tasks:\n", &format!("tasks:\n{tasks}"));
    let targets = names.map(|name| format!("tiny:task/{name}"));
    let logs = names.map(|name| format!("task/{name}"));
    let output = space.farm(&["build", &targets[0], &targets[1], "-j4"]).succeeded();
    let (together, count) = peak_of(&space, &logs);
    assert_eq!(count, 2 * 12, "{output}");
    assert!((3..=4).contains(&together), "{together} at once\n{output}");
    // Each has two, or more once the other has ended: neither runs its compilers one by one.
    for log in &logs {
        assert!(peak_of(&space, std::slice::from_ref(log)).0 > 1, "{log}\n{output}");
    }
}

/// An old ninja: it says its version, or how many jobs it was told, and then shows that this is what it may do.
const OLD_NINJA: &str = r#"cat > /usr/bin/ninja <<'END'
#!/bin/bash
if [ "$1" = --version ]; then echo 1.11.1; exit; fi
echo "ninja is told $*"
jobs=${1#-j}
for ((i = 0; i < jobs; i++)); do ./compiler & done
wait
END
chmod 755 /usr/bin/ninja"#;

#[test]
fn an_old_ninja_is_told_how_many_tokens_there_were_for_it() {
    let space = FarmSpace::new();
    let base = Variant::new(OLD_NINJA);
    space.edit("farms/tiny/farm.yaml", base_image(), base.name());
    // A second time: what it took the first time was put back.
    let ninja = "\tninja ${NINJAOPTS} all || die\n\tninja ${NINJAOPTS} again || die\n";
    add(&space, &["busy"], ninja);
    let output = space.farm(&["build", "tiny:pkg/app-misc/busy", "-j3"]).succeeded();
    let log = space.read(".farm/logs/tiny/pkg/app-misc/busy-1.0.log");
    assert!(log.contains("ninja is told -j3 -v all\n"), "{log}");
    assert!(log.contains("ninja is told -j3 -v again\n"), "{log}");
    assert_eq!(peak(&space, &["busy"]), (3, 12 + 6), "{output}");
}
