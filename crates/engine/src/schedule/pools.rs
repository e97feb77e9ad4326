//! What actions take of pools while they run.

use std::collections::BTreeMap;

/// How much of which pool is taken. A pool of which nobody said how much there is has no bound.
pub(super) struct Pools<'a> {
    size: &'a BTreeMap<String, u64>,
    used: BTreeMap<&'a str, u64>,
}

impl<'a> Pools<'a> {
    pub(super) fn new(size: &'a BTreeMap<String, u64>) -> Self {
        Self {
            size,
            used: BTreeMap::new(),
        }
    }

    /// Whether an action that takes this can run beside those that run.
    pub(super) fn fit(&self, takes: &BTreeMap<String, u64>) -> bool {
        self.bounded(takes)
            .all(|(name, takes, size)| self.used.get(name).copied().unwrap_or(0) + takes <= size)
    }

    /// An action starts.
    pub(super) fn start(&mut self, takes: &BTreeMap<String, u64>) {
        let taken: Vec<(&'a str, u64)> = self.bounded(takes).map(|(name, takes, _)| (name, takes)).collect();
        for (name, takes) in taken {
            *self.used.entry(name).or_default() += takes;
        }
    }

    /// An action ended.
    pub(super) fn end(&mut self, takes: &BTreeMap<String, u64>) {
        let taken: Vec<(&'a str, u64)> = self.bounded(takes).map(|(name, takes, _)| (name, takes)).collect();
        for (name, takes) in taken {
            if let Some(used) = self.used.get_mut(name) {
                *used = used.saturating_sub(takes);
            }
        }
    }

    /// The pools that have a bound, with what is taken of them and how much there is. Who wants more than all of one gets all of it,
    /// and so runs alone.
    fn bounded<'t>(&self, takes: &'t BTreeMap<String, u64>) -> impl Iterator<Item = (&'a str, u64, u64)> + use<'a, 't> {
        let size = self.size;
        takes.iter().filter_map(move |(name, takes)| {
            let (name, size) = size.get_key_value(name)?;
            Some((name.as_str(), (*takes).min(*size), *size))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(list: &[(&str, u64)]) -> BTreeMap<String, u64> {
        list.iter()
            .map(|(name, amount)| ((*name).to_owned(), *amount))
            .collect()
    }

    #[test]
    fn what_fits_runs_and_what_is_too_large_runs_alone() {
        let size = amounts(&[("network", 2), ("memory", 8)]);
        let mut pools = Pools::new(&size);
        let (fetch, compile, huge) = (
            amounts(&[("network", 1)]),
            amounts(&[("memory", 5)]),
            amounts(&[("memory", 100)]),
        );
        assert!(pools.fit(&huge) && pools.fit(&amounts(&[("unknown", 1000)])));
        pools.start(&compile);
        assert!(!pools.fit(&compile) && !pools.fit(&huge));
        pools.start(&fetch);
        pools.start(&fetch);
        assert!(!pools.fit(&fetch) && pools.fit(&amounts(&[("memory", 3)])));
        pools.end(&fetch);
        pools.end(&compile);
        assert!(pools.fit(&fetch) && pools.fit(&huge));
        pools.start(&huge);
        assert!(!pools.fit(&amounts(&[("memory", 1)])));
        pools.end(&huge);
        assert!(pools.fit(&compile));
    }
}
