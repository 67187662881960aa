//! Load on one server: the product in either mode, or one of its baselines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::baseline_server::{End, INSERT_CONNECTIONS};
use crate::cost;
use crate::figure::Sample;
use crate::load::{Load, Loaded, Pace};
use crate::program::Program;
use crate::setting::{Setting, micros_each};

/// What is put under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Direct,
    Kafka,
    Baseline(End),
}

impl Server {
    fn mode(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Direct | Self::Baseline(_) => "direct",
        }
    }
}

/// What clients do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clients {
    pub(crate) connections: usize,
    pub(crate) batch: usize,
    pub(crate) pace: Pace,
}

impl Setting {
    pub(crate) async fn start(&self, server: Server, topic: &str) -> anyhow::Result<Program> {
        self.start_with(server, topic, &[]).await
    }

    /// Starts it with further settings.
    pub(crate) async fn start_with(
        &self,
        server: Server,
        topic: &str,
        more: &[(&'static str, String)],
    ) -> anyhow::Result<Program> {
        let this;
        let (name, path, arguments): (_, _, &[&str]) = match server {
            Server::Direct => ("server-direct", self.programs.path("server"), &[]),
            Server::Kafka => ("server-kafka", self.programs.path("server"), &[]),
            Server::Baseline(end) => {
                this = std::env::current_exe()?;
                match end {
                    End::Discard => ("server-discard", this, &["serve", "discard"]),
                    End::Insert => ("server-insert", this, &["serve", "insert"]),
                }
            }
        };
        let mut settings = vec![
            ("KAFKA_ENABLED", (server == Server::Kafka).to_string()),
            ("KAFKA_TOPIC", topic.to_owned()),
        ];
        if server == Server::Baseline(End::Insert) {
            settings.push((
                "DATABASE_WRITE_CONNECTIONS_MAX",
                INSERT_CONNECTIONS.to_string(),
            ));
        }
        settings.extend_from_slice(more);
        self.programs
            .start(name, &path, arguments, "PORT", &settings)
            .await
    }

    pub(crate) fn load(&self, server: Server, port: u16, clients: Clients) -> Load {
        Load {
            port,
            token: self.token.clone(),
            connections: clients.connections,
            batch: clients.batch,
            mode: server.mode(),
            pace: clients.pace,
            keeps_answers: false,
            began: Arc::default(),
        }
    }

    pub(crate) fn closed(&self, connections: usize, batch: usize) -> Clients {
        Clients {
            connections,
            batch,
            pace: Pace::Closed {
                warm_up: self.options.warm_up(),
                measured: self.options.measured(),
            },
        }
    }

    /// Fresh tables, a fresh topic, a fresh server; then load.
    pub(crate) async fn intake(
        &self,
        server: Server,
        clients: Clients,
    ) -> anyhow::Result<(Loaded, Sample)> {
        self.fresh_tables().await?;
        let topic = match server {
            Server::Kafka => self.fresh_topic().await?,
            Server::Direct | Server::Baseline(_) => "unused".to_owned(),
        };
        let program = self.start(server, &topic).await?;
        let meter = self.meter(Some(program.pid))?;
        let loaded = self.load(server, program.port, clients).run().await?;
        let mut parts = vec![
            ("p50 ms", loaded.quantile_ms(0.5)),
            ("p99 ms", loaded.quantile_ms(0.99)),
        ];
        parts.extend(meter.per_event(loaded.events_in_all)?);
        parts.push(("load µs", micros_each(loaded.cpu, loaded.events_in_all)));
        if server == Server::Kafka {
            parts.push(("events that went direct", loaded.astray as f64));
        }
        program.stop().await?;
        let sample = Sample {
            value: loaded.per_second(),
            parts,
        };
        Ok((loaded, sample))
    }

    /// Memory of a server at peak, after a minute and at the end.
    pub(crate) async fn memory(&self, server: Server) -> anyhow::Result<(Sample, Sample)> {
        const EARLY: Duration = Duration::from_secs(60);
        self.fresh_tables().await?;
        let topic = self.fresh_topic().await?;
        let program = self.start(server, &topic).await?;
        let time = self.options.memory_time();
        let began = Instant::now();
        let load = self.load(
            server,
            program.port,
            Clients {
                connections: 256,
                batch: 1,
                pace: Pace::Closed {
                    warm_up: Duration::ZERO,
                    measured: time,
                },
            },
        );
        let load = tokio::spawn(load.run());
        let (mut early, mut late, mut most) = (0.0, 0.0, 0.0_f64);
        while began.elapsed() < time && !load.is_finished() {
            let memory = cost::memory_mib(program.pid)?;
            if began.elapsed() <= EARLY {
                early = memory;
            }
            late = memory;
            most = most.max(memory);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let loaded = load.await??;
        program.stop().await?;
        let sample = |value| Sample {
            value,
            parts: vec![("most MiB", most), ("events/s", loaded.per_second())],
        };
        Ok((sample(early), sample(late)))
    }
}
