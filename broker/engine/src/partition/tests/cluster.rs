//! Brokers in one process: real disks, real connections, and metadata that is decided on the spot.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;
use weir_api::{Acks, Appended};
use weir_core::cluster::{
    ClusterCommand, ClusterReply, ConfigOp, ConfigResource, NewTopic, Registration,
};
use weir_storage::{DataFolder, LogConfig, RealDisk};
use weir_types::{BrokerId, FolderId, Millis, PartitionId, TopicId};

use super::super::{MetadataLink, Partitions, PartitionsConfig, recover};
use super::eventually;
use super::metadata::{Link, Metadata};
use super::records::produce;
use crate::peer::{PeerNet, PeerRouter, serve};

pub(super) const TOPIC: &str = "weather";

pub(super) struct TestBroker {
    pub(super) partitions: Partitions,
    link: Arc<Link>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

pub(super) struct TestCluster {
    pub(super) metadata: Arc<Metadata>,
    pub(super) brokers: Vec<Option<TestBroker>>,
    pub(super) tune: fn(&mut PartitionsConfig),
    folders: Vec<(PathBuf, FolderId)>,
    _dir: TempDir,
}

impl TestCluster {
    pub(super) async fn start(count: i32) -> Self {
        Self::start_tuned(count, |_| {}).await
    }

    pub(super) async fn start_tuned(count: i32, tune: fn(&mut PartitionsConfig)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let metadata = Arc::new(Metadata::default());
        metadata.apply(&ClusterCommand::Form {
            cluster_id: "test".to_owned(),
        });
        let folder = |n: i32| (dir.path().join(n.to_string()), FolderId(Uuid::new_v4()));
        let folders = (0..count).map(folder).collect();
        let brokers = (0..count).map(|_| None).collect();
        let mut cluster = Self {
            metadata,
            brokers,
            tune,
            folders,
            _dir: dir,
        };
        for id in 0..count {
            cluster.start_broker(id).await;
        }
        cluster
    }

    pub(super) fn folder(&self, id: i32) -> &Path {
        &self.folders[usize::try_from(id).expect("an index")].0
    }

    pub(super) async fn start_broker(&mut self, id: i32) {
        let index = usize::try_from(id).expect("an index");
        let (path, folder_id) = self.folders[index].clone();
        let broker = BrokerId(id);
        let folder = DataFolder::open(RealDisk, &path, broker, Millis(0)).expect("a folder");
        let recovered = recover(&folder, |_| LogConfig::default()).expect("a readable folder");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let reply = self
            .metadata
            .apply(&ClusterCommand::RegisterBroker(Registration {
                broker,
                folder: folder_id,
                incarnation: Uuid::new_v4(),
                rack: Some(format!("rack-{id}")),
                peer_address: listener.local_addr().expect("an address").to_string(),
                listeners: vec![super::nearest::listener()],
                clean: folder.was_clean(),
                ineligible: recovered.ineligible.clone(),
            }));
        let ClusterReply::Registered(epoch) = reply else {
            panic!("not registered: {reply:?}")
        };
        let link = Metadata::link(&self.metadata, epoch);
        let router = Arc::new(PeerRouter::new());
        let mut config = PartitionsConfig::new(broker);
        config.shards = 2;
        config.sync_threads = 2;
        config.tick = Duration::from_millis(10);
        (self.tune)(&mut config);
        let as_link: Arc<dyn MetadataLink> = Arc::clone(&link) as _;
        let folder = Arc::new(folder);
        let net = PeerNet::new();
        let partitions = Partitions::start(config, folder, recovered, net, &router, as_link)
            .expect("threads to start");
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(serve(listener, router, stopped));
        self.metadata
            .apply(&ClusterCommand::Unfence { broker, epoch });
        self.brokers[index] = Some(TestBroker {
            partitions,
            link,
            stop,
            server,
        });
    }

    pub(super) fn broker(&self, id: i32) -> &Partitions {
        let index = usize::try_from(id).expect("an index");
        &self.brokers[index]
            .as_ref()
            .expect("a running broker")
            .partitions
    }

    pub(super) fn link(&self, id: i32) -> &Link {
        let index = usize::try_from(id).expect("an index");
        &self.brokers[index].as_ref().expect("a running broker").link
    }

    /// It is gone for the others, and knows nothing of it. What is left of it is handed back.
    pub(super) async fn cut_off(&mut self, id: i32) -> TestBroker {
        let index = usize::try_from(id).expect("an index");
        let taken = self.brokers[index].take().expect("a running broker");
        taken.link.cut();
        taken.stop.send_replace(true);
        let (broker, epoch) = (BrokerId(id), taken.link.epoch);
        self.metadata
            .apply(&ClusterCommand::Fence { broker, epoch });
        taken
    }

    /// An orderly stop.
    pub(super) async fn stop_broker(&mut self, id: i32) {
        let broker = self.cut_off(id).await;
        broker.finish().await;
    }

    pub(super) fn create(
        &self,
        partitions: i32,
        replicas: i16,
        config: &[(&str, &str)],
    ) -> TopicId {
        let pair = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        let id = TopicId(Uuid::new_v4());
        self.metadata.apply(&ClusterCommand::CreateTopic(NewTopic {
            id,
            name: TOPIC.to_owned(),
            internal: false,
            partitions,
            replication_factor: replicas,
            assignments: None,
            config: config.iter().map(pair).collect::<BTreeMap<_, _>>(),
            owner: None,
            seed: 0,
            validate_only: false,
        }));
        id
    }

    pub(super) fn alter(&self, topic: TopicId, name: &str, value: &str) {
        self.metadata.apply(&ClusterCommand::AlterConfig {
            resource: ConfigResource::Topic(topic),
            ops: vec![ConfigOp::Set(name.to_owned(), value.to_owned())],
            validate_only: false,
        });
    }

    pub(super) fn leader_of(&self, id: PartitionId) -> Option<BrokerId> {
        self.metadata.image().partition(id)?.leader
    }

    pub(super) fn isr_of(&self, id: PartitionId) -> usize {
        self.metadata
            .image()
            .partition(id)
            .map_or(0, |p| p.isr.len())
    }

    /// Through whoever leads, again and again until it is acknowledged.
    pub(super) async fn write(&self, id: PartitionId, records: Bytes) -> Appended {
        eventually("an acknowledged write", async || {
            let leader = self.leader_of(id)?;
            let index = usize::try_from(leader.0).expect("an index");
            let broker = self.brokers[index].as_ref()?;
            produce(&broker.partitions, id.index, records.clone(), Acks::All)
                .await
                .ok()
        })
        .await
    }
}

impl TestBroker {
    pub(super) async fn finish(self) {
        self.partitions.stop().await.expect("an orderly stop");
        self.stop.send_replace(true);
        self.server.await.expect("the server to end");
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        // The folders go with us: nothing may write there any more.
        for broker in self.brokers.iter().flatten() {
            broker.partitions.hub.stopping.send_replace(true);
        }
    }
}
