//! Registry credentials from Docker's `config.json`, where `docker login` puts them.

use std::io;
use std::path::Path;

use bollard::auth::DockerCredentials;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use farm_executor::ExecutorError;

use crate::reference::Reference;

/// What a credential helper prints when it works but knows nothing of a registry; helpers have no status for it.
const NOT_FOUND: &str = "credentials not found";

/// The credentials for `reference`'s registry in `folder`'s `config.json`, asking the helper programs it names.
///
/// `None` when there is no such file, or nobody has logged in there.
///
/// # Errors
///
/// [`ExecutorError::Registry`] when the file cannot be read or understood, or a helper fails.
pub(crate) fn find(folder: Option<&Path>, reference: &str) -> Result<Option<DockerCredentials>, ExecutorError> {
    let Some(folder) = folder else { return Ok(None) };
    let refuse = |reason: String| ExecutorError::Registry {
        reference: reference.to_owned(),
        reason,
    };
    let path = folder.join("config.json");
    let text = match fs_err::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(error.to_string())),
    };
    let key = Reference::split(reference).credentials_key();
    let found = match docker_credential::get_credential_from_reader(text.as_slice(), key) {
        Ok(found) => found,
        Err(CredentialRetrievalError::NoCredentialConfigured) => return Ok(None),
        Err(CredentialRetrievalError::HelperFailure { stdout, .. }) if stdout.contains(NOT_FOUND) => return Ok(None),
        Err(error) => return Err(refuse(format!("credentials of {key} in {}: {error}", path.display()))),
    };
    let server = DockerCredentials {
        serveraddress: Some(key.to_owned()),
        ..Default::default()
    };
    Ok(Some(match found {
        DockerCredential::IdentityToken(token) => DockerCredentials {
            identitytoken: Some(token),
            ..server
        },
        DockerCredential::UsernamePassword(username, password) => DockerCredentials {
            username: Some(username),
            password: Some(password),
            ..server
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_in(config: &str, reference: &str) -> Result<Option<DockerCredentials>, ExecutorError> {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("config.json"), config).unwrap();
        find(Some(folder.path()), reference)
    }

    #[test]
    fn no_file_and_no_login_are_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find(None, "debian").unwrap(), None);
        assert_eq!(find(Some(folder.path()), "debian").unwrap(), None);
        assert_eq!(find_in(r#"{"auths": {}}"#, "debian").unwrap(), None);
    }

    #[test]
    fn reads_a_login() {
        // The value is base64 of `collector:secret`.
        let config = r#"{"auths": {"registry.example:5000": {"auth": "Y29sbGVjdG9yOnNlY3JldA=="}}}"#;
        let found = find_in(config, "registry.example:5000/hep/image:1").unwrap().unwrap();
        assert_eq!(found.username.as_deref(), Some("collector"));
        assert_eq!(found.password.as_deref(), Some("secret"));
        assert_eq!(found.serveraddress.as_deref(), Some("registry.example:5000"));
        assert_eq!(find_in(config, "other.example/hep/image").unwrap(), None);
    }

    #[test]
    fn a_broken_file_is_told() {
        let error = find_in("{", "registry.example/x").unwrap_err();
        assert!(error.to_string().contains("config.json"), "{error}");
    }

    #[test]
    fn a_missing_helper_is_told() {
        let error = find_in(r#"{"credsStore": "farm-has-no-such-helper"}"#, "registry.example/x").unwrap_err();
        assert!(matches!(error, ExecutorError::Registry { .. }), "{error}");
    }
}
