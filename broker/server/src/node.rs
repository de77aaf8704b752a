//! Everything that one broker process consists of, put together in one place.

use anyhow::{Context as _, Result, anyhow};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};
use uuid::Uuid;
use weir_api::Engine;
use weir_engine::facade::LocalEngine;
use weir_engine::group::{Groups, GroupsConfig};
use weir_engine::listener;
use weir_engine::partition::{Partitions, PartitionsConfig, Recovered, recover};
use weir_engine::peer::{self, PeerNet, PeerRouter};
use weir_engine::quorum::{Quorum, QuorumConfig, QuorumTiming};
use weir_engine::store::{DataFolder, open_folder};
use weir_grpc::{AdminServer, AdminTls};
use weir_kafka::{KafkaConfig, KafkaFace};
use weir_types::BrokerId;

use crate::config::{Address, Config, TlsConfig};
use crate::health::{self, Health};
use crate::metrics::Metrics;
use crate::{Args, dev, drain, rack};

/// Every socket, bound before anything else is done: a port that is taken ends the process with
/// nothing touched.
struct Sockets {
    peer: TcpListener,
    admin: TcpListener,
    health: TcpListener,
    kafka: Vec<(String, TcpListener)>,
}

impl Sockets {
    async fn bind(config: &Config) -> Result<Self> {
        let mut kafka = Vec::new();
        for listener in &config.listeners {
            kafka.push((
                listener.name.clone(),
                bind(&listener.name, listener.bind).await?,
            ));
        }
        Ok(Self {
            peer: bind("peer", config.peer.bind).await?,
            admin: bind("admin", config.admin.bind).await?,
            health: bind("health", config.health.bind).await?,
            kafka,
        })
    }
}

async fn bind(name: &str, address: std::net::SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listener {name:?} on {address}"))
}

/// Runs a broker until it is told to stop or cannot go on.
///
/// # Errors
/// A configuration, folder or port that cannot be used; a disk that failed while it ran.
pub async fn run(args: Args) -> Result<()> {
    let started = Instant::now();
    // Lives as long as the broker does.
    let scratch;
    let config = match (&args.config, &args.data_dir) {
        (Some(file), _) => Config::read(file)?,
        (None, Some(folder)) => dev::config(folder.clone(), args.port)?,
        (None, None) => {
            scratch = tempfile::Builder::new().prefix("weir-dev-").tempdir()?;
            dev::config(scratch.path().to_owned(), args.port)?
        }
    };
    let node = Node::start(&config).await?;
    if args.dev {
        tokio::select! {
            () = live(node.quorum.clone(), node.engine.broker()) => {}
            error = node.quorum.failed() => return Err(error.into()),
        }
        let took = started.elapsed().as_millis();
        info!(
            "ready in {took} ms: Kafka clients on {}",
            config.listeners[0].bind
        );
    }
    node.run().await
}

struct Node {
    engine: Arc<LocalEngine>,
    folder: Arc<DataFolder>,
    quorum: Quorum,
    partitions: Partitions,
    groups: Groups,
    unready: watch::Sender<Option<String>>,
    /// Stops the faces.
    stop_faces: watch::Sender<bool>,
    /// Stops what the other brokers and the probes reach.
    stop_rest: watch::Sender<bool>,
    faces: JoinSet<Result<()>>,
    rest: JoinSet<Result<()>>,
}

impl Node {
    async fn start(config: &Config) -> Result<Self> {
        let broker = config.broker(&hostname())?;
        let sockets = Sockets::bind(config).await?;
        let (stop_faces, faces_stop) = watch::channel(false);
        let (stop_rest, rest_stop) = watch::channel(false);
        let (unready, unready_seen) = watch::channel(Some("starting".to_owned()));
        let metrics = Arc::new(OnceLock::new());
        let mut rest = JoinSet::new();
        // Before recovery: a broker that reads its logs for minutes is alive.
        let health = Health {
            unready: unready_seen,
            metrics: metrics.clone(),
        };
        let served = health::serve(sockets.health, health, rest_stop.clone());
        rest.spawn(async move { served.await.context("health") });

        let (folder, recovered) = open(config.data_dir.clone(), broker).await?;
        let net = PeerNet::new();
        let router = PeerRouter::new();
        let mut quorum_config = quorum_config(config, broker, &folder, &recovered);
        quorum_config.rack = match &config.rack_file {
            Some(file) => rack::learn(file).await,
            None => config.rack.clone(),
        };
        let quorum = Quorum::start(quorum_config, net.clone(), &router).await?;
        let partitions = Partitions::start(
            PartitionsConfig::new(broker),
            folder.clone(),
            recovered,
            net.clone(),
            &router,
            Arc::new(quorum.clone()),
        )?;
        metrics.get_or_init(|| Metrics::new(partitions.metrics()));
        let groups = Groups::start(
            broker,
            quorum.clone(),
            partitions.clone(),
            net,
            &router,
            GroupsConfig::default(),
        );
        let router = Arc::new(router);
        let peers = peer::serve(sockets.peer, router, rest_stop.clone());
        rest.spawn(async move {
            peers.await;
            Ok(())
        });
        let engine = Arc::new(LocalEngine::new(
            broker,
            quorum.clone(),
            partitions.clone(),
            groups.clone(),
            config.config.clone(),
        ));
        let mut node = Self {
            engine,
            folder,
            quorum,
            partitions,
            groups,
            unready,
            stop_faces,
            stop_rest,
            faces: JoinSet::new(),
            rest,
        };
        node.open_faces(
            config,
            sockets.admin,
            sockets.kafka,
            &faces_stop,
            &rest_stop,
        )?;
        if let Some(cluster_id) = &config.form {
            node.form(cluster_id).await?;
        }
        Ok(node)
    }

    fn open_faces(
        &mut self,
        config: &Config,
        admin: TcpListener,
        kafka: Vec<(String, TcpListener)>,
        faces_stop: &watch::Receiver<bool>,
        rest_stop: &watch::Receiver<bool>,
    ) -> Result<()> {
        let engine: Arc<dyn Engine> = self.engine.clone();
        let tls = config.admin.tls.as_ref().map(read_tls).transpose()?;
        let served = AdminServer::new(engine.clone(), tls).serve(admin, rest_stop.clone());
        self.rest
            .spawn(async move { served.await.context("admin listener") });
        let broker = self.engine.broker();
        let face = KafkaFace::new(engine, KafkaConfig::default());
        for (name, socket) in kafka {
            let mut stop = faces_stop.clone();
            let served = face.clone().serve(socket, name, stop.clone());
            let live = live(self.quorum.clone(), broker);
            self.faces.spawn(async move {
                // Until then nothing true could be told; whoever connects waits in the backlog.
                let open = tokio::select! {
                    () = live => true,
                    stopped = stop.wait_for(|stop| *stop) => stopped.is_err(),
                };
                if open {
                    served.await;
                }
                Ok(())
            });
        }
        Ok(())
    }

    /// Forms the cluster of the configuration, unless this folder belongs to one already.
    async fn form(&self, cluster_id: &str) -> Result<()> {
        if self.quorum.cluster_id().is_some() {
            return Ok(());
        }
        self.engine
            .form(cluster_id)
            .await
            .with_context(|| format!("cluster {cluster_id}"))
    }

    async fn run(mut self) -> Result<()> {
        let (mut faces, mut rest) = (
            std::mem::take(&mut self.faces),
            std::mem::take(&mut self.rest),
        );
        let ended = tokio::select! {
            ended = self.watch_readiness() => ended,
            ended = signalled() => ended,
            error = self.quorum.failed() => Err(anyhow!(error)),
            error = fatal(&self.partitions) => Err(error),
            ended = first_end(&mut faces, &mut rest) => ended,
        };
        self.unready.send_replace(Some("stopping".to_owned()));
        if ended.is_ok() {
            drain::hand_off(&self.quorum, &*self.engine).await;
        }
        self.stop_faces.send_replace(true);
        finish("faces", &mut faces).await;
        self.groups.stop().await;
        if let Err(error) = self.partitions.stop().await {
            warn!(%error, "the folder is not marked as closed in order");
        }
        self.quorum.stop().await;
        self.stop_rest.send_replace(true);
        finish("listeners", &mut rest).await;
        info!("stopped");
        ended
    }

    /// Ready: registered and unfenced; the listeners are open by then.
    async fn watch_readiness(&self) -> Result<()> {
        let me = self.engine.broker();
        let mut images = self.quorum.subscribe();
        loop {
            let why = {
                let image = images.borrow_and_update();
                match image.brokers.get(&me) {
                    None => Some("not registered yet".to_owned()),
                    Some(b) if b.fenced => Some("fenced".to_owned()),
                    Some(_) if self.quorum.broker_epoch().is_none() => {
                        Some("not registered yet".to_owned())
                    }
                    Some(_) => None,
                }
            };
            self.unready.send_if_modified(|now| {
                let changed = *now != why;
                *now = why;
                changed
            });
            if let Some(cluster) = self.quorum.cluster_id() {
                self.folder.set_cluster_id(&cluster)?;
            }
            if images.changed().await.is_err() {
                return Err(anyhow!("the metadata stopped"));
            }
        }
    }
}

/// Opens the folder and every log in it.
async fn open(path: PathBuf, broker: BrokerId) -> Result<(Arc<DataFolder>, Recovered)> {
    let named = path.clone();
    let open = move || {
        let folder = Arc::new(open_folder(&path, broker)?);
        // Each log gets its own configuration as soon as the metadata is known.
        let recovered = recover(&folder, |_| weir_engine::store::LogConfig::default())?;
        Ok::<_, weir_engine::store::StorageError>((folder, recovered))
    };
    let opened = tokio::task::spawn_blocking(open).await?;
    opened.with_context(|| format!("data folder {}", named.display()))
}

/// Waits until the broker may lead; for ever, if the metadata stop.
async fn live(quorum: Quorum, broker: BrokerId) {
    let mut images = quorum.subscribe();
    if images
        .wait_for(|image| image.is_live(broker))
        .await
        .is_err()
    {
        std::future::pending().await
    }
}

/// Resolves when the disk can be trusted no more.
async fn fatal(partitions: &Partitions) -> anyhow::Error {
    let mut reason = partitions.fatal();
    match reason.wait_for(Option::is_some).await {
        Ok(reason) => anyhow!(reason.clone().unwrap_or_default()),
        Err(_) => anyhow!("the partitions stopped"),
    }
}

fn hostname() -> String {
    std::env::var("POD_NAME")
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_default()
}

fn quorum_config(
    config: &Config,
    broker: BrokerId,
    folder: &DataFolder,
    recovered: &Recovered,
) -> QuorumConfig {
    let listeners = config.listeners.iter().map(|l| {
        let address = l
            .advertised
            .as_deref()
            .and_then(|a| a.parse::<Address>().ok());
        // Without an address of its own yet, it is not told to clients.
        let (host, port) = address.map_or((String::new(), 0), |a| (a.host, a.port));
        listener(l.name.clone(), host, port)
    });
    QuorumConfig {
        folder: config.data_dir.clone(),
        folder_id: folder.folder_id(),
        broker,
        rack: None,
        peer_address: config.peer.advertised.clone(),
        listeners: listeners.collect(),
        seeds: config.seeds.clone(),
        incarnation: Uuid::new_v4(),
        clean: folder.was_clean(),
        ineligible: recovered.ineligible.clone(),
        timing: QuorumTiming::default(),
    }
}

fn read_tls(tls: &TlsConfig) -> Result<AdminTls> {
    let read = |path: &std::path::Path| {
        std::fs::read(path).with_context(|| format!("admin tls: {}", path.display()))
    };
    Ok(AdminTls {
        cert: read(&tls.cert)?,
        key: read(&tls.key)?,
        client_ca: read(&tls.client_ca)?,
    })
}

/// Resolves when the process is asked to stop.
async fn signalled() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = term.recv() => info!("asked to stop"),
        _ = int.recv() => info!("interrupted"),
    }
    Ok(())
}

/// None of these tasks ends while the broker runs: whichever does took the broker with it.
async fn first_end(faces: &mut JoinSet<Result<()>>, rest: &mut JoinSet<Result<()>>) -> Result<()> {
    let ended = tokio::select! {
        Some(ended) = faces.join_next() => ended,
        Some(ended) = rest.join_next() => ended,
        else => return Err(anyhow!("nothing is being served")),
    };
    ended??;
    Err(anyhow!("a listener closed"))
}

/// How long connections get to end by themselves.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

async fn finish(what: &str, tasks: &mut JoinSet<Result<()>>) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(FINISH_WITHIN, all).await.is_err() {
        warn!("{what} did not end in time");
        tasks.abort_all();
    }
}
