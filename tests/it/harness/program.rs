//! The real programs as processes of their own, with everything that they log.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::client::{Client, JWT_SECRET};
use super::port::Port;
use super::topic::Topics;
use super::wait::{PATIENCE, eventually};

/// Sends a signal by its name; a process that has gone is no fault.
pub(crate) fn signal(pid: u32, name: &str) {
    let kill = format!("kill -{name} {pid}");
    let sent = Command::new("sh")
        .args(["-c", &kill])
        .stderr(Stdio::null())
        .status();
    sent.expect("sh starts");
}

/// A program at work; killed with this value.
pub(crate) struct Program {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    port: Port,
    client: Client,
}

/// A program's environment in the making; it sees no other.
pub(crate) struct Launch {
    command: Command,
    port_variable: &'static str,
    port: Port,
}

impl Launch {
    pub(crate) fn server(database_url: &str) -> Self {
        Self::new(env!("CARGO_BIN_EXE_server"), "PORT", database_url).with("JWT_SECRET", JWT_SECRET)
    }

    pub(crate) fn consumer(database_url: &str, topics: &Topics) -> Self {
        Self::new(
            env!("CARGO_BIN_EXE_consumer"),
            "CONSUMER_PORT",
            database_url,
        )
        .on(topics)
        .with("KAFKA_GROUP_ID", &topics.group)
        // The broker forgets a killed member after this time; less is not allowed.
        .with("KAFKA_SESSION_TIMEOUT_MS", "6000")
    }

    fn new(program: &str, port_variable: &'static str, database_url: &str) -> Self {
        let mut command = Command::new(program);
        let port = Port::take();
        let number = port.number().to_string();
        command.env_clear();
        let launch = Self {
            command,
            port_variable,
            port,
        };
        launch
            .with("DATABASE_URL", database_url)
            .with("HOST", "127.0.0.1")
            .with(port_variable, &number)
    }

    /// Names the broker and the topics.
    pub(crate) fn on(self, topics: &Topics) -> Self {
        self.with("KAFKA_BROKERS", &topics.brokers())
            .with("KAFKA_TOPIC", &topics.events)
            .with("KAFKA_DLQ_TOPIC", &topics.dead_letters)
    }

    /// Listens where another one did, as after a restart.
    pub(crate) fn at_port_of(mut self, other: &Program) -> Self {
        self.port = other.port.clone();
        let (variable, number) = (self.port_variable, other.port.number().to_string());
        self.with(variable, &number)
    }

    pub(crate) fn with(mut self, variable: &str, value: &str) -> Self {
        self.command.env(variable, value);
        self
    }

    /// Lets the program live on when the system would end it with this signal.
    pub(crate) fn ignoring(mut self, signal: &str) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", &format!("trap '' {signal}; exec \"$0\"")])
            .arg(self.command.get_program())
            .env_clear()
            .envs(
                self.command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
        self.command = shell;
        self
    }

    fn spawn(&mut self) -> Child {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    /// Runs a program that is expected to end by itself; returns how, and what it wrote to its standard error.
    pub(crate) async fn run_to_its_end(mut self) -> (ExitStatus, String) {
        let mut child = self.spawn();
        eventually("the program ends by itself", PATIENCE, || {
            let ended = child.try_wait().expect("the child can be asked").is_some();
            std::future::ready(ended)
        })
        .await;
        let output = child.wait_with_output().expect("it has ended");
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status, log)
    }

    /// Starts the program and waits until it listens.
    pub(crate) async fn start(mut self) -> Program {
        let mut child = self.spawn();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let lines =
            BufReader::new(child.stderr.take().expect("its standard error is a pipe")).lines();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().expect("no holder panics").push(line);
            }
        });
        let mut program = Program {
            child,
            log,
            client: Client::new(format!("http://{}", self.port.address())),
            port: self.port,
        };
        eventually("the program listens", PATIENCE, || {
            let ended = program.child.try_wait().expect("the child can be asked");
            assert!(ended.is_none(), "the program ended: {:#?}", program.log());
            let livez = program.client.request(reqwest::Method::GET, "/livez");
            async { livez.send().await.is_ok() }
        })
        .await;
        program
    }
}

impl Program {
    /// A client of what it serves.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Where it listens, on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// The lines logged so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().expect("no holder panics").clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Bytes of memory that the process holds at this moment.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("the process runs");
        let kib = status.lines().find_map(|line| {
            let value = line.strip_prefix("VmRSS:")?;
            value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        });
        kib.expect("the kernel says how much memory a process holds") * 1024
    }

    /// Waits for the end.
    pub(crate) async fn ended(&mut self, deadline: Duration) -> ExitStatus {
        let mut status = None;
        eventually("the program ends", deadline, || {
            status = self.child.try_wait().expect("the child can be asked");
            let ended = status.is_some();
            async move { ended }
        })
        .await;
        status.expect("it has ended")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
