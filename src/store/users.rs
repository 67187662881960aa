//! Accounts.

use sqlx::PgExecutor;

use crate::tenant::Tenant;

/// An account as a login needs it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct UserRow {
    /// The account's number.
    pub id: i32,
    /// The tenant that it belongs to.
    pub tenant_id: i32,
    /// argon2id, or bcrypt for an imported account that has not logged in yet.
    pub password_hash: String,
    /// The name of its role.
    pub role: String,
}

/// What a new account is made of.
#[derive(Debug, Clone, Copy)]
pub struct NewUser<'a> {
    /// The tenant that it belongs to.
    pub tenant: Tenant,
    /// The person's name, at most 100 characters.
    pub name: &'a str,
    /// Unique over all tenants, case-sensitive, at most 100 characters.
    pub email: &'a str,
    /// The hash of the password, never the password.
    pub password_hash: &'a str,
    /// The name of its role.
    pub role: &'a str,
}

/// Adds an account and returns its number; `None` if the e-mail address is taken.
///
/// # Errors
/// If the database fails.
pub async fn insert_user(
    db: impl PgExecutor<'_>,
    user: NewUser<'_>,
) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query_scalar(
        "INSERT INTO users (tenant_id, name, email, password_hash, role) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (email) DO NOTHING
         RETURNING id",
    )
    .bind(user.tenant.id())
    .bind(user.name)
    .bind(user.email)
    .bind(user.password_hash)
    .bind(user.role)
    .fetch_optional(db)
    .await
}

/// Finds the account of an e-mail address.
///
/// # Errors
/// If the database fails.
pub async fn find_user(
    db: impl PgExecutor<'_>,
    email: &str,
) -> Result<Option<UserRow>, sqlx::Error> {
    sqlx::query_as("SELECT id, tenant_id, password_hash, role FROM users WHERE email = $1")
        .bind(email)
        .fetch_optional(db)
        .await
}

/// Replaces a password hash, unless somebody else has replaced it since it was read.
///
/// # Errors
/// If the database fails.
pub async fn update_password_hash(
    db: impl PgExecutor<'_>,
    id: i32,
    old_hash: &str,
    new_hash: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE users SET password_hash = $3, updated_at = now() WHERE id = $1 AND password_hash = $2")
        .bind(id)
        .bind(old_hash)
        .bind(new_hash)
        .execute(db)
        .await?;
    Ok(())
}
