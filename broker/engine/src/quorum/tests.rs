//! Quorums of real nodes in one process, on loopback and temporary folders.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;
use weir_core::cluster::{ClusterCommand, ClusterError, ClusterReply, Image, NewTopic};
use weir_types::{BrokerId, FolderId, PartitionId, TopicId};

use super::{ProposeError, Quorum, QuorumConfig, QuorumError, QuorumTiming};
use crate::peer::{PeerNet, PeerRouter, serve};

const WAIT: Duration = Duration::from_secs(60);
const CLUSTER: &str = "test-cluster";

fn timing() -> QuorumTiming {
    QuorumTiming {
        raft_heartbeat: Duration::from_millis(100),
        election: (Duration::from_millis(800), Duration::from_millis(1500)),
        broker_heartbeat: Duration::from_millis(100),
        session_timeout: Duration::from_secs(5),
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
    node.quorum.registered().await.expect("registered");
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
        node.quorum.registered().await.expect("registered");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_broker_is_ready_at_once() {
    let seat = Seat::new(0).await;
    let began = Instant::now();
    let node = start(&seat, &[]).await;
    let started = began.elapsed();
    node.quorum.form(CLUSTER).await.expect("formed");
    let formed = began.elapsed();
    node.quorum.registered().await.expect("registered");
    node.until_live(1).await;
    let live = began.elapsed();
    node.quorum
        .propose(topic("a", &[&[0]]))
        .await
        .expect("created");
    println!(
        "opened after {started:?}, formed after {formed:?}, live after {live:?}, first topic \
         after {:?}",
        began.elapsed()
    );
    assert!(live < Duration::from_secs(5), "{live:?}");
    assert!(node.quorum.image().topic_by_name("a").is_some());
    assert_eq!(node.quorum.controller(), Some(BrokerId(0)));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forming_twice_is_forming_once_and_another_id_is_refused() {
    let (_seat, node) = form_one().await;
    node.quorum.form(CLUSTER).await.expect("the same id");
    let other = node.quorum.form("another").await;
    assert!(
        matches!(other, Err(QuorumError::OtherCluster { .. })),
        "{other:?}"
    );
    let again = node
        .quorum
        .propose(ClusterCommand::Form {
            cluster_id: "x".into(),
        })
        .await;
    assert!(matches!(
        again,
        Err(ProposeError::Refused(ClusterError::OtherCluster { .. }))
    ));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_broker_knows_everything_at_once() {
    let (seat, node) = form_one().await;
    node.until_live(1).await;
    node.quorum
        .propose(topic("kept", &[&[0], &[0]]))
        .await
        .expect("created");
    let epoch = node.quorum.broker_epoch();
    let id = node
        .quorum
        .image()
        .topic_by_name("kept")
        .expect("created")
        .id;
    node.kill().await;

    let began = Instant::now();
    let node = start(&seat, &[]).await;
    let again = node.quorum.registered().await.expect("registered");
    node.until_live(1).await;
    println!("live again after {:?}", began.elapsed());
    assert!(Some(again) > epoch, "a new incarnation has a new epoch");
    let image = node.quorum.image();
    let partition = image.partition(PartitionId::new(id, 1)).expect("kept");
    assert_eq!(partition.leader, Some(BrokerId(0)));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_after_snapshots_and_purges_restores_the_same_image() {
    let seat = Seat::new(0).await;
    let timing = QuorumTiming {
        snapshot_every: 40,
        ..timing()
    };
    let node = start_with(&seat, &[], timing.clone()).await;
    node.quorum.form(CLUSTER).await.expect("formed");
    node.quorum.registered().await.expect("registered");
    for index in 0..250 {
        node.quorum
            .propose(topic(&format!("t{index}"), &[&[0]]))
            .await
            .expect("created");
    }
    let raft = &node
        .quorum
        .shared_for_tests()
        .node
        .get()
        .expect("joined")
        .raft;
    raft.wait(Some(WAIT))
        .metrics(|m| m.purged.is_some_and(|p| p.index > 100), "purged")
        .await
        .expect("old entries are purged");
    let before = node.quorum.image();
    node.kill().await;
    let node = start_with(&seat, &[], timing).await;
    let image = node
        .until("restored", |i| i.version >= before.version)
        .await;
    assert_eq!(image.topics, before.topics);
    assert_eq!(image.cluster_id, CLUSTER);
    node.quorum.registered().await.expect("registered");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_brokers_join_and_any_of_them_may_propose() {
    let (_seats, nodes, _) = form_three().await;
    for (index, node) in nodes.iter().enumerate() {
        let name = format!("from-{index}");
        let reply = node
            .quorum
            .propose(topic(&name, &[&[0, 1, 2]]))
            .await
            .expect("created");
        assert!(matches!(reply, ClusterReply::TopicCreated(_)));
        assert!(
            node.quorum.image().topic_by_name(&name).is_some(),
            "its own image has it"
        );
        let twice = node.quorum.propose(topic(&name, &[&[0]])).await;
        assert!(matches!(
            twice,
            Err(ProposeError::Refused(ClusterError::TopicExists(_)))
        ));
    }
    for node in &nodes {
        node.until("all topics everywhere", |i| i.topics.len() == 3)
            .await;
        assert!(
            !node.quorum.needs(BrokerId(1)),
            "two of three are a majority"
        );
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_controller_is_replaced_and_fenced_quickly() {
    let (seats, mut nodes, seeds) = form_three().await;
    let id = match nodes[1]
        .quorum
        .propose(topic("a", &[&[0, 1, 2]]))
        .await
        .expect("created")
    {
        ClusterReply::TopicCreated(id) => id,
        other => panic!("{other:?}"),
    };
    let partition = PartitionId::new(id, 0);
    let leads = |broker: i32| {
        move |i: &Image| {
            i.partition(partition)
                .is_some_and(|p| p.leader == Some(BrokerId(broker)))
        }
    };
    nodes[1].until("led by 0", leads(0)).await;
    assert_eq!(nodes[1].quorum.controller(), Some(BrokerId(0)));

    let first = nodes.remove(0);
    first.kill().await;
    let began = Instant::now();
    nodes[0].until("fenced", |i| !i.is_live(BrokerId(0))).await;
    println!(
        "controller killed: fenced by its heir after {:?}",
        began.elapsed()
    );
    nodes[0].until("led by 1", leads(1)).await;
    nodes[0]
        .quorum
        .propose(topic("b", &[&[1, 2]]))
        .await
        .expect("goes on");
    nodes[1]
        .until("follows", |i| i.topic_by_name("b").is_some())
        .await;
    assert!(nodes[0].quorum.needs(BrokerId(1)), "two of three are left");

    let back = start(&seats[0], &seeds).await;
    back.quorum.registered().await.expect("registered");
    back.until_live(3).await;
    assert!(back.quorum.image().topic_by_name("b").is_some());
    nodes.push(back);
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_is_fenced_long_before_its_session_ends() {
    let (_seats, mut nodes, _) = form_three().await;
    let victim = nodes.remove(2);
    victim.kill().await;
    let began = Instant::now();
    nodes[0].until("fenced", |i| !i.is_live(BrokerId(2))).await;
    println!("broker killed: fenced after {:?}", began.elapsed());
    assert!(
        began.elapsed() < timing().session_timeout,
        "{:?}",
        began.elapsed()
    );
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_stop_of_the_controller_leaves_no_gap() {
    let (_seats, mut nodes, _) = form_three().await;
    let first = nodes.remove(0);
    assert_eq!(first.quorum.begin_stop().await, Ok(0));
    first.stop().await;
    let began = Instant::now();
    nodes[0]
        .quorum
        .propose(topic("a", &[&[1]]))
        .await
        .expect("created");
    println!(
        "controller stopped: the next proposal took {:?}",
        began.elapsed()
    );
    assert!(
        !nodes[0].quorum.image().is_live(BrokerId(0)),
        "it said goodbye"
    );
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_cluster_restarts() {
    let (seats, nodes, seeds) = form_three().await;
    nodes[2]
        .quorum
        .propose(topic("kept", &[&[0, 1, 2]]))
        .await
        .expect("created");
    for node in nodes {
        node.kill().await;
    }
    let mut nodes = Vec::new();
    for seat in &seats {
        nodes.push(start(seat, &seeds).await);
    }
    for node in &nodes {
        node.quorum.registered().await.expect("registered");
        node.until_live(3).await;
        assert!(node.quorum.image().topic_by_name("kept").is_some());
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_folder_comes_back_as_a_new_node() {
    let (mut seats, mut nodes, seeds) = form_three().await;
    let old = voter_ids(&nodes[0]);
    let seat_of_three = nodes[0].quorum.image();
    let replaced = seat_of_three
        .raft_nodes
        .values()
        .find(|n| n.broker == BrokerId(2))
        .map(|n| n.id.0)
        .expect("a node");
    nodes.pop().expect("three").kill().await;
    seats[2].empty();
    let back = start(&seats[2], &seeds).await;
    back.quorum.registered().await.expect("registered");
    back.until_live(3).await;
    let forgotten = |i: &Image| !i.raft_nodes.contains_key(&weir_types::RaftNodeId(replaced));
    back.until("the old node is forgotten", forgotten).await;
    let mut voters: Vec<u64> = old.into_iter().filter(|id| *id != replaced).collect();
    voters.push(4);
    back.until_voters(&voters).await;
    nodes.push(back);
    for node in &nodes {
        node.quorum
            .propose(topic(&Uuid::new_v4().to_string(), &[&[2]]))
            .await
            .expect("created");
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_broker_with_the_same_id_gives_up_with_a_clear_line() {
    let (seat, node) = form_one().await;
    node.until_live(1).await;
    let mut twin = Seat::new(0).await;
    twin.folder_id = FolderId(Uuid::new_v4());
    let second = start(&twin, &[seat.address.clone()]).await;
    let error = second.quorum.registered().await.expect_err("refused");
    assert!(
        matches!(error, QuorumError::DuplicateBroker { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("same id"), "{error}");
    assert_eq!(node.quorum.image().raft_nodes.len(), 1, "it left no trace");
    second.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_joiner_gets_the_snapshot() {
    let seat = Seat::new(0).await;
    let timing = QuorumTiming {
        snapshot_every: 30,
        ..timing()
    };
    let node = start_with(&seat, &[], timing.clone()).await;
    node.quorum.form(CLUSTER).await.expect("formed");
    node.quorum.registered().await.expect("registered");
    for index in 0..200 {
        node.quorum
            .propose(topic(&format!("t{index}"), &[&[0]]))
            .await
            .expect("created");
    }
    let late = Seat::new(1).await;
    let second = start_with(&late, &[seat.address.clone()], timing).await;
    second.quorum.registered().await.expect("registered");
    second.until_live(2).await;
    assert_eq!(second.quorum.image().topics.len(), 200);
    assert_eq!(second.quorum.image().topics, node.quorum.image().topics);
    let voters = node.quorum.members().iter().filter(|m| m.voter).count();
    assert_eq!(voters, 1, "two brokers, one voter");
    assert!(node.quorum.needs(BrokerId(0)));
    assert!(!node.quorum.needs(BrokerId(1)));
    second.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_go_back_to_their_preferred_broker() {
    let (seats, mut nodes, seeds) = form_three().await;
    let reply = nodes[0]
        .quorum
        .propose(topic("a", &[&[2, 0]]))
        .await
        .expect("created");
    let ClusterReply::TopicCreated(id) = reply else {
        panic!("{reply:?}")
    };
    let partition = PartitionId::new(id, 0);
    nodes.pop().expect("three").kill().await;
    let led_by = |broker: i32| {
        move |i: &Image| {
            i.partition(partition)
                .is_some_and(|p| p.leader == Some(BrokerId(broker)))
        }
    };
    let image = nodes[0].until("taken over", led_by(0)).await;
    let back = start(&seats[2], &seeds).await;
    back.quorum.registered().await.expect("registered");
    back.until_live(3).await;
    let state = back
        .quorum
        .image()
        .partition(partition)
        .expect("there")
        .clone();
    assert!(state.leader_epoch >= image.partition(partition).expect("there").leader_epoch);
    // What the partition's leader does once the follower has caught up.
    let image = back.quorum.image();
    let isr = [0, 2]
        .map(|id| (BrokerId(id), image.brokers[&BrokerId(id)].epoch))
        .to_vec();
    let grown = ClusterCommand::AlterPartition(weir_core::cluster::AlterPartition {
        broker: BrokerId(0),
        broker_epoch: image.brokers[&BrokerId(0)].epoch,
        partition,
        leader_epoch: state.leader_epoch,
        partition_epoch: state.partition_epoch,
        isr,
    });
    nodes[0].quorum.propose(grown).await.expect("in sync again");
    nodes[0].until("given back", led_by(2)).await;
    nodes.push(back);
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_a_newer_release_stops_the_broker() {
    let (seat, node) = form_one().await;
    node.stop().await;
    poke(seat.folder.path(), "identity", &[4, 9, 0]);
    let config = QuorumConfig {
        folder: seat.folder.path().to_owned(),
        folder_id: seat.folder_id,
        broker: seat.broker,
        rack: None,
        peer_address: seat.address.clone(),
        listeners: Vec::new(),
        seeds: Vec::new(),
        incarnation: Uuid::new_v4(),
        clean: true,
        ineligible: Vec::new(),
        timing: timing(),
    };
    let refused = Quorum::start(config, PeerNet::new(), &PeerRouter::new()).await;
    let error = refused.err().expect("refused");
    assert!(error.to_string().contains("newer release"), "{error}");
}

fn poke(folder: &Path, key: &str, value: &[u8]) {
    let table = redb::TableDefinition::<&str, &[u8]>::new("meta");
    let path = folder.join("metadata/quorum.redb");
    let database = redb::Database::open(path).expect("closed by then");
    let write = database.begin_write().expect("writes");
    write
        .open_table(table)
        .expect("there")
        .insert(key, value)
        .expect("put");
    write.commit().expect("written");
}
