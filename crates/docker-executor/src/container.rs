//! What is asked of the engine for a run: plain data made of plain data.

use bollard::models::{ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType};
use farm_executor::{ImageId, Network, RunSpec};

/// The label that carries a run's name.
pub const LABEL_NODE: &str = "org.farm.node";

/// Paths, relative to the root and in sorted order, that engines put into every container or that are mount points in it.
///
/// A tar of `/` shows them, as empty files and folders where the image has nothing; whoever compares a root with its image
/// must take them from the image instead. `docker-init` is the mount point of Docker's init program (in `usr` where `sbin`
/// is a link), `.containerenv` is Podman's mark, Docker's engine makes the others before the container starts. The folders
/// above them may have been made, too.
pub const ENGINE_PATHS: &[&str] = &[
    ".dockerenv",
    "dev/console",
    "dev/pts",
    "dev/shm",
    "etc/hostname",
    "etc/hosts",
    "etc/mtab",
    "etc/resolv.conf",
    "proc",
    "run/.containerenv",
    "sbin/docker-init",
    "sys",
    "usr/bin/docker-init",
    "usr/sbin/docker-init",
];

/// Constant, because it finds its way into what packages record about their build.
const HOSTNAME: &str = "farm";

/// The request that makes the container of a run.
pub(crate) fn for_run(spec: &RunSpec, has_init: bool) -> ContainerCreateBody {
    let volumes = spec.volumes.iter().map(|volume| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(volume.volume.clone()),
        target: Some(volume.path.clone()),
        read_only: Some(volume.read_only),
        ..Default::default()
    });
    let memory = spec.limits.memory.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let host_config = HostConfig {
        network_mode: Some(
            match spec.network {
                Network::None => "none",
                Network::Full => "default",
            }
            .to_owned(),
        ),
        init: has_init.then_some(true),
        cap_add: Some(spec.capabilities.clone()),
        memory,
        // The bound holds for memory and swap together: a compiler that swaps is as good as stuck.
        memory_swap: memory,
        pids_limit: spec.limits.pids.map(i64::from),
        mounts: Some(volumes.collect()),
        // Output goes to us while it comes; a second copy in the engine would only fill its disk.
        log_config: Some(HostConfigLogConfig {
            typ: Some("none".to_owned()),
            config: None,
        }),
        privileged: Some(false),
        ..Default::default()
    };
    let mut labels: Vec<_> = spec.labels.clone().into_iter().collect();
    labels.push((LABEL_NODE.to_owned(), spec.name.clone()));
    ContainerCreateBody {
        image: Some(spec.image.0.clone()),
        hostname: Some(HOSTNAME.to_owned()),
        user: Some(spec.user.clone().unwrap_or_else(|| "0".to_owned())),
        working_dir: Some(spec.workdir.clone()),
        entrypoint: Some(prelude(spec)),
        cmd: Some(spec.argv.clone()),
        labels: Some(labels.into_iter().collect()),
        tty: Some(false),
        open_stdin: Some(false),
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..Default::default()
        }),
        host_config: Some(host_config),
        ..Default::default()
    }
}

/// What the wrapper writes to its error output before the number of processes that the kernel killed for memory.
const OOM_KILLS: &str = "farm-oom-kills=";

/// Runs the command given as arguments, and is all that writes to the container's error output.
///
/// * The command's two outputs become one: the engine reads two pipes in any order, so that a compiler's message would come
///   before or after the line it belongs to.
/// * When the command failed, it says how many processes the kernel killed for want of memory. Engines have a flag for that,
///   but lose it when the container ends before they hear of it (seen with Docker 20.10 under load), and Podman sets it for
///   the first process only. The counters are those of control groups version 2 and 1.
/// * `exit` with the command's status, which is 128 more than the signal's number when a signal ended it.
const WRAPPER: &str = r#"exec 3>&2 2>&1
"$@" 3>&-
status=$?
if [ "$status" != 0 ]; then
    for counters in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
        if [ -r "$counters" ]; then
            while read -r key value; do
                if [ "$key" = oom_kill ]; then echo "farm-oom-kills=$value" >&3; fi
            done < "$counters"
        fi
    done
fi
exit "$status""#;

/// What stands before the command: the wrapper, and `env` to make the environment what the run says and nothing else.
///
/// The API cannot do the latter: it merges the image's variables, `PATH` and `HOSTNAME` into what is asked for, and the
/// runtime sets `HOME`. `env` comes second because shells export variables of their own.
fn prelude(spec: &RunSpec) -> Vec<String> {
    let fixed = ["/bin/sh", "-c", WRAPPER, "sh", "/usr/bin/env", "-i"];
    let mut words: Vec<String> = fixed.map(str::to_owned).to_vec();
    words.extend(spec.env.iter().map(|(key, value)| format!("{key}={value}")));
    words
}

/// Whether a line of the container's error output is the wrapper's word that processes were killed for memory. `None` when
/// it is not the wrapper's: the engine's init program may have something to say, too.
pub(crate) fn oom_kills(line: &[u8]) -> Option<u64> {
    std::str::from_utf8(line)
        .ok()?
        .strip_prefix(OOM_KILLS)?
        .trim()
        .parse()
        .ok()
}

/// The request that makes a container whose files are read and that never starts. The command is never looked at, but an
/// image may have none and the engine insists on one.
pub(crate) fn for_reading(image: &ImageId) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.0.clone()),
        entrypoint: Some(vec!["/never-started".to_owned()]),
        labels: Some([(LABEL_NODE.to_owned(), format!("read {image}"))].into_iter().collect()),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wrapper_is_understood() {
        assert!(WRAPPER.contains(OOM_KILLS));
        assert_eq!(oom_kills(b"farm-oom-kills=2\n"), Some(2));
        assert_eq!(oom_kills(b"farm-oom-kills=\n"), None);
        assert_eq!(oom_kills(b"[WARN  init] something\n"), None);
    }

    #[test]
    fn engine_paths_are_sorted_and_relative() {
        assert!(ENGINE_PATHS.is_sorted());
        assert!(
            ENGINE_PATHS
                .iter()
                .all(|path| !path.starts_with('/') && !path.ends_with('/'))
        );
    }
}
