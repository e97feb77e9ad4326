//! How people name a key.

use crate::SigningError;

/// The numbers of hexadecimal digits that name a key without doubt: a long key id, the fingerprints of version 4 and 5. Short
/// key ids of eight digits are not among them, because anybody can make a key that has a given one.
const LENGTHS: [usize; 3] = [16, 40, 64];

/// A name of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyName {
    /// The last digits of a fingerprint, or all of it; in upper case. `exactly`: this very subkey and no other (`!`).
    Digits { digits: String, exactly: bool },
    /// The address of a user id.
    Mail(String),
}

impl KeyName {
    /// Reads a fingerprint or a key id (spaces in it do not count, `0x` may come before and `!` after), or an address.
    ///
    /// Other parts of a user id, which gpg would take as well, name whatever key has them first.
    pub(crate) fn parse(text: &str) -> Result<Self, SigningError> {
        let bad = || SigningError::BadName(text.to_owned());
        let trimmed = text.trim();
        if trimmed.contains('@') {
            let address = trimmed.trim_start_matches('<').trim_end_matches('>');
            return if address.contains(['<', '>', ' ']) || address.starts_with('@') {
                Err(bad())
            } else {
                Ok(Self::Mail(address.to_owned()))
            };
        }
        let (digits, exactly) = trimmed.strip_suffix('!').map_or((trimmed, false), |rest| (rest, true));
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        let digits: String = digits.chars().filter(|c| *c != ' ').collect();
        if !LENGTHS.contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        Ok(Self::Digits {
            digits: digits.to_ascii_uppercase(),
            exactly,
        })
    }

    /// As gpg takes it, so that nothing else is found.
    pub(crate) fn query(&self) -> String {
        match self {
            Self::Digits { digits, .. } => digits.clone(),
            Self::Mail(address) => format!("<{address}>"),
        }
    }

    /// Whether a fingerprint alone tells that it is this key. Of an address, and of the id of a subkey, only gpg can tell.
    pub(crate) fn is_of(&self, fingerprint: &str) -> bool {
        matches!(self, Self::Digits { digits, .. } if fingerprint.ends_with(digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_no_doubt() {
        let fingerprint = "0123 4567 89AB CDEF 0123  4567 89ab cdef 0123 4567";
        let KeyName::Digits { digits, exactly } = KeyName::parse(fingerprint).unwrap() else {
            panic!();
        };
        assert_eq!(
            (digits.as_str(), exactly),
            ("0123456789ABCDEF0123456789ABCDEF01234567", false)
        );
        let long = KeyName::parse("0x89abcdef01234567!").unwrap();
        assert!(long.is_of(&digits) && !long.is_of("0123"));
        assert_eq!(long.query(), "89ABCDEF01234567");
        let mail = KeyName::parse("<hep@example.org>").unwrap();
        assert_eq!(
            (mail.query().as_str(), mail.is_of(&digits)),
            ("<hep@example.org>", false)
        );
    }

    #[test]
    fn names_that_leave_doubt() {
        for name in [
            "",
            "hep",
            "01234567",
            "0x01234567",
            "@example.org",
            "Hep <hep@example.org>",
            "0123456789abcdeg",
        ] {
            assert!(matches!(KeyName::parse(name), Err(SigningError::BadName(_))), "{name}");
        }
    }
}
