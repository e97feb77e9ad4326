//! From the bytes of a file to the keys in it (RFC 4880, sections 4, 6 and 11).
//!
//! What is cut off or is no packet makes the whole file damaged. The library would pass over incomplete packets, and read only the first
//! of several blocks in armour.

use std::io::Read as _;

use pgp::armor::{BlockType, Dearmor};
use pgp::composed::{SignedPublicKey, SignedPublicKeyParser, SignedSecretKey, SignedSecretKeyParser};
use pgp::errors::Error;
use pgp::packet::{Packet, PacketHeader, PacketTrait as _};
use pgp::types::{PacketLength, Tag};
use zeroize::Zeroizing;

/// A key of a file.
pub(super) enum Key {
    Secret(Box<SignedSecretKey>),
    /// Its public part only.
    Public(Box<SignedPublicKey>),
}

/// Reads all keys; `None` if there is none, or anything else. Why is not said: the library's messages may show what they are about.
pub(super) fn keys(bytes: &[u8]) -> Option<Vec<Key>> {
    // The first bit of a packet is set, and no text begins with one.
    let is_binary = bytes.first()? & 0x80 != 0;
    let mut keys = Vec::new();
    if is_binary {
        keys.extend(keys_of(bytes)?);
    } else {
        for block in blocks(bytes)? {
            keys.extend(keys_of(&dearmoured(block)?)?);
        }
    }
    (!keys.is_empty()).then_some(keys)
}

/// The armoured blocks of a text, each from its first line to its last. Around them may be anything.
fn blocks(text: &[u8]) -> Option<Vec<&[u8]>> {
    let mut blocks = Vec::new();
    let mut begun = None;
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let end = at + line.len();
        match begun {
            None if line.starts_with(b"-----BEGIN PGP ") => begun = Some(at),
            Some(start) if line.starts_with(b"-----END PGP ") => {
                blocks.push(&text[start..end]);
                begun = None;
            }
            _ => {}
        }
        at = end;
    }
    begun.is_none().then_some(blocks)
}

fn dearmoured(block: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut dearmor = Dearmor::new(block);
    dearmor.read_header().ok()?;
    if !matches!(dearmor.typ, Some(BlockType::PrivateKey | BlockType::PublicKey)) {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(block.len()));
    dearmor.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn keys_of(bytes: &[u8]) -> Option<Vec<Key>> {
    let mut keys: Vec<Vec<Packet>> = Vec::new();
    for packet in packets(bytes)? {
        match packet.tag() {
            Tag::SecretKey | Tag::PublicKey => keys.push(vec![packet]),
            _ => keys.last_mut()?.push(packet),
        }
    }
    keys.into_iter().map(key).collect()
}

/// The key that a primary key and what follows it make.
fn key(packets: Vec<Packet>) -> Option<Key> {
    let is_secret = packets.first()?.tag() == Tag::SecretKey;
    let packets = packets.into_iter().map(Ok).peekable();
    if is_secret {
        let key = SignedSecretKeyParser::from_packets(packets).next()?.ok()?;
        Some(Key::Secret(Box::new(key)))
    } else {
        let key = SignedPublicKeyParser::from_packets(packets).next()?.ok()?;
        Some(Key::Public(Box::new(key)))
    }
}

/// The packets that have to do with keys. Those of a kind or version that the library does not know are left out, as the standard wants.
fn packets(bytes: &[u8]) -> Option<Vec<Packet>> {
    let mut packets = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let header = PacketHeader::try_from_reader(&mut rest).ok()?;
        let PacketLength::Fixed(length) = header.packet_length() else {
            return None;
        };
        let (body, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        rest = behind;
        match Packet::from_reader(header, body) {
            // GnuPG's own key rings have trust between the keys.
            Ok(packet) if matches!(packet.tag(), Tag::Marker | Tag::Padding | Tag::Trust) => {}
            Ok(packet) => packets.push(packet),
            Err(error) if is_unknown(&error) => {}
            Err(_) => return None,
        }
    }
    Some(packets)
}

fn is_unknown(error: &Error) -> bool {
    match error {
        Error::Unsupported { .. } => true,
        Error::InvalidPacketContent { source } => is_unknown(source),
        _ => false,
    }
}
