//! Random worlds, and random changes of them.

use farm_engine::{Class, Need, Output};

use crate::random::Random;
use crate::world::{Fault, MOST_STEPS, Step, World, role_name};

/// What the graph looks like at first.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Any,
    Wide,
    Deep,
    Diamonds,
}

/// A world of at most `size` steps, and those that they bring forth.
pub(crate) fn world(random: &mut Random, size: usize) -> World {
    let shape = random.pick(&[Shape::Any, Shape::Any, Shape::Wide, Shape::Deep, Shape::Diamonds]);
    let count = 1 + random.below(size);
    let mut world = World::default();
    for at in 0..count {
        let needed: Vec<usize> = match shape {
            Shape::Any => (0..random.below(4)).map(|_| random.below(at.max(1))).collect(),
            Shape::Wide => (at > 2).then(|| random.below(3)).into_iter().collect(),
            Shape::Deep => at.checked_sub(1).into_iter().collect(),
            // Layers of one, two, one, two: every second layer joins.
            Shape::Diamonds => match at % 3 {
                0 => (at.saturating_sub(2)..at).collect(),
                side => vec![at - side],
            },
        };
        let needs = needed
            .into_iter()
            .filter(|needed| *needed < at)
            .map(|needed| (needed, need(random)))
            .collect();
        add(&mut world, random, needs);
        world.order.push(at);
    }
    for parent in 0..count {
        if random.percent(12) {
            expand(&mut world, random, parent);
        }
    }
    random.shuffle(&mut world.order);
    while random.percent(30) {
        let broken = random.below(world.steps.len());
        world.faults.insert(broken, fault(random));
    }
    world
}

fn fault(random: &mut Random) -> Fault {
    random.pick(&[
        Fault::Always,
        Fault::Always,
        Fault::Once,
        Fault::Panic,
        Fault::Expansion,
    ])
}

/// A step that needs what `needs` says. Its name says nothing of its place in the graph.
fn add(world: &mut World, random: &mut Random, needs: Vec<(usize, Need)>) -> usize {
    let at = world.steps.len();
    // A name may say whose it is; that is no part of a key.
    let owner = random.pick(&["", "", "f:", "g:"]);
    world.steps.push(Step {
        name: format!("{owner}{}{at}", random.pick(&["a", "b", "c", "d"])),
        alive: true,
        goal: random.percent(60),
        class: class(random),
        version: 1,
        inputs: (0..random.below(3)).map(|_| random.below(3)).collect(),
        script: random.below(16) as u64,
        roles: 1 + random.below(2),
        needs,
        children: None,
        memory: random.below(8) as u64,
        ms: 1 + random.below(5000) as u64,
    });
    at
}

fn class(random: &mut Random) -> Class {
    random.pick(&[
        Class::Plan,
        Class::Plan,
        Class::Prepare,
        Class::Build,
        Class::Build,
        Class::Build,
    ])
}

/// A way of needing a step. Sometimes it wants an output that is not made.
fn need(random: &mut Random) -> Need {
    let role = role_name(random.pick(&[0, 0, 0, 1, 1, 2]));
    match random.below(10) {
        0..6 => Need::Output(role),
        6..8 => Need::Soft(role),
        _ => Need::BeforeRun,
    }
}

/// Lets a step bring forth others, which may bring forth others.
fn expand(world: &mut World, random: &mut Random, parent: usize) {
    world.steps[parent].children = Some(Vec::new());
    for _ in 0..random.below(4) {
        if world.steps.len() == MOST_STEPS {
            return;
        }
        let child = add(world, random, Vec::new());
        let mut children = world.steps[parent].children.take().unwrap_or_default();
        children.push(child);
        world.steps[parent].children = Some(children);
        for _ in 0..random.below(3) {
            connect(world, random, child);
        }
        let others: Vec<usize> = world.order.iter().copied().filter(|at| *at != parent).collect();
        if let Some(other) = random.pick_any(&others)
            && random.percent(25)
        {
            share(world, child, other);
        }
        if random.percent(10) {
            expand(world, random, child);
        }
    }
}

/// Lets another step bring forth the same child, if the child needs nothing that this other one may not know.
fn share(world: &mut World, child: usize, other: usize) {
    let Some(mut children) = world.steps[other].children.clone() else {
        return;
    };
    let known = world.steps[child]
        .needs
        .iter()
        .all(|(to, _)| world.parents(*to).is_empty());
    if known && world.steps[child].children.is_none() && !children.contains(&child) {
        children.push(child);
        world.steps[other].children = Some(children);
    }
}

/// Adds an edge from `step` to some step that it can see.
fn connect(world: &mut World, random: &mut Random, step: usize) {
    let seen: Vec<usize> = (0..step)
        .filter(|to| world.steps[*to].alive && world.sees(step, *to))
        .collect();
    if let Some(to) = random.pick_any(&seen) {
        let need = need(random);
        world.steps[step].needs.push((to, need));
    }
}

/// Takes a step out, with all edges to it. Children that nobody brings forth any more go with their parent.
fn remove(world: &mut World, gone: usize) {
    let mut doomed = vec![gone];
    while let Some(gone) = doomed.pop() {
        let children = world.steps[gone].children.clone().unwrap_or_default();
        world.steps[gone].alive = false;
        world.order.retain(|at| *at != gone);
        for step in &mut world.steps {
            step.needs.retain(|(to, _)| *to != gone);
            if let Some(children) = &mut step.children {
                children.retain(|child| *child != gone);
            }
        }
        doomed.extend(children.into_iter().filter(|child| world.parents(*child).is_empty()));
    }
}

/// Changes one thing. `made` are the outputs that were ever recorded.
pub(crate) fn edit(world: &mut World, random: &mut Random, made: &[Output]) {
    let alive = world.alive();
    let Some(at) = random.pick_any(&alive) else {
        let new = add(world, random, Vec::new());
        world.order.push(new);
        return;
    };
    let step = &mut world.steps[at];
    match random.below(20) {
        // Of few values, so that many edits go back to what there was.
        0..6 if !step.inputs.is_empty() => {
            let input = random.below(step.inputs.len());
            step.inputs[input] = random.below(3);
        }
        0..7 => step.script = random.below(16) as u64,
        7 => step.version = 1 + (step.version % 2),
        8 => step.goal = !step.goal,
        9 => step.class = class(random),
        10 => step.memory = random.below(8) as u64,
        11 => {
            if random.percent(50) || step.needs.is_empty() {
                connect(world, random, at);
            } else {
                let edge = random.below(step.needs.len());
                step.needs.swap_remove(edge);
            }
        }
        12 if world.steps.len() < MOST_STEPS => {
            let new = add(world, random, Vec::new());
            connect(world, random, new);
            connect(world, random, new);
            world.order.push(new);
        }
        12 | 13 => remove(world, at),
        14 => world.salt = random.pick(&["", "", "salted"]),
        15 => world.faults.clear(),
        16 | 17 => {
            world.faults.insert(at, fault(random));
        }
        _ => {
            if !made.is_empty() {
                world.lost.insert(made[random.below(made.len())].place.clone());
            }
        }
    }
}
