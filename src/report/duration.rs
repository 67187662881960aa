//! Durations as Go writes and reads them; the clients know that form (`1h30m0s`, `4.32ms`, `60m`).
//!
//! Source: the Go standard library, `time.Duration.String` and `time.ParseDuration`.

use time::Duration;

/// Longest range that a report takes.
pub const RANGE_MAX: Duration = Duration::days(36_525);

const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

const DAY_NS: i128 = 86_400_000_000_000;

/// Writes a duration the way Go does.
pub fn to_text(duration: Duration) -> String {
    let total = duration.whole_nanoseconds();
    let sign = if total < 0 { "-" } else { "" };
    let total = total.unsigned_abs();
    if total == 0 {
        return "0s".to_owned();
    }
    if total < 1_000_000_000 {
        let (unit, size) = match total {
            ..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{sign}{}{unit}", decimal(total, size));
    }
    let (minutes, seconds) = (total / 60_000_000_000, total % 60_000_000_000);
    let seconds = decimal(seconds, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// Reads a `time_range`: a Go duration, or whole days such as `7d`. Not negative, at most 100 years.
pub fn parse_time_range(text: &str) -> Option<Duration> {
    if let Some(days) = text.strip_suffix('d') {
        return whole(days)?.checked_mul(DAY_NS).and_then(in_range);
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number_len = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_len);
        let unit_len = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(times(number, *size)?)?;
        rest = after;
    }
    if text.is_empty() {
        None
    } else {
        in_range(total)
    }
}

/// Reads a `date_range`: a whole number and one of `d`, `h`, `m`, `s`. Not negative, at most 100 years.
pub fn parse_date_range(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let size = match unit {
        'd' => DAY_NS,
        'h' => 3_600_000_000_000,
        'm' => 60_000_000_000,
        's' => 1_000_000_000,
        _ => return None,
    };
    whole(&text[..text.len() - 1])?
        .checked_mul(size)
        .and_then(in_range)
}

/// `1.5` times a unit's size, as a whole number of nanoseconds; digits below a nanosecond are dropped.
fn times(number: &str, size: i128) -> Option<i128> {
    let (integer, fraction) = number.split_once('.').unwrap_or((number, ""));
    if integer.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut total = if integer.is_empty() {
        0
    } else {
        whole(integer)?.checked_mul(size)?
    };
    let mut scale = size;
    for digit in fraction.chars() {
        scale /= 10;
        total += i128::from(digit.to_digit(10)?) * scale;
    }
    Some(total)
}

fn whole(text: &str) -> Option<i128> {
    // `parse` alone would also take a sign.
    if text.is_empty() || text.len() > 20 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn in_range(nanoseconds: i128) -> Option<Duration> {
    (0..=RANGE_MAX.whole_nanoseconds())
        .contains(&nanoseconds)
        .then_some(nanoseconds)
        .and_then(|nanoseconds| i64::try_from(nanoseconds).ok())
        .map(Duration::nanoseconds)
}

/// A number of units with its fraction, trailing zeros cut.
fn decimal(value: u128, unit: u128) -> String {
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    format!(
        "{whole}.{}",
        format!("{rest:0width$}").trim_end_matches('0')
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_go_writes_them() {
        for (milliseconds, text) in [
            (0, "0s"),
            (1_500, "1.5s"),
            (60_000, "1m0s"),
            (24 * 3_600_000, "24h0m0s"),
            (168 * 3_600_000, "168h0m0s"),
            (3_661_001, "1h1m1.001s"),
            (-90_000, "-1m30s"),
            (250, "250ms"),
        ] {
            assert_eq!(to_text(Duration::milliseconds(milliseconds)), text);
        }
        assert_eq!(to_text(Duration::microseconds(4_320)), "4.32ms");
        assert_eq!(to_text(Duration::microseconds(7)), "7µs");
    }

    #[test]
    fn a_time_range_is_a_go_duration_or_whole_days() {
        for (text, seconds) in [
            ("60m", 3_600),
            ("24h", 86_400),
            ("1h30m", 5_400),
            ("90s", 90),
            ("1.5h", 5_400),
            ("7d", 604_800),
            ("0", 0),
        ] {
            assert_eq!(
                parse_time_range(text),
                Some(Duration::seconds(seconds)),
                "{text}"
            );
        }
        assert_eq!(parse_time_range("500ms"), Some(Duration::milliseconds(500)));
        for text in [
            "",
            "5",
            "m",
            "-5m",
            "1x",
            "1.5d",
            "h1",
            "200000d",
            "99999999999999999999999h",
            ".",
            "1..5s",
        ] {
            assert_eq!(parse_time_range(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_range_is_a_whole_number_with_a_unit() {
        assert_eq!(parse_date_range("7d"), Some(Duration::days(7)));
        assert_eq!(parse_date_range("30m"), Some(Duration::minutes(30)));
        for text in [
            "",
            "7",
            "d",
            "-7d",
            "+7d",
            "1.5d",
            "7w",
            "7é",
            "100000d",
            "18446744073709551616d",
        ] {
            assert_eq!(parse_date_range(text), None, "{text}");
        }
    }
}
