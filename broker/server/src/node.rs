//! Everything that one broker process consists of, put together in one place.

use anyhow::{Context as _, Result, anyhow};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};
use weir_api::Engine;
use weir_engine::facade::LocalEngine;
use weir_engine::group::{Groups, GroupsConfig};
use weir_engine::partition::Partitions;
use weir_engine::peer::{self, PeerNet, PeerRouter};
use weir_engine::quorum::Quorum;
use weir_engine::store::DataFolder;
use weir_grpc::AdminServer;
use weir_kafka::{KafkaConfig, KafkaFace};

use crate::config::Config;
use crate::ends::{fatal, finish, first_end, not_formed, signalled};
use crate::group_backlog::{self, Shown};
use crate::health::{self, Health};
use crate::metrics::Metrics;
use crate::prepare::{hostname, open, partitions_config, quorum_config};
use crate::sockets::Sockets;
use crate::tls::{self, Renewals};
use crate::{Args, dev, drain};

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
            () = node.quorum.live() => {}
            error = node.quorum.failed() => return Err(error.into()),
        }
        let took = started.elapsed().as_millis();
        info!(
            "ready in {took} ms: Kafka clients on {}",
            config.listeners[0].bind
        );
    }
    node.run(config.form.is_some()).await
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
        let mut rest = JoinSet::new();
        // Before recovery: a broker that reads its logs for minutes is alive.
        let (unready, metrics) = open_health(sockets.health, &mut rest, &rest_stop);
        let (folder, recovered) = open(config.data_dir.clone(), broker).await?;
        let net = PeerNet::new();
        let router = PeerRouter::new();
        let joining = quorum_config(config, broker, &folder, &recovered).await;
        let quorum = Quorum::start(joining, net.clone(), &router).await?;
        let partitions = Partitions::start(
            partitions_config(config, broker),
            folder.clone(),
            recovered,
            net.clone(),
            &router,
            Arc::new(quorum.clone()),
        )?;
        let (shown, renewals) = (Shown::default(), Arc::new(Renewals::default()));
        metrics.get_or_init(|| Metrics::new(partitions.metrics(), shown.clone(), renewals.clone()));
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
        let backlogs = group_backlog::observe(engine.clone(), shown, rest_stop.clone());
        rest.spawn(async move {
            backlogs.await;
            Ok(())
        });
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
        node.open_admin(config, sockets.admin, renewals, &rest_stop)?;
        node.open_faces(sockets.kafka, &faces_stop);
        if let Some(cluster_id) = &config.form {
            node.form(cluster_id).await?;
        }
        Ok(node)
    }

    fn open_admin(
        &mut self,
        config: &Config,
        socket: TcpListener,
        renewals: Arc<Renewals>,
        stop: &watch::Receiver<bool>,
    ) -> Result<()> {
        let mut current = None;
        if let Some(files) = &config.admin.tls {
            let (renewed, seen) = watch::channel(tls::read(files)?);
            current = Some(seen);
            let renew = tls::renew(files.clone(), renewed, renewals, stop.clone());
            self.rest.spawn(async move {
                renew.await;
                Ok(())
            });
        }
        let engine: Arc<dyn Engine> = self.engine.clone();
        let served = AdminServer::new(engine, current).serve(socket, stop.clone());
        self.rest
            .spawn(async move { served.await.context("admin listener") });
        Ok(())
    }

    fn open_faces(
        &mut self,
        kafka: Vec<(String, TcpListener)>,
        faces_stop: &watch::Receiver<bool>,
    ) {
        let engine: Arc<dyn Engine> = self.engine.clone();
        let face = KafkaFace::new(engine, KafkaConfig::default());
        for (name, socket) in kafka {
            let mut stop = faces_stop.clone();
            let served = face.clone().serve(socket, name, stop.clone());
            let quorum = self.quorum.clone();
            self.faces.spawn(async move {
                // Until then nothing true could be told; whoever connects waits in the backlog.
                let open = tokio::select! {
                    () = quorum.live() => true,
                    stopped = stop.wait_for(|stop| *stop) => stopped.is_err(),
                };
                if open {
                    served.await;
                }
                Ok(())
            });
        }
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

    async fn run(mut self, forms: bool) -> Result<()> {
        let (mut faces, mut rest) = (
            std::mem::take(&mut self.faces),
            std::mem::take(&mut self.rest),
        );
        let ended = tokio::select! {
            ended = self.watch_readiness() => ended,
            ended = signalled() => ended,
            error = self.quorum.failed() => Err(anyhow!(error)),
            error = fatal(&self.partitions) => Err(error),
            error = not_formed(&self.engine), if forms => Err(error),
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
                let registered = self.quorum.broker_epoch();
                match image.brokers.get(&me) {
                    Some(b) if Some(b.epoch) == registered && b.fenced => Some("fenced".to_owned()),
                    Some(b) if Some(b.epoch) == registered => None,
                    _ => Some("not registered yet".to_owned()),
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

/// Gives where to say why the broker is not ready, and where to put its metrics.
fn open_health(
    socket: TcpListener,
    tasks: &mut JoinSet<Result<()>>,
    stop: &watch::Receiver<bool>,
) -> (watch::Sender<Option<String>>, Arc<OnceLock<Metrics>>) {
    let (unready, seen) = watch::channel(Some("starting".to_owned()));
    let metrics = Arc::new(OnceLock::new());
    let health = Health {
        unready: seen,
        metrics: Arc::clone(&metrics),
    };
    let served = health::serve(socket, health, stop.clone());
    tasks.spawn(async move { served.await.context("health") });
    (unready, metrics)
}
