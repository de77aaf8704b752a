//! Brokers of one cluster that agree at once, and do as they are told.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use futures::StreamExt;
use futures::channel::mpsc;
use futures::stream::BoxStream;
use weir_operator::admin::{
    Admin, AdminError, AdminResult, Connector, Endpoint, NewTopic, Refusal, TopicChange,
};
use weir_operator::kafka_config::Settings;
use weir_proto::admin as pb;

use super::fuse::Fuse;
use super::placement::{Placed, State, partitions, refused};

#[derive(Clone, Default)]
pub struct Brokers(Arc<Mutex<State>>, Fuse);

impl Brokers {
    pub fn new(fuse: &Fuse) -> Self {
        Self(Arc::default(), fuse.clone())
    }

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
        if !self.1.is_blown() {
            // Whoever is alive registers, also again.
            self.state().known.insert(id);
        }
        let all = self.clone();
        Ok(Arc::new(Broker { id, all }))
    }
}

struct Broker {
    id: i32,
    all: Brokers,
}

impl Broker {
    fn up(&self) -> AdminResult<MutexGuard<'_, State>> {
        self.reached(false)
    }

    fn reached(&self, write: bool) -> AdminResult<MutexGuard<'_, State>> {
        let state = self.all.state();
        if self.all.1.is_blown() {
            let (host, why) = (format!("broker-{}", self.id), "we are dead".to_owned());
            return Err(AdminError::Unreachable { host, why });
        }
        if state.down.contains(&self.id) || !state.life.permits(write) {
            let (host, why) = (format!("broker-{}", self.id), "it is down".to_owned());
            return Err(AdminError::Unreachable { host, why });
        }
        Ok(state)
    }

    fn say(&self, call: String) -> AdminResult<MutexGuard<'_, State>> {
        let mut state = self.reached(true)?;
        state.calls.push(call);
        self.all.1.write();
        Ok(state)
    }
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
            operator_epoch: state.heard,
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
            replicas: state.held_by(*id),
            rack: state.racks.get(id).cloned(),
            stopping: state.away.contains(id),
            listeners: state.listeners.get(id).cloned().unwrap_or_default(),
            ..pb::Broker::default()
        };
        Ok(pb::DescribeClusterResponse {
            cluster_id: state.cluster_id.clone(),
            controller_id: Some(state.controller),
            brokers: state.known.iter().map(broker).collect(),
            ..pb::DescribeClusterResponse::default()
        })
    }

    async fn set_listeners(&self, broker: i32, all: Vec<pb::Listener>) -> AdminResult<()> {
        let mut state = self.say(format!("listeners of {broker}"))?;
        state.listeners.insert(broker, all);
        Ok(())
    }

    async fn check_restart(&self, _: i32) -> AdminResult<pb::CheckRestartResponse> {
        let blockers = self.up()?.blockers.clone();
        let total = u32::try_from(blockers.len()).expect("few");
        Ok(pb::CheckRestartResponse { blockers, total })
    }

    async fn move_leaders_away(&self, broker: i32) -> AdminResult<u32> {
        let mut state = self.say(format!("move leaders from {broker}"))?;
        state.away.insert(broker);
        Ok(state.led_by(broker))
    }

    async fn set_operator_epoch(&self, epoch: u64) -> AdminResult<()> {
        if self.up()?.heard.is_some_and(|heard| heard > epoch) {
            return Err(refused(Refusal::Deposed, "a later operator was heard"));
        }
        self.say(format!("hear operator {epoch}"))?.heard = Some(epoch);
        Ok(())
    }

    async fn allow_leaders(&self, broker: i32) -> AdminResult<()> {
        let mut state = self.say(format!("allow leaders of {broker}"))?;
        state.away.remove(&broker);
        Ok(())
    }

    async fn describe_replicas(&self, held: bool) -> AdminResult<Vec<pb::PartitionReplicas>> {
        let state = self.up()?;
        let mine = |p: &Placed| p.replicas.contains(&self.id) || p.removing.contains(&self.id);
        let asked = state.replicas.iter().filter(|(_, p)| !held || mine(p));
        Ok(asked.map(|(key, p)| state.describe(key, p)).collect())
    }

    async fn alter_reassignments(
        &self,
        moves: Vec<pb::Reassignment>,
    ) -> AdminResult<Vec<pb::ReassignmentResult>> {
        let some = moves.first().map(|m| m.cancel);
        let what = if some == Some(true) { "cancel" } else { "move" };
        let mut state = self.say(format!("{what} {}", moves.len()))?;
        let mut refused = Vec::new();
        for one in moves {
            let closed = |b: &&i32| state.cordoned.contains(b) || !state.known.contains(b);
            let fresh = |b: &&i32| {
                let key = (one.topic.clone(), one.index);
                state
                    .replicas
                    .get(&key)
                    .is_none_or(|p| !p.replicas.contains(b))
            };
            let bad = one.replicas.iter().filter(fresh).find(closed).copied();
            let outcome = match bad {
                Some(broker) => Err(format!("broker {broker} takes no replicas")),
                None => state.reassign(&one),
            };
            if let Err(error) = outcome {
                refused.push(pb::ReassignmentResult {
                    topic: one.topic,
                    index: one.index,
                    error,
                });
            }
        }
        Ok(refused)
    }

    async fn cordon_broker(&self, broker: i32, on: bool) -> AdminResult<pb::CordonBrokerResponse> {
        let known = self.up()?.known.contains(&broker);
        if on && !known {
            return Err(refused(Refusal::NotFound, "no such broker"));
        }
        let before = self.up()?.cordoned.contains(&broker);
        if before != on {
            let word = if on { "cordon" } else { "uncordon" };
            let mut state = self.say(format!("{word} {broker}"))?;
            if on {
                state.cordoned.insert(broker);
            } else {
                state.cordoned.remove(&broker);
            }
        }
        Ok(pb::CordonBrokerResponse {
            leaders: 0,
            replicas: self.up()?.held_by(broker),
        })
    }

    async fn remove_broker(&self, broker: i32) -> AdminResult<()> {
        {
            let state = self.up()?;
            let alive = state.known.contains(&broker) && !state.down.contains(&broker);
            let open = alive && !state.cordoned.contains(&broker);
            if state.known.contains(&broker) && (open || state.held_by(broker) > 0) {
                return Err(refused(Refusal::Precondition, "it is in use"));
            }
        }
        // Its cordon stays until it is taken away.
        self.say(format!("remove {broker}"))?.known.remove(&broker);
        Ok(())
    }

    async fn elect_preferred(&self) -> AdminResult<u32> {
        self.say("elect preferred".to_owned()).map(|_| 0)
    }

    async fn cluster_config(&self) -> AdminResult<Settings> {
        Ok(self.up()?.config.clone())
    }

    async fn alter_cluster_config(&self, set: Settings, remove: Vec<String>) -> AdminResult<()> {
        let names: Vec<&str> = set.keys().map(String::as_str).collect();
        let said = format!("set {} remove {}", names.join(","), remove.join(","));
        let mut state = self.say(said)?;
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
        let policy = new.config.get("cleanup.policy");
        if policy.is_some_and(|p| p.contains("compact")) {
            let why = "cleanup.policy: not available yet";
            return Err(refused(Refusal::Invalid, why));
        }
        let factor = new.replication_factor.unwrap_or(1);
        let topic = pb::Topic {
            name: new.name.clone(),
            id: "an-id".to_owned(),
            partitions: partitions(new.partitions.unwrap_or(1), factor),
            owner: Some(new.owner),
            config: new.config.into_iter().collect(),
            internal: false,
        };
        state.topics.insert(new.name, topic.clone());
        Ok(topic)
    }

    async fn alter_topic(&self, name: &str, change: TopicChange) -> AdminResult<pb::Topic> {
        let mut state = self.say(format!("alter {name}"))?;
        let missing = refused(Refusal::NotFound, "no such topic");
        let topic = state.topics.get_mut(name).ok_or(missing)?;
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
        self.say(format!("delete {name}"))?.topics.remove(name);
        Ok(())
    }

    async fn watch_metadata(&self) -> AdminResult<BoxStream<'static, u64>> {
        let (tell, versions) = mpsc::unbounded();
        let mut state = self.up()?;
        state.watchers.push(tell);
        state.tell_version(1);
        Ok(versions.boxed())
    }
}
