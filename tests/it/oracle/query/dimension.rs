//! Contract 9.4: what an answer is in each dimension.

use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Levels;
use crate::oracle::clock::{SECOND, moment};
use crate::oracle::model::{Attempt, Model, Publication};
use crate::oracle::number::{Fraction, reached};
use crate::oracle::reports::{accuracy, answered, graded};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::oracle) enum Dimension {
    SessionId,
    ClassroomName,
    StudentName,
    QuestionId,
    AnswerOption,
    CorrectnessFlag,
    EventDate,
    EventHour,
    EventWeek,
    EventMonth,
    EventDayOfWeek,
    TimeBucket,
    PerformanceLevel,
    ResponseSpeedCategory,
    SpeedCategory,
    EngagementLevel,
    SessionDurationCategory,
    QuizTitle,
    DifficultyLevel,
    TimerDurationCategory,
    TeacherId,
}

impl Dimension {
    pub(super) const ALL: [(Self, &'static str); 21] = [
        (Self::SessionId, "session_id"),
        (Self::ClassroomName, "classroom_name"),
        (Self::StudentName, "student_name"),
        (Self::QuestionId, "question_id"),
        (Self::AnswerOption, "answer_option"),
        (Self::CorrectnessFlag, "correctness_flag"),
        (Self::EventDate, "event_date"),
        (Self::EventHour, "event_hour"),
        (Self::EventWeek, "event_week"),
        (Self::EventMonth, "event_month"),
        (Self::EventDayOfWeek, "event_day_of_week"),
        (Self::TimeBucket, "time_bucket"),
        (Self::PerformanceLevel, "performance_level"),
        (Self::ResponseSpeedCategory, "response_speed_category"),
        (Self::SpeedCategory, "speed_category"),
        (Self::EngagementLevel, "engagement_level"),
        (Self::SessionDurationCategory, "session_duration_category"),
        (Self::QuizTitle, "quiz_title"),
        (Self::DifficultyLevel, "difficulty_level"),
        (Self::TimerDurationCategory, "timer_duration_category"),
        (Self::TeacherId, "teacher_id"),
    ];

    pub(super) fn name(self) -> &'static str {
        let all = Self::ALL.iter();
        let own = all.clone().find(|(dimension, _)| *dimension == self);
        own.expect("all are listed").1
    }

    pub(super) fn of(self, answer: &Attempt, model: &Model, levels: &Levels) -> Value {
        let session = model.session(answer.session).expect("an answer names it");
        let at: OffsetDateTime = moment(answer.at);
        match self {
            Self::SessionId => json!(answer.session),
            Self::ClassroomName => model.classroom_name(session.classroom).into(),
            Self::StudentName => model.student_name(answer.student).into(),
            Self::QuestionId => json!(answer.question),
            Self::AnswerOption => answer.text.as_str().into(),
            Self::CorrectnessFlag => json!(answer.is_correct),
            Self::EventDate => at.date().to_string().into(),
            Self::EventHour => at.hour().into(),
            Self::EventWeek => at.iso_week().into(),
            Self::EventMonth => u8::from(at.month()).into(),
            Self::EventDayOfWeek => at.weekday().to_string().into(),
            Self::TimeBucket => match at.hour() {
                ..12 => "Morning",
                12..18 => "Afternoon",
                _ => "Evening",
            }
            .into(),
            Self::PerformanceLevel => {
                let own = levels
                    .iter()
                    .find(|(student, _)| *student == answer.student);
                let accuracy = own.map_or(Fraction::ZERO, |(_, accuracy)| *accuracy);
                let steps = [(90, "Excellent"), (75, "Good"), (60, "Average")];
                reached(accuracy, &steps, "Needs Improvement").into()
            }
            Self::ResponseSpeedCategory | Self::SpeedCategory => {
                answer.latency().map_or("Unknown", |latency| {
                    reached(seconds(latency), &[(60, "Slow"), (30, "Medium")], "Fast")
                })
            }
            .into(),
            Self::EngagementLevel => {
                let published = model.published_questions(session.id).len();
                let answered = answered(model, session.id, answer.student);
                let share = Fraction::percent(answered, published);
                reached(share, &[(75, "High"), (40, "Medium")], "Low").into()
            }
            Self::SessionDurationCategory => match session.duration() {
                _ if session.ended_at.is_none() => "Ongoing",
                None => "Unknown",
                Some(duration) => {
                    let steps = [(3_600, "Long"), (1_800, "Medium")];
                    reached(seconds(duration), &steps, "Short")
                }
            }
            .into(),
            Self::QuizTitle => model.quiz_title(session.quiz).into(),
            Self::DifficultyLevel => difficulty(model, answer.question).into(),
            Self::TimerDurationCategory => answer
                .round
                .as_ref()
                .map_or("Unknown", timer_category)
                .into(),
            Self::TeacherId => json!(answer.round.as_ref().and_then(|round| round.teacher)),
        }
    }

    /// Whether a publication is of this value; always so in a dimension that publications do not have.
    pub(super) fn admits(self, publication: &Publication, value: &Value, model: &Model) -> bool {
        match self {
            Self::QuestionId => json!(publication.question) == *value,
            Self::TeacherId => json!(publication.teacher) == *value,
            Self::TimerDurationCategory => timer_category(publication) == value,
            Self::DifficultyLevel => difficulty(model, publication.question) == value,
            _ => true,
        }
    }
}

fn seconds(micros: i64) -> Fraction {
    Fraction::new(micros.into(), SECOND.into())
}

fn timer_category(round: &Publication) -> &'static str {
    match round.timer_sec {
        None => "Untimed",
        Some(..30) => "Fast",
        Some(30..60) => "Medium",
        Some(60..) => "Slow",
    }
}

/// By the accuracy of all answers to the question, whatever the query looks at.
fn difficulty(model: &Model, question: Uuid) -> &'static str {
    let answers = model.answers.iter();
    let own: Vec<&Attempt> = answers
        .filter(|answer| answer.question == question)
        .collect();
    if graded(own.iter().copied()) == 0 {
        return "Unrated";
    }
    let steps = [(80, "Easy"), (60, "Medium"), (40, "Hard")];
    reached(accuracy(&own), &steps, "Very Hard")
}
