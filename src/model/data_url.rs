//! `data:` URLs (RFC 2397): files inside a text.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding may be missing: browsers accept that, too.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether a text is a `data:` URL.
pub fn is_data_url(url: &str) -> bool {
    url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}

/// The file in a `data:` URL. `None`: it is not a valid one.
pub fn decode_data_url(url: &str) -> Option<Vec<u8>> {
    let (head, data) = is_data_url(url).then(|| url[5..].split_once(',')).flatten()?;
    let bytes = percent_decoded(data)?;
    let is_base64 = head.rsplit(';').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"));
    if !is_base64 || !head.contains(';') {
        return Some(bytes);
    }
    let text: Vec<u8> = bytes.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(text).ok()
}

/// The bytes of a text with percent-encodings.
fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_out() {
        for (url, file) in [
            ("data:text/plain;base64,aGVsbG8=", "hello"),
            ("DATA:;base64,aGVsbG8", "hello"),
            ("data:text/plain;charset=utf-8;BASE64,aGVs\nbG8%3D", "hello"),
            ("data:,a%20b+c", "a b+c"),
            ("data:text/plain,base64,x", "base64,x"),
            ("data:base64,aGVsbG8=", "aGVsbG8="),
            ("data:;base64,", ""),
        ] {
            assert_eq!(decode_data_url(url).as_deref(), Some(file.as_bytes()), "{url}");
        }
        for wrong in
            ["", "data:", "data:text/plain;base64", "https://a,b", "data:,%2", "data:,%zz", "data:;base64,*"]
        {
            assert_eq!(decode_data_url(wrong), None, "{wrong}");
        }
    }
}
