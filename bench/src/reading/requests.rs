//! The 22 reports, and about which entities they are asked.

use uuid::Uuid;

use super::school::School;

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Session,
    SessionAndQuestion,
    StudentAndClassroom,
    Classroom,
    Quiz,
    Question,
}

/// What a report's figures would cost from the raw rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raw {
    QuizPerQuestion,
    QuizPerSession,
    ClassroomPerStudent,
    ClassroomPerSession,
}

impl Raw {
    pub(super) fn statement(self) -> &'static str {
        match self {
            Self::QuizPerQuestion => include_str!("raw/quiz_per_question.sql"),
            Self::QuizPerSession => include_str!("raw/quiz_per_session.sql"),
            Self::ClassroomPerStudent => include_str!("raw/classroom_per_student.sql"),
            Self::ClassroomPerSession => include_str!("raw/classroom_per_session.sql"),
        }
    }
}

/// A report as it is measured.
pub(super) struct Measured {
    pub(super) name: &'static str,
    pub(super) scope: Scope,
    /// Further parameters; windows take in every session of the school.
    more: &'static str,
    pub(super) raw: Option<Raw>,
}

pub(super) const REPORTS: [Measured; 22] = {
    use Raw::{ClassroomPerSession, ClassroomPerStudent, QuizPerQuestion, QuizPerSession};
    use Scope::{Classroom, Question, Quiz, Session, SessionAndQuestion, StudentAndClassroom};
    const fn report(
        name: &'static str,
        scope: Scope,
        more: &'static str,
        raw: Option<Raw>,
    ) -> Measured {
        Measured {
            name,
            scope,
            more,
            raw,
        }
    }
    const EVER: &str = "&date_range=90d";
    [
        report("active-participants", Session, "&time_range=2400h", None),
        report("questions-per-minute", Session, "", None),
        report("student-performance", StudentAndClassroom, "", None),
        report(
            "classroom-engagement",
            Classroom,
            EVER,
            Some(ClassroomPerSession),
        ),
        report("content-effectiveness", Quiz, "", Some(QuizPerSession)),
        report("response-rate", SessionAndQuestion, "", None),
        report("latency-analysis", SessionAndQuestion, "", None),
        report("timeout-analysis", SessionAndQuestion, "", None),
        report("completion-rate", Session, "", None),
        report("dropoff-analysis", Session, "", None),
        report(
            "student-performance-list",
            Classroom,
            "",
            Some(ClassroomPerStudent),
        ),
        report(
            "classroom-engagement-history",
            Classroom,
            EVER,
            Some(ClassroomPerSession),
        ),
        report("quiz-summary", Quiz, "", Some(QuizPerSession)),
        report("question-analysis", Question, "", None),
        report("quiz-questions-list", Quiz, "", Some(QuizPerQuestion)),
        report(
            "classroom-sessions",
            Classroom,
            "",
            Some(ClassroomPerSession),
        ),
        report("quiz-sessions", Quiz, "", Some(QuizPerSession)),
        report(
            "classroom-student-rankings",
            Classroom,
            "",
            Some(ClassroomPerStudent),
        ),
        report("session-student-rankings", Session, "", None),
        report(
            "classroom-overview",
            Classroom,
            "",
            Some(ClassroomPerSession),
        ),
        report(
            "class-performance-summary",
            Classroom,
            "",
            Some(ClassroomPerSession),
        ),
        report("student-activity-summary", StudentAndClassroom, "", None),
    ]
};

/// Entities that belong together, chosen at random.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entities {
    session: Uuid,
    question: Uuid,
    student: Uuid,
    pub(super) classroom: Uuid,
    pub(super) quiz: Uuid,
}

impl Entities {
    pub(super) async fn any(school: &School) -> anyhow::Result<Self> {
        let session = fastrand::u64(..school.sessions);
        let (quiz, classroom) = (session / 1_000, session / 500);
        let one_of_ten = fastrand::u64(..10);
        Ok(Self {
            session: school.id("session", session).await?,
            question: school.id("question", quiz * 10 + one_of_ten).await?,
            student: school.id("student", classroom * 10 + one_of_ten).await?,
            classroom: school.id("classroom", classroom).await?,
            quiz: school.id("quiz", quiz).await?,
        })
    }
}

impl Measured {
    /// The path of a request about these entities.
    pub(super) fn path(&self, entities: &Entities) -> String {
        let Entities {
            session,
            question,
            student,
            classroom,
            quiz,
        } = entities;
        let parameters = match self.scope {
            Scope::Session => format!("session_id={session}"),
            Scope::SessionAndQuestion => format!("session_id={session}&question_id={question}"),
            Scope::StudentAndClassroom => format!("student_id={student}&classroom_id={classroom}"),
            Scope::Classroom => format!("classroom_id={classroom}"),
            Scope::Quiz => format!("quiz_id={quiz}"),
            Scope::Question => format!("question_id={question}"),
        };
        format!("/api/reports/{}?{parameters}{}", self.name, self.more)
    }

    /// The entity that [`Self::raw`] is about.
    pub(super) fn raw_entity(&self, entities: &Entities) -> Uuid {
        match self.scope {
            Scope::Quiz => entities.quiz,
            _ => entities.classroom,
        }
    }
}
