use anyhow::Result;
use serde_json::json;
use weir_proto::admin as pb;

use crate::args::Format;
use crate::brokers::Brokers;
use crate::output::{or_dash, print_json, print_table, table};

pub async fn run(brokers: &Brokers, format: Format) -> Result<()> {
    let cluster = brokers
        .any()
        .describe_cluster(pb::DescribeClusterRequest {})
        .await?
        .into_inner();
    match format {
        Format::Json => print_json(&as_json(&cluster, &brokers.silent)),
        Format::Table => {
            print(&cluster);
            for silent in &brokers.silent {
                println!("no answer from {silent}");
            }
            Ok(())
        }
    }
}

fn state(broker: &pb::Broker) -> &'static str {
    match (broker.fenced, broker.stopping) {
        (true, _) => "fenced",
        (false, true) => "stopping",
        (false, false) => "live",
    }
}

/// In the metadata quorum.
fn part(cluster: &pb::DescribeClusterResponse, broker: &pb::Broker) -> &'static str {
    match (cluster.controller_id == Some(broker.id), broker.voter) {
        (true, _) => "controller",
        (false, true) => "voter",
        (false, false) => "follower",
    }
}

fn print(cluster: &pb::DescribeClusterResponse) {
    println!(
        "cluster {}: {} brokers, {} topics, {} partitions ({} offline, {} under-replicated)",
        cluster.cluster_id,
        cluster.brokers.len(),
        cluster.topics,
        cluster.partitions,
        cluster.offline_partitions,
        cluster.under_replicated_partitions,
    );
    let header = [
        "BROKER",
        "STATE",
        "METADATA",
        "RACK",
        "LEADERS",
        "REPLICAS",
        "OUT OF SYNC",
        "LISTENERS",
    ];
    let mut rows = table(&header);
    for b in &cluster.brokers {
        let listeners: Vec<_> = b
            .listeners
            .iter()
            .map(|l| format!("{}={}:{}", l.name, l.host, l.port))
            .collect();
        rows.add_row([
            b.id.to_string(),
            state(b).to_owned(),
            part(cluster, b).to_owned(),
            or_dash(b.rack.as_ref()),
            b.leaders.to_string(),
            b.replicas.to_string(),
            b.out_of_sync.to_string(),
            listeners.join(" "),
        ]);
    }
    print_table(&rows);
}

fn as_json(cluster: &pb::DescribeClusterResponse, silent: &[String]) -> serde_json::Value {
    let broker = |b: &pb::Broker| {
        let listener = |l: &pb::Listener| json!({"name": l.name, "host": l.host, "port": l.port});
        json!({
            "id": b.id,
            "state": state(b),
            "rack": b.rack,
            "voter": b.voter,
            "leaders": b.leaders,
            "replicas": b.replicas,
            "outOfSync": b.out_of_sync,
            "listeners": b.listeners.iter().map(listener).collect::<Vec<_>>(),
        })
    };
    json!({
        "clusterId": cluster.cluster_id,
        "controller": cluster.controller_id,
        "metadataVersion": cluster.metadata_version,
        "topics": cluster.topics,
        "partitions": cluster.partitions,
        "offlinePartitions": cluster.offline_partitions,
        "underReplicatedPartitions": cluster.under_replicated_partitions,
        "brokers": cluster.brokers.iter().map(broker).collect::<Vec<_>>(),
        "noAnswer": silent,
    })
}
