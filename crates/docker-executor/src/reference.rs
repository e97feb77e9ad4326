//! The parts of an image reference that requests take apart.

/// `NAME[:TAG][@DIGEST]`, borrowed. The engine checks the grammar; this only finds the seams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// Registry and repository.
    pub(crate) name: &'a str,
    /// The tag.
    pub(crate) tag: Option<&'a str>,
    /// `sha256:…`.
    pub(crate) digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Finds the parts. A colon before a slash belongs to a registry's port and not to a tag.
    pub(crate) fn split(text: &'a str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        Self { name, tag, digest }
    }

    /// What requests call the tag: a digest takes its place, and without either it is `latest` (an empty one would pull
    /// every tag there is).
    pub(crate) fn tag_or_digest(&self) -> &'a str {
        self.digest.or(self.tag).unwrap_or("latest")
    }

    /// The key of the registry in Docker's `config.json`: the host, or for the default registry the address that Docker has
    /// written there since its first version.
    pub(crate) fn credentials_key(&self) -> &'a str {
        match self.name.split_once('/') {
            Some((host, _)) if (host.contains(['.', ':']) || host == "localhost") && host != "docker.io" => host,
            _ => "https://index.docker.io/v1/",
        }
    }

    /// The name as engines list it in `RepoDigests`: without the default registry and its default folder.
    pub(crate) fn familiar_name(&self) -> &'a str {
        let name = self.name.strip_prefix("docker.io/").unwrap_or(self.name);
        name.strip_prefix("library/").unwrap_or(name)
    }
}

/// Whether `text` is an image id, `sha256:` and 64 hexadecimal digits.
pub(crate) fn is_image_id(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_seams() {
        for (text, name, tag, digest) in [
            ("debian", "debian", None, None),
            ("debian:12", "debian", Some("12"), None),
            ("host:5000/a/b", "host:5000/a/b", None, None),
            ("host:5000/a/b:t", "host:5000/a/b", Some("t"), None),
            ("host:5000/a@sha256:ab", "host:5000/a", None, Some("sha256:ab")),
            ("a:t@sha256:ab", "a", Some("t"), Some("sha256:ab")),
        ] {
            assert_eq!(Reference::split(text), Reference { name, tag, digest }, "{text}");
        }
    }

    #[test]
    fn finds_the_credentials_key() {
        for (text, key) in [
            ("debian", "https://index.docker.io/v1/"),
            ("gentoo/stage3:latest", "https://index.docker.io/v1/"),
            ("docker.io/gentoo/stage3", "https://index.docker.io/v1/"),
            ("localhost/x", "localhost"),
            ("127.0.0.1:5000/x:1", "127.0.0.1:5000"),
            ("registry.example/x/y", "registry.example"),
        ] {
            assert_eq!(Reference::split(text).credentials_key(), key, "{text}");
        }
    }

    #[test]
    fn never_pulls_all_tags() {
        assert_eq!(Reference::split("debian").tag_or_digest(), "latest");
        assert_eq!(Reference::split("debian:12").tag_or_digest(), "12");
        assert_eq!(Reference::split("debian:12@sha256:ab").tag_or_digest(), "sha256:ab");
    }

    #[test]
    fn knows_familiar_names_and_ids() {
        assert_eq!(
            Reference::split("docker.io/library/debian:12").familiar_name(),
            "debian"
        );
        assert_eq!(Reference::split("gentoo/stage3").familiar_name(), "gentoo/stage3");
        assert!(is_image_id(&format!("sha256:{}", "0".repeat(64))));
        assert!(!is_image_id("sha256:00"));
        assert!(!is_image_id("debian"));
    }
}
