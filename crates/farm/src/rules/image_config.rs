//! The OCI configuration of an image: what it starts, as whom, and with which environment.

use std::collections::BTreeMap;

/// OCI configuration of an image; what is empty is the lower image's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImageConfigPlan {
    /// Entrypoint.
    pub entrypoint: Vec<String>,
    /// Command.
    pub cmd: Vec<String>,
    /// Environment, after that of the image's own `/etc/profile.env`.
    pub env: BTreeMap<String, String>,
    /// User.
    pub user: Option<String>,
    /// Working directory.
    pub workdir: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// `docker run` starts no login shell: what `/etc/profile.env` would set is part of the image's configuration.
pub(super) fn configure(
    config: &mut farm_image::ImageConfig,
    plan: &ImageConfigPlan,
    profile_env: &[(String, String)],
) {
    let mut env: Vec<(String, String)> = config
        .env
        .iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let planned = plan.env.iter().map(|(name, value)| (name.clone(), value.clone()));
    for (name, value) in profile_env.iter().cloned().chain(planned) {
        match env.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => env.push((name, value)),
        }
    }
    config.env = env.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !plan.entrypoint.is_empty() {
        config.entrypoint.clone_from(&plan.entrypoint);
        // As Docker does it: a new entrypoint does not get the arguments of another program.
        config.cmd.clear();
    }
    if !plan.cmd.is_empty() {
        config.cmd.clone_from(&plan.cmd);
    }
    if let Some(user) = &plan.user {
        config.user.clone_from(user);
    }
    if let Some(workdir) = &plan.workdir {
        config.workdir.clone_from(workdir);
    }
    config.labels.extend(plan.labels.clone());
}

/// Lines `export NAME='VALUE'` as env-update writes them.
pub(super) fn parse_profile_env(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_the_lower_images_then_the_profiles_then_the_manifests() {
        let mut config = farm_image::ImageConfig::new("amd64", 0);
        config.env = vec!["PATH=/bin".into(), "A=1".into()];
        config.cmd = vec!["/bin/bash".into()];
        let plan = ImageConfigPlan {
            env: [("A".to_owned(), "3".to_owned())].into(),
            entrypoint: vec!["/bin/x".into()],
            ..ImageConfigPlan::default()
        };
        configure(
            &mut config,
            &plan,
            &parse_profile_env("# c\nexport PATH='/usr/bin:/opt/x'\nexport ROOTSYS='/r'\n"),
        );
        assert_eq!(config.env, ["PATH=/usr/bin:/opt/x", "A=3", "ROOTSYS=/r"]);
        assert!(config.cmd.is_empty());
    }
}
