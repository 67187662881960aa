//! Rankings of students: both of 8.18.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::student::answers_of;
use super::{Ask, accuracy, correct, mean_latency, mean_seconds};
use crate::oracle::model::{Attempt, Model};
use crate::oracle::number::{Fraction, count};

pub(super) fn of_classroom(model: &Model, ask: &Ask) -> Value {
    let classroom = ask.id("classroom_id");
    let students = model
        .roster(classroom)
        .into_iter()
        .map(|student| (student, answers_of(model, student, classroom)))
        .collect();
    ranking(model, ask, ("classroom_id", classroom), students)
}

pub(super) fn of_session(model: &Model, ask: &Ask) -> Value {
    let session = ask.id("session_id");
    let answers = model.answers_in(session);
    let answering: BTreeSet<Uuid> = answers.iter().map(|answer| answer.student).collect();
    let students = answering
        .into_iter()
        .map(|student| {
            let own = answers.iter().copied();
            let own = own.filter(|answer| answer.student == student).collect();
            (student, own)
        })
        .collect();
    ranking(model, ask, ("session_id", session), students)
}

fn ranking(
    model: &Model,
    ask: &Ask,
    of: (&str, Uuid),
    mut students: Vec<(Uuid, Vec<&Attempt>)>,
) -> Value {
    let merit = |answers: &[&Attempt]| (accuracy(answers), answers.len());
    students.sort_by_key(|(student, answers)| {
        let mean = mean_latency(answers);
        let speed = (mean.is_none(), mean);
        let name = model.student_name(*student);
        (Reverse(merit(answers)), speed, name, *student)
    });
    let total = students.len();
    let rows = students
        .iter()
        .map(|(student, answers)| {
            let better = students
                .iter()
                .filter(|(_, other)| merit(other) > merit(answers))
                .count();
            let percentile = if total == 1 {
                Fraction::whole(100)
            } else {
                Fraction::new(100 * count(total - better - 1), count(total) - 1)
            };
            let sessions: BTreeSet<Uuid> = answers.iter().map(|answer| answer.session).collect();
            json!({
                "student_id": student,
                "student_name": model.student_name(*student),
                "questions_attempted": answers.len(),
                "correct_answers": correct(answers.iter().copied()),
                "accuracy_rate": accuracy(answers).json(),
                "average_response_time_seconds": mean_seconds(answers).json(),
                "rank": better + 1,
                "percentile": percentile.json(),
                "sessions_participated": sessions.len(),
            })
        })
        .collect();
    let (page, pagination) = ask.page(rows);
    json!({
        of.0: of.1,
        "pagination": pagination,
        "summary": {"total_students": total, "page_students": page.len()},
        "rankings": page,
    })
}
