//! What can be typed.

use clap::{Args as Group, Parser, Subcommand, ValueEnum};

/// Look into a Weir cluster: status, topics, consumer groups with their lag, records.
#[derive(Debug, Parser)]
#[command(name = "weir", version)]
pub struct Args {
    #[command(flatten)]
    pub target: Target,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t = Format::Table, global = true)]
    pub output: Format,
    #[command(subcommand)]
    pub command: Command,
}

/// Which cluster: with --server a broker's admin address, else a QueueCluster of the current
/// kubectl context, through a port-forward.
#[derive(Debug, Group)]
pub struct Target {
    /// Admin addresses, host:port, of brokers outside Kubernetes.
    #[arg(short, long, env = "WEIR_SERVER", value_delimiter = ',', global = true)]
    pub server: Vec<String>,
    /// Name of the QueueCluster; may be left out where the namespace has just one.
    #[arg(short, long, env = "WEIR_CLUSTER", global = true)]
    pub cluster: Option<String>,
    /// Its namespace; default: that of the context.
    #[arg(short, long, global = true)]
    pub namespace: Option<String>,
    /// The kubectl context.
    #[arg(long, global = true)]
    pub context: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The brokers, and what is not as it should be.
    Status,
    /// Topics: list (the default), describe, create, alter, delete.
    #[command(visible_alias = "topic")]
    Topics {
        #[command(subcommand)]
        command: Option<TopicCommand>,
    },
    /// Consumer groups: list (the default), describe.
    #[command(visible_alias = "group")]
    Groups {
        #[command(subcommand)]
        command: Option<GroupCommand>,
    },
    /// Write lines from standard input, or --value, as records.
    Produce(Produce),
    /// Print records.
    Consume(Consume),
    /// Consumer scalers: list (the default), explain.
    #[command(visible_alias = "scalers")]
    Scaler {
        #[command(subcommand)]
        command: Option<ScalerCommand>,
    },
    /// Print manifests of what there is: the QueueCluster and its topics.
    Export(Export),
    /// Take the finalizer off Topic resources when no operator is left to do it.
    Release(Release),
    /// Restart the brokers of a QueueCluster, as `kubectl rollout restart` would: each when the
    /// others can spare it.
    Restart,
    /// The operator that the brokers obey: its epoch, and how to set it back after etcd was
    /// restored from a backup (runbook, "The operator's epoch is over").
    OperatorEpoch {
        /// Let any operator in again; the next that leads is then the one.
        #[arg(long)]
        reset: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum TopicCommand {
    List {
        /// With the broker's own.
        #[arg(long)]
        internal: bool,
    },
    Describe {
        name: String,
    },
    Create(NewTopic),
    Alter(AlterTopic),
    Delete {
        name: String,
    },
}

#[derive(Debug, Group)]
pub struct NewTopic {
    pub name: String,
    /// Default: the cluster's.
    #[arg(short, long, default_value_t = 0)]
    pub partitions: i32,
    /// Default: the cluster's.
    #[arg(short, long, default_value_t = 0)]
    pub replication_factor: i32,
    /// name=value, as Kafka calls it; more than one may be given.
    #[arg(long = "config", value_parser = pair)]
    pub config: Vec<(String, String)>,
}

#[derive(Debug, Group)]
pub struct AlterTopic {
    pub name: String,
    /// Only more than there are.
    #[arg(short, long)]
    pub partitions: Option<i32>,
    /// name=value to set.
    #[arg(long = "config", value_parser = pair)]
    pub config: Vec<(String, String)>,
    /// Configs to give back to the cluster's default.
    #[arg(long = "unset")]
    pub unset: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    List,
    Describe { group: String },
}

#[derive(Debug, Subcommand)]
pub enum ScalerCommand {
    List,
    /// The last decision, with the figures that it was made of.
    Explain {
        /// Name of the ConsumerScaler resource.
        name: String,
    },
}

#[derive(Debug, Group)]
pub struct Produce {
    pub topic: String,
    /// Default: by key, else in turn.
    #[arg(short, long)]
    pub partition: Option<i32>,
    /// Key of every record.
    #[arg(short, long, conflicts_with = "key_separator")]
    pub key: Option<String>,
    /// Splits each line into key and value.
    #[arg(long)]
    pub key_separator: Option<String>,
    /// One record with this value, instead of standard input.
    #[arg(long)]
    pub value: Option<String>,
}

#[derive(Debug, Group)]
pub struct Consume {
    pub topic: String,
    /// Default: all.
    #[arg(short, long)]
    pub partition: Option<i32>,
    /// `earliest`, `latest`, an offset, or `@` and Unix milliseconds.
    #[arg(long, default_value = "earliest")]
    pub from: String,
    /// Stop after that many; 0: no bound.
    #[arg(short = 'm', long, default_value_t = 0)]
    pub max: u64,
    /// Wait for more instead of stopping at the end.
    #[arg(short, long)]
    pub follow: bool,
}

#[derive(Debug, Group)]
pub struct Export {
    /// Only these topics.
    pub topics: Vec<String>,
    /// Without the QueueCluster.
    #[arg(long)]
    pub topics_only: bool,
    /// Namespace of Topics that no resource owns yet; default: the cluster's.
    #[arg(long)]
    pub topic_namespace: Option<String>,
}

#[derive(Debug, Group)]
pub struct Release {
    /// Names of Topic resources.
    #[arg(required_unless_present = "all")]
    pub topics: Vec<String>,
    /// Every Topic of the namespace that is being deleted.
    #[arg(long, conflicts_with = "topics")]
    pub all: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not name=value"))?;
    Ok((name.to_owned(), value.to_owned()))
}
