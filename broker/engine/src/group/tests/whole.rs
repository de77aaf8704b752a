//! Groups on a whole broker: real quorum, real partitions, real disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;
use weir_api::CommitOffset;
use weir_core::cluster::{ClusterCommand, NewTopic};
use weir_core::group::GroupConfig;
use weir_storage::{DataFolder, LogConfig, RealDisk};
use weir_types::{BrokerId, Millis, TopicId};

use super::memory::{CALLER, at, commit, eventually, join_request, sync_request};
use crate::group::{Groups, GroupsConfig};
use crate::partition::{Partitions, PartitionsConfig, recover};
use crate::peer::{PeerNet, PeerRouter, serve};
use crate::quorum::{Quorum, QuorumConfig, QuorumTiming};

const BROKER: BrokerId = BrokerId(0);

struct Node {
    groups: Groups,
    partitions: Partitions,
    quorum: Quorum,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

async fn start(path: &Path) -> Node {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let router = Arc::new(PeerRouter::new());
    let net = PeerNet::new();
    let folder = DataFolder::open(RealDisk, path, BROKER, Millis(0)).expect("opens");
    let recovered = recover(&folder, |_| LogConfig::default()).expect("recovers");
    let config = QuorumConfig {
        folder: path.to_owned(),
        folder_id: folder.folder_id(),
        broker: BROKER,
        rack: None,
        peer_address: listener.local_addr().expect("bound").to_string(),
        listeners: Vec::new(),
        seeds: Vec::new(),
        incarnation: Uuid::new_v4(),
        clean: folder.was_clean(),
        ineligible: recovered.ineligible.clone(),
        timing: QuorumTiming::default(),
    };
    let quorum = Quorum::start(config, net.clone(), &router)
        .await
        .expect("starts");
    let mut tuned = PartitionsConfig::new(BROKER);
    tuned.compaction_check = Duration::from_millis(50);
    let partitions = Partitions::start(
        tuned,
        Arc::new(folder),
        recovered,
        net.clone(),
        &router,
        Arc::new(quorum.clone()),
    )
    .expect("starts");
    let config = GroupsConfig {
        group: GroupConfig {
            initial_rebalance_delay_ms: 0,
            ..GroupConfig::default()
        },
        offsets_topic_partitions: 3,
        offsets_topic_segment_bytes: 1 << 20,
        ..GroupsConfig::default()
    };
    let groups = Groups::start(
        BROKER,
        quorum.clone(),
        partitions.clone(),
        net,
        &router,
        config,
    );
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(serve(listener, router, stopped));
    quorum.form("c").await.expect("formed");
    quorum.registered().await.expect("registered");
    let mut image = quorum.subscribe();
    image
        .wait_for(|image| image.is_live(BROKER))
        .await
        .expect("live");
    Node {
        groups,
        partitions,
        quorum,
        stop,
        server,
    }
}

impl Node {
    async fn stop(self) {
        self.groups.stop().await;
        self.partitions.stop().await.expect("closed in order");
        self.quorum.stop().await;
        self.stop.send_replace(true);
        self.server.await.expect("served");
    }

    async fn create_topic(&self, name: &str, partitions: i32) {
        let topic = NewTopic {
            id: TopicId(Uuid::new_v4()),
            name: name.to_owned(),
            internal: false,
            partitions,
            replication_factor: 1,
            assignments: None,
            config: std::collections::BTreeMap::new(),
            owner: None,
            seed: 0,
            validate_only: false,
        };
        self.quorum
            .propose(ClusterCommand::CreateTopic(topic))
            .await
            .expect("created");
    }

    async fn offset(&self, index: i32) -> i64 {
        let asked = vec![at("t", index)];
        let found = eventually(|| {
            self.groups
                .committed_offsets(&CALLER, "g", Some(asked.clone()))
        })
        .await;
        found[0].offset.0
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_and_offsets_survive_a_restart_of_the_whole_broker() {
    let folder = TempDir::new().expect("a folder");
    let node = start(folder.path()).await;
    node.create_topic("t", 400).await;
    let found = eventually(|| node.groups.find_coordinator(&CALLER, "g")).await;
    assert_eq!(found, BROKER);

    let joined = eventually(|| node.groups.join_group(&CALLER, join_request("g", ""))).await;
    let assignments = [(joined.member.as_str(), "all")];
    let sync = sync_request("g", &joined, &assignments);
    node.groups.sync_group(&CALLER, sync).await.expect("synced");
    // More than one batch holds.
    let large = |index| CommitOffset {
        metadata: "x".repeat(4_000),
        ..commit("t", index, 7)
    };
    for offsets in [(0..400).map(large).collect(), vec![commit("t", 3, 9)]] {
        let count = offsets.len();
        let outcomes = node
            .groups
            .commit_offsets(&CALLER, "g", 1, &joined.member, None, offsets)
            .await;
        assert_eq!(outcomes, Ok(vec![Ok(()); count]));
    }
    let lag = tokio::time::timeout(Duration::from_secs(10), node.groups.group_lag(&CALLER, "g"));
    assert_eq!(lag.await.expect("in time").expect("known").len(), 400);
    node.stop().await;

    let node = start(folder.path()).await;
    assert_eq!(node.offset(3).await, 9);
    assert_eq!(node.offset(399).await, 7);
    let beat = || node.groups.heartbeat(&CALLER, "g", 1, &joined.member, None);
    eventually(beat).await;
    let again = node
        .groups
        .sync_group(&CALLER, sync_request("g", &joined, &[]))
        .await;
    assert_eq!(again.expect("still assigned").assignment, "all");
    node.stop().await;
}

/// Bytes of the log files of `__consumer_offsets`.
fn bytes_of_offsets(folder: &Path, node: &Node) -> u64 {
    let image = node.quorum.image();
    let topic = image.topic_by_name("__consumer_offsets").expect("created");
    let folders = std::fs::read_dir(folder.join("partitions")).expect("a folder");
    let of_topic = folders.flatten().filter(|f| {
        let name = f.file_name();
        name.to_string_lossy().starts_with(&topic.id.to_string())
    });
    let files = of_topic.flat_map(|f| std::fs::read_dir(f.path()).expect("a folder").flatten());
    let logs = files.filter(|f| f.path().extension().is_some_and(|e| e == "log"));
    logs.filter_map(|f| f.metadata().ok())
        .map(|m| m.len())
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn committed_offsets_survive_the_compaction_of_their_log() {
    let folder = TempDir::new().expect("a folder");
    let node = start(folder.path()).await;
    node.create_topic("t", 400).await;
    eventually(|| node.groups.find_coordinator(&CALLER, "g")).await;

    let joined = eventually(|| node.groups.join_group(&CALLER, join_request("g", ""))).await;
    let assignments = [(joined.member.as_str(), "all")];
    let sync = sync_request("g", &joined, &assignments);
    node.groups.sync_group(&CALLER, sync).await.expect("synced");
    // 1.6 MB a round.
    let large = |index, offset| CommitOffset {
        metadata: "x".repeat(4_000),
        ..commit("t", index, offset)
    };
    for round in 1..=6 {
        let offsets = (0..400).map(|index| large(index, round)).collect();
        let outcomes = node
            .groups
            .commit_offsets(&CALLER, "g", 1, &joined.member, None, offsets)
            .await;
        assert_eq!(outcomes, Ok(vec![Ok(()); 400]));
    }
    let compacted = async {
        while bytes_of_offsets(folder.path(), &node) > 5_000_000 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let compacted = tokio::time::timeout(Duration::from_secs(60), compacted).await;
    assert!(
        compacted.is_ok(),
        "{}",
        bytes_of_offsets(folder.path(), &node)
    );
    node.stop().await;

    let node = start(folder.path()).await;
    for index in 0..400 {
        assert_eq!(node.offset(index).await, 6, "partition {index}");
    }
    node.stop().await;
}
