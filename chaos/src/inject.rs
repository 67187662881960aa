//! Carries out a plan: each fault begins when it is due, lasts as long as it is meant to, and is healed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::disk::Ballast;
use crate::plan::{Action, Fault, Plan, Target};
use crate::program;
use crate::stage::Stage;

/// How long a service may take to end for a full disk that is not full any more.
const DYING_MAX: Duration = Duration::from_secs(3);

/// How long a consumer of a rebalance storm stays, at most.
const GUEST_STAYS_MAX_MS: u64 = 1_200;

/// Carries out all faults and returns when the last one is healed.
pub(crate) async fn inject(stage: &Arc<Stage>, plan: &Plan) {
    let mut faults = JoinSet::new();
    for fault in plan.faults.clone() {
        let stage = Arc::clone(stage);
        let rng = Rng::with_seed(plan.seed ^ fault.at.as_millis() as u64);
        faults.spawn(async move {
            sleep(fault.at.saturating_sub(stage.began.elapsed())).await;
            let _turn = stage.turn_of(&fault.targets()).await;
            if let Err(error) = carry_out(&stage, &fault, rng).await {
                stage.wrong(format!("{}: {error:#}", fault.kind.name()));
            }
        });
    }
    while let Some(ended) = faults.join_next().await {
        if let Err(error) = ended {
            stage.wrong(error);
        }
    }
}

async fn carry_out(stage: &Stage, fault: &Fault, rng: Rng) -> anyhow::Result<()> {
    let lasts = fault.lasts;
    match fault.action {
        Action::Kill(target) => end(stage, target, Ending::Kill, lasts).await,
        Action::Stop(target) => end(stage, target, Ending::Orderly, lasts).await,
        Action::ImmediateShutdown => end(stage, Target::Database, Ending::Immediate, lasts).await,
        Action::BothAway => {
            let (database, broker) = tokio::join!(
                end(stage, Target::Database, Ending::Immediate, lasts),
                end(stage, Target::Broker, Ending::Kill, lasts),
            );
            database.and(broker)
        }
        Action::Pause(target) => {
            pause(stage, target, lasts).await;
            Ok(())
        }
        Action::KillBackend => {
            if let Some(pid) = stage.rig.database.lock().await.a_child() {
                crate::process::signal(pid, Signal::KILL);
            }
            Ok(())
        }
        Action::Network {
            pair,
            condition,
            aftermath,
        } => {
            if let Some(proxy) = stage.rig.proxy(pair) {
                proxy.set(condition);
                sleep(lasts).await;
                proxy.heal(aftermath);
            }
            Ok(())
        }
        Action::FillDisk(target) => fill_disk(stage, target, lasts).await,
        Action::ClockStep(seconds) => {
            stage.clock_s.store(seconds, Ordering::Relaxed);
            sleep(lasts).await;
            stage.clock_s.store(0, Ordering::Relaxed);
            Ok(())
        }
        Action::Rebalance => storm(stage, lasts, rng).await,
        Action::Poison => {
            stage.poison.store(true, Ordering::Relaxed);
            sleep(lasts).await;
            stage.poison.store(false, Ordering::Relaxed);
            Ok(())
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Kill,
    Orderly,
    Immediate,
}

/// Ends a process in this way, and starts it again after a while.
async fn end(stage: &Stage, target: Target, ending: Ending, away: Duration) -> anyhow::Result<()> {
    if let Some(program) = stage.program(target) {
        let child = program.lock().await.take();
        if let Some(child) = child {
            match ending {
                Ending::Orderly => program::stop(child).await?,
                _ => program::kill(child).await,
            }
        }
        sleep(away).await;
        program.lock().await.start()?;
        stage.restarted(match target {
            Target::Server => "server",
            _ => "consumer",
        });
        return Ok(());
    }
    let service = match target {
        Target::Database => &stage.rig.database,
        _ => &stage.rig.broker,
    };
    let signal = match ending {
        Ending::Kill => Signal::KILL,
        Ending::Orderly => service.lock().await.orderly(),
        Ending::Immediate => Signal::QUIT,
    };
    service.lock().await.end(signal);
    sleep(away).await;
    let mut service = service.lock().await;
    service.ended().await;
    service.start().await?;
    stage.restarted(service.name());
    Ok(())
}

async fn pause(stage: &Stage, target: Target, lasts: Duration) {
    if let Some(program) = stage.program(target) {
        program.lock().await.signal(Signal::STOP);
        sleep(lasts).await;
        program.lock().await.signal(Signal::CONT);
        return;
    }
    let service = match target {
        Target::Database => &stage.rig.database,
        _ => &stage.rig.broker,
    };
    service.lock().await.pause();
    sleep(lasts).await;
    service.lock().await.resume();
}

/// A service without room on its disk may end by itself; it is started again once there is room.
async fn fill_disk(stage: &Stage, target: Target, lasts: Duration) -> anyhow::Result<()> {
    let (service, folder) = match target {
        Target::Database => (&stage.rig.database, "postgres"),
        _ => (&stage.rig.broker, "kafka/data"),
    };
    service.lock().await.excuse();
    let folder = stage.rig.folder.join(folder);
    let ballast = tokio::task::spawn_blocking(move || Ballast::fill(&folder)).await??;
    sleep(lasts).await;
    drop(ballast);
    let mut service = service.lock().await;
    service.ended_within(DYING_MAX).await;
    let ran = service.runs_by_record();
    service.start().await?;
    if !ran {
        stage.restarted(service.name());
    }
    Ok(())
}

/// Consumers that join the group and leave it again, one after the other, some of them without a word.
async fn storm(stage: &Stage, lasts: Duration, mut rng: Rng) -> anyhow::Result<()> {
    let _alone = stage.guests.lock().await;
    let over = tokio::time::Instant::now() + lasts;
    while tokio::time::Instant::now() < over {
        let mut guest = stage.rig.consumer(&stage.names, 2);
        guest.start()?;
        sleep(Duration::from_millis(rng.u64(100..GUEST_STAYS_MAX_MS))).await;
        if let Some(status) = guest.died() {
            stage.wrong(format!("consumer is dead and nobody killed it: {status}"));
        }
        if let Some(child) = guest.take() {
            if rng.bool() {
                program::kill(child).await;
            } else {
                program::stop(child).await?;
            }
        }
    }
    Ok(())
}
