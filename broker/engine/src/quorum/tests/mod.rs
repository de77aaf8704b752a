//! Quorums of real nodes in one process, on loopback and temporary folders.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;
use weir_core::cluster::{ClusterCommand, ClusterError, ClusterReply, Image, NewTopic};
use weir_types::{BrokerEpoch, BrokerId, FolderId, PartitionId, TopicId};

use super::{ProposeError, Quorum, QuorumConfig, QuorumError, QuorumTiming};
use crate::peer::{PeerNet, PeerRouter, serve};

mod full;
mod golden;
mod heirs;
mod joining;
mod one;
mod removal;
mod storage;
mod three;

const WAIT: Duration = Duration::from_secs(60);
const CLUSTER: &str = "test-cluster";

fn timing() -> QuorumTiming {
    QuorumTiming {
        raft_heartbeat: Duration::from_millis(100),
        election: (Duration::from_millis(800), Duration::from_millis(1500)),
        broker_heartbeat: Duration::from_millis(100),
        session_timeout: Duration::from_secs(5),
        election_wait: Duration::from_secs(2),
        leader_imbalance_check: Duration::from_millis(300),
        duplicate_patience: Duration::from_secs(2),
        snapshot_every: 5000,
    }
}

/// What outlives a process.
struct Seat {
    broker: BrokerId,
    address: String,
    folder: TempDir,
    folder_id: FolderId,
}

impl Seat {
    async fn new(broker: i32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self {
            broker: BrokerId(broker),
            address: listener.local_addr().expect("bound").to_string(),
            folder: TempDir::new().expect("a folder"),
            folder_id: FolderId(Uuid::new_v4()),
        }
    }

    fn empty(&mut self) {
        self.folder = TempDir::new().expect("a folder");
        self.folder_id = FolderId(Uuid::new_v4());
    }
}

struct Node {
    quorum: Quorum,
    net: PeerNet,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

async fn start_with(seat: &Seat, seeds: &[String], timing: QuorumTiming) -> Node {
    let listener = TcpListener::bind(&seat.address).await.expect("its port");
    let router = Arc::new(PeerRouter::new());
    let net = PeerNet::new();
    let config = QuorumConfig {
        folder: seat.folder.path().to_owned(),
        folder_id: seat.folder_id,
        broker: seat.broker,
        rack: None,
        peer_address: seat.address.clone(),
        listeners: Vec::new(),
        seeds: seeds.to_vec(),
        incarnation: Uuid::new_v4(),
        clean: true,
        ineligible: Vec::new(),
        timing,
    };
    let quorum = Quorum::start(config, net.clone(), &router)
        .await
        .expect("starts");
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(serve(listener, router, stopped));
    Node {
        quorum,
        net,
        stop,
        server,
    }
}

async fn start(seat: &Seat, seeds: &[String]) -> Node {
    start_with(seat, seeds, timing()).await
}

impl Node {
    /// As if the process had been killed: no goodbye, sockets closed by the kernel.
    async fn kill(self) {
        self.stop.send_replace(true);
        self.server.abort();
        let _ = self.server.await;
        self.net.close();
        self.quorum.halt().await;
    }

    async fn stop(self) {
        self.quorum.stop().await;
        self.stop.send_replace(true);
        let _ = self.server.await;
    }

    async fn until_registered(&self) -> BrokerEpoch {
        let registered = timeout(WAIT, self.quorum.registered()).await;
        registered.expect("in time").expect("registered")
    }

    async fn until(&self, what: &str, condition: impl Fn(&Image) -> bool) -> Arc<Image> {
        let mut image = self.quorum.subscribe();
        let met = timeout(WAIT, image.wait_for(|image| condition(image))).await;
        let Ok(Ok(image)) = met.map(|met| met.map(|image| Arc::clone(&image))) else {
            panic!("{what}: {:#?}", self.quorum.image());
        };
        image
    }

    async fn until_live(&self, brokers: usize) {
        let live = |i: &Image| i.brokers.values().filter(|b| !b.fenced).count() == brokers;
        self.until("brokers live", live).await;
    }

    async fn until_voters(&self, voters: &[u64]) {
        let mut image = self.quorum.subscribe();
        let became = async {
            loop {
                let members = self.quorum.members();
                let now = members.iter().filter(|m| m.voter).map(|m| m.node.0);
                if now.eq(voters.iter().copied()) && members.iter().all(|m| m.live) {
                    return;
                }
                // Membership is no part of the image: look now and then too.
                let _ = timeout(Duration::from_millis(50), image.changed()).await;
            }
        };
        let met = timeout(WAIT, became).await;
        assert!(
            met.is_ok(),
            "voters {voters:?}: {:?}",
            self.quorum.members()
        );
    }
}

fn topic(name: &str, assignments: &[&[i32]]) -> ClusterCommand {
    let brokers = |replicas: &&[i32]| replicas.iter().copied().map(BrokerId).collect();
    ClusterCommand::CreateTopic(NewTopic {
        id: TopicId(Uuid::new_v4()),
        name: name.to_owned(),
        internal: false,
        partitions: -1,
        replication_factor: -1,
        assignments: Some(assignments.iter().map(brokers).collect()),
        config: BTreeMap::new(),
        owner: None,
        seed: 1,
        validate_only: false,
    })
}

async fn form_one() -> (Seat, Node) {
    let seat = Seat::new(0).await;
    let node = start(&seat, &[]).await;
    node.quorum.form(CLUSTER).await.expect("formed");
    node.until_registered().await;
    (seat, node)
}

/// Brokers 0, 1 and 2, all voters and live.
async fn form_three() -> (Vec<Seat>, Vec<Node>, Vec<String>) {
    let mut seats = Vec::new();
    for broker in 0..3 {
        seats.push(Seat::new(broker).await);
    }
    let seeds: Vec<String> = seats.iter().map(|s| s.address.clone()).collect();
    let mut nodes = Vec::new();
    for seat in &seats {
        nodes.push(start(seat, &seeds).await);
    }
    nodes[0].quorum.form(CLUSTER).await.expect("formed");
    for node in &nodes {
        node.until_registered().await;
        node.until_live(3).await;
        let voters = &node.quorum;
        assert!(voters.cluster_id().is_some_and(|id| id == CLUSTER));
    }
    for node in &nodes {
        node.until_voters(&voter_ids(node)).await;
    }
    (seats, nodes, seeds)
}

/// Every node of the image, in order: with three brokers, all vote.
fn voter_ids(node: &Node) -> Vec<u64> {
    node.quorum
        .image()
        .raft_nodes
        .keys()
        .map(|id| id.0)
        .collect()
}
