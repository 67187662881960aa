//! Reports on one session: 8.1, 8.2, 8.9 and 8.10.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Ask, accuracy, echo, wording, wording_naming};
use crate::oracle::clock::{MINUTE, Micros};
use crate::oracle::model::{Attempt, Model};
use crate::oracle::number::{Fraction, count, reached};

pub(super) fn active_participants(model: &Model, ask: &Ask, now: Micros) -> Value {
    let session = ask.id("session_id");
    let range = ask.range("time_range", "60m");
    let answers: Vec<&Attempt> = model
        .answers_in(session)
        .into_iter()
        .filter(|answer| (now - range..=now).contains(&answer.at))
        .collect();
    let students: BTreeSet<Uuid> = answers.iter().map(|answer| answer.student).collect();
    let mut participants: Vec<(Micros, Uuid, Fraction)> = students
        .into_iter()
        .map(|student| {
            let own: Vec<&Attempt> = answers
                .iter()
                .copied()
                .filter(|answer| answer.student == student)
                .collect();
            let newest = own.iter().map(|answer| answer.at).max();
            (newest.expect("there is one"), student, accuracy(&own))
        })
        .collect();
    participants.sort_by_key(|(newest, student, _)| (-newest, *student));
    let average = Fraction::mean(participants.iter().map(|(_, _, accuracy)| *accuracy));
    let total = participants.len();
    let rows = participants
        .iter()
        .map(|(_, student, accuracy)| json!({"student_id": student, "accuracy": accuracy.json()}))
        .collect();
    let (page, pagination) = ask.page(rows);
    json!({
        "session_id": session,
        "time_range": echo(range),
        "pagination": pagination,
        "page_participants": page.len(),
        "active_participants": page,
        "total_participants": total,
        "average_accuracy_percent": average.json(),
    })
}

pub(super) fn questions_per_minute(model: &Model, ask: &Ask) -> Value {
    let session = ask.id("session_id");
    let times: Vec<Micros> = model
        .publications_in(session)
        .iter()
        .map(|publication| publication.at)
        .collect();
    let peak = times
        .iter()
        .map(|begin| {
            times
                .iter()
                .filter(|at| (*begin..begin + MINUTE).contains(at))
                .count()
        })
        .max()
        .unwrap_or(0);
    json!({
        "session_id": session,
        "total_questions": times.len(),
        "average_qpm": (Fraction::whole(count(times.len())) / minutes_of_publishing(&times)).json(),
        "peak_qpm": Fraction::whole(count(peak)).json(),
        "analysis_window": "session_duration",
    })
}

/// From the first to the last publication, at least one.
pub(in crate::oracle) fn minutes_of_publishing(times: &[Micros]) -> Fraction {
    let span = times.iter().max().unwrap_or(&0) - times.iter().min().unwrap_or(&0);
    Fraction::new(i128::from(span.max(MINUTE)), i128::from(MINUTE))
}

/// The published questions of the session that the student answered.
pub(in crate::oracle) fn answered(model: &Model, session: Uuid, student: Uuid) -> usize {
    model
        .published_questions(session)
        .into_iter()
        .filter(|question| {
            model
                .answers_in(session)
                .iter()
                .any(|answer| (answer.student, answer.question) == (student, *question))
        })
        .count()
}

/// Students of the roster who answered every published question, of which there is at least one.
pub(super) fn completed(model: &Model, session: Uuid) -> usize {
    let published = model.published_questions(session).len();
    model
        .roster_of(session)
        .into_iter()
        .filter(|student| published > 0 && answered(model, session, *student) == published)
        .count()
}

pub(super) fn completion_rate(model: &Model, session: Uuid) -> Fraction {
    Fraction::percent(completed(model, session), model.roster_of(session).len())
}

pub(super) fn completion(model: &Model, ask: &Ask) -> Value {
    let session = ask.id("session_id");
    let roster = model.roster_of(session);
    let published = model.published_questions(session).len();
    let average = Fraction::mean(
        roster
            .iter()
            .map(|student| Fraction::percent(answered(model, session, *student), published)),
    );
    let rate = completion_rate(model, session);
    json!({
        "session_id": session,
        "total_students": roster.len(),
        "completed_students": completed(model, session),
        "completion_rate": rate.json(),
        "total_questions": published,
        "average_completion": average.json(),
        "analysis": {
            "retention_level": reached(
                rate.rounded(),
                &[(85, "excellent"), (70, "good"), (50, "moderate")],
                "concerning",
            ),
            "benchmark": wording_naming("completion benchmark", "80"),
        },
    })
}

pub(super) fn dropoff(model: &Model, ask: &Ask) -> Value {
    let session = ask.id("session_id");
    let questions = model.published_questions(session);
    let order = |question: Uuid| {
        questions
            .iter()
            .position(|published| *published == question)
            .map_or(0, |place| place + 1)
    };
    let last_answered: Vec<usize> = model
        .roster_of(session)
        .into_iter()
        .map(|student| {
            let own = model.answers_in(session).into_iter();
            own.filter(|answer| answer.student == student)
                .map(|answer| order(answer.question))
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut start = last_answered.len();
    let mut points = Vec::new();
    let mut critical = Vec::new();
    let mut advice = "dropoff: healthy";
    for question in &questions {
        let order = order(*question);
        let end = last_answered.iter().filter(|last| **last >= order).count();
        let rate = Fraction::percent(start - end, start);
        let point = json!({
            "question_id": question,
            "question_order": order,
            "students_at_start": start,
            "students_at_end": end,
            "dropoff_rate": rate.json(),
        });
        if rate.rounded() >= Fraction::whole(25) {
            critical.push(point.clone());
        }
        if rate.rounded() >= Fraction::whole(30) {
            advice = "dropoff: review";
        }
        points.push(point);
        start = end;
    }
    json!({
        "session_id": session,
        "dropoff_points": points,
        "analysis": {"critical_points": critical, "recommendations": [wording(advice)]},
    })
}
