//! Getting files from elsewhere: source files of packages and archives of repositories.
//!
//! `mirror://debian/` is resolved through the machine's own apt configuration: whoever has Debian has a mirror of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use blake2::Blake2b512;
use farm_engine::{Failure, FailureKind};
use farm_executor::Progress;
use fs_err as fs;
use sha2::{Sha256, Sha512};

use crate::context::{Context, io_failure};
use crate::pkgdir::hex;
use crate::rules::base::Tell;
use crate::rules::fetch::FetchData;

/// Neither connecting nor waiting for the next bytes may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where source files may come from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sources {
    /// A folder that is looked into first.
    pub dir: Option<PathBuf>,
    /// Base addresses tried before a package's own.
    pub mirrors: Vec<String>,
    /// The proxy of all fetches.
    pub proxy: Option<String>,
    /// `mirror://NAME/` to addresses, from the profile.
    pub profile: BTreeMap<String, Vec<String>>,
    /// GENTOO_MIRRORS.
    pub gentoo: Vec<String>,
}

impl Sources {
    /// Adds what Portage's configuration names.
    #[must_use]
    pub fn with_profile(mut self, mirrors: &BTreeMap<String, Vec<String>>, gentoo: &[String]) -> Self {
        self.profile.clone_from(mirrors);
        gentoo.clone_into(&mut self.gentoo);
        self
    }

    /// The addresses a file may be had from, best first.
    fn addresses(&self, data: &FetchData) -> Vec<String> {
        let name = &data.file.name;
        let under = |base: &String| format!("{}/{name}", base.trim_end_matches('/'));
        let mut addresses: Vec<String> = Vec::new();
        if !data.no_mirrors {
            addresses.extend(self.mirrors.iter().map(under));
        }
        for uri in &data.file.uris {
            // EAPI 8: a prefix says what RESTRICT does not apply to; the address is what follows.
            let uri = ["fetch+", "mirror+"]
                .iter()
                .find_map(|prefix| uri.strip_prefix(prefix))
                .unwrap_or(uri);
            let Some(rest) = uri.strip_prefix("mirror://") else {
                addresses.push(uri.to_owned());
                continue;
            };
            let (mirror, path) = rest.split_once('/').unwrap_or((rest, ""));
            let bases = if mirror == "debian" { apt_bases() } else { Vec::new() };
            let listed = self.profile.get(mirror).into_iter().flatten().cloned();
            addresses.extend(
                bases
                    .into_iter()
                    .chain(listed)
                    .map(|base| format!("{}/{path}", base.trim_end_matches('/'))),
            );
        }
        if !data.no_mirrors {
            addresses.extend(
                self.gentoo
                    .iter()
                    .map(|base| format!("{}/distfiles/{name}", base.trim_end_matches('/'))),
            );
        }
        let mut seen = std::collections::BTreeSet::new();
        addresses.retain(|address| seen.insert(address.clone()));
        addresses
    }
}

/// The archives that the machine's apt knows, in its order; none on a machine without apt. Asked once a run.
fn apt_bases() -> Vec<String> {
    static BASES: OnceLock<Vec<String>> = OnceLock::new();
    BASES.get_or_init(ask_apt).clone()
}

fn ask_apt() -> Vec<String> {
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI)"])
        .env("LC_ALL", "C.UTF-8")
        .output();
    let Ok(output) = output else { return Vec::new() };
    let mut bases: Vec<String> = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if !bases.iter().any(|base| base == line) {
            bases.push(line.to_owned());
        }
    }
    bases
}

/// Puts a source file at `target`, checked against every hash its Manifest has that is known here.
///
/// # Errors
///
/// The environment's, with what every place said; the input's for a file that only a person may fetch.
pub fn fetch(context: &Context, data: &FetchData, target: &Path, progress: &mut Tell<'_, '_>) -> Result<(), Failure> {
    let name = &data.file.name;
    let mut tried = Vec::new();
    for dir in context.offered.iter().chain(&data.sources.dir) {
        let path = dir.join(name);
        if path.exists() {
            copy_content(&path, target).map_err(|error| io_failure("copy a source file", &error))?;
            match check(target, data) {
                Ok(()) => return Ok(()),
                Err(why) => tried.push(format!("{}: {why}", path.display())),
            }
        }
    }
    if let Some(dir) = &context.offered {
        if tried.is_empty() {
            tried.push(format!("{} does not have it", dir.display()));
        }
        let message = format!("{name} is not to be had, for {}:\n  {}", data.cpv, tried.join("\n  "));
        return Err(Failure::new(FailureKind::Input, message)
            .hint("`farm distfiles export` writes all that the plan needs, where there is a network"));
    }
    if let Some(instructions) = &data.instructions {
        let wanted: Vec<String> = data
            .file
            .hashes
            .iter()
            .map(|(hash, hex)| format!("  {hash} {hex}"))
            .collect();
        let message = format!(
            "{} may only be fetched by hand, for {}:\n{}\nwanted: {name}\n{}",
            name,
            data.cpv,
            instructions.trim_end(),
            wanted.join("\n")
        );
        return Err(Failure::new(FailureKind::Input, message)
            .hint("put the file into the folder that `distfiles: { dir: … }` names in the manifest"));
    }
    for address in data.sources.addresses(data) {
        if context.cancel.is_cancelled() {
            return Err(Failure::new(FailureKind::Environment, "cancelled"));
        }
        progress.progress(&format!("fetching {name}"));
        let outcome =
            download(context, &address, data.sources.proxy.as_deref(), target).and_then(|()| check(target, data));
        match outcome {
            Ok(()) => return Ok(()),
            Err(why) => tried.push(format!("{address}: {why}")),
        }
    }
    let message = format!("{name} is not to be had, for {}:\n  {}", data.cpv, tried.join("\n  "));
    Err(Failure::new(FailureKind::Environment, message)
        .hint("check the network, or put the file into the folder that `distfiles: { dir: … }` names"))
}

/// Every hash that is known here must agree, and at least one must be known.
fn check(path: &Path, data: &FetchData) -> Result<(), String> {
    let bytes = |error: std::io::Error| error.to_string();
    let size = fs::metadata(path).map_err(bytes)?.len();
    if let Some(wanted) = data.file.size
        && wanted != size
    {
        return Err(format!("it has {size} bytes and not {wanted}"));
    }
    let mut checked = false;
    for (hash, wanted) in &data.file.hashes {
        let found = match hash.as_str() {
            "BLAKE2B" => digest::<Blake2b512>(path),
            "SHA512" => digest::<Sha512>(path),
            "SHA256" => digest::<Sha256>(path),
            _ => continue,
        }
        .map_err(bytes)?;
        if found != *wanted {
            return Err(format!("its {hash} is {found} and not {wanted}"));
        }
        checked = true;
    }
    if checked {
        Ok(())
    } else {
        Err("its Manifest has no hash that farm knows".to_owned())
    }
}

fn digest<D: sha2::Digest>(path: &Path) -> std::io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hasher = D::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
    }
}

/// Copies bytes only: a file that may not be written must not get in the way of the next attempt.
fn copy_content(from: &Path, to: &Path) -> std::io::Result<()> {
    std::io::copy(&mut fs::File::open(from)?, &mut fs::File::create(to)?).map(|_| ())
}

/// Who asks web servers: with the certificates of the machine, this proxy or that of the environment, and patience.
pub(crate) fn agent(proxy: Option<&str>) -> Result<ureq::Agent, String> {
    let proxy = match proxy {
        Some(proxy) => Some(ureq::Proxy::new(proxy).map_err(|error| error.to_string())?),
        None => ureq::Proxy::try_from_env(),
    };
    let tls = ureq::tls::TlsConfig::builder()
        .root_certs(ureq::tls::RootCerts::PlatformVerifier)
        .build();
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .proxy(proxy)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .build();
    Ok(config.into())
}

/// Puts what is at an address into the file `target`, unchecked.
///
/// # Errors
///
/// Why it is not to be had, in words.
pub(crate) fn download(context: &Context, address: &str, proxy: Option<&str>, target: &Path) -> Result<(), String> {
    if let Some(path) = address.strip_prefix("file://") {
        return copy_content(Path::new(path), target).map_err(|error| error.to_string());
    }
    let agent = agent(proxy)?;
    let mut response = agent.get(address).call().map_err(|error| error.to_string())?;
    let mut reader = response.body_mut().as_reader();
    let mut file = fs::File::create(target).map_err(|error| error.to_string())?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        if context.cancel.is_cancelled() {
            return Err("cancelled".to_owned());
        }
        let read = reader.read(&mut buffer).map_err(|error| error.to_string())?;
        if read == 0 {
            return file.flush().map_err(|error| error.to_string());
        }
        file.write_all(&buffer[..read]).map_err(|error| error.to_string())?;
    }
}

/// An archive by address or path, checked against its SHA-256.
pub fn archive(context: &Context, url: &str, sha256: &str, scratch: &Path) -> Result<PathBuf, Failure> {
    let target = scratch.join("archive");
    let path = unverified_archive(context, url, &target)?;
    let found = digest::<Sha256>(&path).map_err(|error| io_failure("read an archive", &error))?;
    if found != sha256 {
        let message = format!("{url} has SHA-256 {found} and not {sha256}");
        return Err(Failure::new(FailureKind::Environment, message).hint("if that is meant to be, run `farm update`"));
    }
    Ok(path)
}

/// The SHA-256 of what an address or path has today.
pub fn archive_digest(context: &Context, url: &str, scratch: &Path) -> Result<String, Failure> {
    let path = unverified_archive(context, url, &scratch.join("archive"))?;
    digest::<Sha256>(&path).map_err(|error| io_failure("read an archive", &error))
}

fn unverified_archive(context: &Context, url: &str, target: &Path) -> Result<PathBuf, Failure> {
    if !url.contains("://") {
        return Ok(context.workspace.join(url));
    }
    download(context, url, None, target)
        .map_err(|why| Failure::new(FailureKind::Environment, format!("{url} is not to be had: {why}")))?;
    Ok(target.to_owned())
}

/// Undoes whatever compression the first bytes tell of; a plain tar passes as it is.
pub fn decompressed<'a>(mut input: impl Read + 'a) -> std::io::Result<Box<dyn Read + 'a>> {
    let mut magic = Vec::new();
    input.by_ref().take(6).read_to_end(&mut magic)?;
    let kind = magic.clone();
    let input = std::io::BufReader::with_capacity(1 << 16, std::io::Cursor::new(magic).chain(input));
    Ok(match kind.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let mut decoder = zstd::Decoder::with_buffer(input)?;
            // As `zstd -d --long=31` has it: an archive may well have been made with a large window.
            decoder.window_log_max(31)?;
            Box::new(decoder)
        }
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(input)),
        _ => Box::new(input),
    })
}
