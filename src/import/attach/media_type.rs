//! The media type of a file whose source does not say it.

/// The type of a file that begins with these bytes, and the ending of its name.
pub(super) fn of_content(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let at = |offset: usize, magic: &[u8]| start.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let riff = |kind: &[u8]| at(0, b"RIFF") && at(8, kind);
    Some(if at(0, b"\x89PNG\r\n\x1a\n") {
        ("image/png", "png")
    } else if at(0, b"\xff\xd8\xff") {
        ("image/jpeg", "jpg")
    } else if at(0, b"GIF8") {
        ("image/gif", "gif")
    } else if riff(b"WEBP") {
        ("image/webp", "webp")
    } else if at(4, b"ftypavif") {
        ("image/avif", "avif")
    } else if riff(b"WAVE") {
        ("audio/wav", "wav")
    } else if at(0, b"ID3") {
        ("audio/mpeg", "mp3")
    } else if at(0, b"OggS") {
        ("audio/ogg", "ogg")
    } else if at(4, b"ftyp") {
        ("video/mp4", "mp4")
    } else if at(0, b"%PDF-") {
        ("application/pdf", "pdf")
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_files_are_known_by_their_first_bytes() {
        for (start, expected) in [
            (&b"\x89PNG\r\n\x1a\n"[..], Some("image/png")),
            (b"RIFF\0\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"RIFF\0\0\0\0WAVEfmt ", Some("audio/wav")),
            (b"\0\0\0\x1cftypavif", Some("image/avif")),
            (b"\0\0\0\x1cftypisom", Some("video/mp4")),
            (b"RIFF", None),
            (b"", None),
            (b"text", None),
        ] {
            assert_eq!(of_content(start).map(|found| found.0), expected, "{start:?}");
        }
    }
}
