//! What the words of a command line mean: farms, targets, variables.

use std::collections::BTreeMap;

use super::FarmError;
use crate::names::{Goal, Wanted};
use crate::workspace::Workspace;

/// The words of a command line after its options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// `FARM`, `FARM:TARGET` or `TARGET`.
    pub targets: Vec<String>,
    /// `KEY=VALUE`.
    pub variables: Vec<(String, String)>,
}

impl Words {
    /// Tells variables from targets: a variable is a name, `=`, and anything.
    #[must_use]
    pub fn parse(words: &[String]) -> Self {
        let mut parsed = Self::default();
        for word in words {
            match word.split_once('=') {
                Some((name, value)) if is_variable(name) => {
                    parsed.variables.push((name.to_owned(), value.to_owned()));
                }
                _ => parsed.targets.push(word.clone()),
            }
        }
        parsed
    }

    /// What is wanted of which farm.
    ///
    /// # Errors
    ///
    /// The user's: a word that is neither a farm nor a target, or no farm to which it could belong. Lists the candidates.
    pub fn resolve(&self, workspace: &Workspace) -> Result<BTreeMap<String, Wanted>, FarmError> {
        let farms = workspace.farms()?;
        if farms.is_empty() {
            return Err(FarmError::input("this workspace has no farm").hint("make farms/NAME/farm.yaml"));
        }
        let mut goals: BTreeMap<String, Vec<Goal>> = BTreeMap::new();
        if self.targets.is_empty() {
            goals.insert(default_farm(workspace, &farms)?, vec![Goal::Everything]);
        }
        for word in &self.targets {
            let (farm, goal) = resolve_word(word, workspace, &farms)?;
            goals.entry(farm).or_default().push(goal);
        }
        Ok(goals
            .into_iter()
            .map(|(farm, goals)| (farm, Wanted::new(goals)))
            .collect())
    }

    /// The same words as far as they speak of one farm. Words that say nothing speak of the farm that is meant by default.
    #[must_use]
    pub(super) fn of(&self, farm: &str, workspace: &Workspace) -> Self {
        let farms = workspace.farms().unwrap_or_default();
        let speaks = |word: &&String| resolve_word(word, workspace, &farms).is_ok_and(|(other, _)| other == farm);
        let mut targets: Vec<String> = self.targets.iter().filter(speaks).cloned().collect();
        if targets.is_empty() {
            targets.push(farm.to_owned());
        }
        Self {
            targets,
            variables: self.variables.clone(),
        }
    }
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn resolve_word(word: &str, workspace: &Workspace, farms: &[String]) -> Result<(String, Goal), FarmError> {
    if let Some((farm, target)) = word.split_once(':')
        && farms.iter().any(|name| name == farm)
    {
        return Ok((farm.to_owned(), parse_goal(target)?));
    }
    if farms.iter().any(|name| name == word) {
        return Ok((word.to_owned(), Goal::Everything));
    }
    if let Some((farm, _)) = word.split_once(':')
        && !farm.contains('/')
    {
        let message = format!("there is no farm `{farm}` here; there is {}", list(farms));
        return Err(FarmError::input(message));
    }
    let goal = Goal::parse(word).map_err(|why| {
        FarmError::input(format!("`{word}` is neither a farm nor a target: {why}")).hint(format!(
            "farms: {}; `farm targets` lists what they can build",
            list(farms)
        ))
    })?;
    match default_farm(workspace, farms) {
        Ok(farm) => Ok((farm, goal)),
        Err(_) => {
            let candidates: Vec<String> = farms.iter().map(|farm| format!("{farm}:{word}")).collect();
            Err(FarmError::input(format!(
                "`{word}` of which farm? {}",
                candidates.join(", ")
            )))
        }
    }
}

fn parse_goal(target: &str) -> Result<Goal, FarmError> {
    Goal::parse(target).map_err(|why| FarmError::input(why).hint("`farm targets` lists what there is"))
}

/// The only farm, or the one in whose folder the user is.
fn default_farm(workspace: &Workspace, farms: &[String]) -> Result<String, FarmError> {
    if let Some(here) = &workspace.here
        && farms.contains(here)
    {
        return Ok(here.clone());
    }
    match farms {
        [only] => Ok(only.clone()),
        _ => Err(FarmError::input(format!("which farm? {}", list(farms)))),
    }
}

fn list(names: &[String]) -> String {
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_told_from_targets() {
        let words: Vec<String> = ["hepfarm", "TAG=1=2", "pkg/a/b", "=x", "A-B=c"]
            .map(String::from)
            .to_vec();
        let parsed = Words::parse(&words);
        assert_eq!(parsed.variables, [("TAG".to_owned(), "1=2".to_owned())]);
        assert_eq!(parsed.targets, ["hepfarm", "pkg/a/b", "=x", "A-B=c"]);
    }
}
