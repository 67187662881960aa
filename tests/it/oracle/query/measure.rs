//! Contract 9.3: the figures of a group of answers.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

use super::dimension::Dimension;
use crate::oracle::clock::{Micros, SECOND};
use crate::oracle::model::{Attempt, Model, Session};
use crate::oracle::number::{Fraction, count};
use crate::oracle::reports::{
    accuracy, correct, graded, mean_latency, minutes_of_publishing, seconds,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::oracle) enum Measure {
    TotalAnswers,
    CorrectAnswers,
    WrongAnswers,
    AccuracyRate,
    ActiveStudents,
    QuestionsPublished,
    PerformanceVariance,
    StudentAttemptsPerQuestion,
    ParticipationRate,
    EngagementScore,
    SessionCompletionRate,
    UniqueSessions,
    AverageSessionDuration,
    QuestionsPerMinute,
    QuestionDifficultyScore,
    ContentEffectivenessScore,
    TimeToFirstAnswer,
    QuestionEngagementRate,
    QuizCompletionRate,
    ResponseSpeedScore,
    ResponseTimeAvg,
    ResponseTimeMin,
    ResponseTimeMax,
}

impl Measure {
    pub(super) const ALL: [(Self, &'static str); 23] = [
        (Self::TotalAnswers, "total_answers"),
        (Self::CorrectAnswers, "correct_answers"),
        (Self::WrongAnswers, "wrong_answers"),
        (Self::AccuracyRate, "accuracy_rate"),
        (Self::ActiveStudents, "active_students"),
        (Self::QuestionsPublished, "questions_published"),
        (Self::PerformanceVariance, "performance_variance"),
        (
            Self::StudentAttemptsPerQuestion,
            "student_attempts_per_question",
        ),
        (Self::ParticipationRate, "participation_rate"),
        (Self::EngagementScore, "engagement_score"),
        (Self::SessionCompletionRate, "session_completion_rate"),
        (Self::UniqueSessions, "unique_sessions"),
        (Self::AverageSessionDuration, "average_session_duration"),
        (Self::QuestionsPerMinute, "questions_per_minute"),
        (Self::QuestionDifficultyScore, "question_difficulty_score"),
        (
            Self::ContentEffectivenessScore,
            "content_effectiveness_score",
        ),
        (Self::TimeToFirstAnswer, "time_to_first_answer"),
        (Self::QuestionEngagementRate, "question_engagement_rate"),
        (Self::QuizCompletionRate, "quiz_completion_rate"),
        (Self::ResponseSpeedScore, "response_speed_score"),
        (Self::ResponseTimeAvg, "response_time_avg"),
        (Self::ResponseTimeMin, "response_time_min"),
        (Self::ResponseTimeMax, "response_time_max"),
    ];

    pub(super) fn name(self) -> &'static str {
        let all = Self::ALL.iter();
        let own = all.clone().find(|(measure, _)| *measure == self);
        own.expect("all are listed").1
    }

    /// The figure of the answers; `names` is what the query says about each of them.
    pub(super) fn of(
        self,
        answers: &[&Attempt],
        model: &Model,
        names: &[(Dimension, Value)],
    ) -> Value {
        let group = Group { answers, model };
        let graded = || graded(answers.iter().copied());
        let correct = || correct(answers.iter().copied());
        let percent = |percent: Fraction| percent.json();
        match self {
            Self::TotalAnswers => answers.len().into(),
            Self::CorrectAnswers => correct().into(),
            Self::WrongAnswers => (graded() - correct()).into(),
            Self::AccuracyRate => percent(accuracy(answers)),
            Self::ActiveStudents => {
                let students = answers.iter().map(|answer| answer.student);
                students.collect::<BTreeSet<_>>().len().into()
            }
            Self::QuestionsPublished => group.questions_published(names).into(),
            Self::PerformanceVariance => or_null(variance(correct(), graded())),
            Self::StudentAttemptsPerQuestion => {
                let attempts = Fraction::whole(count(group.attempts()));
                let is_empty = answers.is_empty();
                or_null((!is_empty).then(|| attempts / Fraction::whole(count(answers.len()))))
            }
            Self::ParticipationRate => percent(group.participation()),
            Self::EngagementScore | Self::ContentEffectivenessScore => {
                percent((group.participation() + accuracy(answers)).half())
            }
            Self::SessionCompletionRate => percent(group.session_completion()),
            Self::UniqueSessions => group.sessions().len().into(),
            Self::AverageSessionDuration => {
                let durations = group.sessions().into_iter();
                let durations = durations.filter_map(Session::duration);
                or_null(mean(durations.collect()).map(seconds))
            }
            Self::QuestionsPerMinute => group.questions_per_minute().json(),
            Self::QuestionDifficultyScore => percent(Fraction::whole(100) - accuracy(answers)),
            Self::TimeToFirstAnswer => or_null(mean(group.first_latencies()).map(seconds)),
            Self::QuestionEngagementRate => percent(group.question_engagement()),
            Self::QuizCompletionRate => percent(group.quiz_completion()),
            Self::ResponseSpeedScore => or_null(mean_latency(answers).map(seconds)),
            Self::ResponseTimeAvg => or_null(mean(group.response_times()).map(milliseconds)),
            Self::ResponseTimeMin => or_null(group.response_times().into_iter().min().map(exactly)),
            Self::ResponseTimeMax => or_null(group.response_times().into_iter().max().map(exactly)),
        }
    }
}

fn or_null(number: Option<Fraction>) -> Value {
    number.map_or(Value::Null, Fraction::json)
}

fn mean(times: Vec<Micros>) -> Option<Fraction> {
    let sum = times.iter().copied().map(i128::from).sum();
    (!times.is_empty()).then(|| Fraction::new(sum, count(times.len())))
}

fn milliseconds(micros: Fraction) -> Fraction {
    micros / Fraction::whole(1_000)
}

fn exactly(micros: Micros) -> Fraction {
    milliseconds(Fraction::whole(micros.into()))
}

/// Of 100 for each correct and 0 for each wrong answer, by the mean of the squares' distances from the mean.
fn variance(correct: usize, graded: usize) -> Option<Fraction> {
    let mean = Fraction::percent(correct, graded);
    let squared = |value: i128| {
        let distance = Fraction::whole(value) - mean;
        distance * distance
    };
    let right = squared(100) * Fraction::whole(count(correct));
    let wrong = squared(0) * Fraction::whole(count(graded - correct));
    (graded >= 2).then(|| (right + wrong) / Fraction::whole(count(graded - 1)))
}

struct Group<'g> {
    answers: &'g [&'g Attempt],
    model: &'g Model,
}

impl Group<'_> {
    fn sessions(&self) -> Vec<&Session> {
        let ids: BTreeSet<Uuid> = self.answers.iter().map(|answer| answer.session).collect();
        let sessions = self.model.sessions.iter();
        sessions
            .filter(|session| ids.contains(&session.id))
            .collect()
    }

    fn questions_published(&self, names: &[(Dimension, Value)]) -> usize {
        let questions: BTreeSet<Uuid> = self
            .sessions()
            .iter()
            .flat_map(|session| self.model.publications_in(session.id))
            .filter(|publication| {
                let mut names = names.iter();
                names.all(|(dimension, value)| dimension.admits(publication, value, self.model))
            })
            .map(|publication| publication.question)
            .collect();
        questions.len()
    }

    /// All attempts behind the answers, also those that do not count.
    fn attempts(&self) -> usize {
        let attempts = self.model.attempts.iter();
        attempts
            .filter(|attempt| {
                self.answers.iter().any(|answer| {
                    (answer.session, answer.question, answer.student)
                        == (attempt.session, attempt.question, attempt.student)
                })
            })
            .count()
    }

    /// Answers of students on the roster.
    fn by_roster(&self) -> impl Iterator<Item = &Attempt> {
        let answers = self.answers.iter().copied();
        answers.filter(|answer| !self.model.is_guest(answer))
    }

    /// Answers to published questions of students on the roster.
    fn triples(&self) -> impl Iterator<Item = &Attempt> {
        self.by_roster().filter(|answer| {
            let published = self.model.published_questions(answer.session);
            published.contains(&answer.question)
        })
    }

    fn participation(&self) -> Fraction {
        let enrolled: BTreeSet<Uuid> = self
            .sessions()
            .iter()
            .flat_map(|session| self.model.roster_of(session.id))
            .collect();
        let present: BTreeSet<Uuid> = self.by_roster().map(|answer| answer.student).collect();
        Fraction::percent(present.len(), enrolled.len())
    }

    fn session_completion(&self) -> Fraction {
        let present: BTreeSet<(Uuid, Uuid)> = self
            .by_roster()
            .map(|answer| (answer.session, answer.student))
            .collect();
        let could_answer = present
            .iter()
            .map(|(session, _)| self.model.published_questions(*session).len())
            .sum();
        Fraction::percent(self.triples().count(), could_answer)
    }

    fn questions_per_minute(&self) -> Fraction {
        let mut publications = 0;
        let mut minutes = Fraction::ZERO;
        for session in self.sessions() {
            let published = self.model.publications_in(session.id);
            let times: Vec<Micros> = published.iter().map(|publication| publication.at).collect();
            if !times.is_empty() {
                publications += times.len();
                minutes = minutes + minutes_of_publishing(&times);
            }
        }
        Fraction::whole(count(publications)) / minutes
    }

    /// Sessions and questions that the group has answers to.
    fn answered_questions(&self) -> BTreeSet<(Uuid, Uuid)> {
        let answers = self.answers.iter();
        answers
            .map(|answer| (answer.session, answer.question))
            .collect()
    }

    fn first_latencies(&self) -> Vec<Micros> {
        self.answered_questions()
            .into_iter()
            .filter_map(|(session, question)| {
                let answers = self.answers.iter();
                answers
                    .filter(|answer| (answer.session, answer.question) == (session, question))
                    .filter_map(|answer| answer.latency())
                    .min()
            })
            .collect()
    }

    fn question_engagement(&self) -> Fraction {
        let could_answer = self
            .answered_questions()
            .into_iter()
            .map(|(session, _)| self.model.roster_of(session).len())
            .sum();
        Fraction::percent(self.triples().count(), could_answer)
    }

    fn quiz_completion(&self) -> Fraction {
        let mut pairs = 0;
        let mut completed = 0;
        for session in self.sessions() {
            let published = self.model.published_questions(session.id).len();
            for student in self.model.roster_of(session.id) {
                let own = self.triples();
                let answered = own
                    .filter(|answer| (answer.session, answer.student) == (session.id, student))
                    .count();
                pairs += 1;
                completed += usize::from(published > 0 && answered == published);
            }
        }
        Fraction::percent(completed, pairs)
    }

    /// In microseconds: as the client measured it, else since the publication.
    fn response_times(&self) -> Vec<Micros> {
        let answers = self.answers.iter();
        answers
            .filter_map(|answer| {
                let sent = answer.response_ms.map(|sent| sent * SECOND / 1_000);
                sent.or_else(|| answer.latency())
            })
            .collect()
    }
}
