//! What reading costs: every report at two sizes of the database, against the same figures from the raw rows, with
//! sessions behind, the generic query against plain SQL, and the audit.

mod client;
mod requests;
mod school;

use std::fmt::Write as _;

use crate::figure::{Spread, aligned};
use crate::setting::Setting;

use self::client::Reader;
use self::requests::{Entities, Measured, REPORTS};
use self::school::School;

/// Requests of each report to each school, and those before them that do not count.
const REQUESTS: usize = 200;
const WARM_UP: usize = 20;
/// Answers in a school of one quiz, the least that there is.
const SMALLEST: u64 = 100_000;
/// Runs of a raw statement, and of a query over everything.
const RAW_RUNS: usize = 15;
const QUERY_RUNS: usize = 5;

/// A query over all answers, the plain SQL with the same grouping, and how many times that it may take at most.
struct WholeQuery {
    name: &'static str,
    body: &'static str,
    plain: &'static str,
    at_most: f64,
}

const QUERIES: [WholeQuery; 3] = [
    WholeQuery {
        name: "answers by answer option",
        body: r#"{"measures":["total_answers"],"dimensions":["answer_option"]}"#,
        plain: "SELECT answer, count(*) FROM answers WHERE tenant_id = 1 GROUP BY answer",
        at_most: 1.2,
    },
    WholeQuery {
        name: "accuracy by quiz",
        body: r#"{"measures":["total_answers","accuracy_rate"],"dimensions":["quiz_title"]}"#,
        plain:
            "SELECT q.title, count(*), count(*) FILTER (WHERE btrim(a.answer) = k.correct_answer)
                FROM answers a
                JOIN sessions s USING (tenant_id, session_id)
                JOIN quizzes q USING (tenant_id, quiz_id)
                JOIN questions k USING (tenant_id, question_id)
                WHERE a.tenant_id = 1
                GROUP BY q.title",
        at_most: 0.15,
    },
    WholeQuery {
        name: "answers by classroom",
        body: r#"{"measures":["total_answers"],"dimensions":["classroom_name"]}"#,
        plain: "SELECT c.name, count(*)
                FROM answers a
                JOIN sessions s USING (tenant_id, session_id)
                JOIN classrooms c USING (tenant_id, classroom_id)
                WHERE a.tenant_id = 1
                GROUP BY c.name",
        at_most: 0.15,
    },
];

/// Median and 99th percentile, in milliseconds.
struct Times {
    median: f64,
    p99: f64,
}

impl Times {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let p99 = times
            .get(times.len() * 99 / 100)
            .copied()
            .unwrap_or(f64::NAN);
        let median = Spread::of(times).map_or(f64::NAN, |spread| spread.median);
        Self { median, p99 }
    }
}

fn verdict(ratio: f64, at_most: f64) -> String {
    let holds = if ratio <= at_most { "yes" } else { "NO" };
    format!("{ratio:.3} (at most {at_most}: {holds})")
}

/// Measures and returns the tables.
pub(crate) async fn measure(setting: &Setting) -> anyhow::Result<String> {
    let answers = setting.options.answers.max(SMALLEST);
    let small = School::open(setting, (answers / 100).max(SMALLEST)).await?;
    let large = School::open(setting, answers).await?;
    let servers = [small.serve(setting).await?, large.serve(setting).await?];
    let mut readers = [
        Reader::open(servers[0].port, &setting.reader).await?,
        Reader::open(servers[1].port, &setting.reader).await?,
    ];
    let mut text = String::new();
    let tables = [
        reports([&small, &large], &mut readers).await?,
        behind(&large, &mut readers[1]).await?,
        queries(&large, &mut readers[1]).await?,
    ];
    for table in tables {
        let _ = writeln!(text, "{table}");
    }
    for server in servers {
        server.stop().await?;
    }
    large.ctl(setting, &["rebuild"]).await?;
    let audit = large.ctl(setting, &["audit"]).await?;
    let _ = writeln!(
        text,
        "audit of {} answers: {:.0} s, {:.0} MiB at most",
        answers,
        audit.took.as_secs_f64(),
        audit.memory_mib
    );
    Ok(text)
}

/// Every report in both schools, request by request in turn; and the raw statements in the large one.
async fn reports(schools: [&School; 2], readers: &mut [Reader; 2]) -> anyhow::Result<String> {
    let mut lines = vec![
        [
            "report",
            "small: median, p99 ms",
            "large: median, p99 ms",
            "large to small",
            "to the raw rows",
        ]
        .map(str::to_owned),
    ];
    for report in &REPORTS {
        let [small, large] = both(report, schools, readers).await?;
        let raw = match report.raw {
            None => String::new(),
            Some(raw) => {
                let mut times = Vec::new();
                for _ in 0..RAW_RUNS {
                    let entity = report.raw_entity(&Entities::any(schools[1]).await?);
                    times.push(schools[1].raw_ms(raw.statement(), Some(entity)).await?);
                }
                verdict(large.median / Times::of(times).median, 0.04)
            }
        };
        eprintln!(
            "  {} {:.2} {:.2} {raw}",
            report.name, small.median, large.median
        );
        lines.push([
            report.name.to_owned(),
            format!("{:.2}, {:.2}", small.median, small.p99),
            format!("{:.2}, {:.2}", large.median, large.p99),
            verdict(large.median / small.median, 1.5),
            raw,
        ]);
    }
    Ok(aligned(&lines))
}

async fn both(
    report: &Measured,
    schools: [&School; 2],
    readers: &mut [Reader; 2],
) -> anyhow::Result<[Times; 2]> {
    let mut times = [Vec::new(), Vec::new()];
    for number in 0..WARM_UP + REQUESTS {
        for ((school, reader), times) in schools.iter().zip(readers.iter_mut()).zip(&mut times) {
            let path = report.path(&Entities::any(school).await?);
            let took = reader.get(&path).await?;
            if number >= WARM_UP {
                times.push(took);
            }
        }
    }
    Ok(times.map(Times::of))
}

/// Reports about one quiz and one classroom of it while some of its sessions are behind.
async fn behind(school: &School, reader: &mut Reader) -> anyhow::Result<String> {
    const BEHIND: [i64; 3] = [0, 5, 50];
    let mut lines = vec![
        [
            "report",
            "behind",
            "median, p99 ms",
            "more for each session behind",
        ]
        .map(str::to_owned),
    ];
    let entities = Entities::any(school).await?;
    let mut clean = Vec::new();
    for sessions in BEHIND {
        school.outdate(entities.classroom, sessions).await?;
        for (place, name) in [
            "quiz-summary",
            "quiz-questions-list",
            "classroom-sessions",
            "class-performance-summary",
        ]
        .into_iter()
        .enumerate()
        {
            let Some(report) = REPORTS.iter().find(|report| report.name == name) else {
                continue;
            };
            let path = report.path(&entities);
            let mut times = Vec::new();
            for number in 0..WARM_UP + REQUESTS {
                let took = reader.get(&path).await?;
                if number >= WARM_UP {
                    times.push(took);
                }
            }
            let times = Times::of(times);
            if sessions == 0 {
                clean.push(times.median);
            }
            let more = match sessions {
                0 => String::new(),
                _ => format!("{:.2} ms", (times.median - clean[place]) / sessions as f64),
            };
            lines.push([
                name.to_owned(),
                sessions.to_string(),
                format!("{:.2}, {:.2}", times.median, times.p99),
                more,
            ]);
        }
    }
    Ok(aligned(&lines))
}

/// Queries over everything, each in turn with its plain SQL.
async fn queries(school: &School, reader: &mut Reader) -> anyhow::Result<String> {
    let mut lines =
        vec![["query", "median ms", "plain SQL, median ms", "ratio"].map(str::to_owned)];
    for query in QUERIES {
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..QUERY_RUNS {
            ours.push(reader.post("/api/reports/query", query.body).await?);
            plain.push(school.raw_ms(query.plain, None).await?);
        }
        let (ours, plain) = (Times::of(ours).median, Times::of(plain).median);
        lines.push([
            query.name.to_owned(),
            format!("{ours:.0}"),
            format!("{plain:.0}"),
            verdict(ours / plain, query.at_most),
        ]);
    }
    Ok(aligned(&lines))
}
