//! Quizzes with their answer keys, classrooms with their rosters.
//!
//! Changes of one tenant's catalogue wait for each other, so that only event writers are left to meet. Those lock facts,
//! then stubs (questions, students, classrooms, quizzes; each kind in key order), then sessions; the statements here
//! lock in that order, too. Keys are changed by the rules of `store::answer_keys`.

mod classroom;
mod quiz;

use sqlx::postgres::PgConnection;
use tracing::warn;

pub use self::classroom::{find_classroom, replace_classroom};
pub use self::quiz::{find_quiz, replace_quiz};
use super::failure::{Failure, classify};
use crate::tenant::Tenant;

/// Namespace of the advisory locks (one per tenant) under which the catalogue is changed. Taken before the key lock.
const CATALOGUE_LOCK: i32 = 0x6361_7461;

/// Most tries of one change that stood in another transaction's way.
const CONFLICT_TRIES_MAX: u32 = 5;

async fn lock(connection: &mut PgConnection, tenant: Tenant) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1, $2)")
        .bind(CATALOGUE_LOCK)
        .bind(tenant.id())
        .execute(connection)
        .await?;
    Ok(())
}

/// How often one change has been tried.
#[derive(Debug, Default)]
struct Tries(u32);

impl Tries {
    /// Whether a change failed because it stood in another transaction's way, and may be tried again.
    fn allow_another(&mut self, error: &sqlx::Error) -> bool {
        self.0 += 1;
        let is_allowed = classify(error) == Failure::Conflict && self.0 < CONFLICT_TRIES_MAX;
        if is_allowed {
            warn!(error = %error, tries = self.0, "a catalogue change stood in another transaction's way; trying again");
        }
        is_allowed
    }
}
