//! Counts the bytes of the message that a client is sending, and splits large frames.
//!
//! The WebSocket library allocates a buffer for a frame when it has read the header, as large as the header
//! says, and keeps it for later frames. So a few bytes could allocate megabytes, and one large message would
//! take its memory until the WebSocket closes. The meter splits large frames into fragments
//! (RFC 6455, 5.4): the library then stores a message as it arrives, and gives all of it away.

use crate::memory::UNRESERVED_REQUEST_BYTES;

/// The largest payload of a frame that is passed on. Larger frames are split. It is a multiple of the length
/// of a masking key, so all parts of a frame have the same key.
pub(super) const MAX_PAYLOAD_BYTES: usize = 4 * 1024;

/// The longest header of a frame (RFC 6455, 5.2).
pub(super) const MAX_HEADER_BYTES: usize = 14;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
/// The bit of the opcode that control frames have.
const CONTROL: u8 = 0x08;
/// The payload lengths that mean: the length follows in 2 or 8 bytes.
const TWO_BYTES: u8 = 126;
const EIGHT_BYTES: u8 = 127;

type MaskingKey = [u8; 4];

/// The state of the frames that a client sends.
#[derive(Debug)]
pub(super) struct FrameMeter {
    /// The payload of the current message so far, in all of its fragments.
    message_bytes: usize,
    /// The payload that the current message may have without more memory.
    allowed_bytes: usize,
    /// The payload that any message may have.
    limit: usize,
    /// The payload of the current frame that has not been received.
    frame_rest: u64,
    /// The part of it that belongs to a header that was passed on.
    part_rest: usize,
    masking_key: Option<MaskingKey>,
    is_final: bool,
    is_control: bool,
    /// Whether data frames are dropped.
    discards: bool,
    /// The received bytes of an incomplete header.
    header: [u8; MAX_HEADER_BYTES],
    header_bytes: u8,
}

/// The reason why the current message cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Blocked {
    /// It is larger than any message may be.
    TooLarge,
    /// It needs more memory.
    MemoryRequired,
}

impl FrameMeter {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            message_bytes: 0,
            allowed_bytes: UNRESERVED_REQUEST_BYTES,
            limit,
            frame_rest: 0,
            part_rest: 0,
            masking_key: None,
            is_final: false,
            is_control: false,
            discards: false,
            header: [0; MAX_HEADER_BYTES],
            header_bytes: 0,
        }
    }

    /// The payload that a message may have.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The payload that the current message may have without more memory.
    pub(super) fn allowed_bytes(&self) -> usize {
        self.allowed_bytes
    }

    /// Lets the current message have more. The next message is not affected.
    pub(super) fn allow(&mut self, bytes: usize) {
        self.allowed_bytes = bytes;
    }

    /// Drops data frames from now on, except for parts whose headers were passed on. Only control frames are
    /// passed on.
    pub(super) fn discard_data(&mut self) {
        self.discards = true;
    }

    /// Whether data frames are dropped.
    pub(super) fn discards(&self) -> bool {
        self.discards
    }

    /// Why no more bytes may be read.
    pub(super) fn blocked(&self) -> Option<Blocked> {
        let frame_rest = if self.is_control { 0 } else { self.frame_rest };
        if self.discards {
            None
        } else if frame_rest.saturating_add(self.message_bytes as u64) > self.limit as u64 {
            Some(Blocked::TooLarge)
        } else {
            let next = self.message_bytes + usize::from(frame_rest > 0);
            (next > self.allowed_bytes).then_some(Blocked::MemoryRequired)
        }
    }

    /// The most bytes that may be read at once. At least 1 unless it is [`blocked`](Self::blocked). Bytes of the
    /// frames that follow the current one count when they have been read.
    pub(super) fn max_read(&self) -> usize {
        let mut most = MAX_PAYLOAD_BYTES;
        if !self.discards {
            if self.frame_rest > self.part_rest as u64 {
                most = most.min(self.part_rest);
            }
            let allowed = self.allowed_bytes.saturating_sub(self.message_bytes);
            if !self.is_control && self.frame_rest > allowed as u64 {
                most = most.min(allowed);
            }
        }
        most
    }

    /// The bytes of an incomplete header, and how many are missing at least.
    pub(super) fn incomplete_header(&self) -> Option<(&[u8], usize)> {
        let header = &self.header[..usize::from(self.header_bytes)];
        let complete = header.get(1).map_or(2, |second| FrameHeader::length(*second));
        (!header.is_empty()).then_some((header, complete - header.len()))
    }

    /// Counts received bytes: at most [`max_read`](Self::max_read), or an incomplete header and what was missing.
    /// Returns how many bytes are to be passed on. They replace the received ones. Incomplete headers are kept.
    pub(super) fn receive(&mut self, bytes: &mut [u8]) -> usize {
        self.header_bytes = 0;
        let (mut read, mut written) = (0, 0);
        while read < bytes.len() {
            let received = bytes.len() - read;
            if self.part_rest > 0 {
                let length = received.min(self.part_rest);
                bytes.copy_within(read..read + length, written);
                self.part_rest -= length;
                self.count(length);
                (read, written) = (read + length, written + length);
            } else if self.frame_rest > 0 {
                let length = usize::try_from(self.frame_rest).unwrap_or(usize::MAX).min(received);
                self.count(length);
                read += length;
            } else if let Some(header) = FrameHeader::parse(&bytes[read..]) {
                let from = read;
                read += header.bytes;
                self.begin(&header);
                if self.discards && !self.is_control {
                    continue;
                }
                if header.payload > MAX_PAYLOAD_BYTES as u64 {
                    let (part, length) = self.begin_part(header.first & !FIN);
                    // It is not longer than the header of the frame.
                    bytes[written..written + length].copy_from_slice(&part[..length]);
                    written += length;
                } else {
                    self.part_rest = usize::try_from(header.payload).unwrap_or_default();
                    bytes.copy_within(from..read, written);
                    written += header.bytes;
                }
            } else {
                self.header[..received].copy_from_slice(&bytes[read..]);
                self.header_bytes = u8::try_from(received).unwrap_or_default();
                break;
            }
        }
        written
    }

    /// Begins the next part of a frame that is split, if the one before is complete. Returns its header.
    pub(super) fn next_part(&mut self) -> Option<([u8; MAX_HEADER_BYTES], usize)> {
        if self.part_rest > 0 || self.frame_rest == 0 || self.discards {
            return None;
        }
        let is_last = self.is_final && self.frame_rest <= MAX_PAYLOAD_BYTES as u64;
        Some(self.begin_part(if is_last { FIN } else { 0 }))
    }

    fn begin(&mut self, header: &FrameHeader) {
        self.is_final = header.first & FIN != 0;
        self.is_control = header.first & CONTROL != 0;
        self.masking_key = header.masking_key;
        self.frame_rest = header.payload;
        if header.payload == 0 {
            self.end_frame();
        }
    }

    fn begin_part(&mut self, first: u8) -> ([u8; MAX_HEADER_BYTES], usize) {
        self.part_rest = usize::try_from(self.frame_rest).unwrap_or(usize::MAX).min(MAX_PAYLOAD_BYTES);
        let mut header = [0; MAX_HEADER_BYTES];
        header[0] = first;
        let mut length = 2;
        match u8::try_from(self.part_rest) {
            Ok(payload) if payload < TWO_BYTES => header[1] = payload,
            _ => {
                header[1] = TWO_BYTES;
                let payload = u16::try_from(self.part_rest).unwrap_or_default();
                header[2..4].copy_from_slice(&payload.to_be_bytes());
                length = 4;
            }
        }
        if let Some(key) = self.masking_key {
            header[1] |= MASKED;
            header[length..length + key.len()].copy_from_slice(&key);
            length += key.len();
        }
        (header, length)
    }

    fn count(&mut self, payload: usize) {
        self.frame_rest -= payload as u64;
        if !self.is_control {
            self.message_bytes = self.message_bytes.saturating_add(payload);
        }
        if self.frame_rest == 0 {
            self.end_frame();
        }
    }

    fn end_frame(&mut self) {
        if self.is_final && !self.is_control {
            self.message_bytes = 0;
            self.allowed_bytes = UNRESERVED_REQUEST_BYTES;
        }
    }
}

/// The header of a frame (RFC 6455, 5.2).
struct FrameHeader {
    /// The length of the header itself.
    bytes: usize,
    /// FIN, the reserved bits and the opcode.
    first: u8,
    payload: u64,
    masking_key: Option<MaskingKey>,
}

impl FrameHeader {
    /// The length of a header with this second byte.
    fn length(second: u8) -> usize {
        let extended = match second & !MASKED {
            TWO_BYTES => 2,
            EIGHT_BYTES => 8,
            _ => 0,
        };
        2 + extended + if second & MASKED == 0 { 0 } else { size_of::<MaskingKey>() }
    }

    /// The header at the beginning of these bytes. `None` if it is incomplete.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (first, second) = (*bytes.first()?, *bytes.get(1)?);
        let header = bytes.get(..Self::length(second))?;
        let payload = match second & !MASKED {
            TWO_BYTES => u16::from_be_bytes(*header[2..].first_chunk()?).into(),
            EIGHT_BYTES => u64::from_be_bytes(*header[2..].first_chunk()?),
            short => short.into(),
        };
        let masking_key = (second & MASKED != 0).then(|| header.last_chunk().copied()).flatten();
        Some(Self { bytes: header.len(), first, payload, masking_key })
    }
}

#[cfg(test)]
mod tests;
