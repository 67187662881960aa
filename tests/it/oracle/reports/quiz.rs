//! Reports on one quiz: 8.5 and 8.13.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::session::completion_rate;
use super::{Ask, accuracy, graded, wording};
use crate::oracle::clock::{self, Micros};
use crate::oracle::model::{Model, Session};
use crate::oracle::number::{Fraction, count, reached};

fn with_publications<'m>(model: &Model, sessions: &[&'m Session]) -> Vec<&'m Session> {
    sessions
        .iter()
        .copied()
        .filter(|session| !model.publications_in(session.id).is_empty())
        .collect()
}

/// Of all the students on the rosters of the quiz's sessions that had a publication, the share who answered in one.
fn engagement(model: &Model, sessions: &[&Session]) -> Fraction {
    let sessions = with_publications(model, sessions);
    let enrolled: BTreeSet<Uuid> = sessions
        .iter()
        .flat_map(|session| model.roster_of(session.id))
        .collect();
    let active: BTreeSet<Uuid> = model
        .answers_of(&sessions)
        .into_iter()
        .filter(|answer| !model.is_guest(answer))
        .map(|answer| answer.student)
        .collect();
    Fraction::percent(active.len(), enrolled.len())
}

pub(super) fn effectiveness(model: &Model, ask: &Ask) -> Value {
    let quiz = ask.id("quiz_id");
    let sessions = with_publications(model, &model.sessions_of_quiz(quiz));
    let answers = model.answers_of(&sessions);
    let accuracy = accuracy(&answers);
    let engagement = engagement(model, &sessions);
    let score = (accuracy + engagement).half();
    let difficulty = if graded(answers.iter().copied()) == 0 {
        "no_data"
    } else {
        reached(
            accuracy.rounded(),
            &[(80, "easy"), (60, "moderate")],
            "hard",
        )
    };
    let mut suggestions = Vec::new();
    if engagement.rounded() < Fraction::whole(75) {
        suggestions.push(wording("effectiveness: interactivity"));
    }
    if accuracy.rounded() < Fraction::whole(70) {
        suggestions.push(wording("effectiveness: low accuracy"));
    }
    let advice = reached(
        score.rounded(),
        &[(80, "effectiveness: well"), (60, "effectiveness: review")],
        "effectiveness: revise",
    );
    json!({
        "quiz_id": quiz,
        "total_questions": model.published_in(&sessions).len(),
        "average_accuracy": accuracy.json(),
        "overall_engagement": engagement.json(),
        "effectiveness_score": score.json(),
        "recommendations": wording(advice),
        "content_analysis": {
            "difficulty_level": difficulty,
            "engagement_level": reached(
                engagement.rounded(),
                &[(75, "high"), (50, "moderate")],
                "low",
            ),
            "optimization_suggestions": suggestions,
        },
    })
}

pub(super) fn summary(model: &Model, ask: &Ask, now: Micros) -> Value {
    let quiz = ask.id("quiz_id");
    let sessions = model.sessions_of_quiz(quiz);
    let answers = model.answers_of(&sessions);
    let classrooms: BTreeSet<Uuid> = sessions.iter().map(|session| session.classroom).collect();
    let students: BTreeSet<Uuid> = answers.iter().map(|answer| answer.student).collect();
    let past_starts = || {
        sessions
            .iter()
            .filter_map(|session| session.started_at)
            .filter(|at| *at <= now)
    };
    let completion = Fraction::mean(
        with_publications(model, &sessions)
            .into_iter()
            .filter(|session| !model.roster_of(session.id).is_empty())
            .map(|session| completion_rate(model, session.id)),
    );
    let accuracy = accuracy(&answers);
    let engagement = engagement(model, &sessions);
    let score = (accuracy + engagement).half();
    json!({
        "quiz_id": quiz,
        "title": model.quiz_title(quiz),
        "usage_statistics": {
            "total_sessions": sessions.len(),
            "total_classrooms": classrooms.len(),
            "total_students": students.len(),
            "total_questions": model.published_in(&sessions).len(),
            "first_used": clock::json(past_starts().min()),
            "last_used": clock::json(past_starts().max()),
        },
        "performance_metrics": {
            "average_accuracy": accuracy.json(),
            "average_completion": completion.json(),
            "overall_engagement": engagement.json(),
            "effectiveness_score": score.json(),
        },
        "insights": {
            "performance_rating": reached(
                score.rounded(),
                &[(90, "excellent"), (75, "good"), (60, "average"), (40, "below_average")],
                "needs_improvement",
            ),
            "usage_frequency": reached(
                Fraction::whole(count(sessions.len())),
                &[(20, "high"), (10, "moderate"), (5, "low")],
                "minimal",
            ),
            "reach": reached(
                Fraction::whole(count(classrooms.len())),
                &[(10, "wide"), (5, "moderate"), (2, "limited")],
                "single_classroom",
            ),
        },
    })
}
