//! Reports on one question in one session: 8.6, 8.7 and 8.8.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Ask, latencies, mean_latency, milliseconds, wording, wording_naming};
use crate::oracle::clock::{Micros, go_text};
use crate::oracle::model::{Attempt, Model};
use crate::oracle::number::{Fraction, reached, within};

fn answers_to(model: &Model, session: Uuid, question: Uuid) -> Vec<&Attempt> {
    model
        .answers_in(session)
        .into_iter()
        .filter(|answer| answer.question == question)
        .collect()
}

/// The roster, if the question was published there at all.
fn receivers(model: &Model, session: Uuid, question: Uuid) -> BTreeSet<Uuid> {
    if model.published_questions(session).contains(&question) {
        model.roster_of(session)
    } else {
        BTreeSet::new()
    }
}

pub(super) fn response_rate(model: &Model, ask: &Ask) -> Value {
    let (session, question) = (ask.id("session_id"), ask.id("question_id"));
    let receivers = receivers(model, session, question);
    let answered = answers_to(model, session, question)
        .into_iter()
        .filter(|answer| receivers.contains(&answer.student))
        .count();
    let rate = Fraction::percent(answered, receivers.len());
    json!({
        "session_id": session,
        "question_id": question,
        "students_received": receivers.len(),
        "students_answered": answered,
        "response_rate": rate.json(),
        "analysis": {
            "engagement_level": reached(
                rate.rounded(),
                &[(90, "excellent"), (75, "good"), (60, "moderate")],
                "low",
            ),
            "benchmark": wording_naming("response benchmark", "85"),
        },
    })
}

pub(super) fn latency(model: &Model, ask: &Ask) -> Value {
    let (session, question) = (ask.id("session_id"), ask.id("question_id"));
    let answers = answers_to(model, session, question);
    let first = answers
        .iter()
        .filter(|answer| answer.round.is_some())
        .min_by_key(|answer| (answer.at, answer.id))
        .and_then(|answer| answer.latency());
    let mut sorted = latencies(&answers);
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    let median = match sorted.len() {
        0 => Fraction::ZERO,
        odd if odd % 2 == 1 => Fraction::whole(sorted[middle].into()),
        _ => Fraction::new(
            i128::from(sorted[middle - 1]) + i128::from(sorted[middle]),
            2,
        ),
    };
    let text = |micros| go_text(milliseconds(micros));
    let mean = mean_latency(&answers);
    let rating = mean.map_or("no_data", |mean| {
        let sent = Fraction::new(milliseconds(mean), 1_000);
        within(sent, &[(15, "fast"), (30, "moderate")], "slow")
    });
    json!({
        "session_id": session,
        "question_id": question,
        "first_answer_latency": text(Fraction::whole(first.unwrap_or(0).into())),
        "average_latency": text(mean.unwrap_or(Fraction::ZERO)),
        "median_latency": text(median),
        "answer_count": answers.len(),
        "analysis": {
            "speed_rating": rating,
            "benchmark": wording_naming("latency benchmark", "30"),
        },
    })
}

pub(super) fn timeout(model: &Model, ask: &Ask, now: Micros) -> Value {
    let (session, question) = (ask.id("session_id"), ask.id("question_id"));
    let roster = receivers(model, session, question);
    let answered: BTreeSet<Uuid> = answers_to(model, session, question)
        .into_iter()
        .map(|answer| answer.student)
        .collect();
    let missing: Vec<Uuid> = roster.difference(&answered).copied().collect();
    let mut rounds = model.publications_in(session);
    rounds.retain(|publication| publication.question == question);
    rounds.sort_by_key(|publication| (publication.at, publication.id));
    let is_closed = rounds.last().is_some_and(|last| {
        let ended_at = model.session(session).and_then(|session| session.ended_at);
        last.deadline()
            .or(ended_at)
            .is_some_and(|closes| closes < now)
    });
    let was_present = |student: &&Uuid| {
        model.answers_in(session).into_iter().any(|answer| {
            answer.student == **student && rounds.first().is_some_and(|first| answer.at >= first.at)
        })
    };
    let (timed_out, skipped, pending) = if is_closed {
        let skipped = missing.iter().filter(was_present).count();
        (missing.len() - skipped, skipped, 0)
    } else {
        (0, 0, missing.len())
    };
    let timeout_rate = Fraction::percent(timed_out, roster.len());
    let skipped_rate = Fraction::percent(skipped, roster.len());
    let advice = reached(
        timeout_rate.rounded(),
        &[(20, "timeout: more time"), (10, "timeout: watch")],
        "timeout: fine",
    );
    json!({
        "session_id": session,
        "question_id": question,
        "total_students": roster.len(),
        "timeout_count": timed_out,
        "skipped_count": skipped,
        "pending_count": pending,
        "timeout_rate": timeout_rate.json(),
        "skipped_rate": skipped_rate.json(),
        "analysis": {
            "difficulty_indicator": reached(
                timeout_rate + skipped_rate,
                &[(30, "high_difficulty"), (15, "moderate_difficulty")],
                "appropriate_difficulty",
            ),
            "recommendation": wording(advice),
        },
    })
}
