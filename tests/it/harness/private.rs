//! A PostgreSQL and a Kafka of the tests' own, which they may stop and kill; one of each for the whole test process.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard};

use super::database::TestDb;
use super::port::Port;
use super::program::signal;

static PRIVATE: Mutex<Option<Private>> = Mutex::const_new(None);

/// The private services, for one test at a time. What a test left stopped is started again for the next one.
pub(crate) struct Services(MutexGuard<'static, Option<Private>>);

struct Private {
    folder: PathBuf,
    postgres_port: Port,
    kafka_port: Port,
    controller_port: Port,
    /// Stops the services and removes their data when this process has ended, however it ends.
    _guardian: Child,
}

impl Private {
    fn new() -> Self {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("private-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the target folder can be written to");
        let mut guardian = script(&folder, "bash");
        let guardian = guardian
            .args([
                "-c",
                r#"read -r _
                   kill -CONT "$(cat "$INGESTOR_LOCAL/kafka/kafka.pid")"
                   ./start-kafka.sh --stop
                   scripts/postgres.sh purge --yes
                   rm -rf "$INGESTOR_LOCAL""#,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("bash starts");
        Self {
            folder,
            postgres_port: Port::take(),
            kafka_port: Port::take(),
            controller_port: Port::take(),
            _guardian: guardian,
        }
    }
}

/// A script of the project, working on the private services' folder.
fn script(folder: &Path, program: &str) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("INGESTOR_LOCAL", folder)
        // A Ctrl-C for the tests must not reach what cleans up after them.
        .process_group(0);
    command
}

impl Services {
    /// Waits for its turn. Nothing is started yet.
    pub(crate) async fn take() -> Self {
        let mut private = PRIVATE.lock().await;
        private.get_or_insert_with(Private::new);
        Self(private)
    }

    fn private(&self) -> &Private {
        self.0.as_ref().expect("it was made when this was taken")
    }

    /// Runs a script to its end.
    async fn run(&self, program: &str, argument: &str) {
        let private = self.private();
        let mut command = script(&private.folder, program);
        command
            .args((!argument.is_empty()).then_some(argument))
            .env("PGPORT", private.postgres_port.number().to_string())
            .env("KAFKA_PORT", private.kafka_port.number().to_string())
            .env(
                "KAFKA_CONTROLLER_PORT",
                private.controller_port.number().to_string(),
            )
            .stdin(Stdio::null());
        let ran = tokio::task::spawn_blocking(move || command.output());
        let ran = ran
            .await
            .expect("waiting does not panic")
            .expect("the script starts");
        assert!(ran.status.success(), "{program} {argument}: {ran:?}");
    }

    pub(crate) async fn start_postgres(&self) {
        self.run("scripts/postgres.sh", "start").await;
    }

    pub(crate) async fn stop_postgres(&self) {
        self.run("scripts/postgres.sh", "stop").await;
    }

    /// A fresh database on the private PostgreSQL, which is started if need be.
    pub(crate) async fn database(&self) -> TestDb {
        self.start_postgres().await;
        let password = std::fs::read_to_string(self.private().folder.join("postgres.password"))
            .expect("the server was made with a password");
        let port = self.private().postgres_port.number();
        let server = format!("postgres://ingestor:{password}@127.0.0.1:{port}/ingestor");
        TestDb::on(server.parse().expect("the address is a URL")).await
    }

    /// The address of the private Kafka, which is started if need be.
    pub(crate) async fn brokers(&self) -> String {
        let address = format!("127.0.0.1:{}", self.private().kafka_port.number());
        // The script looks at every topic, which takes Kafka's own tools a few seconds.
        if TcpStream::connect(&address).await.is_err() {
            self.start_kafka().await;
        }
        address
    }

    pub(crate) async fn start_kafka(&self) {
        self.run("./start-kafka.sh", "").await;
    }

    /// Ends the broker without a chance to say goodbye.
    pub(crate) fn kill_kafka(&self) {
        self.signal_kafka("KILL");
    }

    /// The broker's connections stay, and nothing answers on them.
    pub(crate) fn freeze_kafka(&self) {
        self.signal_kafka("STOP");
    }

    pub(crate) fn thaw_kafka(&self) {
        self.signal_kafka("CONT");
    }

    fn signal_kafka(&self, name: &str) {
        let pid = std::fs::read_to_string(self.private().folder.join("kafka/kafka.pid"))
            .expect("the broker was started");
        signal(pid.trim().parse().expect("a pid is a number"), name);
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        // The next test must not find a frozen broker, which no script could tell from a busy one.
        let pid = std::fs::read_to_string(self.private().folder.join("kafka/kafka.pid"));
        if let Some(pid) = pid.ok().and_then(|pid| pid.trim().parse().ok()) {
            signal(pid, "CONT");
        }
    }
}

/// How long a broker may need to start, its clients to find it, and a group to form again.
pub(crate) const RECOVERY: Duration = Duration::from_secs(60);
