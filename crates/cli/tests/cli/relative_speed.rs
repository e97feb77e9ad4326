//! Finding that there is nothing to do stays cheap as farms grow.
//!
//! Times are facts about a machine, so ratios of one run are compared, with generous bounds: this notices a step whose work
//! grows faster than the farm. `cargo xtask bench engine` measures properly.

use std::process::Command;

use crate::space::Space;

/// Four times as many tasks may cost so many times as much. If all work grew as the square, it would be sixteen.
const BOUND: f64 = 7.0;

/// A farm of so many tasks, each of which copies a file of its own, and a Makefile that says the same.
fn space(tasks: usize) -> Space {
    let (mut manifest, mut makefile) = ("farm: f\ntasks:\n".to_owned(), String::new());
    let space = Space::new();
    for task in 0..tasks {
        let (input, output) = (format!("src/{task}"), format!("out/{task}"));
        space.write(&format!("farms/f/{input}"), &task.to_string());
        manifest += &format!(
            "  t{task}: {{ in: host, inputs: [{input}], outputs: [{output}], run: [cp, {input}, {output}] }}\n"
        );
        makefile += &format!("all: {output}\n{output}: {input}\n\tcp {input} {output}\n");
    }
    space.write("farms/f/farm.yaml", &manifest);
    space.write("farms/f/Makefile", &makefile);
    space
}

/// The same, made, and settled.
fn made(tasks: usize) -> Space {
    let space = space(tasks);
    let ended = space.farm(&["build"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    space.settle();
    space
}

/// The least processor time that a command took of a few runs, in seconds. Unlike the time that passes, this hardly depends on
/// who else uses the machine.
fn cost(space: &Space, command: impl Fn() -> Command) -> f64 {
    let run = |_| {
        let mut timed = Command::new("bash");
        // The shell's own report is all that it says to standard error.
        timed.args(["-c", r#"TIMEFORMAT="%U %S"; time "$@" >/dev/null 2>&1"#, "bash"]);
        let command = command();
        timed
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(space.path(""));
        timed.env_clear().env("LC_ALL", "C");
        for (name, value) in command.get_envs() {
            timed.env(name, value.unwrap_or_default());
        }
        let ended = space.ended(timed);
        assert_eq!(ended.status, Some(0), "{}", ended.text());
        let times = ended.stderr.split_whitespace().map(|time| time.parse::<f64>().unwrap());
        times.sum::<f64>()
    };
    (0..5).map(run).min_by(f64::total_cmp).unwrap()
}

#[test]
fn a_look_at_what_was_never_built_grows_with_the_farm() {
    let [small, large] = [1000, 4000].map(|tasks| {
        let space = space(tasks);
        cost(&space, || space.command(&["build", "-n"]))
    });
    assert!(large < BOUND * small, "{small} s for 1,000 tasks, {large} s for 4,000");
}

#[test]
fn nothing_to_do_grows_with_the_farm_and_is_cheap_beside_make() {
    let (small, large) = (made(300), made(1200));
    let settled = |space: &Space| cost(space, || space.command(&["build"]));
    let (few, many) = (settled(&small), settled(&large));
    assert!(many < BOUND * few, "{few} s for 300 tasks, {many} s for 1,200");

    let make = cost(&large, || {
        let mut make = Command::new("make");
        make.args(["-s", "-r", "-R", "-C", "farms/f"])
            .current_dir(large.path(""));
        make
    });
    assert!(many < 10.0 * make, "{many} s, and make takes {make} s");

    // Without its notes it looks at everything.
    let closely = |space: &Space| {
        cost(space, || {
            let _ = fs_err::remove_dir_all(space.path(".farm/settled"));
            space.command(&["build"])
        })
    };
    let (few, many) = (closely(&small), closely(&large));
    assert!(
        many < BOUND * few,
        "{few} s for 300 tasks, {many} s for 1,200, looking closely"
    );
    assert!(many < 60.0 * make, "{many} s looking closely, and make takes {make} s");
}
