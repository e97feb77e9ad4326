//! Finds what of an address says who asks: `user:password@`, and `token@`, which is a password as well.

use std::borrow::Cow;
use std::ops::Range;

/// What an address says of who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// A name and a password.
    Password,
    /// One word before the host of an address of the web. Many servers take a token there.
    Word,
}

/// What an address says of who asks, if anybody might log in with it. The user of an address of ssh logs nobody in.
#[must_use]
pub fn login(address: &str) -> Option<Login> {
    let range = secrets(address).next()?;
    let (_, authority) = address.split_once("://")?;
    let user = &authority[..range.end - (address.len() - authority.len())];
    Some(if user.contains(':') {
        Login::Password
    } else {
        Login::Word
    })
}

/// The address without what [`login`] found in it, as it could be written instead.
#[must_use]
pub fn without_login(address: &str) -> String {
    let Some(range) = secrets(address).next() else {
        return address.to_owned();
    };
    // Of an address of ssh the user stays: `user` and not `user:`. Of one of the web nothing stays, not even the `@`.
    let (start, end) = match address[..range.start].strip_suffix(':') {
        Some(user) => (user.len(), range.end),
        None => (range.start, range.end + 1),
    };
    format!("{}{}", &address[..start], &address[end..])
}

/// A text as it may be shown and kept: `***` stands for what could log somebody in, in every address of it.
#[must_use]
pub fn redacted(text: &str) -> Cow<'_, str> {
    replaced(text, |_| "***".to_owned())
}

/// The same with as many asterisks as there were bytes, so that every place stays the same.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    replaced(text, |secret| "*".repeat(secret.len()))
}

fn replaced(text: &str, by: impl Fn(&str) -> String) -> Cow<'_, str> {
    let mut replaced = String::new();
    let mut copied = 0;
    for range in secrets(text) {
        replaced.push_str(&text[copied..range.start]);
        replaced.push_str(&by(&text[range.clone()]));
        copied = range.end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    replaced.push_str(&text[copied..]);
    Cow::Owned(replaced)
}

/// Where credentials stand in a text, in its order: of addresses of the web all that is before the `@`, of others the password.
///
/// It rather takes too much for a password than too little: people write passwords with characters that addresses do not allow.
fn secrets(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let colon = from + text.get(from..)?.find("://")?;
            let begin = colon + "://".len();
            from = begin;
            let rest = &text[begin..];
            let address = &rest[..rest.find(ends).unwrap_or(rest.len())];
            let Some(at) = at_sign(address) else { continue };
            from = begin + at;
            let start = if is_web(&text[..colon]) {
                Some(0)
            } else {
                address[..at].find(':').map(|colon| colon + 1)
            };
            if let Some(start) = start.filter(|start| *start < at) {
                return Some(begin + start..begin + at);
            }
        }
    })
}

/// What no address goes on with, however wrong it is.
fn ends(character: char) -> bool {
    character.is_whitespace() || matches!(character, '"' | '<' | '>')
}

/// The `@` before the host, counted from what follows `://`.
fn at_sign(address: &str) -> Option<usize> {
    let authority = &address[..address.find(['/', '?', '#', '\\']).unwrap_or(address.len())];
    if let Some(at) = authority.rfind('@') {
        return Some(at);
    }
    // `user:pass/word@host`: what stands where a port would is none, and so it is part of a password.
    let (host, port) = authority.rsplit_once(':')?;
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) || host.starts_with('[');
    if is_port { None } else { address.rfind('@') }
}

/// Whether the scheme at the end of `text` is one of the web's, such as `https` or `git+https`.
fn is_web(text: &str) -> bool {
    let scheme = text.rsplit(|character: char| !character.is_ascii_alphanumeric()).next();
    scheme.is_some_and(|scheme| ["http", "https", "ftp", "ftps"].contains(&scheme.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_tokens_are_found_wherever_they_stand() {
        for (text, shown) in [
            ("https://me:s3cret@example.org/x", "https://***@example.org/x"),
            ("https://ghp_123@example.org/x", "https://***@example.org/x"),
            (
                "fatal: 'https://a:b@h:80/x': no; http://c@h",
                "fatal: 'https://***@h:80/x': no; http://***@h",
            ),
            ("ssh://git:pw@h/x", "ssh://git:***@h/x"),
            ("git+https://a:b@h", "git+https://***@h"),
            ("HTTPS://a:b@h", "HTTPS://***@h"),
            // What people write although an address does not allow it.
            ("https://me:a/b@c#d@h/x", "https://***@h/x"),
            ("https://me:a'b@h/x", "https://***@h/x"),
            ("git: \"https://me:ü@h\"", "git: \"https://***@h\""),
        ] {
            assert_eq!(redacted(text), shown);
            assert_eq!(masked(text).len(), text.len(), "{text}");
            assert!(!masked(text).contains(['3', 'b', 'ü']), "{}", masked(text));
        }
    }

    #[test]
    fn all_else_stays_as_it_is() {
        for text in [
            "https://example.org:8080/x@1.2",
            "https://[::1]:80/a@b",
            "https://host:/a@b",
            "ssh://git@example.org/x",
            "git@example.org:x",
            "file:///a@b",
            "a@b https://h",
            "https://h see a@b",
            "://",
            "",
        ] {
            assert_eq!(redacted(text), text);
            assert!(matches!(masked(text), Cow::Borrowed(_)));
            assert_eq!(login(text), None);
            assert_eq!(without_login(text), text);
        }
    }

    #[test]
    fn what_is_written_instead() {
        for (text, kind, instead) in [
            ("https://me:pw@h/x", Login::Password, "https://h/x"),
            ("https://me@h/x", Login::Word, "https://h/x"),
            ("ssh://git:pw@h/x", Login::Password, "ssh://git@h/x"),
        ] {
            assert_eq!(login(text), Some(kind));
            assert_eq!(without_login(text), instead);
        }
    }
}
