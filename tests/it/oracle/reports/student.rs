//! Reports on the students of a classroom: 8.3, 8.11 and 8.21.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Ask, accuracy, correct, mean_latency, mean_seconds, performance_level, response_speed,
    response_time, seconds,
};
use crate::oracle::clock::{self, Micros};
use crate::oracle::model::{Attempt, Model};
use crate::oracle::number::{Fraction, count, reached};

/// The student's answers in sessions of the classroom.
pub(super) fn answers_of(model: &Model, student: Uuid, classroom: Uuid) -> Vec<&Attempt> {
    model
        .answers_of(&model.sessions_of_classroom(classroom))
        .into_iter()
        .filter(|answer| answer.student == student)
        .collect()
}

/// Whether the newer half of the graded answers is better than the older one.
fn trend(answers: &[&Attempt]) -> &'static str {
    let mut graded: Vec<&Attempt> = answers
        .iter()
        .copied()
        .filter(|answer| answer.is_correct.is_some())
        .collect();
    graded.sort_by_key(|answer| (answer.at, answer.id));
    if graded.len() < 4 {
        return "insufficient_data";
    }
    let (older, newer) = graded.split_at(graded.len() / 2);
    let gain = accuracy(newer) - accuracy(older);
    if gain <= Fraction::whole(-5) {
        "declining"
    } else {
        reached(gain, &[(5, "improving")], "stable")
    }
}

pub(super) fn performance(model: &Model, ask: &Ask) -> Value {
    let (student, classroom) = (ask.id("student_id"), ask.id("classroom_id"));
    let answers = answers_of(model, student, classroom);
    json!({
        "student_id": student,
        "classroom_id": classroom,
        "questions_attempted": answers.len(),
        "correct_answers": correct(answers.iter().copied()),
        "overall_accuracy_percent": accuracy(&answers).json(),
        "average_response_time": response_time(&answers),
        "average_response_time_seconds":
            mean_latency(&answers).map_or(Value::Null, |mean| seconds(mean).json()),
        "performance_trend": trend(&answers),
    })
}

pub(super) fn performance_list(model: &Model, ask: &Ask) -> Value {
    let classroom = ask.id("classroom_id");
    let mut roster: Vec<Uuid> = model.roster(classroom).into_iter().collect();
    roster.sort_by_key(|student| (model.student_name(*student), *student));
    let total = roster.len();
    let rows = roster
        .into_iter()
        .map(|student| {
            let answers = answers_of(model, student, classroom);
            json!({
                "student_id": student,
                "student_name": model.student_name(student),
                "questions_attempted": answers.len(),
                "correct_answers": correct(answers.iter().copied()),
                "overall_accuracy": accuracy(&answers).json(),
                "average_response_time": response_time(&answers),
            })
        })
        .collect();
    let (page, pagination) = ask.page(rows);
    json!({
        "classroom_id": classroom,
        "pagination": pagination,
        "summary": {"total_students": total, "page_students": page.len()},
        "students": page,
    })
}

pub(super) fn activity(model: &Model, ask: &Ask, now: Micros) -> Value {
    let (student, classroom) = (ask.id("student_id"), ask.id("classroom_id"));
    let answers = answers_of(model, student, classroom);
    let sessions: BTreeSet<Uuid> = answers.iter().map(|answer| answer.session).collect();
    let quizzes: BTreeSet<Uuid> = sessions
        .iter()
        .filter_map(|session| model.session(*session))
        .map(|session| session.quiz)
        .collect();
    let variety = Fraction::percent(quizzes.len(), sessions.len()).min(Fraction::whole(100));
    let per_session = Fraction::new(count(answers.len()), count(sessions.len()));
    let times = || answers.iter().map(|answer| answer.at);
    let accuracy = accuracy(&answers);
    json!({
        "activity_summary": {
            "student_id": student,
            "classroom_id": classroom,
            "student_name": model.student_name(student),
            "classroom_name": model.classroom_name(classroom),
            "total_sessions_participated": sessions.len(),
            "unique_quizzes_taken": quizzes.len(),
            "total_questions_answered": answers.len(),
            "overall_accuracy": accuracy.json(),
            "average_response_time_seconds": mean_seconds(&answers).json(),
            "first_activity": clock::json(times().min()),
            "last_activity": clock::json(times().max()),
        },
        "insights": {
            "activity_level": reached(
                Fraction::whole(count(sessions.len())),
                &[(10, "highly_active"), (5, "active"), (2, "moderately_active"), (1, "minimally_active")],
                "inactive",
            ),
            "performance_trend": performance_level(accuracy),
            "accuracy_trend": trend(&answers),
            "engagement_consistency": consistency(model, classroom, &sessions, now),
            "response_efficiency": response_speed(&answers),
        },
        "metrics": {
            "questions_per_session": per_session.json(),
            "quiz_variety_score": variety.json(),
        },
    })
}

/// How many of the sessions held since the student's first one had the student's answers.
fn consistency(
    model: &Model,
    classroom: Uuid,
    participated: &BTreeSet<Uuid>,
    now: Micros,
) -> &'static str {
    let held: Vec<(Uuid, Micros)> = model
        .sessions_of_classroom(classroom)
        .into_iter()
        .filter_map(|session| session.started_at.map(|at| (session.id, at)))
        .filter(|(_, at)| *at <= now)
        .collect();
    let own = held
        .iter()
        .filter(|(session, _)| participated.contains(session));
    let Some(first) = own.clone().map(|(_, at)| *at).min() else {
        return "no_data";
    };
    let since_first = held.iter().filter(|(_, at)| *at >= first).count();
    reached(
        Fraction::percent(own.count(), since_first),
        &[
            (80, "very_consistent"),
            (60, "consistent"),
            (40, "somewhat_consistent"),
            (20, "inconsistent"),
        ],
        "very_inconsistent",
    )
}
