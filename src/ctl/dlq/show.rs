//! `ctl dlq show`: one dead letter wholly.

use std::fmt;

use anyhow::{bail, ensure};
use clap::Args;
use kafka_toolkit::inspect::Range;
use serde::Serialize;

use super::letter::{Letter, time_cell};
use super::state::{RedriveGroup, States};
use super::text::Shown;
use crate::ctl::answer::Answer;
use crate::ctl::kafka::ClusterArgs;

/// Arguments of `ctl dlq show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Its place in the dead-letter topic as `ctl dlq list` shows it: PARTITION OFFSET or PARTITION/OFFSET.
    #[arg(required = true, num_args = 1..=2, value_name = "PLACE")]
    pub place: Vec<String>,
    /// Where it is noted what has been put back.
    #[command(flatten)]
    pub group: RedriveGroup,
    /// The topics and the cluster that holds them.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// One dead letter with everything in it.
#[derive(Debug, Serialize)]
pub(in crate::ctl) struct WholeLetter {
    topic: String,
    #[serde(flatten)]
    letter: Letter,
    /// The record's headers as they are in the dead-letter topic, those of the dead letter included.
    headers: Vec<ShownHeader>,
    key_bytes: Option<Shown>,
    payload: Option<Shown>,
}

#[derive(Debug, Serialize)]
struct ShownHeader {
    name: String,
    value: Option<Shown>,
}

pub(in crate::ctl) async fn show(args: ShowArgs) -> anyhow::Result<WholeLetter> {
    let ShowArgs {
        place,
        group,
        cluster,
    } = args;
    let (partition, offset) = parse_place(&place)?;
    let topic = cluster.topics.kafka_dlq_topic.clone();
    let range = Range {
        partition,
        from: offset,
        to: offset.saturating_add(1),
    };
    let inspector = cluster.inspector()?;
    let found = inspector
        .read_range(&topic, &[range], 1, move |located| {
            located.record.offset == offset
        })
        .await
        .map_err(|error| cluster.explain(error))?;
    let Some(located) = found.first() else {
        bail!(
            "there is no record at {partition}/{offset} in {topic}: it may be older than the topic keeps them; \
             `ctl dlq list` shows what is there"
        );
    };
    let states = States::read(&inspector, &topic, &group).await;
    let states = states.map_err(|error| cluster.explain(error))?;
    let record = &located.record;
    let shown = |bytes: &Option<bytes::Bytes>| bytes.as_deref().map(Shown::of);
    Ok(WholeLetter {
        topic,
        letter: states.letter(located),
        headers: record
            .headers
            .iter()
            .map(|header| ShownHeader {
                name: header.name.to_string(),
                value: shown(&header.value),
            })
            .collect(),
        key_bytes: shown(&record.key),
        payload: shown(&record.payload),
    })
}

fn parse_place(place: &[String]) -> anyhow::Result<(i32, i64)> {
    let place = place.join("/");
    let numbers = place
        .split_once('/')
        .and_then(|(partition, offset)| Some((partition.parse().ok()?, offset.parse().ok()?)));
    let Some((partition, offset)) = numbers else {
        bail!("{place} is no place in a topic; give PARTITION/OFFSET, such as 0/17");
    };
    ensure!(
        partition >= 0 && offset >= 0,
        "partitions and offsets are counted from 0"
    );
    Ok((partition, offset))
}

impl Answer for WholeLetter {}

impl fmt::Display for WholeLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = &self.letter;
        writeln!(f, "{}/{}/{}", self.topic, letter.partition, letter.offset)?;
        writeln!(f, "state     {}", letter.state.as_str())?;
        writeln!(f, "given up  {}", time_cell(letter.time))?;
        match &letter.origin {
            Some(origin) => {
                let text = |text: &str| Shown::of(text.as_bytes());
                writeln!(
                    f,
                    "from      {}/{}/{}",
                    text(&origin.original_topic),
                    origin.original_partition,
                    origin.original_offset
                )?;
                writeln!(
                    f,
                    "error     {} {}: {}",
                    text(&origin.error_class),
                    text(&origin.error_name),
                    text(&origin.error_message)
                )?;
                writeln!(
                    f,
                    "tries     {} handed over, put back {} times before",
                    origin.attempts, origin.redrives
                )?;
            }
            None => writeln!(
                f,
                "no dead letter of ours: {}",
                letter.unreadable.as_deref().unwrap_or_default()
            )?,
        }
        writeln!(f, "headers")?;
        for header in &self.headers {
            let name = Shown::of(header.name.as_bytes());
            writeln!(f, "  {name} = {}", Absent(&header.value))?;
        }
        writeln!(f, "key       {}", Absent(&self.key_bytes))?;
        writeln!(f, "payload   {} bytes", letter.payload_bytes)?;
        write!(f, "{}", Absent(&self.payload))
    }
}

/// Bytes that may be missing, which is not the same as none.
struct Absent<'a>(&'a Option<Shown>);

impl fmt::Display for Absent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(shown) => shown.fmt(f),
            None => f.write_str("(absent)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_partition_and_an_offset_in_either_form() {
        let place = |parts: &[&str]| {
            parse_place(&parts.iter().map(ToString::to_string).collect::<Vec<_>>()).ok()
        };
        assert_eq!(place(&["2/17"]), Some((2, 17)));
        assert_eq!(place(&["2", "17"]), Some((2, 17)));
        for wrong in [&["2"][..], &["2/x"], &["2/17", "3"], &["-1/4"], &["/"]] {
            assert_eq!(place(wrong), None, "{wrong:?}");
        }
    }
}
