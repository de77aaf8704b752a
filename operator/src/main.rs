//! The operator's process: arguments, lease, controllers, and the way out.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{ArgAction, Parser};
use tokio::signal::unix::{SignalKind, signal};
use weir_operator::admin::GrpcConnector;
use weir_operator::context::{Context, Settings};
use weir_operator::controllers::{Scope, run};
use weir_operator::lease::Elector;
use weir_operator::metrics::Metrics;
use weir_operator::serve::{Health, serve};
use weir_operator::term::Term;

#[derive(Parser)]
#[command(version, about = "Runs Weir on Kubernetes")]
struct Args {
    /// Image of brokers whose QueueCluster names none; {version} stands for their version.
    #[arg(
        long,
        env = "WEIR_BROKER_IMAGE",
        default_value = "weir-broker:{version}"
    )]
    broker_image: String,
    /// Watch this namespace only; every namespace if empty.
    #[arg(long, env = "WATCH_NAMESPACE", default_value = "")]
    watch_namespace: String,
    /// Whether ConsumerScalers are served.
    #[arg(long, env, default_value_t = true, action = ArgAction::Set)]
    consumer_scalers: bool,
    /// Namespace of the lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    namespace: String,
    /// Name of this replica in the lease.
    #[arg(long, env = "POD_NAME")]
    identity: Option<String>,
    /// Where health and metrics are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    http: SocketAddr,
    /// Logs as JSON.
    #[arg(long, env = "LOG_JSON")]
    log_json: bool,
}

const LEASE: &str = "weir-operator";

fn main() -> ExitCode {
    let args = Args::parse();
    start_logs(args.log_json);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .context("start the runtime")
        .and_then(|runtime| runtime.block_on(operate(args)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start_logs(json: bool) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter);
    if json {
        logs.json().init();
    } else {
        logs.with_ansi(false).init();
    }
}

async fn operate(args: Args) -> Result<()> {
    // One provider, whatever a dependency would choose.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = kube::Client::try_default()
        .await
        .context("find the Kubernetes API")?;
    let (metrics, registry) = Metrics::new();
    let health = Health::default();
    let http = tokio::spawn(serve(args.http, health.clone(), registry));
    let identity = args
        .identity
        .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let elector = Elector::new(
        client.clone(),
        &args.namespace,
        LEASE,
        identity,
        metrics.clone(),
    );
    client
        .apiserver_version()
        .await
        .context("reach the Kubernetes API")?;
    health.set_ready();
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let settings = Settings {
        broker_image: args.broker_image,
        ..Settings::default()
    };
    let term = Term::default();
    let brokers = Arc::new(GrpcConnector::new(term.clone()));
    let mut ctx = Context::new(client, brokers, metrics, settings);
    ctx.term = term.clone();
    let ctx = Arc::new(ctx);
    let scope = match args.watch_namespace.as_str() {
        "" => Scope::All,
        name => Scope::Namespace(name.to_owned()),
    };
    let work = async {
        if let Some(epoch) = elector.acquire().await {
            term.begin(epoch);
        }
        tokio::select! {
            over = term.over() => Err(anyhow::Error::from(over)),
            lost = elector.hold() => Err(anyhow::Error::from(lost)),
            () = run(ctx, scope, args.consumer_scalers) => anyhow::bail!("a watch ended"),
        }
    };
    tokio::select! {
        outcome = work => outcome,
        served = http => match served {
            Ok(Ok(())) => anyhow::bail!("the HTTP server ended"),
            Ok(Err(error)) => Err(error).context("serve health and metrics"),
            Err(error) => Err(error).context("serve health and metrics"),
        },
        _ = terminate.recv() => {
            // What is under way stops where it is; the next operator goes on from there.
            elector.release().await;
            Ok(())
        }
    }
}
