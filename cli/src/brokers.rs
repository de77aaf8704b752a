//! The admin channels of a cluster's brokers.

use anyhow::{Context as _, Result, anyhow, bail};
use std::collections::BTreeMap;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use weir_proto::admin as pb;
use weir_proto::admin::admin_client::AdminClient;

use crate::args::Target;
use crate::forward;

/// Largest message of the admin channel, bytes.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

pub type Admin = AdminClient<Channel>;

/// Every broker that answers, by id.
pub struct Brokers {
    channels: BTreeMap<i32, Admin>,
    /// Why the others do not answer.
    pub silent: Vec<String>,
}

impl Brokers {
    pub async fn connect(target: &Target) -> Result<Self> {
        let mut found = Self {
            channels: BTreeMap::new(),
            silent: Vec::new(),
        };
        if target.server.is_empty() {
            for (name, channel) in forward::channels(target).await? {
                found.add(name, channel).await;
            }
        } else {
            for server in &target.server {
                let endpoint = Endpoint::from_shared(format!("http://{server}"))
                    .with_context(|| server.clone())?
                    .connect_timeout(CONNECT_WITHIN);
                found
                    .add(server.clone(), endpoint.connect().await.map_err(Into::into))
                    .await;
            }
        }
        if found.channels.is_empty() {
            bail!("no broker answers: {}", found.silent.join("; "));
        }
        Ok(found)
    }

    async fn add(&mut self, name: String, channel: Result<Channel>) {
        match greet(channel).await {
            Ok((id, admin)) => {
                self.channels.insert(id, admin);
            }
            Err(error) => self.silent.push(format!("{name}: {error:#}")),
        }
    }

    pub fn any(&self) -> Admin {
        // `connect` has made sure that there is one.
        self.channels
            .values()
            .next()
            .cloned()
            .expect("a cluster has a broker that answers")
    }

    pub fn all(&self) -> impl Iterator<Item = (i32, Admin)> + '_ {
        self.channels.iter().map(|(id, admin)| (*id, admin.clone()))
    }

    pub fn broker(&self, id: i32) -> Result<Admin> {
        self.channels
            .get(&id)
            .cloned()
            .ok_or_else(|| anyhow!("broker {id} does not answer; it is needed for this"))
    }

    /// Where a partition can be written and read.
    pub fn leader(&self, topic: &pb::Topic, index: i32) -> Result<Admin> {
        let partition = topic.partitions.iter().find(|p| p.index == index);
        let partition =
            partition.ok_or_else(|| anyhow!("{} has no partition {index}", topic.name))?;
        let leader = partition
            .leader
            .ok_or_else(|| anyhow!("{}-{index} has no leader now", topic.name))?;
        self.broker(leader)
    }

    pub async fn topic(&self, name: &str) -> Result<pb::Topic> {
        let request = pb::DescribeTopicRequest {
            name: name.to_owned(),
        };
        let answer = self.any().describe_topic(request).await?.into_inner();
        answer.topic.context("the broker left the topic out")
    }
}

async fn greet(channel: Result<Channel>) -> Result<(i32, Admin)> {
    let mut admin = AdminClient::new(channel?)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let answered = tokio::time::timeout(CONNECT_WITHIN, admin.get_broker(pb::GetBrokerRequest {}));
    let broker = answered.await.context("no answer")??.into_inner();
    Ok((broker.broker_id, admin))
}
