//! Reports on questions wherever they were used: 8.14 and 8.15. They look at attempts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Ask, accuracy, correct, graded, mean_latency, mean_seconds};
use crate::oracle::model::{Attempt, Model};
use crate::oracle::number::{Fraction, reached, within};

struct Use<'m> {
    attempts: Vec<&'m Attempt>,
    is_graded: bool,
    accuracy: Fraction,
    seconds: Fraction,
    sessions: BTreeSet<Uuid>,
    distribution: BTreeMap<&'m str, usize>,
}

impl<'m> Use<'m> {
    fn of(model: &'m Model, question: Uuid) -> Self {
        let attempts: Vec<&Attempt> = model
            .attempts
            .iter()
            .filter(|attempt| attempt.question == question)
            .collect();
        let mut distribution = BTreeMap::new();
        for attempt in &attempts {
            *distribution.entry(attempt.text.as_str()).or_insert(0) += 1;
        }
        Self {
            is_graded: graded(attempts.iter().copied()) > 0,
            accuracy: accuracy(&attempts),
            seconds: mean_seconds(&attempts),
            sessions: model
                .publications
                .iter()
                .filter(|publication| publication.question == question)
                .map(|publication| publication.session)
                .collect(),
            distribution,
            attempts,
        }
    }

    fn correct(&self) -> usize {
        correct(self.attempts.iter().copied())
    }

    fn difficulty_rating(&self) -> &'static str {
        if self.is_graded {
            reached(
                self.accuracy.rounded(),
                &[(80, "Easy"), (60, "Medium"), (40, "Hard")],
                "Very Hard",
            )
        } else {
            "Unrated"
        }
    }
}

pub(super) fn analysis(model: &Model, ask: &Ask) -> Value {
    let question = ask.id("question_id");
    let used = Use::of(model, question);
    let total = used.attempts.len();
    let accuracy = used.accuracy.rounded();
    let level = if used.is_graded {
        reached(
            accuracy,
            &[(90, "too_easy"), (70, "appropriate"), (50, "challenging")],
            "too_difficult",
        )
    } else {
        "no_data"
    };
    let quality = if mean_latency(&used.attempts).is_some() {
        within(
            used.seconds.rounded(),
            &[(10, "quick"), (30, "moderate"), (60, "slow")],
            "very_slow",
        )
    } else {
        "no_data"
    };
    let effectiveness = if accuracy >= Fraction::whole(70) && total >= 10 {
        "highly_effective"
    } else if accuracy >= Fraction::whole(50) && total >= 5 {
        "effective"
    } else if total < 5 {
        "needs_more_data"
    } else {
        "needs_improvement"
    };
    json!({
        "question_id": question,
        "quiz_id": model.quiz_of(question),
        "usage_stats": {
            "total_attempts": total,
            "correct_attempts": used.correct(),
            "usage_count": used.sessions.len(),
        },
        "performance_metrics": {
            "accuracy_rate": used.accuracy.json(),
            "average_response_time": used.seconds.json(),
            "difficulty_rating": used.difficulty_rating(),
        },
        "answer_distribution": used.distribution,
        "insights": {
            "difficulty_level": level,
            "response_quality": quality,
            "effectiveness": effectiveness,
        },
    })
}

pub(super) fn list(model: &Model, ask: &Ask) -> Value {
    let quiz = ask.id("quiz_id");
    let rows: Vec<Value> = model
        .questions_of_quiz(quiz)
        .into_iter()
        .map(|question| {
            let used = Use::of(model, question);
            json!({
                "question_id": question,
                "quiz_id": quiz,
                "total_attempts": used.attempts.len(),
                "correct_attempts": used.correct(),
                "accuracy_rate": used.accuracy.json(),
                "average_response_time_seconds": used.seconds.json(),
                "difficulty_rating": used.difficulty_rating(),
                "answer_distribution": used.distribution,
                "usage_count": used.sessions.len(),
            })
        })
        .collect();
    let total = rows.len();
    let (page, pagination) = ask.page(rows);
    json!({
        "quiz_id": quiz,
        "pagination": pagination,
        "summary": {"total_questions": total, "page_questions": page.len()},
        "questions": page,
    })
}
