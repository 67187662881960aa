//! What can be asked about groups of answers.

use super::figure::Figure::{self, *};

/// A measure of contract 9.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
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

/// How a measure is computed.
pub(super) struct Definition {
    pub(super) name: &'static str,
    /// What it is made of.
    pub(super) figures: &'static [Figure],
    /// Over the figures, which are exact numbers: a count, or hundredths before their one rounding.
    pub(super) sql: &'static str,
    pub(super) unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    /// With two decimals, rounded half away from zero.
    Hundredths,
}

fn count(name: &'static str, figures: &'static [Figure], sql: &'static str) -> Definition {
    Definition {
        name,
        figures,
        sql,
        unit: Unit::Count,
    }
}

fn hundredths(name: &'static str, figures: &'static [Figure], sql: &'static str) -> Definition {
    Definition {
        name,
        figures,
        sql,
        unit: Unit::Hundredths,
    }
}

const ACCURACY: &str = "coalesce(10000 * correct / nullif(graded, 0), 0)";

/// The mean of participation and accuracy as one fraction, so that nothing is rounded on the way; either is 0 where it
/// has no whole.
const ENGAGEMENT: &str =
    "5000 * (participants * greatest(graded, 1) + correct * greatest(roster_students, 1))
         / (greatest(roster_students, 1) * greatest(graded, 1))";

impl Measure {
    pub(super) const ALL: [Self; 23] = [
        Self::TotalAnswers,
        Self::CorrectAnswers,
        Self::WrongAnswers,
        Self::AccuracyRate,
        Self::ActiveStudents,
        Self::QuestionsPublished,
        Self::PerformanceVariance,
        Self::StudentAttemptsPerQuestion,
        Self::ParticipationRate,
        Self::EngagementScore,
        Self::SessionCompletionRate,
        Self::UniqueSessions,
        Self::AverageSessionDuration,
        Self::QuestionsPerMinute,
        Self::QuestionDifficultyScore,
        Self::ContentEffectivenessScore,
        Self::TimeToFirstAnswer,
        Self::QuestionEngagementRate,
        Self::QuizCompletionRate,
        Self::ResponseSpeedScore,
        Self::ResponseTimeAvg,
        Self::ResponseTimeMin,
        Self::ResponseTimeMax,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|one| one.definition().name == name)
    }

    pub(super) fn definition(self) -> Definition {
        match self {
            Self::TotalAnswers => count("total_answers", &[Answers], "answers"),
            Self::CorrectAnswers => count("correct_answers", &[Correct], "correct"),
            Self::WrongAnswers => count("wrong_answers", &[Graded, Correct], "graded - correct"),
            Self::AccuracyRate => hundredths("accuracy_rate", &[Graded, Correct], ACCURACY),
            Self::ActiveStudents => count("active_students", &[Students], "students"),
            Self::QuestionsPublished => count(
                "questions_published",
                &[PublishedQuestions],
                "published_questions",
            ),
            // Of n values of which c are 100 and the others 0: 100² × c × (n − c) ÷ (n × (n − 1)).
            Self::PerformanceVariance => hundredths(
                "performance_variance",
                &[Graded, Correct],
                "1000000 * correct * (graded - correct) / nullif(graded * (graded - 1), 0)",
            ),
            Self::StudentAttemptsPerQuestion => hundredths(
                "student_attempts_per_question",
                &[Attempts, Answers],
                "100 * attempts / nullif(answers, 0)",
            ),
            Self::ParticipationRate => hundredths(
                "participation_rate",
                &[Participants, RosterStudents],
                "coalesce(10000 * participants / nullif(roster_students, 0), 0)",
            ),
            Self::EngagementScore => hundredths(
                "engagement_score",
                &[Participants, RosterStudents, Graded, Correct],
                ENGAGEMENT,
            ),
            Self::SessionCompletionRate => hundredths(
                "session_completion_rate",
                &[Triples, ParticipantQuestions],
                "coalesce(10000 * triples / nullif(participant_questions, 0), 0)",
            ),
            Self::UniqueSessions => count("unique_sessions", &[Sessions], "sessions"),
            Self::AverageSessionDuration => hundredths(
                "average_session_duration",
                &[DurationUs, EndedSessions],
                "duration_us / (10000 * nullif(ended_sessions, 0))",
            ),
            Self::QuestionsPerMinute => hundredths(
                "questions_per_minute",
                &[Publications, PublishingUs],
                "coalesce(6000000000 * publications / nullif(publishing_us, 0), 0)",
            ),
            Self::QuestionDifficultyScore => hundredths(
                "question_difficulty_score",
                &[Graded, Correct],
                "coalesce(10000 * (graded - correct) / nullif(graded, 0), 10000)",
            ),
            Self::ContentEffectivenessScore => hundredths(
                "content_effectiveness_score",
                &[Participants, RosterStudents, Graded, Correct],
                ENGAGEMENT,
            ),
            Self::TimeToFirstAnswer => hundredths(
                "time_to_first_answer",
                &[FirstLatencyUs, FirstAnswers],
                "first_latency_us / (10000 * nullif(first_answers, 0))",
            ),
            Self::QuestionEngagementRate => hundredths(
                "question_engagement_rate",
                &[Triples, QuestionSeats],
                "coalesce(10000 * triples / nullif(question_seats, 0), 0)",
            ),
            Self::QuizCompletionRate => hundredths(
                "quiz_completion_rate",
                &[CompletedSeats, RosterSeats],
                "coalesce(10000 * completed_seats / nullif(roster_seats, 0), 0)",
            ),
            Self::ResponseSpeedScore => hundredths(
                "response_speed_score",
                &[LatencyUs, Timed],
                "latency_us / (10000 * nullif(timed, 0))",
            ),
            Self::ResponseTimeAvg => hundredths(
                "response_time_avg",
                &[ResponseUs, Responses],
                "response_us / (10 * nullif(responses, 0))",
            ),
            Self::ResponseTimeMin => hundredths(
                "response_time_min",
                &[LeastResponseUs, Responses],
                "CASE WHEN responses > 0 THEN least_response_us / 10 END",
            ),
            Self::ResponseTimeMax => hundredths(
                "response_time_max",
                &[GreatestResponseUs, Responses],
                "CASE WHEN responses > 0 THEN greatest_response_us / 10 END",
            ),
        }
    }
}

impl Definition {
    /// The measure as a whole number: the count, or the hundredths.
    pub(super) fn rounded_sql(&self) -> String {
        match self.unit {
            Unit::Count => format!("({})::bigint", self.sql),
            Unit::Hundredths => format!("round({})::bigint", self.sql),
        }
    }
}
