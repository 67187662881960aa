//! Statistics of tables that nobody has analyzed yet.
//!
//! The server does that by itself within a minute or so, but until then it takes a session for one with a single answer,
//! and a plan made for that costs ten times as much for a session with a thousand (measured). A new database that fills
//! fast, or one that was loaded in bulk, would meet its first reports and refreshes like this.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

/// The tables of facts and of figures.
const TABLES: [&str; 7] = [
    "answers",
    "publications",
    "questions",
    "sessions",
    "stored_session_figures",
    "stored_session_questions",
    "stored_session_students",
];

/// Size from which a table's statistics matter; below it, any plan will do.
const BYTES_MIN: i64 = 1024 * 1024;

/// Analyzes the tables that have grown and were never analyzed, and returns whether all have been.
///
/// # Errors
/// If the database fails.
pub async fn ensure_statistics(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let unanalyzed: Vec<(String, bool)> = sqlx::query_as(
        "SELECT relname::text, pg_relation_size(oid) >= $2
         FROM pg_class
         WHERE oid = ANY ($1::text[]::regclass[]) AND reltuples < 0",
    )
    .bind(TABLES)
    .bind(BYTES_MIN)
    .fetch_all(&mut *connection)
    .await?;
    for table in TABLES {
        if unanalyzed.contains(&(table.to_owned(), true)) {
            sqlx::raw_sql(AssertSqlSafe(format!("ANALYZE {table}")))
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(unanalyzed.iter().all(|(_, is_large)| *is_large))
}
