//! Kubernetes quantities, as far as volumes have them.

/// Bytes of `10Gi`, `1.5G` or `4096`, rounded up. `None` if it cannot be read.
pub fn bytes(quantity: &str) -> Option<u128> {
    const DIGITS: usize = 9;
    let unit_at = quantity.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = quantity.split_at(unit_at.unwrap_or(quantity.len()));
    let factor: u128 = match unit {
        "" => 1,
        "k" => 1000,
        "M" => 1000_u128.pow(2),
        "G" => 1000_u128.pow(3),
        "T" => 1000_u128.pow(4),
        "P" => 1000_u128.pow(5),
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || whole.len() > 18 || part.len() > DIGITS {
        return None;
    }
    let whole: u128 = whole.parse().ok()?;
    let part: u128 = format!("{part:0<DIGITS$}").parse().ok()?;
    let scale = 10_u128.pow(9);
    Some((whole * scale + part).checked_mul(factor)?.div_ceil(scale))
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_compared_by_their_bytes() {
        assert_eq!(bytes("1Gi"), bytes("1024Mi"));
        assert_eq!(bytes("1.5Gi"), Some(1_610_612_736));
        assert_eq!(bytes("2G"), Some(2_000_000_000));
        assert_eq!(bytes("123"), Some(123));
        assert_eq!(bytes("1.0000000001Gi"), None);
        assert_eq!(bytes("many"), None);
    }
}
