//! The whole numbers of a group that measures are made of.

use super::grain::Column;
use super::part::Part;

/// A whole number of a group; 0 where there is nothing to add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Figure {
    Answers,
    Graded,
    Correct,
    Timed,
    LatencyUs,
    Attempts,
    Responses,
    ResponseUs,
    LeastResponseUs,
    GreatestResponseUs,
    Students,
    Sessions,
    EndedSessions,
    DurationUs,
    Publications,
    PublishingUs,
    RosterStudents,
    RosterSeats,
    Participants,
    ParticipantQuestions,
    Triples,
    CompletedSeats,
    FirstAnswers,
    FirstLatencyUs,
    QuestionSeats,
    PublishedQuestions,
}

/// Where a figure comes from.
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) part: Part,
    /// Over the rows of the part.
    pub(super) sql: &'static str,
    /// What the cells must have for it.
    pub(super) columns: &'static [Column],
    /// Whether the part must look at the sessions, called `x`.
    pub(super) needs_sessions: bool,
}

impl Figure {
    pub(super) fn definition(self) -> Definition {
        let of = |part, name, sql, columns| Definition {
            name,
            part,
            sql,
            columns,
            needs_sessions: sql.contains("x."),
        };
        match self {
            Self::Answers => of(
                Part::Answers,
                "answers",
                "sum(c.answers)",
                &[Column::Answers],
            ),
            Self::Graded => of(Part::Answers, "graded", "sum(c.graded)", &[Column::Graded]),
            Self::Correct => of(
                Part::Answers,
                "correct",
                "sum(c.correct)",
                &[Column::Correct],
            ),
            Self::Timed => of(Part::Answers, "timed", "sum(c.timed)", &[Column::Timed]),
            Self::LatencyUs => of(
                Part::Answers,
                "latency_us",
                "sum(c.latency_us)",
                &[Column::LatencyUs],
            ),
            // Those behind the answers of the group, also where the earlier ones are outside its time range.
            Self::Attempts => of(
                Part::Answers,
                "attempts",
                "sum(c.attempts)",
                &[Column::Attempts],
            ),
            Self::Responses => of(
                Part::Responses,
                "responses",
                "sum(c.responses)",
                &[Column::Responses],
            ),
            Self::ResponseUs => of(
                Part::Responses,
                "response_us",
                "sum(c.response_us)",
                &[Column::ResponseUs],
            ),
            Self::LeastResponseUs => of(
                Part::Responses,
                "least_response_us",
                "min(c.least_response_us)",
                &[Column::LeastResponseUs],
            ),
            Self::GreatestResponseUs => of(
                Part::Responses,
                "greatest_response_us",
                "max(c.greatest_response_us)",
                &[Column::GreatestResponseUs],
            ),
            Self::Students => of(Part::Students, "students", "count(*)", &[]),
            Self::Sessions => of(Part::Sessions, "sessions", "count(*)", &[]),
            Self::EndedSessions => of(
                Part::Sessions,
                "ended_sessions",
                "count(x.duration_us)",
                &[],
            ),
            Self::DurationUs => of(Part::Sessions, "duration_us", "sum(x.duration_us)", &[]),
            Self::Publications => of(Part::Sessions, "publications", "sum(x.publications)", &[]),
            Self::PublishingUs => of(Part::Sessions, "publishing_us", "sum(x.publishing_us)", &[]),
            Self::RosterSeats => of(Part::Sessions, "roster_seats", "sum(x.roster_size)", &[]),
            Self::RosterStudents => of(Part::Rosters, "roster_students", "count(*)", &[]),
            Self::Participants => of(
                Part::Seats,
                "participants",
                "count(DISTINCT g.student_id)",
                &[],
            ),
            Self::ParticipantQuestions => of(
                Part::Seats,
                "participant_questions",
                "sum(x.published_questions)",
                &[],
            ),
            Self::Triples => of(
                Part::Seats,
                "triples",
                "sum(g.published_answered)",
                &[Column::PublishedAnswered],
            ),
            Self::CompletedSeats => of(
                Part::Seats,
                "completed_seats",
                "count(*) FILTER (WHERE x.published_questions > 0 AND g.published_answered = x.published_questions)",
                &[Column::PublishedAnswered],
            ),
            Self::FirstAnswers => of(
                Part::Questions,
                "first_answers",
                "count(g.least_latency_us)",
                &[Column::LeastLatencyUs],
            ),
            Self::FirstLatencyUs => of(
                Part::Questions,
                "first_latency_us",
                "sum(g.least_latency_us)",
                &[Column::LeastLatencyUs],
            ),
            Self::QuestionSeats => of(Part::Questions, "question_seats", "sum(x.roster_size)", &[]),
            Self::PublishedQuestions => {
                of(Part::Publications, "published_questions", "count(*)", &[])
            }
        }
    }
}
