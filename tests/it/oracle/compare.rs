//! What the server answered against what the oracle expects, field by field.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::clock::{HOUR, Micros, moment};

/// The texts whose wording the contract leaves free, by the names that the oracle gives them.
#[derive(Debug, Default)]
pub(super) struct Wordings(BTreeMap<String, String>);

impl Wordings {
    /// Whether the text is always the one of this name, and of no other.
    fn agrees(&mut self, name: &str, text: &str) -> bool {
        let other = self.0.iter().find(|(_, known)| *known == text);
        if other.is_some_and(|(other, _)| other != name) {
            return false;
        }
        self.0
            .entry(name.to_owned())
            .or_insert_with(|| text.to_owned())
            == text
    }
}

/// Every place where the answer is not as expected.
pub(super) fn differences(
    expected: &Value,
    actual: &Value,
    wordings: &mut Wordings,
    now: Micros,
) -> Vec<String> {
    let mut comparison = Comparison {
        wordings,
        now,
        found: Vec::new(),
    };
    comparison.value("", expected, actual);
    comparison.found
}

struct Comparison<'w> {
    wordings: &'w mut Wordings,
    now: Micros,
    found: Vec<String>,
}

impl Comparison<'_> {
    fn value(&mut self, path: &str, expected: &Value, actual: &Value) {
        match (expected, actual) {
            (Value::Object(mark), _) if mark.keys().any(|key| key.starts_with('$')) => {
                self.mark(path, mark, actual);
            }
            (Value::Object(expected), Value::Object(actual)) => {
                self.object(path, expected, actual);
            }
            (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
                for (place, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                    self.value(&format!("{path}[{place}]"), expected, actual);
                }
            }
            (Value::Number(expected), Value::Number(actual)) => {
                // A count has to be an integer; any other number may be one.
                let is_equal = if expected.is_f64() {
                    expected.as_f64() == actual.as_f64()
                } else {
                    expected == actual
                };
                self.check(is_equal, path, &expected.to_string(), &actual.to_string());
            }
            _ => self.check(
                expected == actual,
                path,
                &expected.to_string(),
                &actual.to_string(),
            ),
        }
    }

    fn object(&mut self, path: &str, expected: &Map<String, Value>, actual: &Map<String, Value>) {
        for (key, value) in expected {
            let path = format!("{path}.{key}");
            match actual.get(key) {
                Some(actual) => self.value(&path, value, actual),
                None => self.check(false, &path, &value.to_string(), "nothing"),
            }
        }
        for (key, value) in actual {
            if !expected.contains_key(key) {
                self.check(
                    false,
                    &format!("{path}.{key}"),
                    "nothing",
                    &value.to_string(),
                );
            }
        }
    }

    /// A value that is not known exactly.
    fn mark(&mut self, path: &str, mark: &Map<String, Value>, actual: &Value) {
        let text = actual.as_str().unwrap_or_default();
        let is_right = if let Some(values) = mark.get("$sql_without").and_then(Value::as_array) {
            let mut values = values.iter().filter_map(Value::as_str);
            // A short value may well be a part of some name.
            text.contains("SELECT")
                && !values.any(|value| value.len() >= 20 && text.contains(value))
        } else if let Some(name) = mark.get("$wording").and_then(Value::as_str) {
            let naming = mark.get("$naming").and_then(Value::as_str).unwrap_or("");
            !text.is_empty() && text.contains(naming) && self.wordings.agrees(name, text)
        } else {
            let now = moment(self.now);
            let an_hour_ago = moment(self.now - HOUR);
            OffsetDateTime::parse(text, &Rfc3339)
                .is_ok_and(|at| at >= an_hour_ago && at <= now && text.ends_with('Z'))
        };
        self.check(
            is_right,
            path,
            &Value::Object(mark.clone()).to_string(),
            &actual.to_string(),
        );
    }

    fn check(&mut self, is_right: bool, path: &str, expected: &str, actual: &str) {
        if !is_right {
            self.found
                .push(format!("{path}: expected {expected}, found {actual}"));
        }
    }
}

#[test]
fn a_difference_is_named_with_its_place() {
    let expected =
        serde_json::json!({"a": [1, 2.0], "b": {"$wording": "x"}, "c": {"$wording": "y"}});
    let compare = |actual| differences(&expected, &actual, &mut Wordings::default(), 0);
    let right = serde_json::json!({"a": [1, 2], "b": "one", "c": "two"});
    assert_eq!(compare(right), Vec::<String>::new());
    let wrong = serde_json::json!({"a": [1.0, 2], "b": "one", "c": "one", "d": null});
    assert_eq!(
        compare(wrong),
        [
            ".a[0]: expected 1, found 1.0",
            r#".c: expected {"$wording":"y"}, found "one""#,
            ".d: expected nothing, found null",
        ]
    );
}
