//! The figures of contract 10 on fixture set A, whole bodies where the contract fixes them; with the sessions' figures
//! computed for the report, and with stored ones. Those of a report with texts of its own stand in that report's file.

mod classrooms;
mod quizzes;
mod rankings;
mod refreshed;
mod sessions;

use analytics_ingestor::store::figures;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::World;
use super::fixtures::{id, seeded_at};
use crate::harness::event::{CLASSROOM, QUIZ, a_publication};

/// The fixtures in a world of their own.
struct Golden {
    world: World,
    /// What the times of the fixtures are relative to.
    seeded_at: OffsetDateTime,
}

impl Golden {
    /// With figures that have to be computed.
    async fn stale() -> Self {
        let (world, seeded_at) = seeded_at().await;
        Self { world, seeded_at }
    }

    /// With figures that are stored.
    async fn fresh() -> Self {
        let golden = Self::stale().await;
        golden.refresh().await;
        golden
    }

    async fn both() -> [Self; 2] {
        [Self::stale().await, Self::fresh().await]
    }

    async fn refresh(&self) {
        let refreshed = figures::refresh_stale(&self.world.db.pool, 10).await;
        assert_eq!(refreshed.unwrap(), 3);
    }

    /// So many minutes after the fixtures were loaded, as reports write it.
    fn minute(&self, minutes: i64) -> String {
        (self.seeded_at + Duration::minutes(minutes))
            .format(&Rfc3339)
            .unwrap()
    }

    /// The report on fixtures, given as parameters and digits.
    async fn report(&self, name: &str, ids: &[(&str, u8)]) -> Value {
        let ids: Vec<_> = ids
            .iter()
            .map(|(name, digits)| (*name, id(*digits)))
            .collect();
        let params: Vec<_> = ids.iter().map(|(name, id)| (*name, id.as_str())).collect();
        self.world.report(name, &params).await
    }
}

/// The envelope of a list that fits on its first page.
fn one_page(rows: usize) -> Value {
    json!({"page": 1, "page_size": 50, "total_count": rows, "total_pages": 1, "has_more": false, "has_previous": false})
}

#[tokio::test]
async fn after_the_kafka_scripts_publication_only_pace_and_last_activity_move() {
    let golden = Golden::fresh().await;
    let at = OffsetDateTime::now_utc();
    let reports: [(&str, &[(&str, u8)]); 18] = [
        (
            "student-performance",
            &[("student_id", 40), ("classroom_id", 20)],
        ),
        ("classroom-engagement", &[("classroom_id", 20)]),
        ("content-effectiveness", &[("quiz_id", 10)]),
        ("student-performance-list", &[("classroom_id", 20)]),
        ("classroom-engagement-history", &[("classroom_id", 20)]),
        ("response-rate", &[("session_id", 0), ("question_id", 30)]),
        ("response-rate", &[("session_id", 0), ("question_id", 31)]),
        (
            "latency-analysis",
            &[("session_id", 0), ("question_id", 30)],
        ),
        (
            "timeout-analysis",
            &[("session_id", 0), ("question_id", 31)],
        ),
        ("completion-rate", &[("session_id", 0)]),
        ("dropoff-analysis", &[("session_id", 0)]),
        ("question-analysis", &[("question_id", 30)]),
        ("quiz-summary", &[("quiz_id", 10)]),
        ("quiz-questions-list", &[("quiz_id", 10)]),
        ("classroom-sessions", &[("classroom_id", 20)]),
        ("session-student-rankings", &[("session_id", 0)]),
        ("class-performance-summary", &[("classroom_id", 20)]),
        (
            "student-activity-summary",
            &[("student_id", 42), ("classroom_id", 20)],
        ),
    ];
    let mut before = Vec::new();
    for (name, ids) in reports {
        before.push(golden.report(name, ids).await);
    }
    let publication = a_publication()
        .named(id(99))
        .with("session_id", id(0))
        .with("question_id", id(30))
        .with("quiz_id", QUIZ)
        .in_classroom(CLASSROOM)
        .at(at);
    golden.world.happened([publication]).await;
    for ((name, ids), before) in reports.into_iter().zip(before) {
        assert_eq!(golden.report(name, ids).await, before, "{name} {ids:?}");
    }
    // Three publications from T − 25 min to about T.
    let pace = golden
        .report("questions-per-minute", &[("session_id", 0)])
        .await;
    assert_eq!(
        (&pace["total_questions"], &pace["average_qpm"]),
        (&json!(3), &json!(0.12))
    );
    let overview = golden
        .report("classroom-overview", &[("classroom_id", 20)])
        .await;
    let microseconds = Duration::nanoseconds(i64::from(at.nanosecond() % 1_000));
    let last_activity = (at - microseconds).format(&Rfc3339).unwrap();
    assert_eq!(overview["overview"]["last_activity"], last_activity);
}
