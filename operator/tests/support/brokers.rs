//! Brokers of one cluster that agree at once, and do as they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use weir_operator::admin::{
    Admin, AdminError, AdminResult, Connector, Endpoint, NewTopic, Refusal, TopicChange,
};
use weir_operator::kafka_config::Settings;
use weir_proto::admin as pb;

#[derive(Default)]
pub struct State {
    pub cluster_id: String,
    pub controller: i32,
    pub known: BTreeSet<i32>,
    pub down: BTreeSet<i32>,
    pub fenced: BTreeSet<i32>,
    pub behind: BTreeMap<i32, u32>,
    pub blockers: Vec<pb::Blocker>,
    pub config: Settings,
    pub topics: BTreeMap<String, pb::Topic>,
    /// Calls that change something.
    pub calls: Vec<String>,
}

#[derive(Clone, Default)]
pub struct Brokers(Arc<Mutex<State>>);

impl Brokers {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("lock")
    }

    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state().calls)
    }
}

impl Connector for Brokers {
    fn broker(&self, endpoint: &Endpoint) -> AdminResult<Arc<dyn Admin>> {
        let pod = endpoint.host.split('.').next().unwrap_or_default();
        let id = weir_operator::names::ordinal(pod).unwrap_or(-1);
        self.state().known.insert(id);
        Ok(Arc::new(Broker {
            id,
            all: self.clone(),
        }))
    }
}

struct Broker {
    id: i32,
    all: Brokers,
}

impl Broker {
    fn up(&self) -> AdminResult<MutexGuard<'_, State>> {
        let state = self.all.state();
        if state.down.contains(&self.id) {
            let (host, why) = (format!("broker-{}", self.id), "it is down".to_owned());
            return Err(AdminError::Unreachable { host, why });
        }
        Ok(state)
    }

    fn say(&self, call: String) -> AdminResult<MutexGuard<'_, State>> {
        let mut state = self.up()?;
        state.calls.push(call);
        Ok(state)
    }
}

fn refused(kind: Refusal, message: &str) -> AdminError {
    let message = message.to_owned();
    AdminError::Refused { kind, message }
}

fn partitions(count: i32, factor: i32) -> Vec<pb::Partition> {
    let replicas: Vec<i32> = (0..factor).collect();
    (0..count)
        .map(|index| pb::Partition {
            index,
            replicas: replicas.clone(),
            isr: replicas.clone(),
            ..pb::Partition::default()
        })
        .collect()
}

#[async_trait]
impl Admin for Broker {
    async fn get_broker(&self) -> AdminResult<pb::GetBrokerResponse> {
        let state = self.up()?;
        Ok(pb::GetBrokerResponse {
            broker_id: self.id,
            cluster_id: state.cluster_id.clone(),
            version: "0.1.0".to_owned(),
            registered: !state.cluster_id.is_empty(),
            fenced: state.fenced.contains(&self.id),
            controller_id: Some(state.controller),
            ..pb::GetBrokerResponse::default()
        })
    }

    async fn form(&self, cluster_id: &str) -> AdminResult<()> {
        let mut state = self.say(format!("form by {}", self.id))?;
        state.cluster_id = cluster_id.to_owned();
        Ok(())
    }

    async fn describe_cluster(&self) -> AdminResult<pb::DescribeClusterResponse> {
        let state = self.up()?;
        let broker = |id: &i32| pb::Broker {
            id: *id,
            fenced: state.fenced.contains(id) || state.down.contains(id),
            out_of_sync: state.behind.get(id).copied().unwrap_or(0),
            ..pb::Broker::default()
        };
        Ok(pb::DescribeClusterResponse {
            cluster_id: state.cluster_id.clone(),
            controller_id: Some(state.controller),
            brokers: state.known.iter().map(broker).collect(),
            ..pb::DescribeClusterResponse::default()
        })
    }

    async fn set_listeners(&self, broker: i32, _: Vec<pb::Listener>) -> AdminResult<()> {
        self.say(format!("listeners of {broker}")).map(drop)
    }

    async fn check_restart(&self, _: i32) -> AdminResult<pb::CheckRestartResponse> {
        let blockers = self.up()?.blockers.clone();
        let total = u32::try_from(blockers.len()).expect("few");
        Ok(pb::CheckRestartResponse { blockers, total })
    }

    async fn move_leaders_away(&self, broker: i32) -> AdminResult<u32> {
        self.say(format!("move leaders from {broker}")).map(|_| 0)
    }

    async fn elect_preferred(&self) -> AdminResult<u32> {
        self.say("elect preferred".to_owned()).map(|_| 0)
    }

    async fn cluster_config(&self) -> AdminResult<Settings> {
        Ok(self.up()?.config.clone())
    }

    async fn alter_cluster_config(&self, set: Settings, remove: Vec<String>) -> AdminResult<()> {
        let names: Vec<&str> = set.keys().map(String::as_str).collect();
        let mut state = self.say(format!(
            "set {} remove {}",
            names.join(","),
            remove.join(",")
        ))?;
        state.config.extend(set);
        state.config.retain(|name, _| !remove.contains(name));
        Ok(())
    }

    async fn list_topics(&self) -> AdminResult<Vec<pb::Topic>> {
        Ok(self.up()?.topics.values().cloned().collect())
    }

    async fn describe_topic(&self, name: &str) -> AdminResult<Option<pb::Topic>> {
        Ok(self.up()?.topics.get(name).cloned())
    }

    async fn create_topic(&self, new: NewTopic) -> AdminResult<pb::Topic> {
        let mut state = self.say(format!("create {}", new.name))?;
        let bad = new
            .config
            .get("cleanup.policy")
            .is_some_and(|p| p.contains("compact"));
        if bad {
            return Err(refused(
                Refusal::Invalid,
                "cleanup.policy: not available yet",
            ));
        }
        let topic = pb::Topic {
            name: new.name.clone(),
            id: "an-id".to_owned(),
            partitions: partitions(
                new.partitions.unwrap_or(1),
                new.replication_factor.unwrap_or(1),
            ),
            owner: Some(new.owner),
            config: new.config.into_iter().collect(),
            internal: false,
        };
        state.topics.insert(new.name, topic.clone());
        Ok(topic)
    }

    async fn alter_topic(&self, name: &str, change: TopicChange) -> AdminResult<pb::Topic> {
        let mut state = self.say(format!("alter {name}"))?;
        let missing = || refused(Refusal::NotFound, "no such topic");
        let topic = state.topics.get_mut(name).ok_or_else(missing)?;
        topic.config.extend(change.set);
        topic.config.retain(|name, _| !change.remove.contains(name));
        if let Some(count) = change.partitions {
            topic.partitions = partitions(count, 3);
        }
        if change.owner.is_some() {
            topic.owner = change.owner;
        }
        Ok(topic.clone())
    }

    async fn delete_topic(&self, name: &str) -> AdminResult<()> {
        let mut state = self.say(format!("delete {name}"))?;
        state.topics.remove(name);
        Ok(())
    }

    async fn watch_metadata(&self) -> AdminResult<BoxStream<'static, u64>> {
        Ok(futures::stream::empty().boxed())
    }
}
