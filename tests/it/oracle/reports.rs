//! The reports of contract section 8, by their definitions.

mod classroom;
mod engagement;
mod question;
mod quiz;
mod rankings;
mod session;
mod session_question;
mod sessions;
mod student;

use serde_json::{Value, json};
use uuid::Uuid;

use super::clock::{self, Micros};
use super::model::{Attempt, Model};
use super::number::{Fraction, count, reached, within};

pub(super) use self::session::{answered, minutes_of_publishing};

/// A request for a report.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) report: &'static str,
    pub(super) params: Vec<(&'static str, String)>,
}

impl Ask {
    pub(super) fn new(report: &'static str) -> Self {
        Self {
            report,
            params: Vec::new(),
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.params.push((name, value.to_string()));
        self
    }

    pub(super) fn path(&self) -> String {
        let values = self
            .params
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let query: Vec<String> = values.collect();
        format!("/api/reports/{}?{}", self.report, query.join("&"))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(given, _)| *given == name)
            .map(|(_, value)| value.as_str())
    }

    fn id(&self, name: &str) -> Uuid {
        let text = self.text(name).expect("the report needs this id");
        text.parse().expect("an id is a UUID")
    }

    fn range(&self, name: &str, default: &str) -> Micros {
        clock::range(self.text(name).unwrap_or(default))
    }

    fn number(&self, name: &str, default: usize) -> usize {
        self.text(name)
            .map_or(default, |text| text.parse().expect("a number that we made"))
    }

    /// The rows of the page that is asked for, and the envelope.
    fn page(&self, rows: Vec<Value>) -> (Vec<Value>, Value) {
        let page = self.number("page", 1);
        let page_size = self.number("page_size", self.number("limit", 50));
        let total = rows.len();
        let pages = total.div_ceil(page_size).max(1);
        let envelope = json!({
            "page": page,
            "page_size": page_size,
            "total_count": total,
            "total_pages": pages,
            "has_more": page < pages,
            "has_previous": page > 1,
        });
        let rows = rows
            .into_iter()
            .skip((page - 1).saturating_mul(page_size))
            .take(page_size)
            .collect();
        (rows, envelope)
    }
}

/// What the server has to answer now.
pub(super) fn expected(model: &Model, ask: &Ask, now: Micros) -> Value {
    match ask.report {
        "active-participants" => session::active_participants(model, ask, now),
        "questions-per-minute" => session::questions_per_minute(model, ask),
        "student-performance" => student::performance(model, ask),
        "classroom-engagement" => engagement::classroom(model, ask, now),
        "content-effectiveness" => quiz::effectiveness(model, ask),
        "response-rate" => session_question::response_rate(model, ask),
        "latency-analysis" => session_question::latency(model, ask),
        "timeout-analysis" => session_question::timeout(model, ask, now),
        "completion-rate" => session::completion(model, ask),
        "dropoff-analysis" => session::dropoff(model, ask),
        "student-performance-list" => student::performance_list(model, ask),
        "classroom-engagement-history" => engagement::history(model, ask, now),
        "quiz-summary" => quiz::summary(model, ask, now),
        "question-analysis" => question::analysis(model, ask),
        "quiz-questions-list" => question::list(model, ask),
        "classroom-sessions" => sessions::of_classroom(model, ask),
        "quiz-sessions" => sessions::of_quiz(model, ask),
        "classroom-student-rankings" => rankings::of_classroom(model, ask),
        "session-student-rankings" => rankings::of_session(model, ask),
        "classroom-overview" => classroom::overview(model, ask, now),
        "class-performance-summary" => classroom::performance(model, ask, now),
        "student-activity-summary" => student::activity(model, ask, now),
        unknown => panic!("no such report: {unknown}"),
    }
}

/// Stands for a text whose wording is free: the same name always has the same text, and no other name has it.
fn wording(name: &str) -> Value {
    json!({"$wording": name})
}

/// The same for a constant that must name a figure.
fn wording_naming(name: &str, figure: &str) -> Value {
    json!({"$wording": name, "$naming": figure})
}

pub(super) fn correct<'a>(answers: impl IntoIterator<Item = &'a Attempt>) -> usize {
    answers
        .into_iter()
        .filter(|answer| answer.is_correct == Some(true))
        .count()
}

pub(super) fn graded<'a>(answers: impl IntoIterator<Item = &'a Attempt>) -> usize {
    answers
        .into_iter()
        .filter(|answer| answer.is_correct.is_some())
        .count()
}

/// As a percentage.
pub(super) fn accuracy(answers: &[&Attempt]) -> Fraction {
    Fraction::percent(
        correct(answers.iter().copied()),
        graded(answers.iter().copied()),
    )
}

fn latencies(answers: &[&Attempt]) -> Vec<Micros> {
    answers
        .iter()
        .filter_map(|answer| answer.latency())
        .collect()
}

/// In microseconds.
pub(super) fn mean_latency(answers: &[&Attempt]) -> Option<Fraction> {
    let latencies = latencies(answers);
    let sum = latencies.iter().copied().map(i128::from).sum();
    (!latencies.is_empty()).then(|| Fraction::new(sum, count(latencies.len())))
}

/// In seconds; 0 without one.
fn mean_seconds(answers: &[&Attempt]) -> Fraction {
    mean_latency(answers).map_or(Fraction::ZERO, seconds)
}

pub(super) fn seconds(micros: Fraction) -> Fraction {
    micros / Fraction::whole(1_000_000)
}

/// To the millisecond.
fn milliseconds(micros: Fraction) -> i128 {
    (micros / Fraction::whole(1_000)).round()
}

/// A mean as duration text.
fn response_time(answers: &[&Attempt]) -> Value {
    mean_latency(answers).map_or(json!("N/A"), |mean| {
        clock::go_text(milliseconds(mean)).into()
    })
}

fn echo(range: Micros) -> String {
    clock::go_text(i128::from(range / clock::MILLISECOND))
}

/// The labels of 8.20 and 8.21 for an accuracy.
fn performance_level(accuracy: Fraction) -> &'static str {
    reached(
        accuracy.rounded(),
        &[
            (90, "excellent"),
            (75, "good"),
            (60, "satisfactory"),
            (40, "needs_improvement"),
        ],
        "poor",
    )
}

/// The labels of 8.20 and 8.21 for a mean latency.
fn response_speed(answers: &[&Attempt]) -> &'static str {
    let Some(mean) = mean_latency(answers) else {
        return "no_data";
    };
    within(
        seconds(mean).rounded(),
        &[
            (10, "very_fast"),
            (30, "fast"),
            (60, "moderate"),
            (120, "slow"),
        ],
        "very_slow",
    )
}
