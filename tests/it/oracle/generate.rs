//! Strategies for scenarios: small enough for events to meet, odd enough for every rule to matter.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::clock::{DAY, HOUR, MILLISECOND, MINUTE, Micros, SECOND};
use super::entry::Entry;
use super::query::a_query;
use super::scenario::{EventPlan, Kind, Scenario, SessionPlan, Story};

pub(super) const QUIZZES: u8 = 2;
pub(super) const CLASSROOMS: u8 = 3;
pub(super) const QUESTIONS: u8 = 5;
pub(super) const STUDENTS: u8 = 6;

/// How varied a story is. In a narrow one, answers and publications meet often.
#[derive(Debug, Clone, Copy)]
struct Breadth {
    texts: &'static [&'static str],
    questions: &'static [u8],
    students: &'static [u8],
    classrooms: &'static [u8],
}

const WIDE: Breadth = Breadth {
    texts: &TEXTS,
    questions: &[0, 0, 0, 1, 1, 1, 2, 3, 4],
    students: &[0, 1, 2, 3, 4, 5],
    classrooms: &[0, 0, 0, 1, 1, 2],
};
const NARROW: Breadth = Breadth {
    texts: &ABLE_TEXTS,
    questions: &[0, 0, 1, 2],
    students: &[0, 0, 0, 1, 1, 2],
    classrooms: &[0, 0, 0, 0, 1],
};

const KEYS: [&str; 6] = ["A", "A", "A", "A", " B ", "42"];
/// Padded ones are graded as if trimmed, and listed as they are.
const TEXTS: [&str; 12] = [
    "A",
    "A",
    "A",
    "A",
    "B",
    "B",
    " A",
    "A\t",
    "\nB ",
    "b",
    "42",
    "ü \"ß\" 😀",
];
/// Of a class that knows its subject.
const ABLE_TEXTS: [&str; 8] = ["A", "A", "A", "A", "A", "A ", "A", "B"];
/// By code point, capitals come before `a`, and all of these before letters with marks.
const NAMES: [&str; 9] = [
    "Ann", "Ann", "ann", "Ben", "Unknown", "Zoe", "Zoë", "Émile", "😀",
];
const TITLES: [&str; 4] = ["Sorting", "Trees", "trees", "Ömsen % _ 'x'"];
const ZONES: [i16; 6] = [0, 0, 0, 120, -330, 840];

pub(super) fn a_scenario() -> impl Strategy<Value = Scenario> {
    // Shrinking goes from left to right.
    let theirs = option::weighted(0.6, a_story(1, 12));
    let ours = prop_oneof![1 => a_story(1, 12), 4 => a_story(15, 45)];
    let queries = vec(a_query(), 0..=6);
    (theirs, queries, ours, any::<u64>(), 1..24_usize).prop_map(
        |(theirs, queries, ours, shuffle, batch_max)| Scenario {
            ours,
            theirs,
            shuffle,
            batch_max,
            queries,
        },
    )
}

fn a_story(events_min: usize, events_max: usize) -> impl Strategy<Value = Story> {
    let breadth = select(vec![WIDE, NARROW]);
    breadth.prop_flat_map(move |breadth| a_story_of(breadth, events_min, events_max))
}

fn a_story_of(
    breadth: Breadth,
    events_min: usize,
    events_max: usize,
) -> impl Strategy<Value = Story> {
    let session = || a_session(breadth.classrooms);
    let sessions = prop_oneof![9 => vec(session(), 1..=3), 1 => vec(session(), 4..=7)];
    (
        vec(0..events_max, 0..6),
        vec(vec(0..3_u8, 0..3), 0..3),
        vec(an_entry(breadth.students), 0..8),
        sessions,
        vec(an_event(breadth), events_min..=events_max),
    )
        .prop_map(|(copies, refreshes, catalogue, sessions, events)| Story {
            sessions,
            events,
            catalogue,
            copies,
            refreshes,
        })
}

fn a_session(classrooms: &'static [u8]) -> impl Strategy<Value = SessionPlan> {
    let often = [
        -10 * DAY,
        -9 * DAY,
        -5 * DAY,
        -4 * DAY,
        -36 * HOUR,
        -30 * HOUR,
        -5 * HOUR,
        -3 * HOUR,
        -100 * MINUTE,
        -75 * MINUTE,
        -45 * MINUTE,
        -20 * MINUTE,
        -15 * MINUTE,
    ];
    let seldom = [
        -75 * DAY,
        -45 * DAY,
        -20 * DAY - HOUR,
        -13 * DAY,
        -23 * HOUR,
        2 * HOUR,
        20 * HOUR,
    ];
    let base = prop_oneof![4 => select(often.to_vec()), 1 => select(seldom.to_vec())];
    let start = option::weighted(0.85, (-6..=3_i64).prop_map(|tens| tens * 10));
    let publishes = prop::bool::weighted(0.85);
    (
        select(vec![0, 0, 1]),
        select(classrooms),
        base,
        start,
        publishes,
    )
        .prop_map(|(quiz, classroom, base, start, publishes)| SessionPlan {
            quiz,
            classroom,
            base: base / SECOND,
            start,
            publishes,
        })
}

fn an_event(breadth: Breadth) -> impl Strategy<Value = EventPlan> {
    let names = option::weighted(0.2, (0..QUIZZES, 0..CLASSROOMS));
    let place = (0..7_usize, a_kind(breadth)).prop_flat_map(|(session, kind)| {
        let after = time_of(&kind);
        (Just(session), Just(kind), after)
    });
    (place, 0..6_u8, any::<bool>(), select(ZONES.to_vec()), names).prop_map(
        |((session, kind, after), rank, has_text_id, zone, names)| EventPlan {
            session,
            after,
            kind,
            rank,
            has_text_id,
            zone,
            names,
        },
    )
}

/// When in its session an event happens: often at the same time as another, or exactly a minute after it.
fn time_of(kind: &Kind) -> BoxedStrategy<Micros> {
    let fraction = prop_oneof![
        5 => Just(0),
        4 => select(vec![1, 5 * MILLISECOND, 333_333, 500 * MILLISECOND, 999_999]),
    ];
    let tens = |end: i64| (0..end).prop_map(|tens| tens * 10 * SECOND);
    match kind {
        Kind::Start => (-6..3_i64).prop_map(|tens| tens * 10 * SECOND).boxed(),
        Kind::End => (20..400_i64).prop_map(|tens| tens * 10 * SECOND).boxed(),
        Kind::Publish { .. } => {
            let fraction = prop_oneof![3 => Just(0), 1 => fraction];
            (tens(9), fraction)
                .prop_map(|(tens, fraction)| tens + fraction)
                .boxed()
        }
        Kind::Answer { .. } => {
            let late =
                prop_oneof![12 => Just(0), 4 => select(vec![MINUTE, 2 * HOUR, DAY, 9 * DAY])];
            (tens(14), fraction, late)
                .prop_map(|(tens, fraction, late)| tens + fraction + late)
                .boxed()
        }
    }
}

fn a_kind(breadth: Breadth) -> impl Strategy<Value = Kind> {
    let timers = [5, 10, 20, 30, 45, 60, 60, 90, 7_200];
    let publication = (
        select(breadth.questions),
        option::weighted(0.5, 0..2_u8),
        option::weighted(0.7, select(timers.to_vec())),
        option::weighted(0.5, select(KEYS.to_vec())),
    )
        .prop_map(|(question, teacher, timer_sec, key)| Kind::Publish {
            question,
            teacher,
            timer_sec,
            key,
        });
    let answer = (
        select(breadth.questions),
        select(breadth.students),
        select(breadth.texts),
        option::weighted(0.3, 0..90_000_i64),
    )
        .prop_map(|(question, student, text, response_ms)| Kind::Answer {
            question,
            student,
            text,
            response_ms,
        });
    prop_oneof![
        1 => Just(Kind::Start),
        2 => Just(Kind::End),
        8 => publication,
        24 => answer,
    ]
}

fn an_entry(students: &'static [u8]) -> impl Strategy<Value = Entry> {
    let key = option::weighted(0.6, select(KEYS.to_vec()));
    let quiz = (
        0..QUIZZES,
        select(TITLES.to_vec()),
        vec((0..QUESTIONS, key), 0..5),
    )
        .prop_map(|(quiz, title, questions)| Entry::Quiz {
            quiz,
            title,
            questions: distinct(questions),
        });
    let name = option::weighted(0.7, select(NAMES.to_vec()));
    let classroom = (
        select(vec![0, 0, 0, 1, 1, 2]),
        select(TITLES.to_vec()),
        prop_oneof![3 => vec((select(students), name.clone()), 6..12), 1 => vec((0..STUDENTS, name), 0..4)],
    )
        .prop_map(|(classroom, name, students)| Entry::Classroom {
            classroom,
            name,
            students: distinct(students),
        });
    prop_oneof![1 => quiz, 2 => classroom]
}

/// Of several mentions of one thing only the first.
fn distinct<T>(mut mentions: Vec<(u8, T)>) -> Vec<(u8, T)> {
    let mut seen = Vec::new();
    mentions.retain(|(number, _)| {
        let is_new = !seen.contains(number);
        seen.push(*number);
        is_new
    });
    mentions
}
