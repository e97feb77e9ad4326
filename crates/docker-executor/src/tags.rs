//! The tags that a registry has of a repository. Engines cannot be asked for them, so the registry is (OCI distribution specification,
//! "Listing Tags"), with the credentials that pulls have.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use farm_executor::ExecutorError;
use ureq::http::{Response, StatusCode, header};

use crate::DockerExecutor;
use crate::credentials;
use crate::reference::Reference;

/// Neither connecting nor waiting for an answer may take longer: nothing fails without this list.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many pages of a list are read, of a thousand tags each.
const PAGES: usize = 200;

/// Where the default registry listens.
const DEFAULT_HOST: &str = "registry-1.docker.io";

impl DockerExecutor {
    /// The tags of `reference`'s repository, in the registry's order.
    pub(crate) fn tags_by_asking(&self, reference: &str) -> Result<Vec<String>, ExecutorError> {
        let refuse = |reason: String| ExecutorError::Registry {
            reference: reference.to_owned(),
            reason,
        };
        let credentials = credentials::find(self.credentials.as_deref(), reference)?;
        let (host, repository) = place(reference);
        let mut failure = String::new();
        for scheme in schemes(&host) {
            let base = format!("{scheme}://{host}");
            let asker = Asker {
                agent: agent(),
                credentials: credentials.as_ref(),
            };
            match asker.tags(&base, &repository) {
                Ok(tags) => return Ok(tags),
                Err(error) => failure = error,
            }
        }
        Err(refuse(failure))
    }
}

/// The registry's host, and the repository in it.
fn place(reference: &str) -> (String, String) {
    let name = Reference::split(reference).name;
    match name.split_once('/') {
        Some((host, path)) if (host.contains(['.', ':']) || host == "localhost") && host != "docker.io" => {
            (host.to_owned(), path.to_owned())
        }
        _ => {
            let path = name.strip_prefix("docker.io/").unwrap_or(name);
            let folder = if path.contains('/') { "" } else { "library/" };
            (DEFAULT_HOST.to_owned(), format!("{folder}{path}"))
        }
    }
}

/// As engines do it: without TLS only to the machine itself.
fn schemes(host: &str) -> &'static [&'static str] {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if name == "localhost"
        || name == "[::1]"
        || name
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
    {
        &["https", "http"]
    } else {
        &["https"]
    }
}

fn agent() -> ureq::Agent {
    let tls = ureq::tls::TlsConfig::builder()
        .root_certs(ureq::tls::RootCerts::PlatformVerifier)
        .build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .proxy(ureq::Proxy::try_from_env())
        .http_status_as_error(false)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .build()
        .into()
}

/// Asks one registry.
struct Asker<'a> {
    agent: ureq::Agent,
    credentials: Option<&'a DockerCredentials>,
}

impl Asker<'_> {
    fn tags(&self, base: &str, repository: &str) -> Result<Vec<String>, String> {
        let mut tags = Vec::new();
        let mut authorization = None;
        let mut path = format!("/v2/{repository}/tags/list?n=1000");
        for _ in 0..PAGES {
            let address = format!("{base}{path}");
            let mut answer = self.get(&address, authorization.as_deref())?;
            if answer.status() == StatusCode::UNAUTHORIZED && authorization.is_none() {
                authorization = Some(self.authorize(&answer)?);
                answer = self.get(&address, authorization.as_deref())?;
            }
            if answer.status() != StatusCode::OK {
                return Err(format!("{address}: {}", answer.status()));
            }
            let next = next_page(&answer);
            let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
            let list: serde_json::Value = serde_json::from_str(&text).map_err(|error| format!("{address}: {error}"))?;
            let listed = list["tags"].as_array().into_iter().flatten();
            tags.extend(listed.filter_map(|tag| tag.as_str().map(str::to_owned)));
            match next {
                Some(next) => path = next,
                None => break,
            }
        }
        Ok(tags)
    }

    fn get(&self, address: &str, authorization: Option<&str>) -> Result<Response<ureq::Body>, String> {
        let mut request = self.agent.get(address);
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        request.call().map_err(|error| format!("{address}: {error}"))
    }

    /// What the registry wants to be told: a token that it says where to get, or a name and a password.
    fn authorize(&self, refusal: &Response<ureq::Body>) -> Result<String, String> {
        let wanted = refusal.headers().get(header::WWW_AUTHENTICATE);
        let wanted = wanted.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (scheme, parameters) = wanted.split_once(' ').unwrap_or((wanted, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return self.basic().ok_or_else(|| "it wants a login".to_owned());
        }
        let realm = parameter(parameters, "realm").ok_or_else(|| "it does not say how to log in".to_owned())?;
        // A password goes nowhere in clear, whatever a registry says.
        let own = self.basic().filter(|_| realm.starts_with("https://"));
        let mut request = self.agent.get(realm);
        for name in ["service", "scope"] {
            if let Some(value) = parameter(parameters, name) {
                request = request.query(name, value);
            }
        }
        if let Some(own) = own {
            request = request.header(header::AUTHORIZATION, own);
        }
        let mut answer = request.call().map_err(|error| format!("{realm}: {error}"))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("{realm}: {}", answer.status()));
        }
        let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
        let given: serde_json::Value = serde_json::from_str(&text).map_err(|error| format!("{realm}: {error}"))?;
        let token = given["token"].as_str().or_else(|| given["access_token"].as_str());
        token
            .map(|token| format!("Bearer {token}"))
            .ok_or_else(|| format!("{realm}: it gives no token"))
    }

    fn basic(&self) -> Option<String> {
        let credentials = self.credentials?;
        let (name, password) = (credentials.username.as_ref()?, credentials.password.as_ref()?);
        Some(format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))
    }
}

/// Where the list goes on, as a path of the same registry.
fn next_page<T>(answer: &Response<T>) -> Option<String> {
    let link = answer.headers().get(header::LINK)?.to_str().ok()?;
    let (target, relation) = link.strip_prefix('<')?.split_once('>')?;
    if !relation.contains("next") {
        return None;
    }
    let path = match target.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => target,
    };
    path.starts_with('/').then(|| path.to_owned())
}

/// The value of `name="…"` in a challenge.
fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    let start = parameters.find(&format!("{name}=\""))? + name.len() + 2;
    parameters[start..].split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_registry_and_the_repository() {
        for (reference, host, repository) in [
            ("debian:12", DEFAULT_HOST, "library/debian"),
            ("gentoo/stage3:amd64-openrc-20251101", DEFAULT_HOST, "gentoo/stage3"),
            ("docker.io/gentoo/stage3", DEFAULT_HOST, "gentoo/stage3"),
            ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000", "a/b"),
            ("registry.example/x:1", "registry.example", "x"),
        ] {
            assert_eq!(
                place(reference),
                (host.to_owned(), repository.to_owned()),
                "{reference}"
            );
        }
        assert_eq!(schemes("127.0.0.1:5000").len(), 2);
        assert_eq!(schemes("registry.example"), ["https"]);
        assert_eq!(schemes("127.example.org"), ["https"]);
    }

    #[test]
    fn a_long_list_goes_on_at_the_same_registry() {
        let answer = |link: &str| Response::builder().header(header::LINK, link).body(()).unwrap();
        let next = |link: &str| next_page(&answer(link));
        assert_eq!(
            next("</v2/a/tags/list?n=2&last=b>; rel=\"next\"").as_deref(),
            Some("/v2/a/tags/list?n=2&last=b")
        );
        assert_eq!(
            next("<https://other.example/v2/a?last=b>; rel=\"next\"").as_deref(),
            Some("/v2/a?last=b")
        );
        assert_eq!(next("</v2/a>; rel=\"prev\""), None);
    }

    #[test]
    fn challenges_are_read() {
        let parameters = "realm=\"https://auth.example/token\",service=\"registry\",scope=\"repository:a/b:pull\"";
        assert_eq!(parameter(parameters, "realm"), Some("https://auth.example/token"));
        assert_eq!(parameter(parameters, "scope"), Some("repository:a/b:pull"));
        assert_eq!(parameter(parameters, "error"), None);
    }
}
