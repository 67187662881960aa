//! Each measure, over everything and over groups that cut sessions in pieces.

use serde_json::{Value, json};

use super::{MEASURES, School, World, a_publication, a_start, an_answer, an_end, ids};

fn with(mut row: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

/// All answers of the school.
fn of_all() -> Value {
    json!({
        "total_answers": 8,
        "correct_answers": 5,
        "wrong_answers": 1,
        "accuracy_rate": 83.33,
        "active_students": 5,
        "questions_published": 3,
        // 10000 × 5 × 1 ÷ (6 × 5)
        "performance_variance": 1666.67,
        // 9 ÷ 8
        "student_attempts_per_question": 1.13,
        // Ann, Ben, Cem, Dan of five; the guest does not count.
        "participation_rate": 80,
        "engagement_score": 81.67,
        // (2 + 2 + 1 + 1) ÷ (3 × 2 + 1 × 1)
        "session_completion_rate": 85.71,
        "unique_sessions": 2,
        "average_session_duration": 1200,
        // (3 + 1) ÷ (4 + 1)
        "questions_per_minute": 0.8,
        "question_difficulty_score": 16.67,
        "content_effectiveness_score": 81.67,
        // (5 + 10 + 20) ÷ 3
        "time_to_first_answer": 11.67,
        // 6 ÷ (3 + 3 + 2 + 2)
        "question_engagement_rate": 60,
        // Ann, Ben, Dan of five seats.
        "quiz_completion_rate": 60,
        // (10 + 70 + 40 + 10 + 5 + 20) ÷ 6
        "response_speed_score": 25.83,
        // (9000 + 70000 + 40000 + 10000 + 5000 + 20000 + 1500) ÷ 7
        "response_time_avg": 22214.29,
        "response_time_min": 1500,
        "response_time_max": 70000,
    })
}

#[tokio::test]
async fn every_measure_over_all_answers() {
    let school = School::new().await;
    let rows = school.rows(json!({"measures": MEASURES})).await;
    assert_eq!(rows, json!([of_all()]));
    // From the answers instead of the sessions' figures.
    let rows = school
        .rows(json!({"measures": MEASURES, "time_range": {"end": "2025-07-01T00:00:00Z"}}))
        .await;
    assert_eq!(rows, json!([of_all()]));
}

#[tokio::test]
async fn every_measure_alone_is_what_it_is_among_the_others() {
    let school = School::new().await;
    for measure in MEASURES {
        for range in [json!(null), json!({"end": "2025-07-01T00:00:00Z"})] {
            let rows = school
                .rows(json!({"measures": [measure], "time_range": range}))
                .await;
            assert_eq!(rows, json!([{measure: of_all()[measure]}]), "{measure}");
        }
    }
}

#[tokio::test]
async fn every_measure_by_question_knows_only_that_questions_answers_and_publications() {
    let school = School::new().await;
    let rows = school
        .rows(json!({"measures": MEASURES, "dimensions": ["question_id"]}))
        .await;
    let [q1, q2, q3, q4] = school.questions;
    let of_q1 = json!({
        "question_id": q1,
        "total_answers": 4,
        "correct_answers": 3,
        "wrong_answers": 1,
        "accuracy_rate": 75,
        "active_students": 4,
        "questions_published": 1,
        "performance_variance": 2500,
        "student_attempts_per_question": 1,
        "participation_rate": 100,
        "engagement_score": 87.5,
        // 3 ÷ (3 × 2): all published questions count, also those that are not in the group.
        "session_completion_rate": 50,
        "unique_sessions": 1,
        "average_session_duration": 1200,
        "questions_per_minute": 0.75,
        "question_difficulty_score": 25,
        "content_effectiveness_score": 87.5,
        "time_to_first_answer": 5,
        "question_engagement_rate": 100,
        "quiz_completion_rate": 0,
        "response_speed_score": 18.33,
        "response_time_avg": 18000,
        "response_time_min": 5000,
        "response_time_max": 40000,
    });
    let of_q2 = with(
        of_q1.clone(),
        json!({
            "question_id": q2,
            "total_answers": 2,
            "correct_answers": 2,
            "wrong_answers": 0,
            "accuracy_rate": 100,
            "active_students": 2,
            "performance_variance": 0,
            "student_attempts_per_question": 1.5,
            "participation_rate": 66.67,
            "engagement_score": 83.33,
            "session_completion_rate": 50,
            "question_difficulty_score": 0,
            "content_effectiveness_score": 83.33,
            "time_to_first_answer": 10,
            "question_engagement_rate": 66.67,
            "response_speed_score": 40,
            "response_time_avg": 40000,
            "response_time_min": 10000,
            "response_time_max": 70000,
        }),
    );
    let of_q3 = json!({
        "question_id": q3,
        "total_answers": 1,
        "correct_answers": 0,
        "wrong_answers": 0,
        "accuracy_rate": 0,
        "active_students": 1,
        "questions_published": 1,
        "performance_variance": null,
        "student_attempts_per_question": 1,
        "participation_rate": 50,
        "engagement_score": 25,
        "session_completion_rate": 100,
        "unique_sessions": 1,
        "average_session_duration": null,
        "questions_per_minute": 1,
        "question_difficulty_score": 100,
        "content_effectiveness_score": 25,
        "time_to_first_answer": 20,
        "question_engagement_rate": 50,
        "quiz_completion_rate": 50,
        "response_speed_score": 20,
        "response_time_avg": 20000,
        "response_time_min": 20000,
        "response_time_max": 20000,
    });
    let of_q4 = with(
        of_q3.clone(),
        json!({
            "question_id": q4,
            "questions_published": 0,
            "session_completion_rate": 0,
            "time_to_first_answer": null,
            "question_engagement_rate": 0,
            "quiz_completion_rate": 0,
            "response_speed_score": null,
            "response_time_avg": 1500,
            "response_time_min": 1500,
            "response_time_max": 1500,
        }),
    );
    for (found, expected) in rows
        .as_array()
        .unwrap()
        .iter()
        .zip([of_q1, of_q2, of_q3, of_q4])
    {
        assert_eq!(*found, expected);
    }
    assert_eq!(rows.as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn every_measure_over_nothing() {
    let world = World::new().await;
    let rows = world.rows(json!({"measures": MEASURES})).await;
    let expected = json!([{
        "total_answers": 0,
        "correct_answers": 0,
        "wrong_answers": 0,
        "accuracy_rate": 0,
        "active_students": 0,
        "questions_published": 0,
        "performance_variance": null,
        "student_attempts_per_question": null,
        "participation_rate": 0,
        "engagement_score": 0,
        "session_completion_rate": 0,
        "unique_sessions": 0,
        "average_session_duration": null,
        "questions_per_minute": 0,
        "question_difficulty_score": 100,
        "content_effectiveness_score": 0,
        "time_to_first_answer": null,
        "question_engagement_rate": 0,
        "quiz_completion_rate": 0,
        "response_speed_score": null,
        "response_time_avg": null,
        "response_time_min": null,
        "response_time_max": null,
    }]);
    assert_eq!(rows, expected);
    let rows = world
        .rows(json!({"measures": MEASURES, "time_range": {"end": "2025-07-01T00:00:00Z"}}))
        .await;
    assert_eq!(rows, expected);
    assert_eq!(
        world
            .rows(json!({"measures": MEASURES, "dimensions": ["question_id"]}))
            .await,
        json!([])
    );
}

#[tokio::test]
async fn publications_count_for_the_teacher_the_timer_and_the_difficulty_of_the_group() {
    let school = School::new().await;
    let published = async |dimension: &str| -> Value {
        let body = json!({"measures": ["questions_published"], "dimensions": [dimension]});
        let rows = school.rows(body).await;
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| json!([row[dimension], row["questions_published"]]))
            .collect()
    };
    let [head, aide] = school.teachers;
    // Without a teacher: of the first session the second publication of a question, of the second nothing.
    let expected = json!([[head, 2], [aide, 1], [null, 1]]);
    assert_eq!(published("teacher_id").await, expected);
    let expected = json!([
        ["Fast", 1],
        ["Medium", 1],
        ["Slow", 1],
        ["Unknown", 0],
        ["Untimed", 1]
    ]);
    assert_eq!(published("timer_duration_category").await, expected);
    let expected = json!([["Easy", 1], ["Medium", 1], ["Unrated", 1]]);
    assert_eq!(published("difficulty_level").await, expected);
    // What only an answer has narrows the sessions, and not the publications.
    let expected = json!([["A", 2], ["B", 2], ["C", 2], ["X", 1], ["Y", 1]]);
    assert_eq!(published("answer_option").await, expected);
}

#[tokio::test]
async fn a_rosters_student_counts_once_however_many_sessions_the_group_has() {
    let world = World::new().await;
    let [ann, ben, one, two, question] = ids();
    world.enrol(&[ann, ben]).await;
    let answer = |session| {
        an_answer()
            .in_session(session)
            .of(question)
            .by(ann)
            .at_second(10)
    };
    let publish = |session| a_publication().in_session(session).of(question);
    world
        .happened([
            a_start().in_session(one),
            an_end().in_session(one).at_second(600),
            a_start().in_session(two),
            an_end().in_session(two).at_second(601),
            publish(one),
            publish(two),
            answer(one),
            answer(two),
        ])
        .await;
    let measures = [
        "participation_rate",
        "questions_published",
        "average_session_duration",
        "quiz_completion_rate",
    ];
    let rows = world.rows(json!({"measures": measures})).await;
    let expected = json!([{
        "participation_rate": 50,
        "questions_published": 1,
        "average_session_duration": 600.5,
        "quiz_completion_rate": 50,
    }]);
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn a_student_takes_part_only_in_sessions_of_their_own_classroom() {
    let world = World::new().await;
    let [ann, other_room, session, elsewhere] = ids();
    world.enrol(&[ann]).await;
    super::enrol(&world.db, 1, other_room, &[uuid::Uuid::new_v4()]).await;
    // On a roster of the group, but a guest in the session that was answered in.
    let guest = an_answer()
        .in_session(elsewhere)
        .in_classroom(other_room)
        .by(ann);
    world
        .happened([guest, an_answer().in_session(session)])
        .await;
    let rows = world
        .rows(json!({"measures": ["participation_rate", "active_students"]}))
        .await;
    assert_eq!(
        rows,
        json!([{"participation_rate": 0, "active_students": 2}])
    );
}
