//! Quantiles out of the histograms that the programs show of themselves; as fine as their buckets.

use std::collections::BTreeMap;

use anyhow::ensure;

use crate::http;

/// Counts by upper bound, over all labels.
pub(crate) struct Buckets(Vec<(f64, f64)>);

/// Reads one histogram of a program.
pub(crate) async fn histogram(port: u16, name: &str) -> anyhow::Result<Buckets> {
    let (status, text) = http::get(port, "/metrics").await?;
    ensure!(status == 200, "/metrics answers {status}");
    let buckets = parse(&text, name);
    ensure!(!buckets.0.is_empty(), "there is no histogram {name}");
    Ok(buckets)
}

fn parse(text: &str, name: &str) -> Buckets {
    let mut counts: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for line in text.lines() {
        let bucket = line
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix("_bucket{"))
            .and_then(|rest| rest.split_once("le=\""))
            .and_then(|(_, rest)| rest.split_once('"'));
        let Some((bound, rest)) = bucket else {
            continue;
        };
        let count = rest.rsplit(' ').next().and_then(|count| count.parse().ok());
        let bound = bound.replace("+Inf", "inf").parse::<f64>();
        if let (Ok(bound), Some(count)) = (bound, count) {
            let count: f64 = count;
            // Bounds are positive, and positive floats are ordered as their bits.
            counts.entry(bound.to_bits()).or_insert((bound, 0.0)).1 += count;
        }
    }
    Buckets(counts.into_values().collect())
}

impl Buckets {
    /// As if values were spread evenly within each bucket.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        let wanted = self.0.last().map_or(0.0, |(_, count)| *count) * quantile;
        let (mut lower, mut below) = (0.0, 0.0);
        for (bound, count) in &self.0 {
            if *count >= wanted && *count > below {
                let upper = if bound.is_finite() { *bound } else { lower };
                return (lower + (upper - lower) * (wanted - below) / (count - below)) * 1000.0;
            }
            (lower, below) = (*bound, *count);
        }
        f64::NAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let text = "# TYPE a_seconds histogram\n\
                    a_seconds_bucket{x=\"1\",le=\"0.001\"} 50\na_seconds_bucket{x=\"1\",le=\"0.002\"} 100\n\
                    a_seconds_bucket{x=\"1\",le=\"+Inf\"} 100\nb_seconds_bucket{le=\"0.001\"} 7\n";
        let buckets = parse(text, "a_seconds");
        assert!((buckets.quantile_ms(0.25) - 0.5).abs() < 1e-9);
        assert!((buckets.quantile_ms(0.75) - 1.5).abs() < 1e-9);
        assert!((buckets.quantile_ms(0.99) - 1.98).abs() < 1e-9);
    }
}
