//! Makes and checks OpenPGP signatures with the user's GnuPG.
//!
//! Farm has no cryptography of its own and never sees a secret key: whatever GnuPG can sign with (a key ring, a smart card,
//! an agent on another machine), farm can. [`Gpg`] says which `gpg` is called, with which environment and key ring;
//! [`SigningKey`] is a key of it that can sign now, [`KeyRing`] checks signatures as Portage does,
//! [`PublicKeys`] checks those of files by the keys of another file, and [`NewKey`] makes a first key.
//!
//! # Signatures are reproducible
//!
//! A signature tells when it was made. [`SigningKey::at`] has it tell a time that is given, and of two signatures of the
//! same bytes with the same time every byte is the same: GnuPG signs with Ed25519 and RSA without any chance, and with ECDSA
//! and DSA as RFC 6979 has it. (Of smart cards this is not known. What is different is published as a new instance.)
//! The time is never one at which the key was not there yet, or had expired, which no verifier would take. That a key has expired, or was
//! revoked, is found out by the real time before: a signature that looks older than it is must not outlive its key.

mod colons;
mod error;
mod gpg;
mod key;
mod key_name;
mod key_ring;
mod new_key;
mod public_keys;
mod sign;
mod status;
mod verdict;

pub use error::{ErrorKind, SigningError};
pub use gpg::Gpg;
pub use key::{SigningKey, is_name_of};
pub use key_ring::KeyRing;
pub use new_key::{EXPIRES_AFTER, NewKey};
pub use public_keys::PublicKeys;
pub use sign::SignerAt;
