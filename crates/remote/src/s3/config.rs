//! Which server, and who publishes: the variables and files of AWS's own tools.

use rusty_s3::{Bucket, Credentials, UrlStyle};
use url::Url;

use super::ini::setting;
use crate::{Access, RemoteError};

const HINT: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile of ~/.aws/credentials; AWS_ENDPOINT_URL and AWS_REGION say where";

/// The variables and files, variables first.
struct Settings<'a> {
    access: &'a Access,
    profile: &'a str,
    credentials: String,
    config: String,
}

/// Reads what a bucket needs.
pub(super) fn read(access: &Access, name: &str) -> Result<(Bucket, Credentials), RemoteError> {
    let settings = Settings {
        access,
        profile: access.text("AWS_PROFILE").unwrap_or("default"),
        credentials: file(access, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")?,
        config: file(access, "AWS_CONFIG_FILE", ".aws/config")?,
    };
    Ok((settings.bucket(name)?, settings.credentials()?))
}

impl Settings<'_> {
    fn find(&self, variables: &[&str], key: &str) -> Option<&str> {
        let variable = variables.iter().find_map(|name| self.access.text(name));
        variable
            .or_else(|| setting(&self.credentials, self.profile, key))
            .or_else(|| setting(&self.config, self.profile, key))
    }

    fn bucket(&self, name: &str) -> Result<Bucket, RemoteError> {
        let region = self
            .find(&["AWS_REGION", "AWS_DEFAULT_REGION"], "region")
            .unwrap_or("us-east-1");
        let (endpoint, style) = match self.find(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"], "endpoint_url") {
            // Few servers other than AWS have a host name for each bucket.
            Some(endpoint) => (endpoint.to_owned(), UrlStyle::Path),
            // The certificate of AWS holds for one label before its domain.
            None if name.contains('.') => (aws(region), UrlStyle::Path),
            None => (aws(region), UrlStyle::VirtualHost),
        };
        let wrong = |why: String| RemoteError::Credentials {
            reason: format!("the address {endpoint} of the S3 server cannot be used: {why}"),
            hint: "write AWS_ENDPOINT_URL as https://HOST[:PORT]",
        };
        let url = Url::parse(&endpoint).map_err(|error| wrong(error.to_string()))?;
        Bucket::new(url, style, name.to_owned(), region.to_owned()).map_err(|error| wrong(error.to_string()))
    }

    fn credentials(&self) -> Result<Credentials, RemoteError> {
        // The three belong together: a token of a file does not fit a key of the environment.
        let variable = |name| self.access.text(name);
        let in_file =
            |key| setting(&self.credentials, self.profile, key).or_else(|| setting(&self.config, self.profile, key));
        let (key, secret, token) = match variable("AWS_ACCESS_KEY_ID") {
            Some(key) => (
                Some(key),
                variable("AWS_SECRET_ACCESS_KEY"),
                variable("AWS_SESSION_TOKEN"),
            ),
            None => (
                in_file("aws_access_key_id"),
                in_file("aws_secret_access_key"),
                in_file("aws_session_token"),
            ),
        };
        let (Some(key), Some(secret)) = (key, secret) else {
            return Err(RemoteError::Credentials {
                reason: format!("nothing says who publishes to S3 (profile {})", self.profile),
                hint: HINT,
            });
        };
        Ok(match token {
            Some(token) => Credentials::new_with_token(key, secret, token),
            None => Credentials::new(key, secret),
        })
    }
}

fn aws(region: &str) -> String {
    format!("https://s3.{region}.amazonaws.com")
}

/// The text of a file; empty if there is none.
fn file(access: &Access, variable: &str, in_home: &str) -> Result<String, RemoteError> {
    let Some(path) = access.path(variable).or_else(|| access.in_home(in_home)) else {
        return Ok(String::new());
    };
    match fs_err::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => Ok(read?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(variables: &[(&str, &str)]) -> Access {
        Access::new(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn variables_come_before_files() {
        let home = tempfile::tempdir().unwrap();
        fs_err::create_dir(home.path().join(".aws")).unwrap();
        fs_err::write(
            home.path().join(".aws/credentials"),
            "[default]\naws_access_key_id = d\naws_secret_access_key = x\n[farm]\naws_access_key_id = f\naws_secret_access_key = y\naws_session_token = t\n",
        )
        .unwrap();
        fs_err::write(
            home.path().join(".aws/config"),
            "[profile farm]\nregion = north\nendpoint_url = http://h:1\n",
        )
        .unwrap();
        let home = home.path().to_str().unwrap();

        let (bucket, credentials) = read(&access(&[("HOME", home), ("AWS_PROFILE", "farm")]), "buck").unwrap();
        assert_eq!(
            (bucket.region(), bucket.base_url().as_str()),
            ("north", "http://h:1/buck/")
        );
        assert_eq!((credentials.key(), credentials.token()), ("f", Some("t")));

        let variables = [
            ("HOME", home),
            ("AWS_PROFILE", "farm"),
            ("AWS_ACCESS_KEY_ID", "v"),
            ("AWS_SECRET_ACCESS_KEY", "z"),
            ("AWS_REGION", "south"),
            ("AWS_ENDPOINT_URL", "https://e"),
        ];
        let (bucket, credentials) = read(&access(&variables), "buck").unwrap();
        assert_eq!(
            (bucket.region(), bucket.base_url().as_str()),
            ("south", "https://e/buck/")
        );
        assert_eq!((credentials.key(), credentials.token()), ("v", None));

        let (bucket, credentials) = read(&access(&[("HOME", home)]), "buck").unwrap();
        assert_eq!(bucket.base_url().as_str(), "https://buck.s3.us-east-1.amazonaws.com/");
        assert_eq!(credentials.key(), "d");
    }

    #[test]
    fn without_credentials_it_says_which() {
        let error = read(&access(&[]), "buck").unwrap_err();
        assert!(matches!(error, RemoteError::Credentials { .. }), "{error}");
        assert!(error.hint().unwrap().contains("AWS_ACCESS_KEY_ID"));
        let wrong = access(&[
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
            ("AWS_ENDPOINT_URL", "host"),
        ]);
        assert!(read(&wrong, "buck").unwrap_err().to_string().contains("host"));
    }
}
