//! One form for all JSON texts of the same value.

use std::collections::BTreeMap;

use super::value::{JsonNumber, JsonValue};

/// Writes a value so that equal values have equal texts: keys sorted, numbers by what they come to.
///
/// Numbers that `i64` or `f64` hold exactly are written as `serde_json` writes these. Rows of before keys were
/// kept in order have fingerprints of that form.
pub(super) fn canonical(value: &JsonValue) -> String {
    match value {
        JsonValue::Number(number) => canonical_number(number),
        JsonValue::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        JsonValue::Object(fields) => {
            let sorted: BTreeMap<_, _> = fields.iter().collect();
            let field = |(name, value): (&String, &JsonValue)| {
                format!("{}:{}", JsonValue::from(name.as_str()), canonical(value))
            };
            format!("{{{}}}", sorted.into_iter().map(field).collect::<Vec<_>>().join(","))
        }
        JsonValue::Null | JsonValue::Boolean(_) | JsonValue::String(_) => value.to_string(),
    }
}

/// What a number comes to: its sign, its digits without zeros at either end, and the power of ten that these
/// are multiplied by.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i128,
}

impl Decimal {
    /// `None` if the exponent has so many digits that it cannot be reckoned with.
    fn of(text: &str) -> Option<Self> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_end_matches('0');
        if significant.is_empty() {
            return Some(Self { negative: false, digits: "0".into(), exponent: 0 });
        }
        let exponent = i128::from(exponent.parse::<i64>().ok()?) - i128::try_from(fraction.len()).ok()?
            + i128::try_from(digits.len() - significant.len()).ok()?;
        Some(Self { negative, digits: significant.trim_start_matches('0').into(), exponent })
    }

    fn whole(&self) -> Option<i64> {
        let zeros = usize::try_from(self.exponent).ok().filter(|zeros| *zeros < 20)?;
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}{}", self.digits, "0".repeat(zeros)).parse().ok()
    }
}

fn canonical_number(number: &JsonNumber) -> String {
    let text = number.as_str();
    let Some(decimal) = Decimal::of(text) else { return text.to_ascii_lowercase() };
    if let Some(whole) = decimal.whole() {
        return whole.to_string();
    }
    let float = text.parse::<f64>().ok().filter(|float| float.is_finite());
    let written = float.and_then(|float| serde_json::to_string(&float).ok());
    match written.filter(|written| Decimal::of(written).is_some_and(|of| of == decimal)) {
        Some(written) => written,
        None => {
            let sign = if decimal.negative { "-" } else { "" };
            format!("{sign}{}e{}", decimal.digits, decimal.exponent)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> String {
        canonical(&JsonValue::read(text.as_bytes()).unwrap())
    }

    #[test]
    fn equal_values_have_one_form() {
        for equal in [
            &["0", "-0", "0.000", "0e7", "-0E-7"][..],
            &["100", "1e2", "1E+2", "100.0", "10.0e1", "1000e-1"],
            &["-1.5", "-1.50", "-15e-1", "-0.15E1"],
            &["12345678901234567890123", "12345678901234567890123.0", "1.2345678901234567890123e22"],
            &["1e400", "10e399", "0.1e401"],
            &["1e-400", "0.1e-399"],
            &[r#"{"z":1,"a":{"y":[1.10],"x":2}}"#, r#"{ "a": {"x": 2.0, "y": [1.1]}, "z": 1e0 }"#],
            &[r#""\u0041\/""#, r#""A/""#],
        ] {
            for text in equal {
                assert_eq!(of(text), of(equal[0]), "{text}");
            }
        }
    }

    #[test]
    fn other_values_have_other_forms() {
        let texts = [
            "0",
            "1",
            "-1",
            "10",
            "0.1",
            "1.1",
            "12345678901234567890123",
            "12345678901234567890124",
            "1e400",
            "1e401",
            "1e-400",
            "-1e400",
            "\"1\"",
            "[1]",
            "[]",
            "{}",
            "[1,2]",
            "[2,1]",
            "null",
            "true",
            "1e99999999999999999999",
            "2e99999999999999999999",
        ];
        let forms: std::collections::BTreeSet<_> = texts.iter().map(|text| of(text)).collect();
        assert_eq!(forms.len(), texts.len());
    }

    proptest! {
        #[test]
        fn numbers_of_64_bits_keep_the_form_of_serde_json(whole in any::<i64>(), float in any::<f64>()) {
            prop_assert_eq!(of(&whole.to_string()), whole.to_string());
            let float = if float.is_finite() { float } else { 0.5 };
            let written = serde_json::to_string(&float).unwrap();
            prop_assert!(Decimal::of(&written).unwrap().whole().is_some() || of(&written) == written);
        }
    }
}
