//! Numbers of as few bytes as they need: LEB128.

use super::Corrupt;

pub(super) fn write(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number as u8) | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a number and moves `bytes` behind it.
pub(super) fn read(bytes: &mut &[u8]) -> Result<u64, Corrupt> {
    let mut number = 0;
    let mut shift = 0;
    loop {
        let (&byte, rest) = bytes.split_first().ok_or(Corrupt)?;
        *bytes = rest;
        if shift == 63 && byte > 1 {
            return Err(Corrupt);
        }
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
        shift += 7;
    }
}

/// Moves `bytes` behind so many numbers.
pub(super) fn skip(bytes: &mut &[u8], count: u32) -> Result<(), Corrupt> {
    let mut left = count;
    let mut end = 0;
    while left > 0 {
        left -= u32::from(*bytes.get(end).ok_or(Corrupt)? < 0x80);
        end += 1;
    }
    *bytes = &bytes[end..];
    Ok(())
}

pub(super) fn read_u32(bytes: &mut &[u8]) -> Result<u32, Corrupt> {
    u32::try_from(read(bytes)?).map_err(|_| Corrupt)
}

pub(super) fn read_len(bytes: &mut &[u8]) -> Result<usize, Corrupt> {
    usize::try_from(read(bytes)?).map_err(|_| Corrupt)
}

/// Takes the first `count` bytes.
pub(super) fn take<'b>(bytes: &mut &'b [u8], count: usize) -> Result<&'b [u8], Corrupt> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or(Corrupt)?;
    *bytes = rest;
    Ok(taken)
}

/// Signed numbers as unsigned ones, small where they are near 0.
pub(super) fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
