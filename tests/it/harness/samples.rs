//! What a program's metrics page says.

use super::client::Client;

/// The samples of a metrics page, by name with labels.
#[derive(Debug)]
pub(crate) struct Samples(Vec<(String, f64)>);

impl Samples {
    pub(crate) async fn of(client: &Client) -> Self {
        let reply = client.get("/metrics").await;
        assert_eq!(reply.status, 200);
        assert!(
            reply
                .header("content-type")
                .unwrap_or_default()
                .starts_with("text/plain"),
            "{reply:?}"
        );
        let lines = reply
            .text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let samples = lines.map(|line| {
            let (name, value) = line
                .rsplit_once(' ')
                .unwrap_or_else(|| panic!("no sample: {line}"));
            let value = value
                .parse()
                .unwrap_or_else(|_| panic!("no number: {line}"));
            (name.to_owned(), value)
        });
        Self(samples.collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The names, with labels.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The value of a name with labels, if it is there.
    pub(crate) fn find(&self, name: &str) -> Option<f64> {
        let found = self.0.iter().find(|(sample, _)| sample == name);
        found.map(|(_, value)| *value)
    }

    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> f64 {
        self.find(name)
            .unwrap_or_else(|| panic!("no {name} in {self:#?}"))
    }
}
