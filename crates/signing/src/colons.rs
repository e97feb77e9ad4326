//! The listing of keys that gpg makes for programs (`doc/DETAILS` of GnuPG, "Format of the colon listings").

/// A primary key with its subkeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The primary key first.
    pub(crate) parts: Vec<Part>,
}

/// A primary key or a subkey.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Part {
    pub(crate) fingerprint: String,
    /// Whether it is good, by the real time: `e` for expired, `r` for revoked, and so on.
    pub(crate) validity: String,
    /// Seconds since the epoch.
    pub(crate) created: u64,
    /// The same; `None` if it never expires.
    pub(crate) expires: Option<u64>,
    /// What it may be used for: `s` for signing.
    pub(crate) uses: String,
    /// Whether the secret part can be used.
    pub(crate) secret: bool,
}

impl Part {
    pub(crate) fn signs(&self) -> bool {
        self.uses.contains('s')
    }

    pub(crate) fn is(&self, validity: char) -> bool {
        self.validity.contains(validity)
    }

    /// Whether it was disabled by whoever owns the key ring, which the uses of the primary key tell.
    pub(crate) fn is_disabled(&self) -> bool {
        self.uses.contains('D') || self.is('d')
    }

    pub(crate) fn is_usable(&self) -> bool {
        self.signs() && self.secret && !self.is_disabled() && !self.validity.contains(['e', 'r', 'i', 'n'])
    }
}

/// Reads the listing of secret keys, in its order. Lines that say nothing about a key are skipped.
pub(crate) fn parse(text: &str) -> Vec<Listed> {
    let mut keys: Vec<Listed> = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let field = |number: usize| fields.get(number - 1).copied().unwrap_or_default();
        match field(1) {
            kind @ ("sec" | "ssb") => {
                let part = Part {
                    fingerprint: String::new(),
                    validity: field(2).to_owned(),
                    created: field(6).parse().unwrap_or(0),
                    expires: field(7).parse().ok(),
                    uses: field(12).to_owned(),
                    // `#`: a stub without a secret. Otherwise `+`, or the number of the card that has it.
                    secret: field(15) != "#",
                };
                match keys.last_mut() {
                    Some(key) if kind == "ssb" => key.parts.push(part),
                    _ => keys.push(Listed { parts: vec![part] }),
                }
            }
            "fpr" => {
                if let Some(part) = keys.last_mut().and_then(|key| key.parts.last_mut()) {
                    part.fingerprint = field(10).to_owned();
                }
            }
            _ => {}
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_parts() {
        let text = "tru::1:1700000000:0:3:1:5\n\
            sec:u:255:22:AAAAAAAAAAAAAAAA:1700000000:1763072000::u:::scSC:::#::ed25519:::0:\n\
            fpr:::::::::0123456789ABCDEF01230123AAAAAAAAAAAAAAAA:\n\
            uid:u::::1700000000::HASH::a <a@b>::::::::::0:\n\
            ssb:e:255:22:BBBBBBBBBBBBBBBB:1700000001:1700000002:::::s:::+::ed25519::\n\
            fpr:::::::::0123456789ABCDEF01230123BBBBBBBBBBBBBBBB:\n";
        let keys = parse(text);
        assert_eq!(keys.len(), 1);
        let [primary, subkey] = &keys[0].parts[..] else {
            panic!("{keys:?}")
        };
        assert_eq!(primary.fingerprint, "0123456789ABCDEF01230123AAAAAAAAAAAAAAAA");
        assert_eq!(
            (primary.secret, primary.signs(), primary.is_usable()),
            (false, true, false)
        );
        assert_eq!((subkey.secret, subkey.signs(), subkey.is('e')), (true, true, true));
        assert_eq!((subkey.created, subkey.expires), (1_700_000_001, Some(1_700_000_002)));
        assert!(!subkey.is_usable());
    }
}
