use bytes::Bytes;
use kafka_toolkit::Headers;

use super::*;
use crate::history::Attempt;

const SESSION: Uuid = Uuid::from_u128(7);

fn key(id: &str) -> Key {
    (1, id.to_owned())
}

fn fact() -> Fact {
    Fact {
        session: SESSION,
        kind: "answer".to_owned(),
        question: Some(Uuid::from_u128(1)),
        student: Some(Uuid::from_u128(2)),
        text: Some("B".to_owned()),
        at_ms: 5,
    }
}

fn acknowledged() -> Told {
    Told::Acknowledged {
        mode: "kafka".to_owned(),
        duplicate: false,
    }
}

fn nothing() -> Told {
    Told::Nothing("no answer in time".to_owned())
}

fn entries(events: &[(&str, Told)]) -> Entries {
    let mut entries = Entries::new();
    for (id, told) in events {
        let attempt = Attempt {
            sent_ms: 1,
            told_ms: 2,
            by: "single",
            told: told.clone(),
        };
        let entry = entries.entry(key(id)).or_insert_with(|| Entry {
            fact: fact(),
            attempts: Vec::new(),
        });
        entry.attempts.push(attempt);
    }
    entries
}

fn row(id: &str) -> Row {
    Row {
        key: key(id),
        fact: fact(),
    }
}

/// A world in which these events are stored, once, and counted.
fn stored(ids: &[&str]) -> Observed {
    let attempts = i64::try_from(ids.len()).unwrap();
    let figures = Figures {
        tenant: 1,
        session: SESSION,
        attempts,
        publications: 0,
    };
    Observed {
        topic: "t".to_owned(),
        rows: ids.iter().map(|id| row(id)).collect(),
        figures: (attempts > 0).then_some(figures).into_iter().collect(),
        ..Observed::default()
    }
}

fn record(offset: i64) -> Record {
    Record {
        offset,
        key: None,
        payload: Some(Bytes::from_static(b"{broken")),
        headers: Headers::new(),
        timestamp_ms: Some(9),
    }
}

fn poison(offset: i64) -> TopicRecord {
    TopicRecord {
        partition: 2,
        poison: Some("broken JSON".to_owned()),
        event: None,
        record: record(offset),
    }
}

fn letter(offset: i64) -> Letter {
    Letter {
        place: "0/0".to_owned(),
        origin: Some(("t".to_owned(), 2)),
        record: record(offset),
        reason: "malformed_envelope".to_owned(),
    }
}

fn faults(entries: &Entries, observed: &Observed) -> Vec<Fault> {
    let mut faults: Vec<Fault> = check(entries, observed)
        .into_iter()
        .map(|violation| violation.fault)
        .collect();
    faults.sort_unstable();
    faults
}

#[test]
fn an_account_that_adds_up_has_no_violation() {
    let entries = entries(&[
        ("a", acknowledged()),
        ("b", nothing()),
        ("b", acknowledged()),
        ("c", nothing()),
        ("d", Told::Unavailable),
        ("e", Told::Invalid("in_the_future".to_owned())),
    ]);
    // Of the two that nobody has acknowledged, one is stored: at most once is the promise.
    let mut observed = stored(&["a", "b", "c"]);
    observed.records = vec![poison(3)];
    // A consumer that dies between letter and commit writes the letter once more.
    observed.letters = vec![letter(3), letter(3)];
    observed.ends = vec![PartitionEnd {
        partition: 2,
        committed: Some(4),
        end: 4,
    }];
    assert_eq!(faults(&entries, &observed), []);
}

#[test]
fn an_acknowledged_event_that_is_not_stored_is_lost() {
    let entries = entries(&[
        ("a", acknowledged()),
        ("b", nothing()),
        ("b", acknowledged()),
    ]);
    assert_eq!(faults(&entries, &stored(&["a"])), [Fault::Lost]);
    assert_eq!(faults(&entries, &stored(&[])), [Fault::Lost, Fault::Lost]);
}

#[test]
fn an_event_stored_twice_is_doubled_whatever_the_client_was_told() {
    for told in [acknowledged(), nothing(), Told::Unavailable] {
        let entries = entries(&[("a", told)]);
        let mut observed = stored(&["a"]);
        observed.rows.push(row("a"));
        assert_eq!(faults(&entries, &observed), [Fault::Doubled]);
    }
}

#[test]
fn what_nobody_has_sent_or_what_was_refused_for_good_is_invented() {
    let invalid = entries(&[("a", Told::Invalid("in_the_future".to_owned()))]);
    assert_eq!(faults(&invalid, &stored(&["a"])), [Fault::Invented]);
    let of_another_tenant = Row {
        key: (2, "a".to_owned()),
        fact: fact(),
    };
    let entries = entries(&[("a", acknowledged())]);
    let mut observed = stored(&["a"]);
    observed.rows.push(of_another_tenant);
    assert_eq!(faults(&entries, &observed), [Fault::Invented]);
}

#[test]
fn other_content_than_was_sent_is_altered() {
    let entries = entries(&[("a", acknowledged())]);
    let mut observed = stored(&["a"]);
    observed.rows[0].fact.text = Some("C".to_owned());
    assert_eq!(faults(&entries, &observed), [Fault::Altered]);
}

#[test]
fn a_record_that_was_passed_over_is_skipped() {
    let entries = entries(&[("a", nothing())]);
    let mut observed = stored(&[]);
    observed.records = vec![TopicRecord {
        poison: None,
        event: Some(key("a")),
        ..poison(0)
    }];
    assert_eq!(faults(&entries, &observed), [Fault::Skipped]);
}

#[test]
fn poison_without_a_letter_is_unburied() {
    let mut observed = stored(&[]);
    observed.records = vec![poison(3), poison(4)];
    observed.letters = vec![letter(4)];
    assert_eq!(faults(&Entries::new(), &observed), [Fault::Unburied]);
}

#[test]
fn a_letter_must_say_truly_where_it_comes_from() {
    let of = |letter: Letter| {
        let mut observed = stored(&[]);
        observed.records = vec![poison(3)];
        observed.letters = vec![letter];
        faults(&Entries::new(), &observed)
    };
    let unburied_and_false = [Fault::Unburied, Fault::FalseLetter];
    assert_eq!(of(letter(5)), unburied_and_false);
    let of_another_topic = Letter {
        origin: Some(("u".to_owned(), 2)),
        ..letter(3)
    };
    assert_eq!(of(of_another_topic), unburied_and_false);
    let without_headers = Letter {
        origin: None,
        ..letter(3)
    };
    assert_eq!(of(without_headers), unburied_and_false);
    let mut of_other_bytes = letter(3);
    of_other_bytes.record.payload = None;
    assert_eq!(of(of_other_bytes), [Fault::FalseLetter]);
}

#[test]
fn figures_that_are_not_a_recount_are_a_violation() {
    let entries = entries(&[("a", acknowledged())]);
    let mut observed = stored(&["a"]);
    observed.figures[0].attempts = 2;
    assert_eq!(faults(&entries, &observed), [Fault::Figures]);
    let mut observed = stored(&["a"]);
    observed.figures.clear();
    assert_eq!(faults(&entries, &observed), [Fault::Figures]);
    for audit in [
        Audit {
            differences: 1,
            ..Audit::default()
        },
        Audit {
            behind: 1,
            ..Audit::default()
        },
    ] {
        let mut observed = stored(&["a"]);
        observed.audit = audit;
        assert_eq!(faults(&entries, &observed), [Fault::Figures]);
    }
}

#[test]
fn a_group_that_has_not_finished_or_goes_past_the_end_is_a_violation() {
    for (committed, end) in [(Some(3), 4), (None, 1), (Some(5), 4)] {
        let mut observed = stored(&[]);
        observed.ends = vec![PartitionEnd {
            partition: 0,
            committed,
            end,
        }];
        assert_eq!(faults(&Entries::new(), &observed), [Fault::Offsets]);
    }
}

#[test]
fn an_answer_without_a_place_in_the_contract_is_a_violation() {
    let entries = entries(&[("a", Told::Nonsense("500".to_owned()))]);
    assert_eq!(faults(&entries, &stored(&[])), [Fault::Nonsense]);
}
