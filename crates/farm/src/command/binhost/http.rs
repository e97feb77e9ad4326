//! A binhost behind an address.

use std::io::{self, Read as _, Seek as _};
use std::sync::OnceLock;

use farm_portage::index::Index;
use farm_publish::ForeignBinhost;
use fs_err as fs;

use crate::fetcher::agent;

/// How large an index may be, unpacked: a hundred times that of Gentoo's own binhosts.
const INDEX_LIMIT: u64 = 1 << 30;

/// A binhost that a web server hands out.
#[derive(Debug)]
pub(super) struct HttpBinhost {
    agent: ureq::Agent,
    /// Where the index is.
    address: String,
    /// Where the packages are, once the index said it.
    packages: OnceLock<String>,
}

impl HttpBinhost {
    pub(super) fn new(address: &str) -> Result<Self, String> {
        Ok(Self {
            agent: agent(None)?,
            address: address.trim_end_matches('/').to_owned(),
            packages: OnceLock::new(),
        })
    }

    fn get(&self, address: &str) -> io::Result<ureq::Body> {
        let answer = self.agent.get(address).call();
        answer.map(ureq::http::Response::into_body).map_err(|error| {
            let kind = match error {
                ureq::Error::StatusCode(404) => io::ErrorKind::NotFound,
                _ => io::ErrorKind::Other,
            };
            io::Error::new(kind, format!("{address}: {error}"))
        })
    }
}

impl ForeignBinhost for HttpBinhost {
    /// As Portage asks: for the compressed one first.
    fn index(&self) -> io::Result<String> {
        let mut text = String::new();
        match self.get(&format!("{}/Packages.gz", self.address)) {
            Ok(mut body) => {
                let unpacked = flate2::read::MultiGzDecoder::new(body.as_reader());
                unpacked.take(INDEX_LIMIT).read_to_string(&mut text)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut body = self.get(&format!("{}/Packages", self.address))?;
                body.as_reader().take(INDEX_LIMIT).read_to_string(&mut text)?;
            }
            Err(error) => return Err(error),
        }
        let elsewhere = Index::parse(&text)
            .ok()
            .and_then(|index| index.header.get("URI").cloned())
            .filter(|uri| !uri.is_empty());
        let packages = elsewhere.unwrap_or_else(|| self.address.clone());
        // The first answer is the one that counts.
        let _ = self.packages.set(packages.trim_end_matches('/').to_owned());
        Ok(text)
    }

    fn package(&self, path: &str, mut room: fs::File) -> io::Result<fs::File> {
        let base = self.packages.get().unwrap_or(&self.address);
        let mut body = self.get(&format!("{base}/{}", escaped(path)))?;
        io::copy(&mut body.as_reader(), &mut room)?;
        room.rewind()?;
        Ok(room)
    }
}

/// A path as it stands in an address.
fn escaped(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~+@:".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_addresses() {
        assert_eq!(escaped("sys-devel/gcc/g++-1.gpkg.tar"), "sys-devel/gcc/g++-1.gpkg.tar");
        assert_eq!(escaped("a b#ä?%"), "a%20b%23%C3%A4%3F%25");
    }
}
