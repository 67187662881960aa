//! `ctl tenant add|list`.

use std::fmt;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use super::answer::Answer;
use super::database;
use super::table::Table;
use crate::config::DatabaseConfig;
use crate::store::tenants::{self, TenantRow};

/// Tenants: same ids in two tenants are different things.
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Add a tenant and print its number.
    Add(AddArgs),
    /// List all tenants.
    List(ListArgs),
}

/// Arguments of `ctl tenant add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// What to call it; no two tenants share a name.
    pub name: String,
    /// PostgreSQL.
    #[command(flatten)]
    pub database: DatabaseConfig,
}

/// Arguments of `ctl tenant list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// PostgreSQL.
    #[command(flatten)]
    pub database: DatabaseConfig,
}

/// The tenant that was added.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Added(TenantRow);

/// All tenants.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    tenants: Vec<TenantRow>,
}

pub(super) async fn add(args: AddArgs) -> anyhow::Result<Added> {
    let name = args.name.trim();
    ensure!(
        !name.is_empty() && !name.contains('\0'),
        "a tenant needs a name"
    );
    let mut connection = database::connect(&args.database).await?;
    tenants::insert_tenant(&mut connection, name)
        .await
        .map_err(database::explain)?
        .map(Added)
        .with_context(|| format!("there is a tenant named {name:?} already"))
}

pub(super) async fn list(args: ListArgs) -> anyhow::Result<Listed> {
    let mut connection = database::connect(&args.database).await?;
    let tenants = tenants::list_tenants(&mut connection)
        .await
        .map_err(database::explain)?;
    Ok(Listed { tenants })
}

impl Answer for Added {}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TenantRow {
            tenant_id, name, ..
        } = &self.0;
        write!(f, "tenant {tenant_id} is {name:?}")
    }
}

impl Answer for Listed {}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["TENANT", "NAME", "CREATED"]);
        for tenant in &self.tenants {
            let created = tenant.created_at.format(&Rfc3339).map_err(|_| fmt::Error)?;
            table.row([tenant.tenant_id.to_string(), tenant.name.clone(), created]);
        }
        table.fmt(f)
    }
}
