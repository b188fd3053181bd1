//! From a symbol's text to the bytes of a message: Base45 and zlib, both strictly and within bounds.

use std::io::Read;

use flate2::read::ZlibDecoder;

/// The longest text a QR symbol holds in alphanumeric mode (ISO/IEC 18004, version 40-L).
pub const MAX_TEXT: usize = 4296;
/// Inflated message. Stops a 1 KiB code from becoming a megabyte.
pub const MAX_INFLATED: usize = 16 * 1024;

/// Decodes Base45 (RFC 9285) and refuses every other spelling of the same bytes.
///
/// # Errors
/// `bad-base45` for a character outside the alphabet, a length of 1 modulo 3, a group above 65535 or a pair above 255.
pub fn base45(text: &str) -> Result<Vec<u8>, &'static str> {
    if text.len() > MAX_TEXT {
        return Err("text-too-long");
    }
    let bytes = base45::decode(text).map_err(|_| "bad-base45")?;
    // The crate takes some spellings that RFC 9285 §6 forbids (a pair above 255): only the one that encodes back is good.
    if base45::encode(&bytes) == text { Ok(bytes) } else { Err("bad-base45") }
}

/// Inflates a zlib stream (RFC 1950) that fills `bytes`.
///
/// # Errors
/// `bad-zlib` for a stream that is damaged, cut short or followed by more bytes; `inflated-too-long` beyond [`MAX_INFLATED`].
pub fn inflate(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut decoder = ZlibDecoder::new(bytes);
    let mut inflated = Vec::with_capacity(1024);
    let limit = MAX_INFLATED as u64 + 1;
    decoder.by_ref().take(limit).read_to_end(&mut inflated).map_err(|_| "bad-zlib")?;
    if inflated.len() > MAX_INFLATED {
        return Err("inflated-too-long");
    }
    // A decoder that stops early has not seen the checksum; one that is at its end says so with an empty read.
    if decoder.read(&mut [0]).map_err(|_| "bad-zlib")? != 0 || decoder.total_in() != bytes.len() as u64 {
        return Err("bad-zlib");
    }
    Ok(inflated)
}

/// Whether bytes begin a zlib stream: compression method 8 and a header that is a multiple of 31 (RFC 1950 §2.2).
///
/// The first byte of a COSE_Sign1 is 0xd2 or 0x84, so the two never look alike.
#[must_use]
pub fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [cmf, flg, ..] if cmf & 0x0f == 8 && (u16::from(*cmf) * 256 + u16::from(*flg)).is_multiple_of(31))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).expect("writing to memory");
        encoder.finish().expect("writing to memory")
    }

    #[test]
    fn the_examples_of_rfc_9285_decode() {
        for (text, bytes) in
            [("BB8", "AB"), ("%69 VD92EX0", "Hello!!"), ("UJCLQE7W581", "base-45"), ("QED8WEX0", "ietf!")]
        {
            assert_eq!(base45(text).as_deref(), Ok(bytes.as_bytes()), "{text}");
        }
        assert_eq!(base45(""), Ok(Vec::new()));
    }

    #[test]
    fn strict_base45() {
        for (text, fault) in [
            ("GGW", "a group above 65535"),
            (":::", "the highest group"),
            ("::", "a pair above 255"),
            ("U6", "a pair of 276"),
            ("B", "a length of 1 modulo 3"),
            ("BB8B", "a length of 1 modulo 3"),
            ("bb8", "lower case"),
            ("BB8\n", "a line end"),
            ("BB=", "a character outside the alphabet"),
            ("ÅB8", "a letter beyond ASCII"),
        ] {
            assert_eq!(base45(text), Err("bad-base45"), "{fault}");
        }
        assert_eq!(base45(&"0".repeat(MAX_TEXT + 1)), Err("text-too-long"));
    }

    #[test]
    fn a_mebibyte_bomb_in_a_kibibyte_is_refused() {
        let bomb = deflate(&vec![0; 1 << 20]);
        assert!(bomb.len() < 1200);
        assert_eq!(inflate(&bomb), Err("inflated-too-long"));
        assert_eq!(inflate(&deflate(&vec![0; MAX_INFLATED])).map(|bytes| bytes.len()), Ok(MAX_INFLATED));
    }

    #[test]
    fn a_stream_that_is_cut_or_followed_or_changed_is_refused() {
        let good = deflate(b"a pass code");
        assert!(is_zlib(&good));
        assert_eq!(inflate(&good).as_deref(), Ok(&b"a pass code"[..]));
        assert_eq!(inflate(&good[..good.len() - 1]), Err("bad-zlib"));
        assert_eq!(inflate(&[&good[..], &[0]].concat()), Err("bad-zlib"));
        let mut changed = good.clone();
        *changed.last_mut().expect("not empty") ^= 1;
        assert_eq!(inflate(&changed), Err("bad-zlib"));
    }
}
