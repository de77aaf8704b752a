//! Durations and sizes as people write them.

use thiserror::Error;

/// Pattern of a duration: a whole number and a unit.
pub(crate) const DURATION: &str = "^[0-9]{1,10}(ms|s|m|h|d)$";
/// The same, or for ever.
pub(crate) const DURATION_OR_FOREVER: &str = "^(Forever|[0-9]{1,10}(ms|s|m|h|d))$";
/// The same, or not at all.
pub(crate) const DURATION_OR_NEVER: &str = "^(Never|[0-9]{1,10}(ms|s|m|h|d))$";
/// Pattern of a size in bytes.
pub(crate) const SIZE: &str = "^[0-9]{1,15}(Ki|Mi|Gi|Ti|k|M|G|T)?$";
/// Pattern of bytes a second, one at least.
pub(crate) const RATE: &str = "^[1-9][0-9]{0,14}(Ki|Mi|Gi|Ti|k|M|G|T)?$";
/// A size, or without a bound.
pub(crate) const SIZE_OR_UNLIMITED: &str = "^(Unlimited|[0-9]{1,15}(Ki|Mi|Gi|Ti|k|M|G|T)?)$";

/// Why a duration or size cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnitError {
    #[error("{0:?} is not a whole number with a unit")]
    Malformed(String),
    #[error("{0:?} is too large")]
    TooLarge(String),
}

fn scaled(text: &str, units: &[(&str, i64)]) -> Result<i64, UnitError> {
    let digits = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let malformed = || UnitError::Malformed(text.to_owned());
    let factor = units
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, factor)| *factor)
        .ok_or_else(malformed)?;
    if number.is_empty() {
        return Err(malformed());
    }
    number
        .parse::<i64>()
        .ok()
        .and_then(|n| n.checked_mul(factor))
        .ok_or_else(|| UnitError::TooLarge(text.to_owned()))
}

/// Milliseconds of `90s`, `168h`, `7d`, `250ms`; `Forever` is -1.
///
/// # Errors
/// The text is not a whole number with one of the units ms, s, m, h, d, or does not fit.
pub fn parse_millis(text: &str) -> Result<i64, UnitError> {
    if text == "Forever" {
        return Ok(-1);
    }
    let units = [
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
    scaled(text, &units)
}

/// Bytes of `1Gi`, `500M`, `1048588`; `Unlimited` is -1.
///
/// # Errors
/// The text is not a whole number with a known suffix, or does not fit.
pub fn parse_bytes(text: &str) -> Result<i64, UnitError> {
    if text == "Unlimited" {
        return Ok(-1);
    }
    let units = [
        ("", 1),
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
    ];
    scaled(text, &units)
}

/// The largest unit that divides the number, and how many of it there are.
fn divided(number: i64, units: &[(&str, i64)]) -> Option<String> {
    let fits = |(_, factor): &&(&str, i64)| number % factor == 0;
    let (name, factor) = units.iter().find(fits)?;
    Some(format!("{}{name}", number / factor))
}

/// Milliseconds as they are written, shortest: `7d`, `90s`; -1 is `Forever`. `None` for other
/// negative numbers and those that have no room.
pub fn format_millis(ms: i64) -> Option<String> {
    let units = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    match ms {
        -1 => Some("Forever".to_owned()),
        0 => Some("0ms".to_owned()),
        1.. => divided(ms, &units).filter(|text| within(text, 10)),
        _ => None,
    }
}

/// Bytes as they are written, shortest: `64Mi`; -1 is `Unlimited`. `None` for other negative
/// numbers and those that have no room.
pub fn format_bytes(bytes: i64) -> Option<String> {
    let units = [
        ("Ti", 1 << 40),
        ("Gi", 1 << 30),
        ("Mi", 1 << 20),
        ("Ki", 1 << 10),
        ("", 1),
    ];
    match bytes {
        -1 => Some("Unlimited".to_owned()),
        0 => Some("0".to_owned()),
        1.. => divided(bytes, &units).filter(|text| within(text, 15)),
        _ => None,
    }
}

/// Whether the schema's patterns have room for the digits.
fn within(text: &str, digits_max: usize) -> bool {
    text.chars().filter(char::is_ascii_digit).count() <= digits_max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_with_their_units() {
        assert_eq!(parse_millis("168h"), Ok(604_800_000));
        assert_eq!(parse_millis("250ms"), Ok(250));
        assert_eq!(parse_millis("Forever"), Ok(-1));
        assert_eq!(parse_bytes("1Gi"), Ok(1 << 30));
        assert_eq!(parse_bytes("1048588"), Ok(1_048_588));
        assert_eq!(parse_bytes("Unlimited"), Ok(-1));
    }

    #[test]
    fn what_is_written_reads_as_the_same() {
        for ms in [-1, 0, 1, 250, 90_000, 3_600_000, 604_800_000] {
            let text = format_millis(ms).expect("it has room");
            assert_eq!(parse_millis(&text), Ok(ms), "{text}");
        }
        for bytes in [-1, 0, 1, 1_048_588, 1 << 30, 3 << 20] {
            let text = format_bytes(bytes).expect("it has room");
            assert_eq!(parse_bytes(&text), Ok(bytes), "{text}");
        }
        assert_eq!(format_millis(604_800_000).as_deref(), Some("7d"));
        assert_eq!(format_bytes(64 << 20).as_deref(), Some("64Mi"));
        assert_eq!(format_millis(-2), None);
        assert_eq!(format_millis(i64::MAX), None);
    }

    #[test]
    fn wrong_units_are_refused() {
        for text in ["", "h", "10", "10 h", "1w", "-1s"] {
            assert!(parse_millis(text).is_err(), "{text}");
        }
        assert_eq!(
            parse_bytes("9999999999999Ti"),
            Err(UnitError::TooLarge("9999999999999Ti".to_owned()))
        );
    }
}
