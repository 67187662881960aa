//! Runs a query and writes its rows.

use serde::ser::{Serialize, Serializer};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use uuid::Uuid;

use super::ROWS_MAX;
use super::dimension::{Kind, Value};
use super::filters::Bind;
use super::measure::Unit;
use super::parse::{Query, Request};
use super::statement::Statement;
use crate::report::number::Hundredths;
use crate::tenant::Tenant;

/// The answer to a query, contract 9.2.
#[derive(Debug, serde::Serialize)]
pub struct QueryAnswer {
    query: Request,
    data: Vec<Row>,
    /// With placeholders where the values were bound.
    generated_sql: String,
    count: usize,
    /// What was asked for and is not known.
    ignored: Vec<String>,
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// More rows than [`ROWS_MAX`].
    #[error("the answer has more than {ROWS_MAX} rows")]
    TooManyRows,
    /// The database failed or stopped.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// One key for each dimension and measure, in the order asked for.
#[derive(Debug)]
struct Row(Vec<(&'static str, Cell)>);

#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
enum Cell {
    Null,
    Id(Uuid),
    Text(String),
    Flag(bool),
    Number(i64),
    Hundredths(Hundredths),
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, cell)| (name, cell)))
    }
}

/// Answers a query for a tenant.
///
/// # Errors
/// If the rows are too many, or the database fails or stops it.
pub async fn answer(db: &PgPool, tenant: Tenant, query: Query) -> Result<QueryAnswer, QueryError> {
    let Statement { sql, binds } = Statement::of(&query);
    // Not kept as a prepared statement: no two queries need be alike, and a plan for the very values is the better one.
    let mut statement = sqlx::query(AssertSqlSafe(sql.clone()))
        .persistent(false)
        .bind(tenant.id());
    for bind in binds {
        statement = match bind {
            Bind::Value(Value::Id(id)) => statement.bind(id),
            Bind::Value(Value::Text(text)) => statement.bind(text),
            Bind::Value(Value::Flag(flag)) => statement.bind(flag),
            Bind::Value(Value::Number(number)) => statement.bind(number),
            Bind::Value(Value::Day(day)) => statement.bind(day),
            Bind::Instant(at) => statement.bind(at),
            Bind::Count(count) => statement.bind(count),
        };
    }
    let rows = statement.fetch_all(db).await?;
    if i64::try_from(rows.len()).unwrap_or(i64::MAX) > ROWS_MAX {
        return Err(QueryError::TooManyRows);
    }
    let data = rows
        .iter()
        .map(|row| read(&query, row))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(QueryAnswer {
        count: data.len(),
        data,
        generated_sql: sql,
        ignored: query.ignored,
        query: query.request,
    })
}

fn read(query: &Query, row: &PgRow) -> Result<Row, sqlx::Error> {
    let mut cells = Vec::with_capacity(query.dimensions.len() + query.measures.len());
    for dimension in &query.dimensions {
        let column = cells.len();
        let cell = match dimension.kind() {
            Kind::Id => row.try_get::<Option<_>, _>(column)?.map(Cell::Id),
            Kind::Text | Kind::Day => row.try_get::<Option<_>, _>(column)?.map(Cell::Text),
            Kind::Flag => row.try_get::<Option<_>, _>(column)?.map(Cell::Flag),
            Kind::Number => row
                .try_get::<Option<i32>, _>(column)?
                .map(|number| Cell::Number(number.into())),
        };
        cells.push((dimension.name(), cell.unwrap_or(Cell::Null)));
    }
    for measure in &query.measures {
        let definition = measure.definition();
        let number: Option<i64> = row.try_get(cells.len())?;
        let cell = number.map(|number| match definition.unit {
            Unit::Count => Cell::Number(number),
            Unit::Hundredths => Cell::Hundredths(Hundredths::from_hundredths(number)),
        });
        cells.push((definition.name, cell.unwrap_or(Cell::Null)));
    }
    Ok(Row(cells))
}
