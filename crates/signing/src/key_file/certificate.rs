//! What a key says of itself: its parts, what they may be used for, until when. It counts what the primary key signed, and as GnuPG
//! counts it (`merge_selfsigs` in its `g10/getkey.c`).

use std::sync::Arc;

use pgp::composed::{ArmorOptions, SignedPublicKey, SignedSecretKey};
use pgp::packet::{PublicKey, PublicSubkey, Signature, SignatureConfig, SignatureType, SubpacketData};
use pgp::types::{KeyDetails, KeyVersion, SignedUser, Tag};

use super::packets::Key;
use super::part::SecretPart;
use crate::SigningError;
use crate::colons::{Listed, Part};
use crate::key_name::KeyName;

/// A key of a file.
pub(super) struct Certificate {
    public_key: SignedPublicKey,
    /// The parts with a secret.
    parts: Vec<Arc<SecretPart>>,
    /// The public key in ASCII armour, without the signatures of others; empty if it cannot be written.
    pub(super) public: Arc<[u8]>,
}

impl Certificate {
    pub(super) fn new(key: Key) -> Self {
        let (public_key, parts) = match key {
            Key::Public(key) => (*key, Vec::new()),
            Key::Secret(key) => {
                let public_key = key.to_public_key();
                (public_key, secret_parts(*key))
            }
        };
        let public = own_signatures_only(&public_key)
            .to_armored_bytes(ArmorOptions::default())
            .unwrap_or_default()
            .into();
        Self {
            public_key,
            parts,
            public,
        }
    }

    /// The fingerprint of the primary key, in upper-case digits.
    pub(super) fn fingerprint(&self) -> String {
        fingerprint(&self.public_key.primary_key)
    }

    /// Whether any part of it has a secret.
    pub(super) fn has_secret(&self) -> bool {
        !self.parts.is_empty()
    }

    /// The secret part with this fingerprint.
    pub(super) fn part(&self, fingerprint: &str) -> Option<&Arc<SecretPart>> {
        self.parts.iter().find(|part| part.fingerprint() == fingerprint)
    }

    /// What keeps a part of it from signing, if it is of a kind that does not sign.
    pub(super) fn unsupported(&self) -> Option<SigningError> {
        self.parts.iter().find_map(|part| part.unsupported())
    }

    /// The key as people know it: its fingerprint, and whose it is.
    pub(super) fn title(&self) -> String {
        let names = self.public_key.details.users.iter().filter_map(|user| user.id.as_str());
        let names: Vec<&str> = names.collect();
        if names.is_empty() {
            self.fingerprint()
        } else {
            format!("{} ({})", self.fingerprint(), names.join(", "))
        }
    }

    /// Whether this is a key of that name.
    pub(super) fn is_named(&self, wanted: &KeyName) -> bool {
        let primary = &self.public_key.primary_key;
        match wanted {
            KeyName::Digits { .. } => {
                let subkeys = self
                    .public_key
                    .public_subkeys
                    .iter()
                    .map(|subkey| fingerprint(&subkey.key));
                std::iter::once(fingerprint(primary))
                    .chain(subkeys)
                    .any(|one| wanted.is_of(&one))
            }
            KeyName::Mail(address) => {
                let own = self.public_key.details.users.iter().filter(|user| {
                    let mut own = user.signatures.iter();
                    own.any(|signature| certifies(signature, primary, user))
                });
                own.filter_map(|user| address_of(user.id.as_str()?))
                    .any(|own| own.eq_ignore_ascii_case(address))
            }
        }
    }

    /// The key as gpg would list it at this time, in seconds since the epoch.
    pub(super) fn listed(&self, now: u64) -> Listed {
        let primary = &self.public_key.primary_key;
        let statements = self.statements(now);
        let flags = statements.iter().find_map(|statement| statement.flags);
        let lifetime = statements.iter().find_map(|statement| statement.lifetime);
        let state = State {
            // That it is there is enough. It may be of somebody who was asked to revoke the key in need, and whose own key is not here.
            is_revoked: !self.public_key.details.revocation_signatures.is_empty(),
            is_bound: !statements.is_empty(),
            signs: flags.unwrap_or(true),
            lifetime,
        };
        let mut parts = vec![self.listed_part(primary, &state, now)];
        for subkey in &self.public_key.public_subkeys {
            let of_kind = |kind: SignatureType| subkey.signatures.iter().filter(move |s| s.typ() == Some(kind));
            let holds = |signature: &&Signature| signature.verify_subkey_binding(primary, &subkey.key).is_ok();
            let binding = newest(of_kind(SignatureType::SubkeyBinding).filter(holds), now);
            let state = State {
                is_revoked: of_kind(SignatureType::SubkeyRevocation).next().is_some(),
                is_bound: binding.is_some(),
                signs: binding.is_some_and(|binding| {
                    Statement::of(binding).flags.unwrap_or(true) && agrees(binding, primary, &subkey.key)
                }),
                lifetime: binding.and_then(|binding| Statement::of(binding).lifetime),
            };
            parts.push(self.listed_part(&subkey.key, &state, now));
        }
        Listed { parts }
    }

    fn listed_part(&self, key: &impl KeyDetails, state: &State, now: u64) -> Part {
        let created = u64::from(key.created_at().as_secs());
        let expires = state
            .lifetime
            .filter(|lifetime| *lifetime > 0)
            .map(|lifetime| created + lifetime);
        let fingerprint = fingerprint(key);
        let validity = if state.is_revoked {
            "r"
        } else if !state.is_bound {
            "i"
        } else if expires.is_some_and(|expires| expires <= now) {
            "e"
        } else {
            ""
        };
        let signs = state.signs && key.algorithm().can_sign() && key.version() == KeyVersion::V4;
        Part {
            secret: self.part(&fingerprint).is_some(),
            fingerprint,
            validity: validity.to_owned(),
            created,
            expires,
            uses: if signs { "s" } else { "" }.to_owned(),
        }
    }

    /// What the primary key says of itself, the most important first: directly, else with a user id, the newest first.
    fn statements(&self, now: u64) -> Vec<Statement> {
        let primary = &self.public_key.primary_key;
        let details = &self.public_key.details;
        let direct = details
            .direct_signatures
            .iter()
            .filter(|signature| signature.typ() == Some(SignatureType::Key) && signature.verify_key(primary).is_ok());
        let direct = newest(direct, now).map(Statement::of);
        let mut users: Vec<(u64, Statement)> = details
            .users
            .iter()
            .filter_map(|user| {
                let own = || {
                    user.signatures
                        .iter()
                        .filter(|signature| certifies(signature, primary, user))
                };
                let is_revocation = |signature: &&Signature| signature.typ() == Some(SignatureType::CertRevocation);
                let newest_one = newest(own().filter(|signature| !is_revocation(signature)), now)?;
                let revoked = newest(own().filter(is_revocation), now);
                let statement = Statement {
                    // With user ids, one that says nothing of an end leaves the word to the others.
                    lifetime: Statement::of(newest_one).lifetime.filter(|lifetime| *lifetime > 0),
                    ..Statement::of(newest_one)
                };
                revoked
                    .is_none_or(|revoked| created(revoked) < created(newest_one))
                    .then_some((created(newest_one), statement))
            })
            .collect();
        users.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
        direct
            .into_iter()
            .chain(users.into_iter().map(|(_, statement)| statement))
            .collect()
    }
}

/// What is known of a part.
struct State {
    is_revoked: bool,
    /// Whether it belongs to a key.
    is_bound: bool,
    signs: bool,
    /// Seconds from its creation on; 0 means for ever.
    lifetime: Option<u64>,
}

/// What a signature says of a key.
struct Statement {
    /// Whether it may sign data.
    flags: Option<bool>,
    lifetime: Option<u64>,
}

impl Statement {
    fn of(signature: &Signature) -> Self {
        let subpackets = signature
            .config()
            .into_iter()
            .flat_map(SignatureConfig::hashed_subpackets);
        let mut flags = subpackets.filter_map(|subpacket| match &subpacket.data {
            SubpacketData::KeyFlags(flags) => Some(flags.sign()),
            _ => None,
        });
        Self {
            flags: flags.next(),
            lifetime: signature
                .key_expiration_time()
                .map(|lifetime| u64::from(lifetime.as_secs())),
        }
    }
}

/// The newest signature that has not expired itself.
fn newest<'s>(signatures: impl Iterator<Item = &'s Signature>, now: u64) -> Option<&'s Signature> {
    let holds = |signature: &&Signature| {
        let lifetime = signature
            .signature_expiration_time()
            .map_or(0, |lifetime| u64::from(lifetime.as_secs()));
        lifetime == 0 || created(signature) + lifetime > now
    };
    signatures.filter(holds).max_by_key(|signature| created(signature))
}

/// Seconds since the epoch.
fn created(signature: &Signature) -> u64 {
    signature.created().map_or(0, |time| u64::from(time.as_secs()))
}

/// Whether it is the primary key's own signature of a user id, or takes one back.
fn certifies(signature: &Signature, primary: &PublicKey, user: &SignedUser) -> bool {
    signature.verify_certification(primary, Tag::UserId, &user.id).is_ok()
}

/// Whether the subkey agrees to belong to the key, without which anybody could claim its signatures.
fn agrees(binding: &Signature, primary: &PublicKey, subkey: &PublicSubkey) -> bool {
    let back = binding.embedded_signature();
    back.is_some_and(|back| back.verify_primary_key_binding(subkey, primary).is_ok())
}

/// The address in a user id: between angle brackets, or all of it.
fn address_of(user: &str) -> Option<&str> {
    let inner = user.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
    let address = inner.map_or(user, |(address, _)| address);
    address.contains('@').then_some(address)
}

fn fingerprint(key: &impl KeyDetails) -> String {
    format!("{:X}", key.fingerprint())
}

fn secret_parts(key: SignedSecretKey) -> Vec<Arc<SecretPart>> {
    let primary = SecretPart::primary(key.primary_key);
    let subkeys = key
        .secret_subkeys
        .into_iter()
        .map(|subkey| SecretPart::subkey(subkey.key));
    let parts = std::iter::once(primary).chain(subkeys);
    parts.filter(SecretPart::has_secret).map(Arc::new).collect()
}

/// The key without what others signed, and of every user id with the newest signature only: what `export-minimal` means to gpg.
fn own_signatures_only(key: &SignedPublicKey) -> SignedPublicKey {
    let mut key = key.clone();
    let primary = key.primary_key.clone();
    key.details.users.retain_mut(|user| {
        let own = user
            .signatures
            .iter()
            .filter(|signature| certifies(signature, &primary, user));
        let newest = own.max_by_key(|signature| created(signature)).cloned();
        user.signatures = newest.into_iter().collect();
        !user.signatures.is_empty()
    });
    key.details.user_attributes.clear();
    key
}
