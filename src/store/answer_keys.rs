//! Changes of the answer key in force, by publications that carry one and by the catalogue.
//!
//! A key in force decides how a question's answers are graded, so whoever changes it makes every session with an answer
//! to that question out of date. Writers hold their tenant's key lock shared; a change holds it
//! exclusively, so that it sees every answer it concerns. An unchanged key never takes the exclusive lock.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::event::{Event, Fact};
use crate::tenant::Tenant;

/// Namespace of the advisory locks (one per tenant) that order answers against changes of an answer key.
pub(super) const KEY_LOCK: i32 = 0x6b65_7973;

const SHARED: &str = "SELECT pg_advisory_xact_lock_shared($1, $2)";
const EXCLUSIVE: &str = "SELECT pg_advisory_xact_lock($1, $2)";

/// A question of a tenant.
type Question = (i32, Uuid);

/// The newest key that the batch carries for each question: (published at, event id, key).
pub(super) type CarriedKeys<'e> = BTreeMap<Question, (OffsetDateTime, Uuid, &'e str)>;

/// Finds the keys that a batch's publications carry.
pub(super) fn carried_by<'e>(events: &[&'e Event]) -> CarriedKeys<'e> {
    let mut keys = CarriedKeys::new();
    for event in events {
        if let Fact::QuestionPublished {
            question_id,
            correct_answer: Some(key),
            ..
        } = &event.fact
        {
            let carried = (event.occurred_at, event.event_id.uuid(), &**key);
            let newest = keys
                .entry((event.tenant.id(), *question_id))
                .or_insert(carried);
            *newest = (*newest).max(carried);
        }
    }
    keys
}

/// The questions whose key in force a batch changes.
#[derive(Debug, Default)]
pub(super) struct KeyChanges(BTreeSet<Question>);

impl KeyChanges {
    pub(super) fn of(tenant: Tenant, questions: impl Iterator<Item = Uuid>) -> Self {
        Self(questions.map(|question| (tenant.id(), question)).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tenants whose keys change.
    pub(super) fn tenants(&self) -> BTreeSet<i32> {
        self.0.iter().map(|(tenant, _)| *tenant).collect()
    }

    fn columns(&self) -> (Vec<i32>, Vec<Uuid>) {
        self.0.iter().copied().unzip()
    }

    /// Makes the stored figures of every session with an answer to one of the questions out of date.
    ///
    /// Runs after the facts are in and under the exclusive lock: the sessions' rows have no other writer then.
    pub(super) async fn bump_sessions(
        &self,
        connection: &mut PgConnection,
    ) -> Result<(), sqlx::Error> {
        if self.is_empty() {
            return Ok(());
        }
        let (tenants, questions) = self.columns();
        sqlx::query(
            "SELECT outdate_sessions(array_agg(tenant_id), array_agg(session_id))
             FROM (SELECT DISTINCT tenant_id, a.session_id
                   FROM answers a
                   JOIN unnest($1::int4[], $2::uuid[]) AS changed (tenant_id, question_id)
                     USING (tenant_id, question_id)) AS graded",
        )
        .bind(tenants)
        .bind(questions)
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Takes the key locks of a batch's tenants, exclusively of those whose keys change and shared of the others, in one
/// order.
///
/// Also those of tenants without a key in the batch: the statement that writes takes them too, and it must find them
/// held, or two batches could wait for each other's tenants.
pub(super) async fn lock(
    connection: &mut PgConnection,
    tenants: &BTreeSet<i32>,
    changing: &BTreeSet<i32>,
) -> Result<(), sqlx::Error> {
    for tenant in tenants {
        let statement = if changing.contains(tenant) {
            EXCLUSIVE
        } else {
            SHARED
        };
        lock_one(connection, statement, *tenant).await?;
    }
    Ok(())
}

/// Takes a tenant's key lock as every writer does.
pub(super) async fn lock_tenant_shared(
    connection: &mut PgConnection,
    tenant: Tenant,
) -> Result<(), sqlx::Error> {
    lock_one(connection, SHARED, tenant.id()).await
}

/// Takes a tenant's key lock for a change of keys.
pub(super) async fn lock_tenant_for_change(
    connection: &mut PgConnection,
    tenant: Tenant,
) -> Result<(), sqlx::Error> {
    lock_one(connection, EXCLUSIVE, tenant.id()).await
}

async fn lock_one(
    connection: &mut PgConnection,
    statement: &'static str,
    tenant: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query(statement)
        .bind(KEY_LOCK)
        .bind(tenant)
        .execute(connection)
        .await?;
    Ok(())
}

/// Finds the questions whose key in force the carried keys would change.
///
/// A statement of its own after the lock: its snapshot must be newer than the lock.
pub(super) async fn find_changes(
    connection: &mut PgConnection,
    keyed: &CarriedKeys<'_>,
) -> Result<KeyChanges, sqlx::Error> {
    let mut tenants = Vec::new();
    let mut questions = Vec::new();
    let mut published = Vec::new();
    let mut events = Vec::new();
    let mut keys = Vec::new();
    for ((tenant, question), (at, event, key)) in keyed {
        tenants.push(*tenant);
        questions.push(*question);
        published.push(*at);
        events.push(*event);
        keys.push(*key);
    }
    let rows = sqlx::query(
        "SELECT c.tenant_id, c.question_id
         FROM unnest($1::int4[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::text[])
              AS c (tenant_id, question_id, published_at, event_id, key)
         LEFT JOIN questions q USING (tenant_id, question_id)
         LEFT JOIN LATERAL (
             SELECT p.published_at, p.event_id, p.correct_answer
             FROM publications p
             WHERE (p.tenant_id, p.question_id) = (c.tenant_id, c.question_id) AND p.correct_answer IS NOT NULL
             ORDER BY p.published_at DESC, p.event_id DESC
             LIMIT 1) AS newest ON true
         WHERE q.correct_answer IS NULL
           AND (newest.event_id IS NULL
                OR ((c.published_at, c.event_id) > (newest.published_at, newest.event_id)
                    AND c.key <> newest.correct_answer))",
    )
    .bind(tenants)
    .bind(questions)
    .bind(published)
    .bind(events)
    .bind(keys)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<_, _>>()
        .map(KeyChanges)
}
