//! Which reports are asked for: all of them, for everything in a scenario and for what nobody knows.

use super::generate::{CLASSROOMS, QUESTIONS, QUIZZES, STUDENTS};
use super::reports::Ask;
use super::scenario::{DATE_RANGES, Story, TIME_RANGES, Thing, id};

/// No story has so many of anything.
const UNKNOWN: u8 = 200;

/// Pairs of ids that are asked for, out of all that there are, beside those below.
const PAIRS: usize = 6;

/// The numbers of what most happens to, by the strategies.
const BUSY_PAIRS: [(u8, u8); 3] = [(0, 0), (1, 0), (0, 1)];

const LISTS_OF_A_CLASSROOM: [&str; 3] = [
    "student-performance-list",
    "classroom-sessions",
    "classroom-student-rankings",
];

pub(super) fn asks(story: &Story, random: &mut fastrand::Rng) -> Vec<Ask> {
    let sessions = u8::try_from(story.sessions.len()).expect("sessions are few");
    let mut asks = Vec::new();
    for number in with_unknown(sessions) {
        let session = |report| Ask::new(report).with("session_id", id(Thing::Session, number));
        for report in [
            "questions-per-minute",
            "completion-rate",
            "dropoff-analysis",
        ] {
            asks.push(session(report));
        }
        for report in ["active-participants", "session-student-rankings"] {
            asks.extend(paged(session(report), random));
        }
        for ask in paged(session("active-participants"), random) {
            asks.push(ask.with("time_range", pick(&TIME_RANGES, random)));
        }
    }
    for (session, question) in pairs(sessions, QUESTIONS, random) {
        for report in ["response-rate", "latency-analysis", "timeout-analysis"] {
            asks.push(
                Ask::new(report)
                    .with("session_id", id(Thing::Session, session))
                    .with("question_id", id(Thing::Question, question)),
            );
        }
    }
    for (student, classroom) in pairs(STUDENTS, CLASSROOMS, random) {
        for report in ["student-performance", "student-activity-summary"] {
            asks.push(
                Ask::new(report)
                    .with("student_id", id(Thing::Student, student))
                    .with("classroom_id", id(Thing::Classroom, classroom)),
            );
        }
    }
    for number in with_unknown(CLASSROOMS) {
        let classroom =
            |report| Ask::new(report).with("classroom_id", id(Thing::Classroom, number));
        for report in [
            "classroom-overview",
            "class-performance-summary",
            "classroom-engagement",
        ] {
            asks.push(classroom(report));
        }
        asks.push(classroom("classroom-engagement").with("date_range", pick(&DATE_RANGES, random)));
        asks.push(classroom("classroom-engagement-history"));
        for ask in paged(classroom("classroom-engagement-history"), random) {
            asks.push(ask.with("date_range", pick(&DATE_RANGES, random)));
        }
        for report in LISTS_OF_A_CLASSROOM {
            asks.extend(paged(classroom(report), random));
        }
    }
    for number in with_unknown(QUIZZES) {
        let quiz = |report| Ask::new(report).with("quiz_id", id(Thing::Quiz, number));
        for report in ["content-effectiveness", "quiz-summary"] {
            asks.push(quiz(report));
        }
        for report in ["quiz-questions-list", "quiz-sessions"] {
            asks.extend(paged(quiz(report), random));
        }
    }
    for number in with_unknown(QUESTIONS) {
        asks.push(Ask::new("question-analysis").with("question_id", id(Thing::Question, number)));
    }
    asks
}

fn with_unknown(count: u8) -> impl Iterator<Item = u8> {
    (0..count).chain([UNKNOWN])
}

/// The whole list, and a small page of it that may lie past the end.
fn paged(ask: Ask, random: &mut fastrand::Rng) -> [Ask; 2] {
    let page_size = if random.bool() { "page_size" } else { "limit" };
    let page = ask
        .clone()
        .with("page", random.u8(1..=4))
        .with(page_size, random.u8(1..=3));
    [ask, page]
}

/// Some pairs, always others.
fn pairs(firsts: u8, seconds: u8, random: &mut fastrand::Rng) -> Vec<(u8, u8)> {
    let [firsts, seconds] = [firsts, seconds].map(|count| {
        let mut numbers: Vec<u8> = with_unknown(count).collect();
        random.shuffle(&mut numbers);
        numbers
    });
    let others = firsts.into_iter().cycle().zip(seconds.into_iter().cycle());
    BUSY_PAIRS.into_iter().chain(others.take(PAIRS)).collect()
}

fn pick<'t>(texts: &[&'t str], random: &mut fastrand::Rng) -> &'t str {
    texts[random.usize(..texts.len())]
}
