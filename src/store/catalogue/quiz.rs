//! Quizzes and the keys of their questions.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, PgExecutor, PgPool};
use uuid::Uuid;

use super::super::answer_keys::{self, KeyChanges};
use super::{Tries, lock};
use crate::catalogue::{Question, Quiz};
use crate::tenant::Tenant;

#[derive(sqlx::FromRow)]
struct Row {
    title: String,
    description: Option<String>,
    question_ids: Vec<Uuid>,
    correct_answers: Vec<Option<String>>,
}

/// Finds a quiz that the catalogue or an event has named.
///
/// # Errors
/// If the database fails.
pub async fn find_quiz(
    db: impl PgExecutor<'_>,
    tenant: Tenant,
    quiz_id: Uuid,
) -> Result<Option<Quiz>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(include_str!("find_quiz.sql"))
        .bind(tenant.id())
        .bind(quiz_id)
        .fetch_optional(db)
        .await?;
    Ok(row.map(|row| Quiz {
        quiz_id,
        title: row.title,
        description: row.description,
        questions: row
            .question_ids
            .into_iter()
            .zip(row.correct_answers)
            .map(|(question_id, correct_answer)| Question {
                question_id,
                correct_answer,
            })
            .collect(),
    }))
}

/// Stores a quiz in the place of what the catalogue says about it, and returns it as stored.
///
/// A listed question belongs to this quiz from then on, whichever it belonged to. One that is no longer listed belongs to
/// no quiz by the catalogue's word and loses the catalogue's key; its answers stay. Where that changes a key in force,
/// exactly the answers to that question are regraded, visibly so as soon as this returns.
///
/// # Errors
/// If the database fails; then nothing is changed.
pub async fn replace_quiz(db: &PgPool, tenant: Tenant, quiz: &Quiz) -> Result<Quiz, sqlx::Error> {
    let mut tries = Tries::default();
    loop {
        let mut connection = db.acquire().await?;
        match replace_once(&mut connection, tenant, quiz).await {
            Err(error) if tries.allow_another(&error) => {}
            outcome => return outcome,
        }
    }
}

async fn replace_once(
    connection: &mut PgConnection,
    tenant: Tenant,
    quiz: &Quiz,
) -> Result<Quiz, sqlx::Error> {
    let (ids, keys): (Vec<Uuid>, Vec<Option<&str>>) = quiz
        .questions
        .iter()
        .map(|question| (question.question_id, question.correct_answer.as_deref()))
        .unzip();
    let mut transaction = connection.begin().await?;
    lock(&mut transaction, tenant).await?;
    answer_keys::lock_tenant_shared(&mut transaction, tenant).await?;
    let mut changed =
        find_changed_keys(&mut transaction, tenant, quiz.quiz_id, &ids, &keys).await?;
    if !changed.is_empty() {
        // A shared lock is never upgraded: two that do so would wait for each other.
        transaction.rollback().await?;
        transaction = connection.begin().await?;
        lock(&mut transaction, tenant).await?;
        answer_keys::lock_tenant_for_change(&mut transaction, tenant).await?;
        changed = find_changed_keys(&mut transaction, tenant, quiz.quiz_id, &ids, &keys).await?;
    }
    sqlx::query(include_str!("replace_quiz.sql"))
        .bind(tenant.id())
        .bind(quiz.quiz_id)
        .bind(&quiz.title)
        .bind(&quiz.description)
        .bind(&ids)
        .bind(&keys)
        .execute(&mut *transaction)
        .await?;
    let regraded = changed.into_iter().filter(|key| key.regrades);
    KeyChanges::of(tenant, regraded.map(|key| key.question_id))
        .bump_sessions(&mut transaction)
        .await?;
    let stored = find_quiz(&mut *transaction, tenant, quiz.quiz_id).await?;
    transaction.commit().await?;
    stored.ok_or(sqlx::Error::RowNotFound)
}

/// A question whose key changes in a way that event writers must not meet half-way.
#[derive(sqlx::FromRow)]
struct ChangedKey {
    question_id: Uuid,
    /// Whether another key is in force afterwards.
    regrades: bool,
}

/// Looks under a key lock, in a statement of its own: its snapshot must be newer than the lock.
async fn find_changed_keys(
    connection: &mut PgConnection,
    tenant: Tenant,
    quiz_id: Uuid,
    ids: &[Uuid],
    keys: &[Option<&str>],
) -> Result<Vec<ChangedKey>, sqlx::Error> {
    sqlx::query_as(include_str!("changed_keys.sql"))
        .bind(tenant.id())
        .bind(quiz_id)
        .bind(ids)
        .bind(keys)
        .fetch_all(connection)
        .await
}
