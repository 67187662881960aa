//! Classrooms and their rosters.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, PgExecutor, PgPool};
use uuid::Uuid;

use super::{Tries, lock};
use crate::catalogue::{Classroom, Student};
use crate::tenant::Tenant;

#[derive(sqlx::FromRow)]
struct Row {
    name: String,
    student_ids: Vec<Uuid>,
    student_names: Vec<Option<String>>,
}

/// Finds a classroom that the catalogue or an event has named.
///
/// # Errors
/// If the database fails.
pub async fn find_classroom(
    db: impl PgExecutor<'_>,
    tenant: Tenant,
    classroom_id: Uuid,
) -> Result<Option<Classroom>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(include_str!("find_classroom.sql"))
        .bind(tenant.id())
        .bind(classroom_id)
        .fetch_optional(db)
        .await?;
    Ok(row.map(|row| Classroom {
        classroom_id,
        name: row.name,
        students: row
            .student_ids
            .into_iter()
            .zip(row.student_names)
            .map(|(student_id, name)| Student { student_id, name })
            .collect(),
    }))
}

/// Stores a classroom in the place of what the catalogue says about it, and returns it as stored.
///
/// The roster is replaced as a whole, for all of the classroom's sessions, past ones too; reports join it when they are
/// read. A student that is listed without a name keeps the stored one.
///
/// # Errors
/// If the database fails; then nothing is changed.
pub async fn replace_classroom(
    db: &PgPool,
    tenant: Tenant,
    classroom: &Classroom,
) -> Result<Classroom, sqlx::Error> {
    let mut tries = Tries::default();
    loop {
        let mut connection = db.acquire().await?;
        match replace_once(&mut connection, tenant, classroom).await {
            Err(error) if tries.allow_another(&error) => {}
            outcome => return outcome,
        }
    }
}

async fn replace_once(
    connection: &mut PgConnection,
    tenant: Tenant,
    classroom: &Classroom,
) -> Result<Classroom, sqlx::Error> {
    let (ids, names): (Vec<Uuid>, Vec<Option<&str>>) = classroom
        .students
        .iter()
        .map(|student| (student.student_id, student.name.as_deref()))
        .unzip();
    let mut transaction = connection.begin().await?;
    lock(&mut transaction, tenant).await?;
    sqlx::query(include_str!("replace_classroom.sql"))
        .bind(tenant.id())
        .bind(classroom.classroom_id)
        .bind(&classroom.name)
        .bind(&ids)
        .bind(&names)
        .execute(&mut *transaction)
        .await?;
    let stored = find_classroom(&mut *transaction, tenant, classroom.classroom_id).await?;
    transaction.commit().await?;
    stored.ok_or(sqlx::Error::RowNotFound)
}
