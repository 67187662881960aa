//! Reports on a classroom over time: 8.4 and 8.12.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Ask, accuracy, echo};
use crate::oracle::clock::{Micros, moment};
use crate::oracle::model::{Attempt, Model, Session};
use crate::oracle::number::{Fraction, reached};

/// Some sessions of one classroom, with their answers from a window.
struct Engagement {
    total_students: usize,
    active_students: usize,
    rate: Fraction,
    accuracy: Fraction,
    questions: usize,
    response_rate: Fraction,
}

impl Engagement {
    fn of(model: &Model, classroom: Uuid, sessions: &[&Session], window: &Range<Micros>) -> Self {
        let roster = model.roster(classroom);
        let answers: Vec<&Attempt> = model
            .answers_of(sessions)
            .into_iter()
            .filter(|answer| window.contains(&answer.at))
            .collect();
        let by_roster = || {
            answers
                .iter()
                .filter(|answer| roster.contains(&answer.student))
        };
        let active: BTreeSet<Uuid> = by_roster().map(|answer| answer.student).collect();
        let mut answered = 0;
        let mut could_answer = 0;
        for session in sessions {
            let published = model.published_questions(session.id);
            let own = || by_roster().filter(|answer| answer.session == session.id);
            let present: BTreeSet<Uuid> = own().map(|answer| answer.student).collect();
            answered += own()
                .filter(|answer| published.contains(&answer.question))
                .count();
            could_answer += present.len() * published.len();
        }
        Self {
            total_students: roster.len(),
            active_students: active.len(),
            rate: Fraction::percent(active.len(), roster.len()),
            accuracy: accuracy(&answers),
            questions: model.published_in(sessions).len(),
            response_rate: Fraction::percent(answered, could_answer),
        }
    }
}

/// The sessions of the classroom that started in the window.
fn started_in<'m>(model: &'m Model, classroom: Uuid, window: &Range<Micros>) -> Vec<&'m Session> {
    model
        .sessions_of_classroom(classroom)
        .into_iter()
        .filter(|session| session.started_at.is_some_and(|at| window.contains(&at)))
        .collect()
}

pub(super) fn classroom(model: &Model, ask: &Ask, now: Micros) -> Value {
    let classroom = ask.id("classroom_id");
    let range = ask.range("date_range", "7d");
    let engagement_in = |window: Range<Micros>| {
        let sessions = started_in(model, classroom, &window);
        let engagement = Engagement::of(model, classroom, &sessions, &window);
        (sessions.len(), engagement)
    };
    let (_, present) = engagement_in(now - range..now + 1);
    let (sessions_before, before) = engagement_in(now - 2 * range..now - range);
    let trend = |gain: Fraction| {
        if sessions_before == 0 {
            "insufficient_data"
        } else if gain <= Fraction::whole(-5) {
            "decreasing"
        } else {
            reached(gain, &[(5, "increasing")], "stable")
        }
    };
    json!({
        "classroom_id": classroom,
        "date_range": echo(range),
        "total_students": present.total_students,
        "active_students": present.active_students,
        "engagement_rate_percent": present.rate.json(),
        "average_accuracy_percent": present.accuracy.json(),
        "total_questions": present.questions,
        "response_rate_percent": present.response_rate.json(),
        "trends": {
            "engagement": trend(present.rate - before.rate),
            "accuracy": trend(present.accuracy - before.accuracy),
        },
    })
}

pub(super) fn history(model: &Model, ask: &Ask, now: Micros) -> Value {
    let classroom = ask.id("classroom_id");
    let range = ask.range("date_range", "7d");
    let window = now - range..now + 1;
    let mut days: BTreeMap<String, Vec<&Session>> = BTreeMap::new();
    for session in started_in(model, classroom, &window) {
        let day = session.started_at.map(|at| moment(at).date().to_string());
        days.entry(day.expect("it has started"))
            .or_default()
            .push(session);
    }
    let rows: Vec<Value> = days
        .into_iter()
        .rev()
        .map(|(day, sessions)| {
            let engagement = Engagement::of(model, classroom, &sessions, &window);
            json!({
                "date": day,
                "total_students": engagement.total_students,
                "active_students": engagement.active_students,
                "engagement_rate": engagement.rate.json(),
                "average_accuracy": engagement.accuracy.json(),
                "total_questions": engagement.questions,
                "response_rate": engagement.response_rate.json(),
            })
        })
        .collect();
    let total = rows.len();
    let (page, pagination) = ask.page(rows);
    json!({
        "classroom_id": classroom,
        "date_range": echo(range),
        "pagination": pagination,
        "summary": {"total_periods": total, "page_periods": page.len()},
        "engagement_history": page,
    })
}
