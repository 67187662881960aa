//! `ctl user add`: the only way to an account with the role `admin`, or in another tenant than 1.

use std::fmt;
use std::io::{BufRead, IsTerminal};

use anyhow::{Context, anyhow, ensure};
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::answer::Answer;
use super::database;
use crate::auth::{NewAccount, Passwords, Role, check_password};
use crate::config::DatabaseConfig;
use crate::store::users::{self, NewUser};
use crate::tenant::Tenant;

/// An operator may give every role.
const ROLES: &[Role] = &[Role::Writer, Role::Reader, Role::Admin];

/// Accounts.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add an account; the password is read from standard input, or asked for on a terminal.
    Add(AddArgs),
}

/// Arguments of `ctl user add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The person's name, at most 100 characters.
    #[arg(long)]
    pub name: String,
    /// The address to log in with; no two accounts share one.
    #[arg(long)]
    pub email: String,
    /// What the account may do.
    #[arg(long)]
    pub role: Role,
    /// The tenant that the account belongs to.
    #[arg(long, default_value = "1", value_parser = parse_tenant)]
    pub tenant: Tenant,
    /// PostgreSQL.
    #[command(flatten)]
    pub database: DatabaseConfig,
}

/// The account that was added.
#[derive(Debug, Serialize)]
pub(super) struct Added {
    id: i32,
    email: String,
    role: &'static str,
    tenant_id: i32,
}

pub(super) async fn add(args: AddArgs) -> anyhow::Result<Added> {
    let password = read_password()?;
    let account = NewAccount::parse(&args.name, &args.email, password, args.role.name(), ROLES)?;
    let password_hash = Passwords::new()?.hash(account.password).await?;
    let mut connection = database::connect(&args.database).await?;
    let inserted = users::insert_user(
        &mut connection,
        NewUser {
            tenant: args.tenant,
            name: &account.name,
            email: &account.email,
            password_hash: &password_hash,
            role: account.role.name(),
        },
    )
    .await;
    let id = match inserted {
        Ok(id) => id.with_context(|| format!("{} has an account already", account.email))?,
        Err(error) if is_unknown_tenant(&error) => {
            return Err(anyhow!(
                "there is no tenant {}; ctl tenant list shows them all",
                args.tenant
            ));
        }
        Err(error) => return Err(database::explain(error)),
    };
    Ok(Added {
        id,
        email: account.email,
        role: account.role.name(),
        tenant_id: args.tenant.id(),
    })
}

fn parse_tenant(text: &str) -> Result<Tenant, String> {
    text.parse()
        .ok()
        .and_then(Tenant::from_operator)
        .ok_or_else(|| "a tenant is a number from 1".to_owned())
}

fn is_unknown_tenant(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.is_foreign_key_violation())
}

fn read_password() -> anyhow::Result<SecretString> {
    if std::io::stdin().is_terminal() {
        let password = SecretString::from(rpassword::prompt_password("Password: ")?);
        check_password(&password)?;
        let again = SecretString::from(rpassword::prompt_password("The same again: ")?);
        ensure!(
            password.expose_secret() == again.expose_secret(),
            "the two passwords differ"
        );
        return Ok(password);
    }
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .context("the password on standard input")?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    Ok(password.strip_suffix('\r').unwrap_or(password).into())
}

impl Answer for Added {}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            email,
            role,
            tenant_id,
        } = self;
        write!(f, "account {id}: {email}, {role} of tenant {tenant_id}")
    }
}
