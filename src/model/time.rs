//! Timestamps.

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use sea_orm::DeriveValueType;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Invalid;

/// Microseconds since 1970-01-01T00:00:00Z.
///
/// An integer, so that both databases store and compare it alike. Messages are never ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Parses an RFC 3339 time. Digits beyond microseconds are cut off.
    ///
    /// # Errors
    /// `text` is not such a time. The error names `argument`.
    pub fn parse(argument: &str, text: &str) -> Result<Self, Invalid> {
        DateTime::parse_from_rfc3339(text)
            .map(|time| Self(time.timestamp_micros()))
            .map_err(|_| Invalid::new(argument, "must be an RFC 3339 time with offset"))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }
}

/// RFC 3339 in UTC with six digits: `2026-11-21T09:30:00.123456Z`.
impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = DateTime::from_timestamp_micros(self.0).unwrap_or_default().naive_utc();
        if !(0..=9999).contains(&time.year()) {
            return f.write_str(&time.and_utc().to_rfc3339_opts(SecondsFormat::Micros, true));
        }
        // Written by hand for speed: every message of a page has one.
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let mut put = |at: usize, digits: usize, mut value: u32| {
            for place in text[at..at + digits].iter_mut().rev() {
                *place = b'0' + (value % 10) as u8;
                value /= 10;
            }
        };
        put(0, 4, time.year().unsigned_abs());
        put(5, 2, time.month());
        put(8, 2, time.day());
        put(11, 2, time.hour());
        put(14, 2, time.minute());
        put(17, 2, time.second());
        put(20, 6, time.and_utc().timestamp_subsec_micros());
        f.write_str(std::str::from_utf8(&text).map_err(|_| std::fmt::Error)?)
    }
}

/// As [`Display`](std::fmt::Display) writes it.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An RFC 3339 time.
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse("time", &text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_written_with_microseconds_in_utc() {
        let time = Timestamp::parse("at", "2026-11-21T10:30:00.1234567+01:00").unwrap();
        assert_eq!(time.to_string(), "2026-11-21T09:30:00.123456Z");
        assert_eq!(Timestamp::parse("at", &time.to_string()).unwrap(), time);
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000000Z");
    }

    proptest! {
        #[test]
        fn is_written_as_the_library_writes_it(micros in any::<i64>(), recent in 0..4_102_444_800_000_000i64) {
            for time in [Timestamp(micros), Timestamp(recent)] {
                let library = DateTime::from_timestamp_micros(time.0).unwrap_or_default();
                prop_assert_eq!(time.to_string(), library.to_rfc3339_opts(SecondsFormat::Micros, true));
            }
        }
    }

    #[test]
    fn a_time_without_offset_is_refused() {
        assert!(Timestamp::parse("at", "2026-11-21T10:30:00").is_err());
    }
}
