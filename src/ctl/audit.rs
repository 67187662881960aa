//! `ctl audit`: whether what is stored of each session is what its facts say.

use std::collections::BTreeSet;
use std::fmt;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::answer::Answer;
use super::database;
use super::progress::Progress;
use super::table::Table;
use crate::config::DatabaseConfig;
use crate::store::figures::{self, Choice, Difference, Scope};

/// Sessions that are looked at in one snapshot: it bounds the memory, and how long the snapshot is held.
const SESSIONS_AT_ONCE: usize = 100;

/// Arguments of `ctl audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Only this tenant.
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
    pub tenant: Option<i32>,
    /// Most findings to list; all are counted.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub limit: u32,
    /// PostgreSQL.
    #[command(flatten)]
    pub database: DatabaseConfig,
}

/// What an audit found.
#[derive(Debug, Default, Serialize)]
pub(super) struct Audited {
    /// Sessions that were looked at.
    sessions: u64,
    /// Those of them that are marked as behind: reports compute their figures, so nothing stored of them is shown.
    behind: u64,
    /// Everything that differs, listed or not.
    differences: u64,
    findings: Vec<Finding>,
}

/// One value that is stored and is not what the facts say.
#[derive(Debug, Serialize)]
struct Finding {
    tenant_id: i32,
    session_id: Uuid,
    /// `session`, `question` or `student`.
    entity: String,
    /// The question or the student.
    id: Option<Uuid>,
    problem: Problem,
    /// Which value, where the whole row is not the problem.
    column: Option<String>,
    stored: Value,
    recomputed: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Problem {
    /// The column has another value.
    Differs,
    /// The facts have moved on, and the session is not marked as behind.
    Unmarked,
    /// The row is not stored.
    Missing,
    /// The row is stored, and there are no facts or no session for it.
    LeftOver,
}

pub(super) async fn audit(args: AuditArgs) -> anyhow::Result<Audited> {
    let mut connection = database::connect(&args.database).await?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    audit_all(&mut connection, args.tenant, limit)
        .await
        .map_err(database::explain)
}

async fn audit_all(
    connection: &mut PgConnection,
    tenant: Option<i32>,
    limit: usize,
) -> Result<Audited, sqlx::Error> {
    let of_tenant = Choice {
        tenant,
        ..Choice::default()
    };
    let total = figures::count_sessions(&mut *connection, &of_tenant).await?;
    let progress = Progress::new(total.try_into().unwrap_or_default(), "sessions");
    let mut audited = Audited::default();
    let mut scope = Scope::new(tenant);
    loop {
        let (sessions, differences) =
            figures::audit_sessions(connection, scope, SESSIONS_AT_ONCE).await?;
        let Some(last) = sessions.last() else { break };
        scope = scope.after(last.key());
        audited.sessions += sessions.len() as u64;
        audited.behind += sessions
            .iter()
            .filter(|session| session.is_behind())
            .count() as u64;
        for finding in differences.into_iter().flat_map(findings) {
            audited.differences += 1;
            if audited.findings.len() < limit {
                audited.findings.push(finding);
            }
        }
        progress.advance(sessions.len() as u64);
    }
    progress.finish();
    Ok(audited)
}

fn findings(difference: Difference) -> Vec<Finding> {
    let Difference {
        tenant_id,
        session_id,
        entity,
        id,
        stored,
        recomputed,
    } = difference;
    let finding = |problem, column, stored, recomputed| Finding {
        tenant_id,
        session_id,
        entity: entity.clone(),
        id,
        problem,
        column,
        stored,
        recomputed,
    };
    match (stored, recomputed) {
        (Some(Value::Object(stored)), Some(Value::Object(recomputed))) => {
            differing_columns(&stored, &recomputed)
                .map(|(column, stored, recomputed)| {
                    let problem = match column {
                        "of_version" => Problem::Unmarked,
                        _ => Problem::Differs,
                    };
                    finding(problem, Some(column.to_owned()), stored, recomputed)
                })
                .collect()
        }
        (Some(stored), _) => vec![finding(Problem::LeftOver, None, stored, Value::Null)],
        (None, recomputed) => {
            let recomputed = recomputed.unwrap_or_default();
            vec![finding(Problem::Missing, None, Value::Null, recomputed)]
        }
    }
}

/// Columns that have two values, with both.
fn differing_columns<'c>(
    stored: &'c Map<String, Value>,
    recomputed: &'c Map<String, Value>,
) -> impl Iterator<Item = (&'c str, Value, Value)> {
    let columns: BTreeSet<&str> = stored
        .keys()
        .chain(recomputed.keys())
        .map(String::as_str)
        .collect();
    columns.into_iter().filter_map(|column| {
        let (stored, recomputed) = (stored.get(column), recomputed.get(column));
        let value = |value: Option<&Value>| value.cloned().unwrap_or_default();
        (stored != recomputed).then(|| (column, value(stored), value(recomputed)))
    })
}

impl Problem {
    fn name(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Unmarked => "unmarked",
            Self::Missing => "missing",
            Self::LeftOver => "left over",
        }
    }
}

impl Answer for Audited {
    fn is_failure(&self) -> bool {
        self.differences > 0
    }
}

impl fmt::Display for Audited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sessions,
            behind,
            differences,
            findings,
        } = self;
        if !findings.is_empty() {
            let mut table = Table::new([
                "TENANT",
                "SESSION",
                "ENTITY",
                "ID",
                "PROBLEM",
                "COLUMN",
                "STORED",
                "RECOMPUTED",
            ]);
            for finding in findings {
                let of_column = |value: &Value| match finding.column {
                    Some(_) => value.to_string(),
                    None => "-".to_owned(),
                };
                table.row([
                    finding.tenant_id.to_string(),
                    finding.session_id.to_string(),
                    finding.entity.clone(),
                    finding
                        .id
                        .map_or_else(|| "-".to_owned(), |id| id.to_string()),
                    finding.problem.name().to_owned(),
                    finding.column.clone().unwrap_or_else(|| "-".to_owned()),
                    of_column(&finding.stored),
                    of_column(&finding.recomputed),
                ]);
            }
            table.fmt(f)?;
        }
        let unlisted = differences.saturating_sub(findings.len() as u64);
        if unlisted > 0 {
            writeln!(f, "and {unlisted} more")?;
        }
        write!(
            f,
            "{sessions} sessions, {behind} of them behind, {differences} differences"
        )?;
        if *differences > 0 {
            write!(f, "; mend them with: ctl rebuild")?;
        }
        Ok(())
    }
}
