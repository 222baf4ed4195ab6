//! A limit for what a compressed file may become.

use std::io::{self, Read};

/// What may be unpacked without a look at the ratio.
const FREE_BYTES: u64 = 64 * 1024 * 1024;

/// The most bytes that one byte may become. JSON of chats becomes 3 to 20 times as large.
const MAX_RATIO: u64 = 200;

/// Reads what `reader` unpacks, and fails if it inflates too much.
pub(super) struct Guard<R, F> {
    reader: R,
    unpacked: u64,
    /// How many packed bytes there are, so far or in total.
    packed: F,
}

impl<R: Read, F: Fn() -> u64> Guard<R, F> {
    pub(super) fn new(reader: R, packed: F) -> Self {
        Self { reader, unpacked: 0, packed }
    }
}

impl<R: Read, F: Fn() -> u64> Read for Guard<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.unpacked += read as u64;
        if self.unpacked > FREE_BYTES && self.unpacked / MAX_RATIO > (self.packed)() {
            let why = format!("it inflates to more than {MAX_RATIO} times its size");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_inflates_too_much_fails() {
        let read = |size: u64, packed: u64| {
            let mut guard = Guard::new(io::repeat(b'x').take(size), move || packed);
            io::copy(&mut guard, &mut io::sink()).map_err(|error| error.to_string())
        };
        assert_eq!(read(FREE_BYTES, 1), Ok(FREE_BYTES));
        assert_eq!(read(FREE_BYTES * 2, FREE_BYTES * 2 / MAX_RATIO), Ok(FREE_BYTES * 2));
        assert!(read(FREE_BYTES * 2, 1000).unwrap_err().contains("200 times"));
    }
}
