//! Makes OpenPGP signatures with the user's GnuPG or with a key in a file, and checks them with GnuPG.
//!
//! With GnuPG, farm never sees a secret key: whatever it can sign with (a key ring, a smart card, an agent on another machine), farm
//! can. [`Gpg`] says which `gpg` is called, with which environment and key ring. [`KeyFile`] is for machines that have the secret key as
//! a file and no key ring, perhaps no gpg: an OpenPGP library (rPGP) reads it and signs. [`SigningKey`] is a key of either that can
//! sign now, [`KeyRing`] checks signatures as Portage does, and [`NewKey`] makes a first key.
//!
//! # A key in a file
//!
//! The secret is in the file that the user names and in memory, where the library wipes it (its buffers while it takes armour apart, it
//! does not), and nowhere else. No message has anything of the library's own, as some of its messages show what they are about; and it
//! tells secrets to whoever logs its innermost details, so that farm has no logger, and `deny.toml` keeps it so.
//!
//! RSA is done without blinding (RUSTSEC-2023-0071, "Marvin"): who can time many signatures closely might learn the key. A publisher
//! signs what it built itself, when it wants to, and answers nobody.
//!
//! # Signatures are reproducible
//!
//! A signature tells when it was made. [`SigningKey::at`] has it tell a time that is given, and of two signatures of the
//! same bytes with the same time every byte is the same: GnuPG signs with Ed25519 and RSA without any chance, and with ECDSA
//! and DSA as RFC 6979 has it. With a key in a file the bytes are the same as GnuPG's: only such kinds of keys sign from a file of which
//! that is so. (Of smart cards nothing is known. What is different is published as a new instance.)
//! The time is never one at which the key was not there yet, or had expired, which no verifier would take. That a key has expired, or was
//! revoked, is found out by the real time before: a signature that looks older than it is must not outlive its key.

mod choice;
mod colons;
mod error;
mod gpg;
mod key;
mod key_file;
mod key_name;
mod key_ring;
mod new_key;
mod sign;
mod status;

pub use error::{ErrorKind, SigningError};
pub use gpg::Gpg;
pub use key::{KeySource, SigningKey, is_name_of};
pub use key_file::KeyFile;
pub use key_ring::KeyRing;
pub use new_key::{EXPIRES_AFTER, NewKey};
pub use sign::SignerAt;
