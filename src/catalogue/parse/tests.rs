use super::*;

const ID: &str = "900e8400-e29b-41d4-a716-446655440010";

fn quiz(json: &str) -> Result<Quiz, InvalidEntry> {
    Quiz::parse(Uuid::nil(), json.as_bytes())
}

/// The code and the field of a refusal.
fn refusal(json: &str) -> (&'static str, Option<String>) {
    let invalid = quiz(json).unwrap_err();
    (invalid.code(), invalid.field)
}

#[test]
fn a_quiz_keeps_its_order_and_takes_null_and_empty_for_absent() {
    let other = ID.replace("10", "09");
    let parsed = quiz(&format!(
        r#"{{"title":"T","description":"","extra":[1],"questions":[
            {{"question_id":"{ID}","correct_answer":null}}, {{"question_id":"urn:uuid:{other}","correct_answer":"B"}}]}}"#
    ))
    .unwrap();
    assert_eq!((parsed.title.as_str(), parsed.description), ("T", None));
    let questions: Vec<_> = parsed
        .questions
        .into_iter()
        .map(|question| (question.question_id.to_string(), question.correct_answer))
        .collect();
    assert_eq!(
        questions,
        [(ID.to_owned(), None), (other, Some("B".to_owned()))]
    );
}

#[test]
fn what_is_no_object_with_a_list_of_objects_is_refused_where_it_breaks() {
    for (json, code, field) in [
        ("", "broken_json", None),
        (r#"{"title":"T","questions":[]"#, "broken_json", None),
        (r#"{"title":"T","questions":[]} x"#, "broken_json", None),
        (r#"{"title":"\ud800","questions":[]}"#, "broken_json", None),
        (r#"["T",null,[]]"#, "wrong_shape", None),
        ("null", "wrong_shape", None),
        (
            r#"{"title":"T","title":"U","questions":[]}"#,
            "wrong_shape",
            None,
        ),
        (
            r#"{"title":"T","questions":{}}"#,
            "wrong_shape",
            Some("questions"),
        ),
        (
            r#"{"title":"T","questions":[["a"]]}"#,
            "wrong_shape",
            Some("questions[0]"),
        ),
        (
            r#"{"title":"T","questions":[null]}"#,
            "wrong_shape",
            Some("questions[0]"),
        ),
    ] {
        assert_eq!(refusal(json), (code, field.map(str::to_owned)), "{json}");
    }
}

#[test]
fn a_list_longer_than_the_limit_is_refused_and_one_as_long_is_not() {
    let list = |length: usize| {
        let entries: Vec<String> = (0..length)
            .map(|n| format!(r#"{{"question_id":"{}"}}"#, Uuid::from_u128(n as u128)))
            .collect();
        format!(r#"{{"title":"T","questions":[{}]}}"#, entries.join(","))
    };
    assert_eq!(quiz(&list(LIST_MAX)).unwrap().questions.len(), LIST_MAX);
    assert_eq!(
        refusal(&list(LIST_MAX + 1)),
        ("too_many_entries", Some("questions".to_owned()))
    );
}
