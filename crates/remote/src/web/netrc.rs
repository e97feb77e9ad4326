//! `~/.netrc`: who one is to which host, as curl, wget, git and Python read it.

use fs_err as fs;

use crate::{Access, RemoteError};

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// Not what would show the password.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({})", self.user)
    }
}

/// Looks for a host in the file that NETRC names, else in `~/.netrc`; `None` if it has none.
pub(crate) fn login(access: &Access, host: &str) -> Result<Option<Login>, RemoteError> {
    let Some(path) = access.path("NETRC").or_else(|| access.in_home(".netrc")) else {
        return Ok(None);
    };
    match fs::read_to_string(path) {
        Ok(text) => Ok(find(&text, host)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The first entry for the host, or the one for all that comes before it.
fn find(text: &str, host: &str) -> Option<Login> {
    let mut words = words(text).into_iter();
    let mut entry: Option<(Option<String>, Option<String>)> = None;
    while let Some(word) = words.next() {
        match word.as_str() {
            "machine" | "default" => {
                if let Some(found) = entry.take() {
                    return complete(found);
                }
                let ours = word == "default" || words.next().as_deref() == Some(host);
                entry = ours.then_some((None, None));
            }
            "login" | "password" | "account" => {
                let value = words.next();
                match (&mut entry, word.as_str()) {
                    (Some((user, _)), "login") => *user = value,
                    (Some((_, password)), "password") => *password = value,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    complete(entry?)
}

fn complete((user, password): (Option<String>, Option<String>)) -> Option<Login> {
    Some(Login {
        user: user?,
        password: password.unwrap_or_default(),
    })
}

/// All words but those of comments and macros. A macro goes to the next empty line.
fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut in_macro = false;
    for line in text.lines() {
        if in_macro {
            in_macro = !line.trim().is_empty();
            continue;
        }
        let mut words = words_of_line(line);
        if let Some(start) = words.iter().position(|word| word == "macdef") {
            words.truncate(start);
            in_macro = true;
        }
        all.extend(words);
    }
    all
}

/// Words as curl splits them: `"` holds words together, with `\` before what is meant itself.
fn words_of_line(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.peek() {
            None => return words,
            Some('#') if words.is_empty() => return words,
            Some(_) => {}
        }
        let quoted = chars.next_if_eq(&'"').is_some();
        let mut word = String::new();
        while let Some(c) = chars.next_if(|c| quoted || !c.is_whitespace()) {
            match c {
                '"' if quoted => break,
                '\\' if quoted => word.extend(chars.next()),
                _ => word.push(c),
            }
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, host: &str) -> Option<(String, String)> {
        find(text, host).map(|login| (login.user, login.password))
    }

    fn pair(user: &str, password: &str) -> Option<(String, String)> {
        Some((user.to_owned(), password.to_owned()))
    }

    #[test]
    fn the_first_entry_of_a_host_counts() {
        let text = "# mine\nmachine a login me password s3cret\nmachine b\n  login you\n  password \"two \\\"words\\\"\"\n\
                    machine a login other password x\ndefault login all password y\n";
        assert_eq!(found(text, "a"), pair("me", "s3cret"));
        assert_eq!(found(text, "b"), pair("you", "two \"words\""));
        assert_eq!(found(text, "c"), pair("all", "y"));
        assert_eq!(found("machine a login me password x", "c"), None);
        assert_eq!(found("machine a password x", "a"), None);
        assert_eq!(found("", "a"), None);
    }

    #[test]
    fn macros_are_left_out() {
        let text = "machine x login y password z\nmacdef init\nmachine a login no password no\n\nmachine a login me password p\n";
        assert_eq!(found(text, "a"), pair("me", "p"));
    }

    #[test]
    fn passwords_are_not_shown() {
        let login = find("machine a login me password s3cret", "a").unwrap();
        assert_eq!(format!("{login:?}"), "Login(me)");
    }
}
