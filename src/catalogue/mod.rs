//! The catalogue: quizzes with their answer keys, classrooms with their rosters, already checked.
//!
//! Owns the rules of what may go into the catalogue, pure and without I/O: a [`Quiz`] and a [`Classroom`] are made from
//! a client's JSON by their `parse`. Knows nothing of HTTP or SQL.

mod invalid;
mod parse;

use serde::Serialize;
use uuid::Uuid;

pub use self::invalid::{Fault, InvalidEntry};
pub use self::parse::{DESCRIPTION_BYTES_MAX, KEY_BYTES_MAX, LIST_MAX, NAME_BYTES_MAX, parse_id};

/// A quiz and the questions that belong to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quiz {
    /// The quiz.
    pub quiz_id: Uuid,
    /// Empty for a quiz that only events have named so far.
    pub title: String,
    /// What the quiz is about.
    pub description: Option<String>,
    /// Each question once, in the order given.
    pub questions: Vec<Question>,
}

/// A question as the catalogue lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// The question.
    pub question_id: Uuid,
    /// The catalogue's key. Without one, the newest key that a publication carried is in force.
    pub correct_answer: Option<String>,
}

/// A classroom and its roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Classroom {
    /// The classroom.
    pub classroom_id: Uuid,
    /// Empty for a classroom that only events have named so far.
    pub name: String,
    /// Each student once, in the order given.
    pub students: Vec<Student>,
}

/// A student as a roster lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Student {
    /// The student.
    pub student_id: Uuid,
    /// `None` on the way in leaves the name that is stored, and on the way out says that none is.
    pub name: Option<String>,
}
