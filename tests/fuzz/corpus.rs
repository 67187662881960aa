//! Valid inputs to begin with.

use serde_json::{Value, json};

const EVENT_TYPES: [&str; 4] = [
    "SESSION_STARTED",
    "SESSION_ENDED",
    "QUESTION_PUBLISHED",
    "ANSWER_SUBMITTED",
];

/// Ids, times and texts in the forms that clients write them.
const IDS: [&str; 4] = [
    "900e8400-e29b-41d4-a716-446655440000",
    "900E8400E29B41D4A716446655440010",
    "{900e8400-e29b-41d4-a716-446655440020}",
    "urn:uuid:900e8400-e29b-41d4-a716-446655440030",
];
const TIMES: [&str; 6] = [
    "2025-06-20T12:01:00Z",
    "2025-06-20t12:01:00.123456789z",
    "2025-06-20 12:01:00.5+02:00",
    "0001-01-01T00:00:00Z",
    "2024-02-29T23:59:59-23:59",
    "1969-12-31T23:59:59.999999+00:00",
];
const TEXTS: [&str; 6] = [
    "B",
    "O(n²) \"quoted\" \\ / \u{8}\u{c}\n\r\t",
    "\u{1f600}\u{202e}\u{10ffff}",
    "\u{7f}\u{1}",
    "[{\"a\":null}]",
    "x",
];

/// Every type of event, with every optional field there or not.
pub(crate) fn events() -> Vec<Value> {
    let mut events = Vec::new();
    for n in 0..48_usize {
        let event_type = EVENT_TYPES[n % 4];
        let mut event = json!({
            "event_id": if n % 3 == 0 { format!("test-{n}") } else { IDS[n % IDS.len()].to_owned() },
            "event_type": event_type,
            "timestamp": TIMES[n % TIMES.len()],
            "session_id": IDS[(n / 2) % IDS.len()],
            "quiz_id": IDS[(n / 3) % IDS.len()],
            "classroom_id": IDS[(n / 5) % IDS.len()],
        });
        let mut set = |field: &str, value: Value| event[field] = value;
        match event_type {
            "QUESTION_PUBLISHED" => {
                set("question_id", json!(IDS[n % 3]));
                if n % 8 == 2 {
                    set("teacher_id", json!(IDS[1]));
                    set("timer_sec", json!([1, 60, i32::MAX][n % 3]));
                    set("correct_answer", json!(TEXTS[n % TEXTS.len()]));
                }
            }
            "ANSWER_SUBMITTED" => {
                set("question_id", json!(IDS[n % 3]));
                set("student_id", json!(IDS[n % 4]));
                set("answer", json!(TEXTS[n % TEXTS.len()]));
                if n % 8 == 3 {
                    set("response_time_ms", json!([0, 1_200, i32::MAX][n % 3]));
                }
            }
            _ => {}
        }
        if n % 7 == 0 {
            set("unknown", json!({"deep": [[1, 2.5e10, -0.0], {"a": null}]}));
        }
        events.push(event);
    }
    events
}
