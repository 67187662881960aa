//! Times in whole microseconds since 1970, as the database keeps them, and the texts that they are sent as.

use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime, UtcOffset};

/// A moment, or the distance between two.
pub(super) type Micros = i64;

pub(super) const MILLISECOND: Micros = 1_000;
pub(super) const SECOND: Micros = 1_000 * MILLISECOND;
pub(super) const MINUTE: Micros = 60 * SECOND;
pub(super) const HOUR: Micros = 60 * MINUTE;
pub(super) const DAY: Micros = 24 * HOUR;

pub(super) fn now() -> Micros {
    let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000;
    Micros::try_from(now).expect("the clock is right")
}

pub(super) fn moment(at: Micros) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::microseconds(at)
}

/// RFC 3339 in the zone that is so many minutes ahead of UTC.
pub(super) fn in_zone(at: Micros, minutes: i16) -> String {
    let zone = UtcOffset::from_whole_seconds(i32::from(minutes) * 60).expect("a zone is near UTC");
    moment(at)
        .to_offset(zone)
        .format(&Rfc3339)
        .expect("scenarios are of our time")
}

/// As a report sends it: UTC, or null.
pub(super) fn json(at: Option<Micros>) -> Value {
    at.map_or(Value::Null, |at| Value::from(in_zone(at, 0)))
}

/// How Go writes a duration of so many milliseconds.
pub(super) fn go_text(milliseconds: i128) -> String {
    let fraction = |text: String| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    let (hours, minutes) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60);
    let seconds = fraction(format!(
        "{}.{:03}",
        milliseconds / 1_000 % 60,
        milliseconds % 1_000
    ));
    match (hours, minutes) {
        (0, 0) if milliseconds == 0 => "0s".to_owned(),
        (0, 0) if milliseconds < 1_000 => format!("{milliseconds}ms"),
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// Reads a range such as `90m`, `1h30m` or `7d`.
pub(super) fn range(text: &str) -> Micros {
    let mut total = 0;
    let mut number = 0;
    for c in text.chars() {
        let unit = match c {
            'd' => DAY,
            'h' => HOUR,
            'm' => MINUTE,
            's' => SECOND,
            digit => {
                number = number * 10 + i64::from(digit.to_digit(10).expect("a range that we made"));
                continue;
            }
        };
        total += number * unit;
        number = 0;
    }
    total
}

#[test]
fn durations_read_as_go_writes_them() {
    for (milliseconds, text) in [
        (0, "0s"),
        (7, "7ms"),
        (250, "250ms"),
        (1_500, "1.5s"),
        (10_000, "10s"),
        (60_000, "1m0s"),
        (100_010, "1m40.01s"),
        (86_400_000, "24h0m0s"),
        (3_661_001, "1h1m1.001s"),
    ] {
        assert_eq!(go_text(milliseconds), text);
    }
    assert_eq!((range("1h30m"), range("7d")), (90 * MINUTE, 168 * HOUR));
}
