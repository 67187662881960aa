//! The contents of a whole database, to be compared with another's.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgPool};

/// Every table's rows as text, sorted.
pub(crate) type Rows = BTreeMap<String, Vec<String>>;

/// Columns that tell when and how often rows were written, which the order of arrival may change.
const VOLATILE: &str = "ARRAY['received_at', 'created_at', 'updated_at', 'facts_version']";

/// All but the cache of the sessions' figures: that may be ahead in one database and behind in another.
async fn tables(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        r"SELECT tablename::text FROM pg_tables
          WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'
            AND tablename <> 'stale_sessions' AND tablename NOT LIKE 'stored\_%'",
    )
    .fetch_all(pool)
    .await
    .expect("the tables can be listed")
}

async fn rows(pool: &PgPool, row: &str) -> Rows {
    let mut all = Rows::new();
    for table in tables(pool).await {
        let query = format!("SELECT {row} FROM {table} AS t ORDER BY 1");
        let rows = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_all(pool)
            .await
            .expect("a table can be read");
        all.insert(table, rows);
    }
    all
}

/// What the events left, without the columns that may differ between two orders of arrival.
pub(crate) async fn lasting_rows(pool: &PgPool) -> Rows {
    rows(pool, &format!("(to_jsonb(t) - {VOLATILE})::text")).await
}

/// Everything, with the transaction that wrote each row and where it lies: equal only if no row was touched.
pub(crate) async fn exact_rows(pool: &PgPool) -> Rows {
    rows(
        pool,
        "t.xmin::text || ' ' || t.ctid::text || ' ' || to_jsonb(t)::text",
    )
    .await
}

/// The tables whose rows differ, with the rows that only one side has; empty when all are equal.
pub(crate) fn differences(left: &Rows, right: &Rows) -> String {
    let mut text = String::new();
    for (table, rows) in left {
        let others = &right[table];
        for (side, row) in rows
            .iter()
            .filter(|row| !others.contains(row))
            .map(|row| ("left only", row))
            .chain(
                others
                    .iter()
                    .filter(|row| !rows.contains(row))
                    .map(|row| ("right only", row)),
            )
        {
            text.push_str(&format!("{table}, {side}: {row}\n"));
        }
        if rows.len() != others.len() {
            text.push_str(&format!(
                "{table}: {} rows and {} rows\n",
                rows.len(),
                others.len()
            ));
        }
    }
    text
}
