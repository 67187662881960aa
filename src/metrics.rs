//! Every metric of this product: its name, what it means, its labels. Recorded through the functions below, so that
//! a name stands once and a label only takes values of a closed set.

use std::time::Duration;

use metrics::{
    Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use time::OffsetDateTime;

use crate::completeness::Count;

/// Upper bounds of the histograms whose names end in `_seconds`.
pub const SECONDS_BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    120.0,
];

/// Upper bounds of the histograms that count events or records.
pub const EVENTS_BUCKETS: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 5_000.0, 10_000.0,
];

const ACCEPTED: &str = "ingestor_events_accepted_total";
const INVALID: &str = "ingestor_events_invalid_total";
const UNAVAILABLE: &str = "ingestor_events_unavailable_total";
const FALLBACK: &str = "ingestor_kafka_fallback_total";
const BREAKER: &str = "ingestor_kafka_breaker_state";
const BREAKER_TRANSITIONS: &str = "ingestor_kafka_breaker_transitions_total";
const STORED: &str = "ingestor_events_stored_total";
const DUPLICATE: &str = "ingestor_events_duplicate_total";
const WRITE_SECONDS: &str = "ingestor_store_write_seconds";
const WRITE_EVENTS: &str = "ingestor_store_write_batch_events";
const DIRECT_WAITING: &str = "ingestor_direct_queue_events";
const WRITE_RETRIES: &str = "ingestor_store_write_retries_total";
const BUILD: &str = "ingestor_build_info";
const FRESHNESS: &str = "ingestor_event_freshness_seconds";
const COMPLETENESS: &str = "ingestor_completeness_records";
const COMPLETENESS_MINUTE: &str = "ingestor_completeness_minute_records";
const COMPLETENESS_AT: &str = "ingestor_completeness_checked_timestamp_seconds";
const LAG_EVENTS: &str = "ingestor_lag_events";
const LAG_SECONDS: &str = "ingestor_lag_seconds";
const REFRESH_BEHIND: &str = "ingestor_refresh_sessions_behind";
const REFRESH_OLDEST: &str = "ingestor_refresh_oldest_seconds";
const REFRESHED: &str = "ingestor_refresh_sessions_total";
const REFRESH_POSTPONED: &str = "ingestor_refresh_sessions_postponed_total";
const REFRESH_SECONDS: &str = "ingestor_refresh_seconds";
const SPOOL_EVENTS: &str = "ingestor_spool_events";
const SPOOL_BYTES: &str = "ingestor_spool_bytes";
const SPOOL_OLDEST: &str = "ingestor_spool_oldest_seconds";
const SPOOL_APPENDED: &str = "ingestor_spool_appended_total";
const SPOOL_DRAINED: &str = "ingestor_spool_drained_total";
const SPOOL_REJECTED: &str = "ingestor_spool_rejected_total";
const SPOOL_DAMAGED: &str = "ingestor_spool_damaged_segments_total";
const SPOOL_FAILURES: &str = "ingestor_spool_failures_total";
const SPOOL_SYNC_SECONDS: &str = "ingestor_spool_sync_seconds";
const HTTP_SECONDS: &str = "ingestor_http_request_seconds";
const TOKEN_CHECKS: &str = "ingestor_auth_token_checks_total";

/// Names every metric, with its unit and meaning, to the installed recorder.
pub(crate) fn describe() {
    describe_counter!(
        ACCEPTED,
        "Events acknowledged to clients, by the path that made them durable."
    );
    describe_counter!(INVALID, "Events refused for what they are, by fault.");
    describe_counter!(
        UNAVAILABLE,
        "Events refused because no path could take them; clients send them again."
    );
    describe_counter!(
        FALLBACK,
        "Events that went direct in Kafka mode, by reason."
    );
    describe_gauge!(
        BREAKER,
        "1 for the state that the Kafka circuit breaker is in, 0 for the others."
    );
    describe_counter!(
        BREAKER_TRANSITIONS,
        "Changes of the Kafka circuit breaker, by the state left and the one entered."
    );
    describe_counter!(STORED, "Events that became new rows, by who wrote them.");
    describe_counter!(
        DUPLICATE,
        "Events that were stored already, by who wrote them."
    );
    describe_histogram!(
        WRITE_SECONDS,
        Unit::Seconds,
        "Time of one write transaction."
    );
    describe_histogram!(WRITE_EVENTS, "Events in one write transaction.");
    describe_gauge!(
        DIRECT_WAITING,
        "Events waiting for or in a transaction of the direct path."
    );
    describe_counter!(
        WRITE_RETRIES,
        "Write transactions begun again: after a conflict with another one, or on a new connection."
    );
    describe_histogram!(
        FRESHNESS,
        Unit::Seconds,
        "Time from an event's acceptance by the server to its row, by who wrote it; copies are not counted."
    );
    describe_gauge!(BUILD, "Always 1; the label is the version that runs.");
    describe_gauge!(
        COMPLETENESS,
        "Records that the topic still holds, by what became of them; missing and expired ones are lost to the group."
    );
    describe_gauge!(
        COMPLETENESS_MINUTE,
        "Records of the latest whole minute: accepted is the sum of the other states."
    );
    describe_gauge!(
        COMPLETENESS_AT,
        Unit::Seconds,
        "When the records were last counted, in seconds since 1970."
    );
    describe_gauge!(
        LAG_EVENTS,
        "Records of the partition that the group has not committed, as the brokers tell."
    );
    describe_gauge!(
        LAG_SECONDS,
        Unit::Seconds,
        "Age of the oldest of them; 0 when there is none."
    );
    describe_gauge!(
        REFRESH_BEHIND,
        "Sessions whose stored figures are behind their facts, in the whole database."
    );
    describe_gauge!(
        REFRESH_OLDEST,
        Unit::Seconds,
        "How long the session has been behind that has been for longest."
    );
    describe_counter!(
        REFRESHED,
        "Sessions whose stored figures this process brought up to their facts."
    );
    describe_counter!(
        REFRESH_POSTPONED,
        "Sessions whose figures could not be computed; they are tried again later."
    );
    describe_histogram!(
        REFRESH_SECONDS,
        Unit::Seconds,
        "Time of one transaction that stores figures."
    );
    describe_gauge!(
        SPOOL_EVENTS,
        "Acknowledged events that wait on this server's disk for a store."
    );
    describe_gauge!(
        SPOOL_BYTES,
        Unit::Bytes,
        "Bytes of the spool's files, of SPOOL_BYTES_MAX."
    );
    describe_gauge!(
        SPOOL_OLDEST,
        Unit::Seconds,
        "How long the event has been in the spool that has been for longest."
    );
    describe_counter!(SPOOL_APPENDED, "Events that were put into the spool.");
    describe_counter!(
        SPOOL_DRAINED,
        "Events that left the spool, for a store or as rejected."
    );
    describe_counter!(
        SPOOL_REJECTED,
        "Spooled events that no store takes; they are kept in rejected.ndjson."
    );
    describe_counter!(
        SPOOL_DAMAGED,
        "Segments of the spool that do not hold what was written to them."
    );
    describe_counter!(
        SPOOL_FAILURES,
        "Writes to the spool's disk that failed; their events were refused."
    );
    describe_histogram!(
        SPOOL_SYNC_SECONDS,
        Unit::Seconds,
        "Time of one sync of the spool to the disk."
    );
    describe_histogram!(
        HTTP_SECONDS,
        Unit::Seconds,
        "Time of one HTTP request, by route, method and status."
    );
    describe_counter!(
        TOKEN_CHECKS,
        "Token checks, by whether the cache knew the token."
    );
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// A way in for events by these paths is open; from now on their counters can be told from missing ones.
pub(crate) fn ingest_started(modes: &[&'static str], fallback_reasons: &[&'static str]) {
    for mode in modes {
        event_accepted(mode, 0);
    }
    for reason in fallback_reasons {
        kafka_fallback(reason, 0);
    }
    counter!(UNAVAILABLE).increment(0);
}

/// The path that made an event durable.
pub(crate) fn event_accepted(mode: &'static str, events: u64) {
    counter!(ACCEPTED, "mode" => mode).increment(events);
}

/// An event was refused for what it is.
pub(crate) fn event_invalid(code: &'static str) {
    counter!(INVALID, "code" => code).increment(1);
}

/// An event was refused because no path could take it.
pub(crate) fn event_unavailable() {
    counter!(UNAVAILABLE).increment(1);
}

/// Events went direct although Kafka mode is on.
pub(crate) fn kafka_fallback(reason: &'static str, events: u64) {
    counter!(FALLBACK, "reason" => reason).increment(events);
}

/// The circuit breaker is in this state.
pub(crate) fn breaker_is(state: &'static str, all_states: &[&'static str]) {
    for name in all_states {
        gauge!(BREAKER, "state" => *name).set(if *name == state { 1.0 } else { 0.0 });
    }
}

/// The circuit breaker changed its state so often: 0 makes a change known before it happens.
pub(crate) fn breaker_changed(from: &'static str, to: &'static str, times: u64) {
    counter!(BREAKER_TRANSITIONS, "from" => from, "to" => to).increment(times);
}

/// A write transaction ended well.
pub(crate) fn batch_written(
    writer: &'static str,
    stored: usize,
    duplicates: usize,
    took: Duration,
) {
    counter!(STORED, "writer" => writer).increment(stored as u64);
    counter!(DUPLICATE, "writer" => writer).increment(duplicates as u64);
    histogram!(WRITE_SECONDS, "writer" => writer).record(took);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a batch has a few thousand events"
    )]
    histogram!(WRITE_EVENTS, "writer" => writer).record((stored + duplicates) as f64);
}

/// A writer begins; from now on its counters can be told from missing ones.
pub(crate) fn writer_started(writer: &'static str) {
    counter!(STORED, "writer" => writer).increment(0);
    counter!(DUPLICATE, "writer" => writer).increment(0);
    for reason in ["conflict", "connection"] {
        write_retried(writer, reason, 0);
    }
}

/// A write transaction is begun again so often.
pub(crate) fn write_retried(writer: &'static str, reason: &'static str, times: u64) {
    counter!(WRITE_RETRIES, "writer" => writer, "reason" => reason).increment(times);
}

/// Events got their rows this long after they were accepted.
pub(crate) fn events_fresh(writer: &'static str, ages: impl Iterator<Item = time::Duration>) {
    let freshness = histogram!(FRESHNESS, "writer" => writer);
    ages.for_each(|age| freshness.record(age.as_seconds_f64().max(0.0)));
}

/// Events waiting for the direct path.
pub(crate) fn direct_waiting(events: usize) {
    #[expect(clippy::cast_precision_loss, reason = "bounded by the queue")]
    gauge!(DIRECT_WAITING).set(events as f64);
}

/// What became of all records that the topic holds, and what retention removed unread.
pub(crate) fn records_counted(total: &Count, expired: i64) {
    for (state, records) in states(total) {
        gauge!(COMPLETENESS, "state" => state).set(records as f64);
    }
    gauge!(COMPLETENESS, "state" => "expired").set(expired as f64);
    let now = OffsetDateTime::now_utc().unix_timestamp();
    gauge!(COMPLETENESS_AT).set(now as f64);
}

/// What became of the records of the latest whole minute.
pub(crate) fn minute_counted(count: &Count) {
    for (state, records) in states(count) {
        gauge!(COMPLETENESS_MINUTE, "state" => state).set(records as f64);
    }
    gauge!(COMPLETENESS_MINUTE, "state" => "accepted").set(count.accepted as f64);
}

fn states(count: &Count) -> [(&'static str, i64); 4] {
    [
        ("stored", count.stored),
        ("dead_lettered", count.dead_lettered),
        ("in_flight", count.in_flight),
        ("missing", count.missing),
    ]
}

/// How far the group is behind in a partition.
pub(crate) fn group_lag(partition: i32, events: i64, seconds: f64) {
    let partition = partition.to_string();
    gauge!(LAG_EVENTS, "partition" => partition.clone()).set(events as f64);
    gauge!(LAG_SECONDS, "partition" => partition).set(seconds);
}

/// A refresher begins its work; from now on its counters can be told from missing ones.
pub(crate) fn refresher_started() {
    counter!(REFRESHED).increment(0);
    counter!(REFRESH_POSTPONED).increment(0);
}

/// How far the stored figures are behind.
pub(crate) fn figures_behind(sessions: i64, oldest_seconds: f64) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody has 2^53 sessions, least of all behind"
    )]
    gauge!(REFRESH_BEHIND).set(sessions as f64);
    gauge!(REFRESH_OLDEST).set(oldest_seconds);
}

/// A group of sessions was refreshed.
pub(crate) fn figures_refreshed(sessions: usize, took: Duration) {
    counter!(REFRESHED).increment(sessions as u64);
    histogram!(REFRESH_SECONDS).record(took);
}

/// The figures of a session could not be computed.
pub(crate) fn figures_postponed() {
    counter!(REFRESH_POSTPONED).increment(1);
}

/// A spool is in use; from now on its counters can be told from missing ones.
pub(crate) fn spool_opened() {
    for counter in [
        SPOOL_APPENDED,
        SPOOL_DRAINED,
        SPOOL_REJECTED,
        SPOOL_DAMAGED,
        SPOOL_FAILURES,
    ] {
        counter!(counter).increment(0);
    }
}

/// What the spool holds.
#[expect(
    clippy::cast_precision_loss,
    reason = "nobody has a spool of 2^53 bytes"
)]
pub(crate) fn spool_holds(events: u64, bytes: u64, oldest_seconds: f64) {
    gauge!(SPOOL_EVENTS).set(events as f64);
    gauge!(SPOOL_BYTES).set(bytes as f64);
    gauge!(SPOOL_OLDEST).set(oldest_seconds);
}

/// Events were put into the spool.
pub(crate) fn spool_appended(events: u64) {
    counter!(SPOOL_APPENDED).increment(events);
}

/// Events left the spool.
pub(crate) fn spool_drained(events: u64) {
    counter!(SPOOL_DRAINED).increment(events);
}

/// Spooled events were put aside because no store takes them.
pub(crate) fn spool_rejected(events: u64) {
    counter!(SPOOL_REJECTED).increment(events);
}

/// A segment of the spool does not hold what was written to it.
pub(crate) fn spool_damaged() {
    counter!(SPOOL_DAMAGED).increment(1);
}

/// The spool's disk failed.
pub(crate) fn spool_failed() {
    counter!(SPOOL_FAILURES).increment(1);
}

/// The spool was synced to the disk.
pub(crate) fn spool_synced(took: Duration) {
    histogram!(SPOOL_SYNC_SECONDS).record(took);
}

/// A request was answered.
pub(crate) fn http_answered(
    route: &str,
    method: &'static str,
    status: &'static str,
    took: Duration,
) {
    let labels = vec![
        Label::new("route", route.to_owned()),
        Label::from_static_parts("method", method),
        Label::from_static_parts("status", status),
    ];
    histogram!(HTTP_SECONDS, labels).record(took);
}

/// A token was checked.
pub(crate) fn token_checked(cached: bool) {
    counter!(TOKEN_CHECKS, "cached" => if cached { "true" } else { "false" }).increment(1);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// Everything in a text that has the form of one of our names, without what Prometheus adds to a histogram's.
    fn names_in(text: &str) -> BTreeSet<String> {
        let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
        text.match_indices("ingestor_")
            .filter(|(at, _)| !text[..*at].ends_with(is_part))
            .map(|(at, _)| {
                let rest = &text[at..];
                &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())]
            })
            .map(|name| {
                let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| {
                    name.strip_suffix(end)
                        .filter(|name| name.ends_with("_seconds"))
                });
                histogram.unwrap_or(name).to_owned()
            })
            // A family of names is written `ingestor_family_*`.
            .filter(|name| !name.ends_with('_'))
            .collect()
    }

    #[test]
    fn alerts_and_documents_name_metrics_that_exist() {
        let ours = include_str!("metrics.rs").split("#[cfg(test)]").next();
        let mut known = names_in(ours.unwrap_or_default());
        known.extend(
            kafka_toolkit::metrics::DECLARED
                .iter()
                .map(|metric| format!("ingestor_kafka_{}", metric.name)),
        );
        for (file, text) in [
            ("docs/alerts.yml", include_str!("../docs/alerts.yml")),
            ("docs/OPERATIONS.md", include_str!("../docs/OPERATIONS.md")),
            ("docs/API.md", include_str!("../docs/API.md")),
            ("README.md", include_str!("../README.md")),
        ] {
            for name in names_in(text) {
                assert!(
                    known.contains(&name),
                    "{file} names {name}, which is no metric"
                );
            }
        }
    }

    #[test]
    fn every_alert_points_to_a_section_of_the_operators_page() {
        let sections: BTreeSet<_> = include_str!("../docs/OPERATIONS.md")
            .lines()
            .filter_map(|line| line.strip_prefix("### "))
            .collect();
        let named: Vec<_> = include_str!("../docs/alerts.yml")
            .lines()
            .filter_map(|line| line.trim().strip_prefix("section: "))
            .map(|section| section.trim_matches('"'))
            .collect();
        assert!(named.len() > 10, "{named:?}");
        for section in named {
            assert!(sections.contains(section), "{section:?} is no section");
        }
    }
}
