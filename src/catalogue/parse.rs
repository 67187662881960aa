//! From what a client sent to a [`Quiz`] or a [`Classroom`].

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use uuid::Uuid;

use super::{Classroom, Fault, InvalidEntry, Question, Quiz, Student};
use crate::event::Scalar;

/// Longest title or name, in bytes.
pub const NAME_BYTES_MAX: usize = 1_000;
/// Longest description of a quiz, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 100_000;
/// Longest answer key, in bytes.
pub const KEY_BYTES_MAX: usize = 100_000;
/// Most questions of a quiz, and most students of a classroom.
pub const LIST_MAX: usize = 100_000;

#[derive(Deserialize)]
struct QuizIn<'a> {
    #[serde(borrow, default)]
    title: Scalar<'a>,
    #[serde(borrow, default)]
    description: Scalar<'a>,
    #[serde(borrow)]
    questions: Option<List<Object<QuestionIn<'a>>>>,
}

#[derive(Deserialize)]
struct QuestionIn<'a> {
    #[serde(borrow, default)]
    question_id: Scalar<'a>,
    #[serde(borrow, default)]
    correct_answer: Scalar<'a>,
}

#[derive(Deserialize)]
struct ClassroomIn<'a> {
    #[serde(borrow, default)]
    name: Scalar<'a>,
    #[serde(borrow)]
    students: Option<List<Object<StudentIn<'a>>>>,
}

#[derive(Deserialize)]
struct StudentIn<'a> {
    #[serde(borrow, default)]
    student_id: Scalar<'a>,
    #[serde(borrow, default)]
    name: Scalar<'a>,
}

impl Quiz {
    /// Reads the body that describes a quiz. Unknown keys are ignored.
    ///
    /// # Errors
    /// The first rule that is broken, with the field at fault.
    pub fn parse(quiz_id: Uuid, json: &[u8]) -> Result<Self, InvalidEntry> {
        let quiz: QuizIn<'_> = read(json)?;
        let title = required(
            "title".into(),
            optional("title", &quiz.title, NAME_BYTES_MAX)?,
        )?;
        let description = optional("description", &quiz.description, DESCRIPTION_BYTES_MAX)?;
        let mut ids = HashSet::new();
        let questions = entries("questions", quiz.questions, |place, question| {
            let field = |name| format!("questions[{place}].{name}");
            Ok(Question {
                question_id: listed_id(field("question_id"), &question.question_id, &mut ids)?,
                correct_answer: optional(
                    field("correct_answer"),
                    &question.correct_answer,
                    KEY_BYTES_MAX,
                )?,
            })
        })?;
        Ok(Self {
            quiz_id,
            title,
            description,
            questions,
        })
    }
}

impl Classroom {
    /// Reads the body that describes a classroom. Unknown keys are ignored.
    ///
    /// # Errors
    /// The first rule that is broken, with the field at fault.
    pub fn parse(classroom_id: Uuid, json: &[u8]) -> Result<Self, InvalidEntry> {
        let classroom: ClassroomIn<'_> = read(json)?;
        let name = required(
            "name".into(),
            optional("name", &classroom.name, NAME_BYTES_MAX)?,
        )?;
        let mut ids = HashSet::new();
        let students = entries("students", classroom.students, |place, student| {
            let field = |name| format!("students[{place}].{name}");
            Ok(Student {
                student_id: listed_id(field("student_id"), &student.student_id, &mut ids)?,
                name: optional(field("name"), &student.name, NAME_BYTES_MAX)?,
            })
        })?;
        Ok(Self {
            classroom_id,
            name,
            students,
        })
    }
}

/// Reads an id of a path.
///
/// # Errors
/// If it is no UUID.
pub fn parse_id(field: &'static str, text: &str) -> Result<Uuid, InvalidEntry> {
    Uuid::try_parse(text).map_err(|_| InvalidEntry::in_field(field, Fault::NotAUuid))
}

fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, InvalidEntry> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let Object(entry) = serde_path_to_error::deserialize(&mut reader).map_err(
        |error: serde_path_to_error::Error<_>| {
            let path = error.path().to_string();
            let cause: serde_json::Error = error.into_inner();
            match cause.classify() {
                Category::Data => InvalidEntry {
                    field: (path != ".").then_some(path),
                    fault: Fault::WrongShape(cause.to_string()),
                },
                _ => broken(&cause),
            }
        },
    )?;
    reader.end().map_err(|error| broken(&error))?;
    Ok(entry)
}

fn broken(error: &serde_json::Error) -> InvalidEntry {
    InvalidEntry {
        field: None,
        fault: Fault::BrokenJson(error.to_string()),
    }
}

/// An absent list is a fault and not an empty one: taking it for empty would throw a roster away.
fn entries<In, Out>(
    field: &str,
    list: Option<List<Object<In>>>,
    mut parse: impl FnMut(usize, In) -> Result<Out, InvalidEntry>,
) -> Result<Vec<Out>, InvalidEntry> {
    let List {
        entries,
        is_too_long,
    } = list.ok_or_else(|| InvalidEntry::in_field(field, Fault::Missing))?;
    if is_too_long {
        return Err(InvalidEntry::in_field(
            field,
            Fault::TooMany { max: LIST_MAX },
        ));
    }
    let entries = entries.into_iter().enumerate();
    entries
        .map(|(place, Object(entry))| parse(place, entry))
        .collect()
}

fn listed_id(
    field: String,
    value: &Scalar<'_>,
    ids: &mut HashSet<Uuid>,
) -> Result<Uuid, InvalidEntry> {
    let text = required(field.clone(), optional(field.clone(), value, usize::MAX)?)?;
    let id = Uuid::try_parse(&text)
        .map_err(|_| InvalidEntry::in_field(field.clone(), Fault::NotAUuid))?;
    if ids.insert(id) {
        Ok(id)
    } else {
        Err(InvalidEntry::in_field(field, Fault::Repeated))
    }
}

fn required(field: String, text: Option<String>) -> Result<String, InvalidEntry> {
    text.ok_or_else(|| InvalidEntry::in_field(field, Fault::Missing))
}

/// An empty text counts as absent, as it does in events.
fn optional(
    field: impl Into<String>,
    value: &Scalar<'_>,
    bytes_max: usize,
) -> Result<Option<String>, InvalidEntry> {
    let fault = match value {
        Scalar::Absent => return Ok(None),
        Scalar::Text(text) if text.is_empty() => return Ok(None),
        Scalar::Text(text) if text.contains('\0') => Fault::Nul,
        Scalar::Text(text) if text.len() > bytes_max => Fault::TooLong { bytes_max },
        Scalar::Text(text) => return Ok(Some(text.clone().into_owned())),
        Scalar::Integer(_) | Scalar::Other => Fault::NotAString,
    };
    Err(InvalidEntry::in_field(field, fault))
}

/// A JSON object. serde alone would take an array of the fields' values, too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// A JSON array, of which no more is kept than can be taken: entries of three bytes must not fill the memory.
struct List<T> {
    entries: Vec<T>,
    is_too_long: bool,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while entries.len() < LIST_MAX {
                    match list.next_element()? {
                        Some(entry) => entries.push(entry),
                        None => {
                            return Ok(List {
                                entries,
                                is_too_long: false,
                            });
                        }
                    }
                }
                let is_too_long = list.next_element::<IgnoredAny>()?.is_some();
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(List {
                    entries,
                    is_too_long,
                })
            }
        }

        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests;
