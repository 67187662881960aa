//! `ctl migrate`: waits for the database and brings its schema up to date.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use sqlx::migrate::Migrate;

use super::answer::Answer;
use super::database;
use crate::config::DatabaseConfig;
use crate::store::MIGRATOR;

/// Arguments of `ctl migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Most time to wait for the database, in milliseconds.
    #[arg(long, env = "DATABASE_WAIT_MS", default_value_t = 60_000)]
    pub database_wait_ms: u64,
    /// PostgreSQL.
    #[command(flatten)]
    pub database: DatabaseConfig,
}

/// What the schema needed.
#[derive(Debug, Serialize)]
pub(super) struct Migrated {
    database: String,
    applied: Vec<Applied>,
    /// The schema's version now.
    version: i64,
}

#[derive(Debug, Serialize)]
struct Applied {
    version: i64,
    description: String,
}

pub(super) async fn migrate(args: MigrateArgs) -> anyhow::Result<Migrated> {
    let wait = Duration::from_millis(args.database_wait_ms);
    let mut connection = database::connect_within(&args.database, wait).await?;
    // The migrator takes the same lock again, which its holder may; holding it here as well lets each of several
    // that run at once tell what it did itself.
    connection.lock().await.context("the migration lock")?;
    connection
        .ensure_migrations_table(&MIGRATOR.table_name)
        .await?;
    let before: HashSet<i64> = connection
        .list_applied_migrations(&MIGRATOR.table_name)
        .await?
        .into_iter()
        .map(|migration| migration.version)
        .collect();
    MIGRATOR
        .run(&mut connection)
        .await
        .context("the schema could not be brought up to date")?;
    connection.unlock().await?;
    let applied = MIGRATOR
        .iter()
        .filter(|migration| !before.contains(&migration.version))
        .map(|migration| Applied {
            version: migration.version,
            description: migration.description.clone().into_owned(),
        })
        .collect();
    Ok(Migrated {
        database: database::describe(&args.database)?,
        applied,
        version: MIGRATOR.iter().map(|m| m.version).max().unwrap_or_default(),
    })
}

impl Answer for Migrated {}

impl fmt::Display for Migrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for migration in &self.applied {
            writeln!(
                f,
                "applied {:04} {}",
                migration.version, migration.description
            )?;
        }
        let Self {
            database, version, ..
        } = self;
        write!(f, "the schema of {database} is at version {version:04}")
    }
}
