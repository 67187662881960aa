//! Overviews of a classroom: 8.19 and 8.20.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Ask, accuracy, mean_seconds, performance_level, response_speed};
use crate::oracle::clock::{self, DAY, Micros};
use crate::oracle::model::Model;
use crate::oracle::number::{Fraction, count, reached};

pub(super) fn overview(model: &Model, ask: &Ask, now: Micros) -> Value {
    let classroom = ask.id("classroom_id");
    let roster = model.roster(classroom);
    let sessions = model.sessions_of_classroom(classroom);
    let answers = model.answers_of(&sessions);
    let is_within = |days: i64, at: Micros| (now - days * DAY..=now).contains(&at);
    let active: BTreeSet<Uuid> = answers
        .iter()
        .filter(|answer| roster.contains(&answer.student) && is_within(30, answer.at))
        .map(|answer| answer.student)
        .collect();
    let recent = sessions
        .iter()
        .filter(|session| session.started_at.is_some_and(|at| is_within(7, at)))
        .count();
    let starts = sessions.iter().filter_map(|session| session.started_at);
    let publications = sessions
        .iter()
        .flat_map(|session| model.publications_in(session.id))
        .map(|publication| publication.at);
    let last_activity = starts
        .chain(publications)
        .chain(answers.iter().map(|answer| answer.at))
        .filter(|at| *at <= now)
        .max();
    let participation = Fraction::percent(active.len(), roster.len());
    let activity = Fraction::percent(recent, sessions.len());
    let activity_level = if sessions.is_empty() {
        "no_activity"
    } else if recent == 0 {
        "inactive"
    } else {
        reached(activity.rounded(), &[(50, "high"), (25, "moderate")], "low")
    };
    let engagement_status = if roster.is_empty() {
        "no_students"
    } else if active.is_empty() {
        "no_engagement"
    } else {
        reached(
            participation.rounded(),
            &[
                (80, "highly_engaged"),
                (60, "well_engaged"),
                (40, "moderately_engaged"),
            ],
            "low_engagement",
        )
    };
    let created_at = if model.knows_classroom(classroom) {
        json!({"$moment": "the scenario's own time"})
    } else {
        Value::Null
    };
    json!({
        "overview": {
            "classroom_id": classroom,
            "classroom_name": model.classroom_name(classroom),
            "total_students": roster.len(),
            "active_students": active.len(),
            "total_sessions": sessions.len(),
            "recent_sessions": recent,
            "last_activity": clock::json(last_activity),
            "created_at": created_at,
        },
        "insights": {
            "activity_level": activity_level,
            "engagement_status": engagement_status,
            "growth_trend": reached(
                Fraction::whole(count(recent)),
                &[(5, "accelerating"), (3, "growing"), (1, "steady")],
                "stagnant",
            ),
        },
        "summary": {
            "participation_rate": participation.json(),
            "activity_score": activity.json(),
        },
    })
}

pub(super) fn performance(model: &Model, ask: &Ask, now: Micros) -> Value {
    let classroom = ask.id("classroom_id");
    let roster = model.roster(classroom);
    let sessions = model.sessions_of_classroom(classroom);
    let answers = model.answers_of(&sessions);
    let by_roster = || {
        answers
            .iter()
            .filter(|answer| roster.contains(&answer.student))
    };
    let participating: BTreeSet<Uuid> = by_roster().map(|answer| answer.student).collect();
    let quizzes: BTreeSet<Uuid> = answers
        .iter()
        .filter_map(|answer| model.session(answer.session))
        .map(|session| session.quiz)
        .collect();
    let held = sessions
        .iter()
        .filter(|session| session.started_at.is_some_and(|at| at <= now))
        .count();
    let accuracy = accuracy(&answers);
    let participation = Fraction::percent(participating.len(), roster.len());
    let engagement_quality = if participating.is_empty() {
        "no_engagement"
    } else {
        reached(
            Fraction::new(count(by_roster().count()), count(participating.len())),
            &[
                (20, "deep_engagement"),
                (10, "good_engagement"),
                (5, "moderate_engagement"),
                (1, "light_engagement"),
            ],
            "minimal_engagement",
        )
    };
    json!({
        "performance_summary": {
            "classroom_id": classroom,
            "classroom_name": model.classroom_name(classroom),
            "total_students": roster.len(),
            "participating_students": participating.len(),
            "overall_accuracy": accuracy.json(),
            "overall_participation_rate": participation.json(),
            "total_quizzes_taken": quizzes.len(),
            "total_questions_answered": answers.len(),
            "average_response_time_seconds": mean_seconds(&answers).json(),
            "session_count": held,
        },
        "insights": {
            "performance_level": performance_level(accuracy),
            "participation_level": reached(
                participation.rounded(),
                &[(90, "outstanding"), (75, "strong"), (50, "moderate"), (25, "weak")],
                "very_low",
            ),
            "engagement_quality": engagement_quality,
            "response_speed": response_speed(&answers),
        },
        "benchmarks": {
            "target_accuracy": 75.0,
            "target_participation": 80.0,
            "optimal_response_time": 30.0,
        },
    })
}
