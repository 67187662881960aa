//! What the refresher takes while a live stream is written, and how far behind it lets the stored figures fall.
//!
//! One server takes the stream and does not refresh; another one gets no requests and refreshes. So the whole processor
//! time of the second, with that of its connection to the database, is the refresher's.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::cost;
use crate::figure::Sample;
use crate::intake::{Clients, Server};
use crate::load::Pace;
use crate::setting::Setting;

/// Answers a second, over the 100 sessions of the stream.
const RATE: f64 = 2_000.0;
/// Between two looks at how far behind the figures are.
const LOOK: Duration = Duration::from_millis(500);

/// Processor time of the refresher's connections to the database, the ended ones too as far as they were seen.
#[derive(Default)]
struct Backends(HashMap<i32, (Duration, Duration)>);

impl Backends {
    /// Reads what each has taken by now; the first look is where counting begins.
    async fn look(&mut self, setting: &Setting) -> anyhow::Result<()> {
        let pids: Vec<i32> = sqlx::query_scalar(
            "SELECT pid FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'analytics-ingestor refresh'",
        )
        .fetch_all(&setting.db)
        .await?;
        for pid in pids {
            // A connection may end between being listed and being read.
            if let Ok(time) = cost::of_process(u32::try_from(pid)?) {
                self.0.entry(pid).or_insert((time, time)).1 = time;
            }
        }
        Ok(())
    }

    fn since_first_seen(&self) -> Duration {
        self.0.values().map(|(first, last)| *last - *first).sum()
    }
}

impl Setting {
    /// The refresher's share of one core, and the greatest number of seconds that any session was behind.
    pub(crate) async fn live(&self) -> anyhow::Result<(Sample, Sample)> {
        self.fresh_tables().await?;
        let refresh = |enabled: bool| ("REFRESH_ENABLED", enabled.to_string());
        let writing = self
            .start_with(Server::Direct, "unused", &[refresh(false)])
            .await?;
        let refreshing = self
            .start_with(Server::Direct, "unused", &[refresh(true)])
            .await?;
        let clients = Clients {
            connections: 64,
            batch: 1,
            pace: Pace::Open {
                warm_up: self.options.warm_up(),
                measured: self.options.live_time(),
                per_second: RATE,
            },
        };
        let mut backends = Backends::default();
        backends.look(self).await?;
        let program_before = cost::of_process(refreshing.pid)?;
        let began = Instant::now();
        let load = tokio::spawn(self.load(Server::Direct, writing.port, clients).run());
        let (mut oldest, mut most) = (0.0_f64, 0_i64);
        while !load.is_finished() {
            let (seconds, sessions): (f64, i64) = sqlx::query_as(
                "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(since)), 0)::float8, count(*)
                 FROM stale_sessions",
            )
            .fetch_one(&self.db)
            .await?;
            (oldest, most) = (oldest.max(seconds), most.max(sessions));
            backends.look(self).await?;
            tokio::time::sleep(LOOK).await;
        }
        let loaded = load.await??;
        let took = began.elapsed().as_secs_f64();
        backends.look(self).await?;
        let program = (cost::of_process(refreshing.pid)? - program_before).as_secs_f64();
        let database = backends.since_first_seen().as_secs_f64();
        let refreshed: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(n_tup_ins + n_tup_upd), 0)::int8 FROM pg_stat_user_tables
             WHERE relname = 'stored_session_figures'",
        )
        .fetch_one(&self.db)
        .await?;
        writing.stop().await?;
        refreshing.stop().await?;
        Ok((
            Sample {
                value: (program + database) / took,
                parts: vec![
                    ("of it in the program", program / took),
                    ("in PostgreSQL", database / took),
                    ("events/s", loaded.per_second()),
                    ("write p99 ms", loaded.quantile_ms(0.99)),
                ],
            },
            Sample {
                value: oldest,
                parts: vec![
                    ("sessions behind at most", most as f64),
                    ("figures stored a second", refreshed as f64 / took),
                ],
            },
        ))
    }
}
