//! The graphs whose makespan is measured: random ones, and one of a physics stack.

/// A task: how long it takes, and which tasks before it in the list it needs.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) ms: u64,
    pub(crate) needs: Vec<usize>,
}

/// splitmix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((value ^ (value >> 31)) % end as u64).unwrap_or(0)
    }
}

/// `count` tasks of one of four shapes. Durations lie between a second and an hour, most of them short, as those of packages
/// do.
pub(crate) fn random(seed: u64, count: usize) -> Vec<Task> {
    let mut random = Random(seed);
    let shape = random.below(4);
    let width = 2 + random.below(count / 2);
    (0..count)
        .map(|at| {
            let mut needs: Vec<usize> = (0..1 + random.below(3))
                .filter_map(|_| match shape {
                    // Anything before it.
                    _ if at == 0 => None,
                    0 => Some(random.below(at)),
                    // A layer needs the layer before it.
                    1 => (at >= width).then(|| at / width * width - 1 - random.below(width)),
                    // Mostly what came shortly before it.
                    2 => Some(at - 1 - random.below(at.min(width))),
                    // Many things that need one of a few.
                    _ => (at > 8).then(|| random.below(8)),
                })
                .collect();
            needs.sort_unstable();
            needs.dedup();
            let magnitude = 1 << random.below(12);
            Task {
                ms: 1000 + random.below(magnitude * 1000) as u64,
                needs,
            }
        })
        .collect()
}

/// The fixture: lines of a name, seconds, and the names it needs.
pub(crate) fn fixture(text: &str) -> Vec<Task> {
    let mut names: Vec<&str> = Vec::new();
    let mut tasks = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        names.push(words.next().unwrap());
        let seconds: u64 = words.next().unwrap().parse().unwrap();
        let place = |name| names.iter().position(|known| *known == name).unwrap();
        tasks.push(Task {
            ms: seconds * 1000,
            needs: words.map(place).collect(),
        });
    }
    tasks
}

/// No schedule with so many workers is shorter than this.
pub(crate) fn lower_bound(tasks: &[Task], workers: usize) -> u64 {
    let mut ends: Vec<u64> = Vec::new();
    for task in tasks {
        let begin = task.needs.iter().map(|need| ends[*need]).max().unwrap_or(0);
        ends.push(begin + task.ms);
    }
    let work: u64 = tasks.iter().map(|task| task.ms).sum();
    let critical_path = ends.into_iter().max().unwrap_or(0);
    critical_path.max(work.div_ceil(workers as u64))
}
