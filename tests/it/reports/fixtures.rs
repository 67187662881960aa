//! The fixture sets of the contract in the application's database.

use analytics_ingestor::store::fixtures;
use time::OffsetDateTime;

use super::World;

/// The id of a row of the fixtures.
pub(super) fn id(digits: u8) -> String {
    format!("900e8400-e29b-41d4-a716-4466554400{digits:02}")
}

/// An application over the fixtures.
pub(super) async fn seeded() -> World {
    seeded_at().await.0
}

/// The same, with the time that all times of the fixtures are relative to.
pub(super) async fn seeded_at() -> (World, OffsetDateTime) {
    let world = World::new().await;
    let mut transaction = world.db.pool.begin().await.unwrap();
    let at = fixtures::replace(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
    (world, at)
}
