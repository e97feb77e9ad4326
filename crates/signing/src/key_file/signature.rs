//! The bytes of a signature, in the form that gpg gives them (RFC 4880, sections 5.2, 6 and 7): whichever of the two signs, the bytes are
//! the same.

use std::io::Read;

use pgp::armor::{self, BlockType};
use pgp::composed::DetachedSignature;
use pgp::crypto::hash::HashAlgorithm;
use pgp::errors::Result as Made;
use pgp::packet::{PacketHeader, Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::ser::Serialize as _;
use pgp::types::{PacketHeaderVersion, PacketLength, Password, SigningKey, Tag, Timestamp};

use crate::SigningError;

/// Signs with a key that is unlocked, as if it were `time` (seconds since the epoch; OpenPGP's end in 2106).
pub(super) fn signature(
    key: &impl SigningKey,
    kind: SignatureType,
    time: u64,
    content: &mut dyn Read,
) -> Made<Signature> {
    let time = Timestamp::from_secs(u32::try_from(time).unwrap_or(u32::MAX));
    let mut config = SignatureConfig::v4(kind, key.algorithm(), HashAlgorithm::Sha512);
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
        Subpacket::regular(SubpacketData::SignatureCreationTime(time))?,
    ];
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(key.legacy_key_id()))?];
    config.sign(key, &Password::empty(), content)
}

/// Writes a signature in ASCII armour, with a checksum and a header of the old format, as gpg still does.
pub(super) fn armoured(signature: &Signature) -> Made<Vec<u8>> {
    let length = PacketLength::Fixed(u32::try_from(signature.write_len())?);
    let header = PacketHeader::from_parts(PacketHeaderVersion::Old, Tag::Signature, length)?;
    let parts = (signature.config(), signature.signed_hash_value(), signature.signature());
    let (Some(config), Some(hash), Some(bytes)) = parts else {
        return Err(pgp::errors::Error::InvalidArmorWrappers);
    };
    let old = Signature::v4(
        header,
        config.typ,
        config.pub_alg,
        config.hash_alg,
        hash,
        bytes.clone(),
        config.hashed_subpackets.clone(),
        config.unhashed_subpackets.clone(),
    );
    let mut armour = Vec::new();
    armor::write(
        &DetachedSignature::new(old),
        BlockType::Signature,
        &mut armour,
        None,
        true,
    )?;
    Ok(armour)
}

/// Puts `text` and the signature that `sign` makes of it into the frame of a clear-signed message.
///
/// What is signed are the lines without white space at their ends, with CR LF between them; the last end of line belongs to the
/// signature. Lines that begin with a dash have another one before them, and so do those with `From `, which programs that handle mail
/// change.
///
/// # Errors
/// What `sign` says; or a line has a carriage return in it, of which programs differ whether it ends a line.
pub(super) fn cleared(
    text: &str,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, SigningError>,
) -> Result<Vec<u8>, SigningError> {
    let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
    let bare: Vec<&str> = lines
        .iter()
        .map(|line| line.trim_end_matches([' ', '\t', '\r']))
        .collect();
    if bare.iter().any(|line| line.contains('\r')) {
        return Err(SigningError::CarriageReturn);
    }
    let signature = sign(bare.join("\r\n").as_bytes())?;
    let mut message = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n".to_owned();
    for line in lines {
        if line.starts_with('-') || line.starts_with("From ") {
            message += "- ";
        }
        message += line;
        message.push('\n');
    }
    let mut message = message.into_bytes();
    message.extend(signature);
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is signed, and the message without its signature.
    fn both(text: &str) -> (String, String) {
        let mut signed = Vec::new();
        let message = cleared(text, |bytes| {
            signed = bytes.to_vec();
            Ok(b"SIGNATURE".to_vec())
        });
        let message = String::from_utf8(message.unwrap()).unwrap();
        let message = message
            .strip_prefix("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n")
            .unwrap();
        let message = message.strip_suffix("SIGNATURE").unwrap().to_owned();
        (String::from_utf8(signed).unwrap(), message)
    }

    #[test]
    fn lines_are_signed_as_they_will_be_read() {
        let pair = |signed: &str, message: &str| (signed.to_owned(), message.to_owned());
        assert_eq!(
            both("DATA x 1\nDATA y 2\n"),
            pair("DATA x 1\r\nDATA y 2", "DATA x 1\nDATA y 2\n")
        );
        assert_eq!(both("no end"), pair("no end", "no end\n"));
        assert_eq!(both(""), pair("", "\n"));
        assert_eq!(both("a\n\n"), pair("a\r\n", "a\n\n"));
        assert_eq!(
            both("- a\n-----\nFrom x\nFromage\n"),
            pair(
                "- a\r\n-----\r\nFrom x\r\nFromage",
                "- - a\n- -----\n- From x\nFromage\n"
            )
        );
        assert_eq!(both("a \t\nb\r\n c\n"), pair("a\r\nb\r\n c", "a \t\nb\r\n c\n"));
    }

    #[test]
    fn a_carriage_return_within_a_line_is_refused() {
        let error = cleared("a\rb\n", |_| Ok(Vec::new())).unwrap_err();
        assert!(matches!(error, SigningError::CarriageReturn), "{error}");
    }
}
