//! The events that every load and every baseline is made of: 100 live sessions interleaved, each with 30 students
//! answering 20 questions, under time-ordered event ids. A session that is answered out is followed by a new one.

use time::OffsetDateTime;
use time::macros::format_description;
use uuid::Uuid;

const LIVE_SESSIONS: u64 = 100;
const STUDENTS: u64 = 30;
const QUESTIONS: u64 = 20;
const ANSWERS: u64 = STUDENTS * QUESTIONS;
const CLASSROOMS: u64 = 200;
const QUIZZES: u64 = 100;
const TEXTS: [&str; 4] = ["O(n)", "42 N", "true", "root"];

const JSON: &str = concat!(
    r#"{"event_id":"00000000-0000-0000-0000-000000000000","event_type":"ANSWER_SUBMITTED","#,
    r#""timestamp":"2000-01-01T00:00:00.000000Z","#,
    r#""session_id":"00000000-0000-0000-0000-000000000000","#,
    r#""quiz_id":"00000000-0000-0000-0000-000000000000","#,
    r#""classroom_id":"00000000-0000-0000-0000-000000000000","#,
    r#""question_id":"00000000-0000-0000-0000-000000000000","#,
    r#""student_id":"00000000-0000-0000-0000-000000000000","#,
    r#""answer":"0000","response_time_ms":10000}"#,
);

/// Length of every event's JSON, in bytes.
pub(crate) const EVENT_BYTES: usize = JSON.len();

/// One answer, not yet in any format.
pub(crate) struct Answer {
    pub(crate) event_id: Uuid,
    pub(crate) session_id: Uuid,
    pub(crate) quiz_id: Uuid,
    pub(crate) classroom_id: Uuid,
    pub(crate) question_id: Uuid,
    pub(crate) student_id: Uuid,
    pub(crate) text: &'static str,
    pub(crate) response_time_ms: i32,
}

/// Where the values lie in [`JSON`].
struct Places {
    event_id: usize,
    timestamp: usize,
    session_id: usize,
    quiz_id: usize,
    classroom_id: usize,
    question_id: usize,
    student_id: usize,
    text: usize,
    response_time_ms: usize,
}

/// An endless stream of events, no two alike; streams of two seeds share classrooms and quizzes, and no session.
pub(crate) struct Stream {
    seed: u64,
    next: u64,
    timestamp: [u8; 27],
    places: Places,
}

impl Stream {
    /// A stream of its own.
    pub(crate) fn new() -> Self {
        let place = |field: &str| {
            let key = format!("\"{field}\":");
            let start = JSON.find(&key).expect("every field is in the text") + key.len();
            start + usize::from(JSON.as_bytes()[start] == b'"')
        };
        Self {
            seed: Uuid::new_v4().as_u64_pair().0,
            next: 0,
            timestamp: [b'0'; 27],
            places: Places {
                event_id: place("event_id"),
                timestamp: place("timestamp"),
                session_id: place("session_id"),
                quiz_id: place("quiz_id"),
                classroom_id: place("classroom_id"),
                question_id: place("question_id"),
                student_id: place("student_id"),
                text: place("answer"),
                response_time_ms: place("response_time_ms"),
            },
        }
    }

    /// The next event's values.
    pub(crate) fn answer(&mut self) -> Answer {
        let number = self.next;
        self.next += 1;
        let slot = number % LIVE_SESSIONS;
        // Sessions end one after the other, not all at once.
        let step = number / LIVE_SESSIONS + slot * (ANSWERS / LIVE_SESSIONS);
        let session = (step / ANSWERS) * LIVE_SESSIONS + slot;
        let (question, student) = ((step % ANSWERS) / STUDENTS, step % STUDENTS);
        let (classroom, quiz) = (session % CLASSROOMS, session % QUIZZES);
        let chance = mix(self.seed ^ number);
        Answer {
            event_id: time_ordered(number, chance),
            session_id: fixed_id(1, self.seed, session),
            quiz_id: fixed_id(2, 0, quiz),
            classroom_id: fixed_id(3, 0, classroom),
            question_id: fixed_id(4, quiz, question),
            student_id: fixed_id(5, classroom, student),
            text: TEXTS[(chance % 4) as usize],
            response_time_ms: 10_000 + ((chance >> 8) % 50_000) as i32,
        }
    }

    /// Writes the next event's JSON over `place`, which has [`EVENT_BYTES`] bytes.
    pub(crate) fn write_json(&mut self, place: &mut [u8]) {
        if self.next.is_multiple_of(1024) {
            self.timestamp = timestamp();
        }
        let answer = self.answer();
        place.copy_from_slice(JSON.as_bytes());
        let places = &self.places;
        for (at, id) in [
            (places.event_id, answer.event_id),
            (places.session_id, answer.session_id),
            (places.quiz_id, answer.quiz_id),
            (places.classroom_id, answer.classroom_id),
            (places.question_id, answer.question_id),
            (places.student_id, answer.student_id),
        ] {
            id.hyphenated().encode_lower(&mut place[at..at + 36]);
        }
        place[places.timestamp..places.timestamp + 27].copy_from_slice(&self.timestamp);
        place[places.text..places.text + answer.text.len()].copy_from_slice(answer.text.as_bytes());
        let mut rest = answer.response_time_ms;
        for digit in (0..5).rev() {
            place[places.response_time_ms + digit] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
}

fn timestamp() -> [u8; 27] {
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    OffsetDateTime::now_utc()
        .format(form)
        .ok()
        .and_then(|text| text.as_bytes().try_into().ok())
        .expect("a time of this century has 27 characters in this form")
}

/// The finaliser of SplitMix64: every input bit moves every output bit.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn fixed_id(kind: u64, group: u64, number: u64) -> Uuid {
    let high = mix(mix(kind) ^ group);
    let low = mix(high ^ number);
    let bytes = (u128::from(mix(low)) << 64 | u128::from(low)).to_be_bytes();
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// A UUIDv7, in order also within a millisecond.
fn time_ordered(number: u64, chance: u64) -> Uuid {
    let now_ms = (OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000) as u64;
    let mut tail = [0; 10];
    tail[..2].copy_from_slice(&((number & 0x0fff) as u16).to_be_bytes());
    tail[2..].copy_from_slice(&chance.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(now_ms, &tail).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use analytics_ingestor::event::{EventIn, Origin};
    use analytics_ingestor::tenant::Tenant;

    use super::*;

    #[test]
    fn every_event_is_one_that_the_product_accepts() {
        let mut stream = Stream::new();
        let mut ids = HashSet::new();
        let origin = Origin {
            tenant: Tenant::DEFAULT,
            received_at: OffsetDateTime::now_utc(),
        };
        let mut json = [0; EVENT_BYTES];
        for _ in 0..5_000 {
            stream.write_json(&mut json);
            let event = EventIn::from_json(&json).unwrap().parse(origin).unwrap();
            assert_eq!(event.event_id.uuid().get_version_num(), 7);
            assert!(ids.insert(event.event_id.uuid()));
        }
    }

    #[test]
    fn events_are_as_long_as_real_ones() {
        assert_eq!(EVENT_BYTES, 426);
    }

    #[test]
    fn a_session_ends_after_every_student_answered_every_question() {
        let mut stream = Stream::new();
        let mut sessions: HashMap<Uuid, HashSet<(Uuid, Uuid)>> = HashMap::new();
        for _ in 0..3 * LIVE_SESSIONS * ANSWERS {
            let answer = stream.answer();
            let pair = (answer.question_id, answer.student_id);
            assert!(sessions.entry(answer.session_id).or_default().insert(pair));
        }
        let most = sessions.values().map(HashSet::len).max();
        assert_eq!(most, Some(ANSWERS as usize));
    }
}
