//! Debian packages to a root filesystem, by mmdebstrap, with no network at all.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err::File;

use crate::command;
use crate::error::{BuildError, CommandError};
use crate::lock::HostedLock;
use crate::repository::DEBS;

/// Name, in the staging folder, of the archive that is unpacked over the root once its packages are installed.
pub(crate) const OVERLAY: &str = "overlay.tar";

/// Unpacks and configures the packages of the flat repository `stage`/[`DEBS`], unpacks `stage`/[`OVERLAY`] over them,
/// compiles the Python modules below `python`, and returns the path of the resulting archive in `stage`.
///
/// Root gets mmdebstrap's mode `root`, anybody else `unshare`, which needs a range of subordinate ids.
pub(crate) fn bootstrap(
    lock: &HostedLock,
    stage: &Path,
    python: &[&str],
    epoch: u64,
    stop: &dyn Fn() -> bool,
) -> Result<PathBuf, BuildError> {
    let names: Vec<&str> = lock.debs.iter().map(|deb| deb.name.as_str()).collect();
    let mode = if rustix::process::geteuid().is_root() {
        "root"
    } else {
        "unshare"
    };
    let mut command = Command::new("mmdebstrap");
    command
        .current_dir(stage)
        // The packages' scripts see this environment, so nothing of the caller's may get in: a stray
        // PYTHONDONTWRITEBYTECODE would change the root. The hash seed decides the order of sets in compiled modules.
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .env("PYTHONHASHSEED", "0")
        .env("SOURCE_DATE_EPOCH", epoch.to_string())
        .arg("--variant=essential")
        .arg(format!("--architectures={}", lock.architecture))
        .arg(format!("--mode={mode}"))
        .arg("--format=tar")
        // The root is thrown away if anything fails, so that a sync after each file buys nothing.
        .arg("--dpkgopt=force-unsafe-io")
        .arg(format!("--include={}", names.join(",")))
        // The packages go in through mmdebstrap's own channel, since the subordinate users of mode `unshare` may not
        // be able to enter the caller's folders.
        .arg(format!("--setup-hook=copy-in {DEBS} /var/cache/"))
        .arg(format!(
            "--setup-hook=echo \"deb [trusted=yes] copy://$1/var/cache/{DEBS} ./\" > \"$1/etc/apt/sources.list\""
        ))
        .arg(format!("--customize-hook=rm -r \"$1/var/cache/{DEBS}\""))
        .arg(format!("--customize-hook=tar-in {OVERLAY} /"))
        // Without its .pyc files each start of Portage would compile them, and write them into every layer.
        .arg(format!(
            "--customize-hook=chroot \"$1\" python3 -m compileall -q {}",
            python.join(" ")
        ))
        .args([&lock.suite, "-", ""]);
    let root = stage.join("root.tar");
    let log = stage.join("mmdebstrap.log");
    command.stdin(Stdio::null());
    command.stdout(File::create(&root)?.into_parts().0);
    command.stderr(File::create(&log)?.into_parts().0);

    let operation = "cannot make the Debian root";
    let status = command::run_stoppable(&mut command, stop).map_err(|source| BuildError::Command {
        operation,
        source: command::start_error(&command, "mmdebstrap", source),
    })?;
    let Some(status) = status else {
        return Err(BuildError::Stopped);
    };
    if !status.success() {
        let said = fs_err::read(&log)?;
        let source = CommandError::Failed {
            program: "mmdebstrap".to_owned(),
            status: status.to_string(),
            output: command::last_lines(&String::from_utf8_lossy(&said)),
        };
        return Err(BuildError::Command { operation, source });
    }
    Ok(root)
}
