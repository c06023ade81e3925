//! The identity of a body: two deliveries with the same bytes have the same hash, whatever their ids say.
//!
//! Knows nothing of what the bytes mean.

use sha2::{Digest, Sha256};

/// Lower-case hexadecimal SHA-256 of the bytes.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text
}

/// A UUID of version 5, the version for names, because validators older than version 8 refuse 8. The hash is SHA-256.
pub(crate) fn uuid(hash: [u8; 32]) -> String {
    let (mut bytes, _) = hash.split_at(16);
    let mut text = String::with_capacity(36);
    for (width, fixed) in [(4, None), (2, None), (2, Some((0x0f, 0x50))), (2, Some((0x3f, 0x80))), (6, None)]
    {
        let (group, rest) = bytes.split_at(width);
        bytes = rest;
        let mut group = group.to_vec();
        if let (Some((mask, version)), Some(first)) = (fixed, group.first_mut()) {
            *first = *first & mask | version;
        }
        if !text.is_empty() {
            text.push('-');
        }
        text.push_str(&hex(&group));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_everybody_else_does() {
        assert_eq!(sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn one_bit_makes_another_content() {
        assert_ne!(sha256_hex(b"{\"id\":1}"), sha256_hex(b"{\"id\":2}"));
    }
}
