//! Lists of sessions: 8.16 and 8.17.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::session::completion_rate;
use super::{Ask, accuracy};
use crate::oracle::clock;
use crate::oracle::model::{Model, Session};
use crate::oracle::number::Fraction;

pub(super) fn of_classroom(model: &Model, ask: &Ask) -> Value {
    let classroom = ask.id("classroom_id");
    let sessions = model.sessions_of_classroom(classroom);
    list(model, ask, ("classroom_id", classroom), sessions)
}

pub(super) fn of_quiz(model: &Model, ask: &Ask) -> Value {
    let quiz = ask.id("quiz_id");
    list(model, ask, ("quiz_id", quiz), model.sessions_of_quiz(quiz))
}

fn list(model: &Model, ask: &Ask, of: (&str, Uuid), mut sessions: Vec<&Session>) -> Value {
    // A session without a start comes last.
    sessions.sort_by_key(|session| {
        (
            session.started_at.is_none(),
            session.started_at.map(|at| -at),
            session.id,
        )
    });
    let total = sessions.len();
    let rows = sessions
        .into_iter()
        .map(|session| row(model, session))
        .collect();
    let (page, pagination) = ask.page(rows);
    json!({
        of.0: of.1,
        "pagination": pagination,
        "summary": {"total_sessions": total, "page_sessions": page.len()},
        "sessions": page,
    })
}

fn row(model: &Model, session: &Session) -> Value {
    let roster = model.roster_of(session.id);
    let answers = model.answers_in(session.id);
    let participating: BTreeSet<Uuid> = answers
        .iter()
        .map(|answer| answer.student)
        .filter(|student| roster.contains(student))
        .collect();
    let accuracy = accuracy(&answers);
    let participation = Fraction::percent(participating.len(), roster.len());
    let duration = session.duration().map(|duration| {
        let (whole, rest) = (duration / clock::SECOND, duration % clock::SECOND);
        format!("{whole}.{rest:06} seconds")
    });
    json!({
        "session_id": session.id,
        "quiz_title": model.quiz_title(session.quiz),
        "classroom_name": model.classroom_name(session.classroom),
        "started_at": clock::json(session.started_at),
        "duration": duration,
        "total_students": roster.len(),
        "participating_students": participating.len(),
        "total_questions": model.published_questions(session.id).len(),
        "average_accuracy": accuracy.json(),
        "completion_rate": completion_rate(model, session.id).json(),
        "engagement_score": (accuracy + participation).half().json(),
    })
}
