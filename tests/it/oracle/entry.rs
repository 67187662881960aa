//! Changes of the catalogue: each is the whole of a quiz or of a classroom.

use serde_json::{Value, json};
use uuid::Uuid;

use super::model::Catalogue;
use super::scenario::{Thing, id};

#[derive(Debug, Clone)]
pub(super) enum Entry {
    Quiz {
        quiz: u8,
        title: &'static str,
        questions: Vec<(u8, Option<&'static str>)>,
    },
    Classroom {
        classroom: u8,
        name: &'static str,
        students: Vec<(u8, Option<&'static str>)>,
    },
}

impl Entry {
    fn of(&self) -> Uuid {
        match self {
            Self::Quiz { quiz, .. } => id(Thing::Quiz, *quiz),
            Self::Classroom { classroom, .. } => id(Thing::Classroom, *classroom),
        }
    }

    pub(super) fn path(&self) -> String {
        let kind = match self {
            Self::Quiz { .. } => "quizzes",
            Self::Classroom { .. } => "classrooms",
        };
        format!("/api/{kind}/{}", self.of())
    }

    pub(super) fn body(&self) -> Value {
        match self {
            Self::Quiz {
                title, questions, ..
            } => {
                let questions = questions.iter().map(|(question, key)| {
                    json!({"question_id": id(Thing::Question, *question), "correct_answer": key})
                });
                json!({"title": title, "questions": questions.collect::<Vec<_>>()})
            }
            Self::Classroom { name, students, .. } => {
                let students = students.iter().map(|(student, name)| {
                    json!({"student_id": id(Thing::Student, *student), "name": name})
                });
                json!({"name": name, "students": students.collect::<Vec<_>>()})
            }
        }
    }

    /// What the server has to answer, once the catalogue has the entry.
    pub(super) fn stored(&self, catalogue: &Catalogue) -> Value {
        let mut stored = self.body();
        match self {
            Self::Quiz { .. } => {
                stored["quiz_id"] = json!(self.of());
                stored["description"] = Value::Null;
            }
            Self::Classroom { students, .. } => {
                stored["classroom_id"] = json!(self.of());
                for (place, (student, _)) in students.iter().enumerate() {
                    let name = catalogue.names.get(&id(Thing::Student, *student));
                    stored["students"][place]["name"] = json!(name);
                }
            }
        }
        stored
    }

    /// Replaces what the catalogue says about the quiz or the classroom. A name that is not given stays as it was.
    pub(super) fn apply(&self, catalogue: &mut Catalogue) {
        match self {
            Self::Quiz {
                title, questions, ..
            } => {
                let quiz = self.of();
                catalogue.titles.insert(quiz, (*title).to_owned());
                catalogue.questions.retain(|_, (owner, _)| *owner != quiz);
                for (question, key) in questions {
                    let question = id(Thing::Question, *question);
                    let key = key.map(str::to_owned);
                    catalogue.questions.insert(question, (quiz, key));
                }
            }
            Self::Classroom { name, students, .. } => {
                let classroom = self.of();
                catalogue.classrooms.insert(classroom, (*name).to_owned());
                let roster = catalogue.rosters.entry(classroom).or_default();
                roster.clear();
                for (student, name) in students {
                    let student = id(Thing::Student, *student);
                    roster.insert(student);
                    if let Some(name) = name {
                        catalogue.names.insert(student, (*name).to_owned());
                    }
                }
            }
        }
    }
}
