//! Writers, changes of keys, refreshers that are killed again and again, and a reader who is never told anything wrong.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use analytics_ingestor::catalogue::{Question, Quiz};
use analytics_ingestor::store::catalogue::replace_quiz;
use analytics_ingestor::store::figures::refresh_stale;
use analytics_ingestor::store::{self, Purpose};
use analytics_ingestor::tenant::Tenant;
use fastrand::Rng;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::altered::{BEFORE_CLEARING, BEFORE_STORING, alter};
use super::world::{QUESTIONS, TEXTS, assert_all_stored, id, some_events, wrong};
use crate::harness::TestDb;

const BATCHES_PER_WRITER: usize = 40;

struct Storm {
    db: Arc<TestDb>,
    stop: CancellationToken,
    bystanders: JoinSet<()>,
}

impl Storm {
    fn new(db: TestDb) -> Self {
        Self {
            db: Arc::new(db),
            stop: CancellationToken::new(),
            bystanders: JoinSet::new(),
        }
    }

    /// Does something again and again for as long as the writers write.
    fn meanwhile<F>(&mut self, mut act: impl FnMut(Arc<TestDb>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let (db, stop) = (Arc::clone(&self.db), self.stop.clone());
        self.bystanders.spawn(async move {
            while !stop.is_cancelled() {
                act(Arc::clone(&db)).await;
            }
        });
    }

    /// Two refreshers, whose connections come to an end at any moment if they are not safe.
    fn refresh(&mut self, rng: &mut Rng, is_safe: bool) {
        for _ in 0..2 {
            let pool = store::connect_lazy(&self.db.config(), Purpose::Refresh).unwrap();
            let mut rng = rng.fork();
            self.meanwhile(move |_| {
                let (pool, sessions) = (pool.clone(), rng.usize(1..9));
                async move {
                    let refreshed = refresh_stale(&pool, sessions).await;
                    assert!(refreshed.is_ok() || !is_safe, "{refreshed:?}");
                }
            });
        }
        if !is_safe {
            self.meanwhile(|db| async move {
                tokio::time::sleep(Duration::from_millis(30)).await;
                db.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND application_name = 'analytics-ingestor refresh'
                       AND random() < 0.5",
                )
                .await;
            });
        }
    }

    fn change_keys(&mut self, rng: &mut Rng) {
        let mut rng = rng.fork();
        self.meanwhile(move |db| {
            let mut questions = Vec::new();
            for number in 0..QUESTIONS {
                if rng.bool() {
                    questions.push(Question {
                        question_id: id(2, number),
                        correct_answer: rng.choice(TEXTS).map(str::to_owned),
                    });
                }
            }
            let tenant = Tenant::from_operator(rng.i64(1..=2)).expect("it is positive");
            async move {
                let quiz = Quiz {
                    quiz_id: id(4, 0),
                    title: String::new(),
                    description: None,
                    questions,
                };
                let replaced = replace_quiz(&db.pool, tenant, &quiz).await;
                replaced.expect("the database takes a quiz");
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        });
    }

    /// Three writers, who send some of their events twice, and a reader; returns what the reader saw that was wrong.
    async fn run(mut self, rng: &mut Rng) -> (Vec<String>, TestDb) {
        let mut writers = JoinSet::new();
        for _ in 0..3 {
            let (writer, mut rng) = (self.db.writer(1), rng.fork());
            writers.spawn(async move {
                let mut sent = Vec::new();
                for _ in 0..BATCHES_PER_WRITER {
                    let count = rng.usize(1..8);
                    let mut batch = some_events(&mut rng, count);
                    batch.extend(rng.choice(&sent).cloned());
                    let written = writer.write_batch(&batch, None).await;
                    written.expect("the database takes events");
                    sent.append(&mut batch);
                }
            });
        }
        let mut seen = Vec::new();
        while !writers.is_empty() && seen.is_empty() {
            seen = wrong(&self.db).await;
            while let Some(ended) = writers.try_join_next() {
                ended.expect("a writer does not panic");
            }
        }
        while let Some(ended) = writers.join_next().await {
            ended.expect("a writer does not panic");
        }
        self.stop.cancel();
        while let Some(ended) = self.bystanders.join_next().await {
            ended.expect("nobody panics");
        }
        if seen.is_empty() {
            seen = wrong(&self.db).await;
        }
        assert_eq!(self.db.deadlocks().await, 0);
        let db = Arc::into_inner(self.db).expect("everybody has ended");
        (seen, db)
    }
}

/// Makes refreshers dawdle where somebody may come between.
async fn dawdle(db: &TestDb) {
    for place in [BEFORE_STORING, BEFORE_CLEARING] {
        let pause = format!("PERFORM pg_sleep(random() * 0.004); {place}");
        alter(db, place, &pause).await;
    }
}

async fn storm(seed: u64, is_altered: bool) -> (Vec<String>, TestDb) {
    let mut rng = Rng::with_seed(seed);
    let db = TestDb::new().await;
    if is_altered || rng.bool() {
        dawdle(&db).await;
    }
    if is_altered {
        let comparison = "(z.facts_version, z.touched_at) = (s.facts_version, s.touched_at)";
        alter(&db, comparison, "true").await;
    }
    let mut storm = Storm::new(db);
    storm.refresh(&mut rng, seed.is_multiple_of(2));
    storm.change_keys(&mut rng);
    storm.run(&mut rng).await
}

const SEEDS: Range<u64> = 0..6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_ever_reads_a_wrong_figure_while_writers_and_refreshers_meet() {
    for seed in SEEDS {
        let (seen, db) = storm(seed, false).await;
        assert_eq!(seen, Vec::<String>::new(), "seed {seed}");
        while refresh_stale(&db.pool, 100).await.unwrap() > 0 {}
        assert_all_stored(&db).await;
    }
}

/// The reader of the test above does notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_took_every_mark_away_would_be_noticed() {
    for seed in 0..50 {
        let (seen, _) = storm(seed, true).await;
        if !seen.is_empty() {
            return;
        }
    }
    panic!("50 storms passed a refresh that loses marks");
}
