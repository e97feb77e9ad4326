//! What must be seen.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fs_err as fs;

use super::binhost::listed;
use super::lab::{DBG, Lab, OPT};
use super::servers;
use crate::command::{ended, output, show};
use crate::{Outcome, ensure, failed};

const ROOT: &str = "farm/hepfarm-root:amd64.opt";
/// An address at which no engine can be.
const NO_ENGINE: &str = "unix:///nonexistent/docker.sock";
/// "Well under a second", on the slowest machine that this is run on.
const AT_ONCE: Duration = Duration::from_millis(900);

/// Packages that must be among what was built.
const PACKAGES: &[&str] = &[
    "dev-libs/log4cpp",
    "sci-libs/cfitsio",
    "sci-libs/fftw",
    "sci-libs/gsl",
    "sci-libs/vdt",
    "sci-physics/clhep",
    "sci-physics/fastjet",
    "sci-physics/hep-hello",
    "sci-physics/hepmc",
    "sys-libs/zlib",
];

/// A workspace that was never built, and no engine.
pub(crate) fn no_engine(lab: &Lab) -> Outcome {
    let said = ended(lab.farm(&["build", "hepfarm:root"]).env("DOCKER_HOST", NO_ENGINE))?;
    ensure(said.code == 3, || {
        format!("status {} and not 3:\n{}", said.code, said.stderr)
    })?;
    ensure(said.stderr.to_lowercase().contains("docker"), || {
        format!("it does not say what is wrong:\n{}", said.stderr)
    })
}

/// `scripts/hepfarm`.
pub(crate) fn first_command(lab: &Lab) -> Outcome {
    made(&mut lab.first_command())
}

/// Runs the script, which ends with a program of the image.
fn made(script: &mut Command) -> Outcome {
    // It takes minutes: what it does now is for whoever looks on.
    let said = output(script.stderr(Stdio::inherit()))?;
    ensure(said.lines().any(|line| line.starts_with("HepMC3 3.")), || {
        format!("no version of HepMC3:\n{said}")
    })
}

/// The farm's own binhost.
pub(crate) fn index_is_complete(lab: &Lab) -> Outcome {
    let found = listed(&lab.binhost(OPT))?;
    for name in PACKAGES {
        ensure(found.keys().any(|cpv| cpv.starts_with(&format!("{name}-"))), || {
            format!("no {name} in {found:#?}")
        })?;
    }
    for (path, size) in found.values() {
        let has = fs::metadata(path).map_err(failed)?.len();
        ensure(has == *size, || {
            format!("{} has {has} bytes and not {size}", path.display())
        })?;
    }
    Ok(())
}

/// Nothing changed.
pub(crate) fn second_run(lab: &Lab) -> Outcome {
    let counts = lab.counts(&["build", "hepfarm"])?;
    ensure(counts.built == 0 && counts.cached > 0, || format!("{counts:?}"))?;
    // The fastest of three: another program may need the machine for a moment.
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        output(&mut lab.farm(&["build", "hepfarm"]))?;
        best = best.min(start.elapsed());
    }
    ensure(best < AT_ONCE, || format!("it took {best:?}"))
}

/// Nothing changed, and nobody answers.
pub(crate) fn second_run_without_engine(lab: &Lab) -> Outcome {
    output(lab.farm(&["build", "hepfarm"]).env("DOCKER_HOST", NO_ENGINE)).map(drop)
}

fn publish_to(lab: &Lab) -> String {
    format!("PKGS=file://{}", lab.published().display())
}

/// `publish-pkgs`, twice.
pub(crate) fn publish_packages(lab: &Lab) -> Outcome {
    let to = publish_to(lab);
    let signed = ended(&mut lab.farm(&["publish-pkgs", "hepfarm", &to]))?;
    ensure(signed.code == 2 && signed.stderr.contains("--unsigned"), || {
        format!("without --unsigned: status {}\n{}", signed.code, signed.stderr)
    })?;
    let words = ["publish-pkgs", "hepfarm", "--unsigned", &to];
    output(&mut lab.farm(&words))?;
    let folder = lab.published().join(OPT);
    let found = listed(&folder)?;
    ensure(found.len() >= PACKAGES.len(), || format!("{found:#?}"))?;
    let mode = |path: &Path| {
        fs::metadata(path)
            .map(|found| found.permissions().mode() & 0o7777)
            .map_err(failed)
    };
    for path in [folder.join("Packages")]
        .iter()
        .chain(found.values().map(|(path, _)| path))
    {
        let mode = mode(path)?;
        ensure(mode == 0o644, || format!("{} has mode {mode:o}", path.display()))?;
    }
    let folder_mode = mode(&folder)?;
    ensure(folder_mode == 0o2775, || {
        format!("{} has mode {folder_mode:o}", folder.display())
    })?;

    let before = fs::metadata(folder.join("Packages"))
        .map_err(failed)?
        .modified()
        .map_err(failed)?;
    output(&mut lab.farm(&words))?;
    let after = fs::metadata(folder.join("Packages"))
        .map_err(failed)?
        .modified()
        .map_err(failed)?;
    ensure(before == after, || {
        "a second publication wrote the index again".to_owned()
    })
}

/// What a client has that never heard of farm: Portage, the repositories for their profile, and where the binhost is.
const CLIENT: &str = r#"set -e
mkdir -p /etc/portage /var/db/repos
mv /client/gentoo /client/overlay /var/db/repos/
ln -s /var/db/repos/overlay/profiles/binfarm/opt /etc/portage/make.profile
cat > /etc/portage/repos.conf <<END
[DEFAULT]
main-repo = gentoo
[gentoo]
location = /var/db/repos/gentoo
[hep]
location = /var/db/repos/overlay
END
cat > /etc/portage/binrepos.conf <<END
[hepfarm]
priority = 1
sync-uri = http://$1/amd64.opt
verify-signature = false
END
emerge --color=n --getbinpkgonly sci-physics/hep-hello sci-physics/hep-spectrum
hep-hello muon pion
hep-spectrum /tmp/spectrum.fits
"#;

/// `emerge --getbinpkgonly` in a container, from nginx.
pub(crate) fn stock_client(lab: &Lab) -> Outcome {
    let server = servers::nginx(&lab.published(), &lab.beside("nginx"))?;
    let client = lab.beside("client");
    fs::create_dir_all(&client).map_err(failed)?;
    fs::write(client.join("client.sh"), CLIENT).map_err(failed)?;
    let docker = |words: &[&str]| output(Command::new("docker").args(words));
    // The network is the machine's, so that 127.0.0.1 is where nginx listens.
    let name = docker(&[
        "create",
        "--network=host",
        "--label=org.farm.test=acceptance",
        ROOT,
        "/bin/bash",
        "/client/client.sh",
        &server.address,
    ])?;
    let name = name.trim();
    let farm = lab.workspace().join("farms/hepfarm");
    let copied = [
        (client, "/client"),
        (farm.join("gentoo"), "/client/gentoo"),
        (farm.join("overlay"), "/client/overlay"),
    ]
    .iter()
    .try_for_each(|(from, to)| docker(&["cp", &from.display().to_string(), &format!("{name}:{to}")]).map(drop));
    let said = copied.and_then(|()| docker(&["start", "--attach", name]));
    docker(&["rm", "--force", name])?;
    let said = said?;
    ensure(said.contains("HepMC3 3."), || {
        format!("the program that was installed did not run:\n{said}")
    })
}

/// `publish-image`, and another machine's `docker pull`.
pub(crate) fn publish_images(lab: &Lab) -> Outcome {
    let server = servers::registry(&lab.beside("registry"))?;
    let to = format!("REGISTRY={}", server.address);
    let said = output(&mut lab.farm(&["publish-image", "hepfarm", &to]))?;
    let reference = format!("{}/hep/hep-analysis", server.address);
    let digest = said
        .lines()
        .filter(|line| line.contains(&reference))
        .flat_map(|line| line.split(|c: char| c.is_whitespace() || c == '@'))
        .find(|word| word.starts_with("sha256:") && word.len() == 71)
        .ok_or_else(|| format!("no digest of {reference}:\n{said}"))?
        .to_owned();
    let again = output(&mut lab.farm(&["publish-image", "hepfarm", &to]))?;
    ensure(again == said, || {
        format!("a second publication says something else:\n{again}")
    })?;

    let pinned = format!("{reference}@{digest}");
    show(Command::new("docker").args(["pull", "--quiet", &pinned]))?;
    let said = output(Command::new("docker").args([
        "run",
        "--rm",
        "--network=none",
        "--entrypoint=hep-hello",
        &pinned,
        "muon",
    ]));
    output(Command::new("docker").args(["rmi", &pinned]))?;
    let said = said?;
    ensure(said.contains("HepMC3 3."), || {
        format!("the image that was pulled did not run:\n{said}")
    })
}

/// `scripts/hepfarm BINFARM_TYPE=dbg`: sources and root are there already, and every package is compiled again.
pub(crate) fn other_flavour(lab: &Lab) -> Outcome {
    made(lab.first_command().arg("BINFARM_TYPE=dbg"))?;
    let names = |flavour| -> Outcome<Vec<String>> { Ok(listed(&lab.binhost(flavour))?.into_keys().collect()) };
    let (opt, dbg) = (names(OPT)?, names(DBG)?);
    ensure(dbg == opt, || format!("{OPT} has {opt:#?}\nand {DBG} has {dbg:#?}"))
}

/// Each flavour finds what it built, whatever was built since.
pub(crate) fn back_and_forth(lab: &Lab) -> Outcome {
    for flavour in ["opt", "dbg", "opt"] {
        let counts = lab.counts(&["build", "hepfarm", &format!("BINFARM_TYPE={flavour}")])?;
        ensure(counts.built == 0 && counts.cached > 0, || {
            format!("{flavour}: {counts:?}")
        })?;
    }
    Ok(())
}
