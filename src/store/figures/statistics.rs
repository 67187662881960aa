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

/// Analyzes the tables that have grown and that the planner does not know, and returns whether it knows all.
///
/// It knows none of the rows of a table that was never analyzed, and hardly any of one that was analyzed in the middle
/// of its load, which sees the pages of a transaction and not yet its rows: less than one a page, where TOAST sees to it
/// that four fit. A page of deleted rows looks the same, hence the pause.
///
/// # Errors
/// If the database fails.
pub async fn ensure_statistics(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let unknown: Vec<(String, bool)> = sqlx::query_as(
        "SELECT relname::text,
                pg_relation_size(oid) >= $2
                    AND coalesce(pg_stat_get_last_analyze_time(oid) < now() - interval '10 s', true)
         FROM pg_class
         WHERE oid = ANY ($1::text[]::regclass[])
           AND reltuples < pg_relation_size(oid) / current_setting('block_size')::integer",
    )
    .bind(TABLES)
    .bind(BYTES_MIN)
    .fetch_all(&mut *connection)
    .await?;
    for (table, is_due) in &unknown {
        if *is_due {
            sqlx::raw_sql(AssertSqlSafe(format!("ANALYZE {table}")))
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(unknown.is_empty())
}
