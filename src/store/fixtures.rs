//! The fixture sets of the contract: accounts here, everything else in `fixtures.sql`.
//!
//! Their answers are late, from guests and in the future on purpose, so they do not pass through the event writer.
//! All of them belong to tenant 1.

use sqlx::postgres::PgConnection;
use sqlx::{PgExecutor, Row};
use time::OffsetDateTime;

use super::answer_keys::KEY_LOCK;
use crate::tenant::Tenant;

/// An account of the fixtures.
#[derive(Debug, Clone, Copy)]
pub struct FixtureUser {
    /// Its number, where the contract fixes it.
    pub id: Option<i32>,
    /// The person's name.
    pub name: &'static str,
    /// The address to log in with.
    pub email: &'static str,
    /// The name of its role.
    pub role: &'static str,
    /// What to log in with.
    pub password: &'static str,
    /// The hash that stands in the database.
    pub password_hash: &'static str,
}

const TEST123: &str = "$2a$10$g29Vxi1hiRXmj8GrsUYrVOnBuo/AcdQkL1KD7QjlwuRYMhC9DKZRS";
const PASSWORD: &str = "$2a$10$92IXUNpkjO0rOQ5byMi.Ye4oKoEa3Ro9llC/.og/at2.uheWG/igi";
const PASSWORD123: &str = "$argon2id$v=19$m=19456,t=2,p=1$AElZs/mybLdmASlWywIfhA$JHWXcghei1kz3H9/ka3QATo+5YUNNv3LLRfAEg14Ixo";

/// The accounts of both sets.
pub const USERS: [FixtureUser; 12] = [
    with_id(1, "Reader Test User", "reader.test@example.com", "reader"),
    with_id(2, "Writer Test User", "writer.test@example.com", "writer"),
    with_id(3, "Alice Smith", "alice@school.edu", "writer"),
    with_id(4, "Bob Jones", "bob@school.edu", "writer"),
    with_id(5, "Charlie Brown", "charlie@school.edu", "writer"),
    with_id(6, "Diana Wilson", "diana@school.edu", "writer"),
    with_id(7, "Eva Davis", "eva@school.edu", "writer"),
    with_id(8, "Frank Miller", "frank@school.edu", "writer"),
    with_id(9, "Grace Lee", "grace@school.edu", "writer"),
    with_id(10, "Henry Taylor", "henry@school.edu", "writer"),
    without_id("Postman Writer", "test-writer@example.com", "writer"),
    without_id("Postman Reader", "test-reader@example.com", "reader"),
];

/// The tables whose rows make a database worth asking about before fixtures go into it.
const TABLES: [&str; 9] = [
    "users",
    "quizzes",
    "classrooms",
    "students",
    "questions",
    "sessions",
    "session_events",
    "publications",
    "answers",
];

const fn with_id(
    id: i32,
    name: &'static str,
    email: &'static str,
    role: &'static str,
) -> FixtureUser {
    // The reset script's own comment promises `test123` for all ten; its hashes say otherwise.
    let (password, password_hash) = if id <= 2 {
        ("test123", TEST123)
    } else {
        ("password", PASSWORD)
    };
    FixtureUser {
        id: Some(id),
        name,
        email,
        role,
        password,
        password_hash,
    }
}

const fn without_id(name: &'static str, email: &'static str, role: &'static str) -> FixtureUser {
    FixtureUser {
        id: None,
        name,
        email,
        role,
        password: "password123",
        password_hash: PASSWORD123,
    }
}

/// Why the fixtures could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// Somebody else's account has a number or an e-mail address that a fixture needs; it is left alone.
    #[error("account {id} ({email}) is in the way: the fixtures need its number or its address")]
    AccountTaken {
        /// The account's number.
        id: i32,
        /// The account's address.
        email: String,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Takes the lock under which fixtures are looked for and loaded, until the transaction ends.
///
/// It is the one that orders answers against changes of an answer key, which loading the fixtures is.
///
/// # Errors
/// If the database fails.
pub async fn lock(db: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1, $2)")
        .bind(KEY_LOCK)
        .bind(Tenant::DEFAULT.id())
        .execute(db)
        .await?;
    Ok(())
}

/// Lists the tables that hold rows of any tenant.
///
/// # Errors
/// If the database fails.
pub async fn list_occupied_tables(
    db: impl PgExecutor<'_>,
) -> Result<Vec<&'static str>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT FROM users), EXISTS (SELECT FROM quizzes), EXISTS (SELECT FROM classrooms),
                EXISTS (SELECT FROM students), EXISTS (SELECT FROM questions), EXISTS (SELECT FROM sessions),
                EXISTS (SELECT FROM session_events), EXISTS (SELECT FROM publications), EXISTS (SELECT FROM answers)",
    )
    .fetch_one(db)
    .await?;
    let mut occupied = Vec::new();
    for (column, table) in TABLES.into_iter().enumerate() {
        if row.try_get(column)? {
            occupied.push(table);
        }
    }
    Ok(occupied)
}

/// Makes the fixtures' own rows anew, with times relative to the transaction's start, which it returns.
///
/// The caller holds [`lock`] and owns the transaction.
///
/// # Errors
/// [`FixtureError::AccountTaken`] if an account is in the way, or if the database fails.
pub async fn replace(connection: &mut PgConnection) -> Result<OffsetDateTime, FixtureError> {
    replace_users(connection).await?;
    sqlx::raw_sql(include_str!("fixtures.sql"))
        .execute(&mut *connection)
        .await?;
    Ok(sqlx::query_scalar("SELECT now()")
        .fetch_one(connection)
        .await?)
}

async fn replace_users(connection: &mut PgConnection) -> Result<(), FixtureError> {
    let ids: Vec<Option<i32>> = USERS.iter().map(|user| user.id).collect();
    let emails: Vec<&str> = USERS.iter().map(|user| user.email).collect();
    let taken: Option<(i32, String)> = sqlx::query_as(
        "SELECT u.id, u.email
         FROM users u
         JOIN unnest($1::int4[], $2::text[]) AS f (id, email) ON (u.id = f.id) <> (u.email = f.email)
         LIMIT 1",
    )
    .bind(&ids)
    .bind(&emails)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some((id, email)) = taken {
        return Err(FixtureError::AccountTaken { id, email });
    }
    // Without this the first sign-ups would meet the fixtures' own numbers.
    sqlx::query(
        "SELECT setval('users_id_seq', greatest(last_value, $1, (SELECT max(id) FROM users))) FROM users_id_seq",
    )
    .bind(i64::from(ids.iter().flatten().copied().max().unwrap_or(1)))
    .execute(&mut *connection)
    .await?;
    for user in USERS {
        sqlx::query(
            "INSERT INTO users (id, tenant_id, name, email, password_hash, role)
             VALUES (coalesce($1, nextval('users_id_seq')), $2, $3, $4, $5, $6)
             ON CONFLICT (email) DO UPDATE
                 SET tenant_id = excluded.tenant_id, name = excluded.name, password_hash = excluded.password_hash,
                     role = excluded.role, updated_at = now()",
        )
        .bind(user.id)
        .bind(Tenant::DEFAULT.id())
        .bind(user.name)
        .bind(user.email)
        .bind(user.password_hash)
        .bind(user.role)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
