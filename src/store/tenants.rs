//! Tenants.

use serde::Serialize;
use sqlx::PgExecutor;
use time::OffsetDateTime;

/// A tenant as stored.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct TenantRow {
    /// The number in every key.
    pub tenant_id: i32,
    /// What operators call it.
    pub name: String,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// Adds a tenant; `None` if the name is taken.
///
/// # Errors
/// If the database fails.
pub async fn insert_tenant(
    db: impl PgExecutor<'_>,
    name: &str,
) -> Result<Option<TenantRow>, sqlx::Error> {
    sqlx::query_as(
        "INSERT INTO tenants (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING tenant_id, name, created_at",
    )
    .bind(name)
    .fetch_optional(db)
    .await
}

/// Lists all tenants by number.
///
/// # Errors
/// If the database fails.
pub async fn list_tenants(db: impl PgExecutor<'_>) -> Result<Vec<TenantRow>, sqlx::Error> {
    sqlx::query_as("SELECT tenant_id, name, created_at FROM tenants ORDER BY tenant_id")
        .fetch_all(db)
        .await
}
