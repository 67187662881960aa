//! What answers can be grouped and filtered by.

use time::Date;
use time::macros::format_description;
use uuid::Uuid;

use super::grain::{Grain, Keys};
use super::join::Join;

/// A dimension of contract 9.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimension {
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

/// What the values of a dimension are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Id,
    Text,
    Flag,
    Number,
    /// Compared as a date, shown as a text.
    Day,
}

/// What a filter compares with; always bound, never written into the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Id(Uuid),
    Text(String),
    Flag(bool),
    Number(i32),
    Day(Date),
}

/// A table with ids and names.
pub(super) struct Lookup {
    pub(super) table: &'static str,
    pub(super) id: &'static str,
    pub(super) name: &'static str,
}

/// A student without a name.
const UNKNOWN: &str = "Unknown";

impl Dimension {
    pub(super) const ALL: [Self; 21] = [
        Self::SessionId,
        Self::ClassroomName,
        Self::StudentName,
        Self::QuestionId,
        Self::AnswerOption,
        Self::CorrectnessFlag,
        Self::EventDate,
        Self::EventHour,
        Self::EventWeek,
        Self::EventMonth,
        Self::EventDayOfWeek,
        Self::TimeBucket,
        Self::PerformanceLevel,
        Self::ResponseSpeedCategory,
        Self::SpeedCategory,
        Self::EngagementLevel,
        Self::SessionDurationCategory,
        Self::QuizTitle,
        Self::DifficultyLevel,
        Self::TimerDurationCategory,
        Self::TeacherId,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SessionId => "session_id",
            Self::ClassroomName => "classroom_name",
            Self::StudentName => "student_name",
            Self::QuestionId => "question_id",
            Self::AnswerOption => "answer_option",
            Self::CorrectnessFlag => "correctness_flag",
            Self::EventDate => "event_date",
            Self::EventHour => "event_hour",
            Self::EventWeek => "event_week",
            Self::EventMonth => "event_month",
            Self::EventDayOfWeek => "event_day_of_week",
            Self::TimeBucket => "time_bucket",
            Self::PerformanceLevel => "performance_level",
            Self::ResponseSpeedCategory => "response_speed_category",
            Self::SpeedCategory => "speed_category",
            Self::EngagementLevel => "engagement_level",
            Self::SessionDurationCategory => "session_duration_category",
            Self::QuizTitle => "quiz_title",
            Self::DifficultyLevel => "difficulty_level",
            Self::TimerDurationCategory => "timer_duration_category",
            Self::TeacherId => "teacher_id",
        }
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::SessionId | Self::QuestionId | Self::TeacherId => Kind::Id,
            Self::CorrectnessFlag => Kind::Flag,
            Self::EventHour | Self::EventWeek | Self::EventMonth => Kind::Number,
            Self::EventDate => Kind::Day,
            _ => Kind::Text,
        }
    }

    /// Reads a filter's value.
    ///
    /// # Errors
    /// What would have been accepted.
    pub(super) fn value(self, text: &str) -> Result<Value, &'static str> {
        match self.kind() {
            Kind::Id => Uuid::try_parse(text).map(Value::Id).map_err(|_| "a UUID"),
            Kind::Text if text.contains('\0') => Err("a text without NUL characters"),
            Kind::Text => Ok(Value::Text(text.to_owned())),
            Kind::Flag if text.eq_ignore_ascii_case("true") => Ok(Value::Flag(true)),
            Kind::Flag if text.eq_ignore_ascii_case("false") => Ok(Value::Flag(false)),
            Kind::Flag => Err("true or false"),
            Kind::Number => text
                .parse()
                .map(Value::Number)
                .map_err(|_| "a whole number"),
            Kind::Day => Date::parse(text, format_description!("[year]-[month]-[day]"))
                .map(Value::Day)
                .map_err(|_| "a date of the form YYYY-MM-DD"),
        }
    }

    /// What of an answer must be known to tell the value.
    pub(super) fn keys(self) -> Keys {
        match self {
            Self::SessionId
            | Self::ClassroomName
            | Self::SessionDurationCategory
            | Self::QuizTitle => Keys::SESSION,
            Self::QuestionId | Self::DifficultyLevel => Keys::QUESTION,
            Self::StudentName | Self::PerformanceLevel | Self::EngagementLevel => Keys::STUDENT,
            _ => Keys::ANSWER,
        }
    }

    /// What [`Self::group_sql`] joins.
    pub(super) fn join(self) -> Option<Join> {
        match self {
            Self::ClassroomName => Some(Join::Classroom),
            Self::QuizTitle => Some(Join::Quiz),
            Self::SessionDurationCategory => Some(Join::Session),
            Self::CorrectnessFlag => Some(Join::Key),
            Self::ResponseSpeedCategory
            | Self::SpeedCategory
            | Self::TimerDurationCategory
            | Self::TeacherId => Some(Join::Round),
            Self::PerformanceLevel => Some(Join::Performance),
            Self::EngagementLevel => Some(Join::Engagement),
            Self::DifficultyLevel => Some(Join::Difficulty),
            _ => None,
        }
    }

    /// Where the ids of what a filter names are found. Not for the name that is shown where there is none.
    pub(super) fn lookup(self, value: &Value) -> Option<Lookup> {
        let of = |table, id, name| Lookup { table, id, name };
        match (self, value) {
            (Self::ClassroomName, Value::Text(name)) if !name.is_empty() => {
                Some(of("classrooms", "classroom_id", "name"))
            }
            (Self::QuizTitle, Value::Text(title)) if !title.is_empty() => {
                Some(of("quizzes", "quiz_id", "title"))
            }
            (Self::StudentName, Value::Text(name)) if name != UNKNOWN => {
                Some(of("students", "student_id", "name"))
            }
            _ => None,
        }
    }

    /// What a filter joins: as [`Self::join`], and the student's name is looked up before instead of after grouping.
    pub(super) fn filter_join(self) -> Option<Join> {
        match self {
            Self::StudentName => Some(Join::Student),
            _ => self.join(),
        }
    }

    /// What the rows of a source are grouped by. It is one to one with the value that is shown, except that students
    /// stay apart when their names are the same.
    pub(super) fn group_sql(self, grain: Grain) -> String {
        let s = grain.session();
        let utc = "a.submitted_at AT TIME ZONE 'UTC'";
        match self {
            Self::SessionId => "a.session_id".to_owned(),
            Self::ClassroomName => "coalesce(cl.name, '')".to_owned(),
            Self::StudentName => "a.student_id".to_owned(),
            Self::QuestionId => "a.question_id".to_owned(),
            Self::AnswerOption => "a.answer".to_owned(),
            Self::CorrectnessFlag => "is_correct(a.answer, k.key)".to_owned(),
            Self::EventDate => format!("({utc})::date"),
            Self::EventHour => format!("date_part('hour', {utc})::integer"),
            Self::EventWeek => format!("date_part('week', {utc})::integer"),
            Self::EventMonth => format!("date_part('month', {utc})::integer"),
            Self::EventDayOfWeek => format!("date_part('isodow', {utc})::integer"),
            Self::TimeBucket => format!(
                "CASE WHEN date_part('hour', {utc}) < 12 THEN 'Morning' \
                 WHEN date_part('hour', {utc}) < 18 THEN 'Afternoon' ELSE 'Evening' END"
            ),
            Self::PerformanceLevel => "lv.label".to_owned(),
            Self::ResponseSpeedCategory | Self::SpeedCategory => {
                "CASE WHEN r.published_at IS NULL THEN 'Unknown' \
                 WHEN a.submitted_at - r.published_at < interval '30 s' THEN 'Fast' \
                 WHEN a.submitted_at - r.published_at < interval '60 s' THEN 'Medium' ELSE 'Slow' END"
                    .to_owned()
            }
            Self::EngagementLevel => "coalesce(en.label, 'Low')".to_owned(),
            Self::SessionDurationCategory => format!(
                "CASE WHEN {s}.ended_at IS NULL THEN 'Ongoing' WHEN {s}.started_at IS NULL THEN 'Unknown' \
                 WHEN {s}.ended_at - {s}.started_at < interval '1800 s' THEN 'Short' \
                 WHEN {s}.ended_at - {s}.started_at < interval '3600 s' THEN 'Medium' ELSE 'Long' END"
            ),
            Self::QuizTitle => "coalesce(qz.title, '')".to_owned(),
            Self::DifficultyLevel => "coalesce(df.label, 'Unrated')".to_owned(),
            Self::TimerDurationCategory => timer_category("r"),
            Self::TeacherId => "r.teacher_id".to_owned(),
        }
    }

    /// What a filter compares.
    pub(super) fn filter_sql(self, grain: Grain) -> String {
        match self {
            Self::StudentName => self.shown_sql("a.student_id"),
            Self::EventDayOfWeek => self.shown_sql(&self.group_sql(grain)),
            _ => self.group_sql(grain),
        }
    }

    /// The value that is shown for what was grouped by.
    pub(super) fn shown_sql(self, group: &str) -> String {
        match self {
            Self::StudentName => "coalesce(st.name, 'Unknown')".to_owned(),
            Self::EventDate => format!("to_char({group}::timestamp, 'YYYY-MM-DD')"),
            Self::EventDayOfWeek => format!(
                "(ARRAY['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'])[{group}]"
            ),
            _ => group.to_owned(),
        }
    }

    /// The same for a publication `p`, for the dimensions that a publication has, too.
    pub(super) fn publication_sql(self) -> Option<String> {
        match self {
            Self::QuestionId => Some("p.question_id".to_owned()),
            Self::TeacherId => Some("p.teacher_id".to_owned()),
            Self::TimerDurationCategory => Some(timer_category("p")),
            Self::DifficultyLevel => Some("coalesce(df.label, 'Unrated')".to_owned()),
            _ => None,
        }
    }
}

fn timer_category(publication: &str) -> String {
    format!(
        "CASE WHEN {publication}.published_at IS NULL THEN 'Unknown' WHEN {publication}.timer_sec IS NULL THEN 'Untimed' \
         WHEN {publication}.timer_sec < 30 THEN 'Fast' WHEN {publication}.timer_sec < 60 THEN 'Medium' ELSE 'Slow' END"
    )
}
