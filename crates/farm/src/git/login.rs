//! How git is told what to log in with, and what may be wrong if a server does not let it in.
//!
//! A token is in no argument, in no variable and not in farm's memory: git asks its credential helper, and the helper reads the file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::GitEnvironment;

/// The helper: a line for the shell, behind which git puts what it wants. It only ever tells. What it runs is part of
/// every shell, so that the token does not become an argument either.
const HELPER: &str = r#"!f() {
  test "$1" = get || exit 0
  IFS= read -r token <"$FARM_TOKEN_FILE"
  test -n "$token" || exit 0
  printf 'username=%s\npassword=%s\n' "$FARM_TOKEN_USER" "$token"
}; f"#;

/// ssh asks nobody anything, and takes its keys from the agent whatever its configuration says of agents.
const SSH_OPTIONS: &str = " -o BatchMode=yes -o IdentityAgent=SSH_AUTH_SOCK";

/// What git logs in with at one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// What the user has set up; farm knows nothing of it.
    Users,
    /// The first line of a file.
    Token {
        /// The beginning of the addresses whose server may see it.
        prefix: String,
        /// What the manifest calls it.
        name: String,
        /// The file.
        file: PathBuf,
        /// The name of the user.
        user: String,
    },
    /// A key of the ssh agent.
    Agent,
}

impl Login {
    /// The variables that git gets besides those of farm's own environment.
    pub(super) fn environment(&self, users: &GitEnvironment) -> BTreeMap<OsString, OsString> {
        let mut variables: BTreeMap<OsString, OsString> = BTreeMap::new();
        match self {
            Self::Users => {}
            Self::Token { prefix, file, user, .. } => {
                // git asks helpers by the address of whoever wants to know. After a redirection to elsewhere that is another one, which gets
                // nothing; the connection itself drops what it has. Only the first answer may redirect.
                let settings = [
                    // No helper before this one counts.
                    (format!("credential.{prefix}.helper"), ""),
                    (format!("credential.{prefix}.helper"), HELPER),
                    (format!("http.{prefix}.followRedirects"), "initial"),
                ];
                for (number, (key, value)) in (users.settings..).zip(&settings) {
                    variables.insert(format!("GIT_CONFIG_KEY_{number}").into(), key.into());
                    variables.insert(format!("GIT_CONFIG_VALUE_{number}").into(), value.into());
                }
                let count = users.settings + settings.len();
                variables.insert("GIT_CONFIG_COUNT".into(), count.to_string().into());
                variables.insert("FARM_TOKEN_FILE".into(), file.into());
                variables.insert("FARM_TOKEN_USER".into(), user.into());
                // What the helper cannot tell nobody is asked for: no window opens.
                variables.insert("GIT_ASKPASS".into(), OsString::new());
                // Whoever watches git's connections does not watch this.
                variables.insert("GIT_TRACE_REDACT".into(), "1".into());
            }
            Self::Agent => {
                let mut ssh = users.ssh.clone().unwrap_or_else(|| "ssh".into());
                ssh.push(SSH_OPTIONS);
                variables.insert("GIT_SSH_COMMAND".into(), ssh);
            }
        }
        variables
    }

    /// What to do about what git said when it failed.
    pub(super) fn advice(&self, said: &str) -> String {
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let unasked = says(&["could not read Username", "could not read Password"]);
        let refused = unasked || says(&["Authentication failed", "Permission denied (", "error: 403"]);
        match self {
            _ if says(&["Host key verification failed"]) => {
                "ssh does not know the server's key: connect once with ssh, and compare it".to_owned()
            }
            Self::Users if refused => {
                "name a token file or the ssh agent for it under `secrets:` in the manifest".to_owned()
            }
            Self::Token { file, .. } if unasked => {
                format!("the first line of {} is empty: write the token there", file.display())
            }
            Self::Token { name, file, .. } if refused => format!(
                "the server does not take the token of the secret `{name}` ({}): is it still valid, may it read repositories, and is `user` right?",
                file.display()
            ),
            Self::Agent if refused => {
                "the ssh agent has no key that the server takes: `ssh-add -l` lists what it has".to_owned()
            }
            _ => "check the address, the branch and your access".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_has_set_up_stays() {
        let users = GitEnvironment {
            ssh: Some("ssh -J x".into()),
            settings: 2,
            ..GitEnvironment::default()
        };
        assert!(Login::Users.environment(&users).is_empty());
        let agent = Login::Agent.environment(&users);
        let line = agent[&OsString::from("GIT_SSH_COMMAND")].to_str().unwrap();
        assert!(line.starts_with("ssh -J x -o BatchMode=yes"), "{line}");
        let token = Login::Token {
            prefix: "https://h/g".to_owned(),
            name: "a".to_owned(),
            file: "/it's \"mine\"".into(),
            user: "me".to_owned(),
        };
        let token = token.environment(&users);
        assert_eq!(token[&OsString::from("GIT_CONFIG_COUNT")], "5");
        assert_eq!(
            token[&OsString::from("GIT_CONFIG_KEY_2")],
            "credential.https://h/g.helper"
        );
        assert_eq!(token[&OsString::from("GIT_CONFIG_VALUE_2")], "");
        assert_eq!(token[&OsString::from("FARM_TOKEN_FILE")], "/it's \"mine\"");
        assert!(!token.contains_key(&OsString::from("GIT_CONFIG_KEY_1")));
    }
}
