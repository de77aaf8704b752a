//! Three whole brokers: real quorum, real connections, real disks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;
use weir_api::Acks;
use weir_core::cluster::{ClusterCommand, Image, NewTopic};
use weir_storage::{DataFolder, LogConfig, RealDisk};
use weir_types::{BrokerId, Millis, Offset, PartitionId, TopicId};

use super::super::{Partitions, PartitionsConfig, recover};
use super::cluster::TOPIC;
use super::eventually;
use super::records::{batch, produce, values};
use crate::peer::{PeerNet, PeerRouter, serve};
use crate::quorum::{Quorum, QuorumConfig, QuorumTiming};

struct Node {
    id: BrokerId,
    quorum: Quorum,
    partitions: Partitions,
    net: PeerNet,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

async fn start(path: &Path, broker: BrokerId, listener: TcpListener, seeds: &[String]) -> Node {
    let folder = DataFolder::open(RealDisk, path, broker, Millis(0)).expect("a folder");
    let recovered = recover(&folder, |_| LogConfig::default()).expect("a readable folder");
    let (router, net) = (Arc::new(PeerRouter::new()), PeerNet::new());
    let config = QuorumConfig {
        folder: path.to_owned(),
        folder_id: folder.folder_id(),
        broker,
        rack: None,
        peer_address: listener.local_addr().expect("bound").to_string(),
        listeners: Vec::new(),
        seeds: seeds.to_vec(),
        incarnation: Uuid::new_v4(),
        clean: folder.was_clean(),
        ineligible: recovered.ineligible.clone(),
        timing: QuorumTiming::default(),
    };
    let quorum = Quorum::start(config, net.clone(), &router)
        .await
        .expect("starts");
    let link = Arc::new(quorum.clone());
    let config = PartitionsConfig::new(broker);
    let partitions = Partitions::start(
        config,
        Arc::new(folder),
        recovered,
        net.clone(),
        &router,
        link,
    )
    .expect("threads to start");
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(serve(listener, router, stopped));
    Node {
        id: broker,
        quorum,
        partitions,
        net,
        stop,
        server,
    }
}

impl Node {
    /// As if the process had been killed, as far as the others can tell.
    async fn kill(self) -> Partitions {
        self.stop.send_replace(true);
        self.server.abort();
        let _ = self.server.await;
        self.net.close();
        self.quorum.halt().await;
        self.partitions
    }

    async fn stop(self) {
        self.partitions.stop().await.expect("an orderly stop");
        self.quorum.stop().await;
        self.stop.send_replace(true);
        self.server.await.expect("the server to end");
    }

    async fn until(&self, condition: impl FnMut(&Arc<Image>) -> bool) {
        let mut images = self.quorum.subscribe();
        images.wait_for(condition).await.expect("a living quorum");
    }
}

async fn write(nodes: &[Node], id: PartitionId, value: &str) {
    eventually("an acknowledged write", async || {
        for node in nodes {
            let leads = node.quorum.image().partition(id)?.leader == Some(node.id);
            if leads {
                let records = batch(&[value]);
                return produce(&node.partitions, id.index, records, Acks::All)
                    .await
                    .ok();
            }
        }
        None
    })
    .await;
}

/// Three live brokers, each a voter.
async fn start_three(dir: &Path) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut seeds = Vec::new();
    for id in 0..3 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        seeds.push(listener.local_addr().expect("bound").to_string());
        let path = dir.join(id.to_string());
        nodes.push(start(&path, BrokerId(id), listener, &seeds).await);
        if id == 0 {
            nodes[0].quorum.form("whole").await.expect("formed");
        }
        nodes
            .last()
            .expect("a node")
            .quorum
            .registered()
            .await
            .expect("registered");
    }
    let live = |i: &Arc<Image>| i.brokers.values().filter(|b| !b.fenced).count() == 3;
    nodes[0].until(live).await;
    let three_voters =
        async || (nodes[0].quorum.members().iter().filter(|m| m.voter).count() == 3).then_some(());
    eventually("three voters", three_voters).await;
    nodes
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_resume_after_the_leader_was_killed_and_nothing_is_lost() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut nodes = start_three(dir.path()).await;
    let topic = NewTopic {
        id: TopicId(Uuid::new_v4()),
        name: TOPIC.to_owned(),
        internal: false,
        partitions: 3,
        replication_factor: 3,
        assignments: None,
        config: BTreeMap::from([("min.insync.replicas".to_owned(), "2".to_owned())]),
        owner: None,
        seed: 0,
        validate_only: false,
    };
    let ids = [0, 1, 2].map(|index| PartitionId::new(topic.id, index));
    nodes[0]
        .quorum
        .propose(ClusterCommand::CreateTopic(topic))
        .await
        .expect("created");
    let mut sent = Vec::new();
    for n in 0..30 {
        sent.push(n.to_string());
        for id in ids {
            write(&nodes, id, &n.to_string()).await;
        }
    }
    let leader = nodes[0]
        .quorum
        .image()
        .partition(ids[0])
        .and_then(|p| p.leader);
    let at = nodes
        .iter()
        .position(|n| Some(n.id) == leader)
        .expect("the leader");
    let killed = nodes.remove(at).kill().await;
    let began = tokio::time::Instant::now();
    write(&nodes, ids[0], "after").await;
    let pause = began.elapsed();
    assert!(pause < Duration::from_secs(30), "no write for {pause:?}");
    sent.push("after".to_owned());
    for n in 30..60 {
        sent.push(n.to_string());
        for id in ids {
            write(&nodes, id, &n.to_string()).await;
        }
    }
    for id in ids {
        let image = nodes[0].quorum.image();
        let leader = image
            .partition(id)
            .and_then(|p| p.leader)
            .expect("a leader");
        let node = nodes
            .iter()
            .find(|n| n.id == leader)
            .expect("a living leader");
        let read: BTreeSet<_> = values(&node.partitions, id, Offset(0))
            .await
            .into_iter()
            .collect();
        let skip = |v: &&String| id == ids[0] || *v != "after";
        let lost: Vec<_> = sent
            .iter()
            .filter(skip)
            .filter(|v| !read.contains(*v))
            .collect();
        assert!(lost.is_empty(), "lost of {id}: {lost:?}");
    }
    for node in nodes {
        node.stop().await;
    }
    killed.stop().await.expect("an orderly stop");
}
