//! Creates topics that are missing and reports those that differ from what is wanted.
//!
//! It never deletes, shrinks or alters a topic: each of these loses or reorders somebody's records.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::config::{ConfigError, KafkaConfig};

/// What a topic should be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many copies of each partition there are.
    pub replication: i32,
    /// How long records are kept, in milliseconds; the broker's default when absent.
    pub retention_ms: Option<i64>,
    /// Most bytes kept in each partition; the broker's default when absent.
    pub retention_bytes: Option<i64>,
    /// Largest batch that the broker takes, in bytes; the broker's default when absent.
    pub max_message_bytes: Option<i64>,
}

impl TopicSpec {
    /// A topic with so many partitions, one copy of each, and the broker's defaults.
    #[must_use]
    pub fn new(name: impl Into<String>, partitions: i32) -> Self {
        Self {
            name: name.into(),
            partitions,
            replication: 1,
            retention_ms: None,
            retention_bytes: None,
            max_message_bytes: None,
        }
    }

    /// The same with so many copies.
    #[must_use]
    pub fn replication(mut self, replication: i32) -> Self {
        self.replication = replication;
        self
    }

    /// The same with records kept for so long.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention_ms = Some(i64::try_from(retention.as_millis()).unwrap_or(i64::MAX));
        self
    }

    /// The same with batches of at most this size.
    #[must_use]
    pub fn max_message_bytes(mut self, bytes: i64) -> Self {
        self.max_message_bytes = Some(bytes);
        self
    }

    fn settings(&self) -> impl Iterator<Item = (&'static str, i64)> {
        [
            ("retention.ms", self.retention_ms),
            ("retention.bytes", self.retention_bytes),
            ("max.message.bytes", self.max_message_bytes),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

/// How a topic differs from its specification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// There is no such topic.
    #[error("topic {topic} does not exist")]
    Missing {
        /// The topic.
        topic: String,
    },
    /// It has another number of partitions.
    #[error("topic {topic} has {actual} partitions instead of {wanted}")]
    Partitions {
        /// The topic.
        topic: String,
        /// As specified.
        wanted: i32,
        /// As found.
        actual: i32,
    },
    /// A setting has another value.
    #[error("topic {topic} has {setting}={actual} instead of {wanted}")]
    Setting {
        /// The topic.
        topic: String,
        /// The setting's name in Kafka.
        setting: &'static str,
        /// As specified.
        wanted: i64,
        /// As found.
        actual: String,
    },
}

/// Why topics could not be created or looked at.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// The settings can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The cluster did not answer, or refused.
    #[error("the cluster did not answer: {0}")]
    Cluster(String),
    /// One topic could not be created or described.
    #[error("topic {topic}: {reason}")]
    Topic {
        /// The topic.
        topic: String,
        /// The cluster's reason.
        reason: String,
    },
}

impl From<KafkaError> for TopicError {
    fn from(error: KafkaError) -> Self {
        Self::Cluster(error.to_string())
    }
}

/// Creates and checks topics.
pub struct TopicRegistry {
    admin: std::sync::Arc<AdminClient<DefaultClientContext>>,
    timeout: Duration,
}

impl std::fmt::Debug for TopicRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicRegistry").finish_non_exhaustive()
    }
}

impl TopicRegistry {
    /// A registry that waits so long for each answer of the cluster.
    ///
    /// # Errors
    /// [`TopicError::Config`] when the settings can't be used.
    pub fn connect(kafka: &KafkaConfig, timeout: Duration) -> Result<Self, TopicError> {
        let admin = kafka
            .client()?
            .create::<AdminClient<DefaultClientContext>>()?;
        Ok(Self {
            admin: std::sync::Arc::new(admin),
            timeout,
        })
    }

    /// Creates the topics that are missing, waits until the cluster lists them, and answers with their names.
    ///
    /// # Errors
    /// [`TopicError`] when the cluster does not answer or refuses one; the others may have been created.
    pub async fn ensure(&self, specs: &[TopicSpec]) -> Result<Vec<String>, TopicError> {
        let values: Vec<Vec<(&str, String)>> = specs
            .iter()
            .map(|spec| {
                spec.settings()
                    .map(|(name, value)| (name, value.to_string()))
                    .collect()
            })
            .collect();
        let topics: Vec<NewTopic<'_>> = specs
            .iter()
            .zip(&values)
            .map(|(spec, values)| {
                let fresh = NewTopic::new(
                    &spec.name,
                    spec.partitions,
                    TopicReplication::Fixed(spec.replication),
                );
                values
                    .iter()
                    .fold(fresh, |topic, (name, value)| topic.set(name, value))
            })
            .collect();
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let mut created = Vec::new();
        for result in self.admin.create_topics(&topics, &self.options()).await? {
            match result {
                Ok(topic) => created.push(topic),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    return Err(TopicError::Topic {
                        topic,
                        reason: code.to_string(),
                    });
                }
            }
        }
        self.wait_until_listed(&created).await?;
        Ok(created)
    }

    async fn wait_until_listed(&self, created: &[String]) -> Result<(), TopicError> {
        let deadline = Instant::now() + self.timeout;
        while !created.is_empty() {
            let listed = self.partition_counts().await?;
            let Some(topic) = created.iter().find(|&topic| !listed.contains_key(topic)) else {
                break;
            };
            if Instant::now() >= deadline {
                return Err(TopicError::Topic {
                    topic: topic.clone(),
                    reason: "was created, but the cluster does not list it yet".to_owned(),
                });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Reports every difference between these specifications and the cluster.
    ///
    /// # Errors
    /// [`TopicError`] when the cluster does not answer.
    pub async fn check(&self, specs: &[TopicSpec]) -> Result<Vec<Mismatch>, TopicError> {
        let actual = self.partition_counts().await?;
        let mut mismatches = Vec::new();
        for spec in specs {
            let topic = spec.name.clone();
            match actual.get(&spec.name) {
                None => mismatches.push(Mismatch::Missing { topic }),
                Some(&actual) => {
                    if actual != spec.partitions {
                        mismatches.push(Mismatch::Partitions {
                            topic,
                            wanted: spec.partitions,
                            actual,
                        });
                    }
                    self.check_settings(spec, &mut mismatches).await?;
                }
            }
        }
        Ok(mismatches)
    }

    async fn check_settings(
        &self,
        spec: &TopicSpec,
        mismatches: &mut Vec<Mismatch>,
    ) -> Result<(), TopicError> {
        let resource = [ResourceSpecifier::Topic(&spec.name)];
        for result in self
            .admin
            .describe_configs(&resource, &self.options())
            .await?
        {
            let described = result.map_err(|code| TopicError::Topic {
                topic: spec.name.clone(),
                reason: code.to_string(),
            })?;
            for (setting, wanted) in spec.settings() {
                let actual = described
                    .get(setting)
                    .and_then(|entry| entry.value.clone())
                    .unwrap_or_default();
                if actual.parse() != Ok(wanted) {
                    mismatches.push(Mismatch::Setting {
                        topic: spec.name.clone(),
                        setting,
                        wanted,
                        actual,
                    });
                }
            }
        }
        Ok(())
    }

    async fn partition_counts(&self) -> Result<HashMap<String, i32>, TopicError> {
        let admin = std::sync::Arc::clone(&self.admin);
        let timeout = self.timeout;
        let listed = tokio::task::spawn_blocking(move || {
            // All topics are asked for, because asking for one by name may create it.
            let metadata = admin.inner().fetch_metadata(None, timeout)?;
            let counts = metadata.topics().iter().map(|topic| {
                let count = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
                (topic.name().to_owned(), count)
            });
            Ok::<_, KafkaError>(counts.collect())
        });
        Ok(listed.await.map_err(|_| KafkaError::Canceled)??)
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new()
            .request_timeout(Some(self.timeout))
            .operation_timeout(Some(self.timeout))
    }
}
