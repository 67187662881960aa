//! `ctl seed`: loads the fixture sets, with times relative to this moment.

use std::fmt;

use anyhow::bail;
use clap::Args;
use serde::Serialize;
use sqlx::Connection;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::answer::Answer;
use super::database;
use crate::config::DatabaseConfig;
use crate::store::fixtures::{self, FixtureError};

/// Arguments of `ctl seed`.
#[derive(Debug, Args)]
pub struct SeedArgs {
    /// Load into a database that is not empty: the fixtures' own rows are made anew, all others stay.
    #[arg(long)]
    pub yes: bool,
    /// PostgreSQL.
    #[command(flatten)]
    pub database: DatabaseConfig,
}

/// What was loaded.
#[derive(Debug, Serialize)]
pub(super) struct Seeded {
    database: String,
    /// The moment that all times of the fixtures are relative to.
    #[serde(with = "time::serde::rfc3339")]
    loaded_at: OffsetDateTime,
}

pub(super) async fn seed(args: SeedArgs) -> anyhow::Result<Seeded> {
    let target = database::describe(&args.database)?;
    let mut connection = database::connect(&args.database).await?;
    let mut transaction = connection.begin().await.map_err(database::explain)?;
    fixtures::lock(&mut *transaction)
        .await
        .map_err(database::explain)?;
    if !args.yes {
        let occupied = fixtures::list_occupied_tables(&mut *transaction)
            .await
            .map_err(database::explain)?;
        if !occupied.is_empty() {
            bail!(
                "{target} is not empty (rows in {}); add --yes to load the fixtures all the same",
                occupied.join(", ")
            );
        }
    }
    let loaded_at = match fixtures::replace(&mut transaction).await {
        Ok(loaded_at) => loaded_at,
        Err(FixtureError::Database(error)) => return Err(database::explain(error)),
        Err(taken @ FixtureError::AccountTaken { .. }) => return Err(taken.into()),
    };
    transaction.commit().await.map_err(database::explain)?;
    Ok(Seeded {
        database: target,
        loaded_at,
    })
}

impl Answer for Seeded {}

impl fmt::Display for Seeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.loaded_at.format(&Rfc3339).map_err(|_| fmt::Error)?;
        write!(
            f,
            "the fixture sets A and B are in {}, their times relative to {at}",
            self.database
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::auth::{Passwords, Role, Verdict};
    use crate::store::fixtures::USERS;

    #[tokio::test]
    async fn every_fixture_account_logs_in_with_its_documented_password() {
        let passwords = Passwords::new().unwrap();
        for user in USERS {
            let stored = Some(user.password_hash.to_owned());
            let verdict = passwords.verify(user.password.into(), stored).await;
            assert_ne!(verdict.unwrap(), Verdict::Wrong, "{}", user.email);
            assert!(user.role.parse::<Role>().is_ok(), "{}", user.email);
        }
    }
}
