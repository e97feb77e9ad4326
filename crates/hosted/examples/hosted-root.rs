//! Makes a hosted root by hand: `hosted-root SUITE PORTAGE FOLDER [PACKAGE]...` resolves, fetches and builds in FOLDER,
//! leaving `lock.toml`, `files/` and `root.tar` there. With a `lock.toml` in FOLDER, that lock is built again.

use std::error::Error;
use std::path::Path;

use farm_hosted::{HostedLock, HostedSpec, SOURCE_DATE_EPOCH, build, fetch, resolve};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("usage: hosted-root SUITE PORTAGE FOLDER [PACKAGE]...")
    };
    let (suite, portage, folder) = (next()?, next()?, next()?);
    let folder = Path::new(&folder);
    let scratch = folder.join("scratch");
    fs_err::create_dir_all(&scratch)?;
    let lock_file = folder.join("lock.toml");
    let lock: HostedLock = if lock_file.exists() {
        toml::from_str(&fs_err::read_to_string(&lock_file)?)?
    } else {
        let packages = arguments.collect();
        let lock = resolve(
            &HostedSpec {
                suite,
                architecture: "amd64".into(),
                portage,
                packages,
            },
            &scratch,
        )?;
        fs_err::write(&lock_file, toml::to_string_pretty(&lock)?)?;
        lock
    };
    let files = folder.join("files");
    fetch(&lock, &|_| None, &files, &scratch)?;
    let mut out = fs_err::File::create(folder.join("root.tar"))?;
    let report = build(&lock, &files, &scratch, SOURCE_DATE_EPOCH, &|| false, &mut out)?;
    let summary = format!(
        "{} packages, {} stubs, {} entries, {} bytes, {}\nunowned:\n{}\n",
        lock.debs.len(),
        report.stubs.len(),
        report.entries,
        report.size,
        report.digest,
        report.unowned.join("\n")
    );
    fs_err::write(folder.join("report.txt"), summary)?;
    Ok(())
}
