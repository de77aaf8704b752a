use anyhow::Result;
use serde_json::json;
use std::collections::BTreeMap;
use weir_proto::admin as pb;

use crate::args::{AlterTopic, Format, NewTopic};
use crate::brokers::Brokers;
use crate::output::{ids, or_dash, print_json, print_table, say, table};

pub async fn list(brokers: &Brokers, internal: bool, format: Format) -> Result<()> {
    let request = pb::ListTopicsRequest { internal };
    let topics = brokers
        .any()
        .list_topics(request)
        .await?
        .into_inner()
        .topics;
    if format == Format::Json {
        return print_json(&topics.iter().map(as_json).collect::<Vec<_>>());
    }
    let mut rows = table(&[
        "TOPIC",
        "PARTITIONS",
        "REPLICAS",
        "OFFLINE",
        "UNDER-REPLICATED",
        "OWNER",
    ]);
    for t in &topics {
        let offline = t.partitions.iter().filter(|p| p.leader.is_none()).count();
        let under = t
            .partitions
            .iter()
            .filter(|p| p.isr.len() < p.replicas.len())
            .count();
        let replicas = t.partitions.iter().map(|p| p.replicas.len()).max();
        rows.add_row([
            t.name.clone(),
            t.partitions.len().to_string(),
            or_dash(replicas),
            offline.to_string(),
            under.to_string(),
            or_dash(
                t.owner
                    .as_ref()
                    .map(|o| format!("{}/{}", o.namespace, o.name)),
            ),
        ]);
    }
    print_table(&rows);
    Ok(())
}

pub async fn describe(brokers: &Brokers, name: &str, format: Format) -> Result<()> {
    let topic = brokers.topic(name).await?;
    if format == Format::Json {
        return print_json(&as_json(&topic));
    }
    println!("topic {} ({})", topic.name, topic.id);
    for (key, value) in topic.config.iter().collect::<BTreeMap<_, _>>() {
        println!("  {key} = {value}");
    }
    let mut rows = table(&[
        "PARTITION",
        "LEADER",
        "EPOCH",
        "REPLICAS",
        "ISR",
        "ELR",
        "OFFLINE",
    ]);
    for p in &topic.partitions {
        rows.add_row([
            p.index.to_string(),
            or_dash(p.leader),
            p.leader_epoch.to_string(),
            ids(&p.replicas),
            ids(&p.isr),
            ids(&p.elr),
            ids(&p.offline),
        ]);
    }
    print_table(&rows);
    Ok(())
}

pub async fn create(brokers: &Brokers, new: NewTopic, format: Format) -> Result<()> {
    let request = pb::CreateTopicRequest {
        name: new.name.clone(),
        partitions: new.partitions,
        replication_factor: new.replication_factor,
        config: new.config.into_iter().collect(),
        owner: None,
        validate_only: false,
    };
    brokers.any().create_topic(request).await?;
    done(format, &new.name, "created")
}

pub async fn alter(brokers: &Brokers, change: AlterTopic, format: Format) -> Result<()> {
    let request = pb::AlterTopicRequest {
        name: change.name.clone(),
        partitions: change.partitions,
        set: change.config.into_iter().collect(),
        remove: change.unset,
        ..pb::AlterTopicRequest::default()
    };
    brokers.any().alter_topic(request).await?;
    done(format, &change.name, "altered")
}

pub async fn delete(brokers: &Brokers, name: &str, format: Format) -> Result<()> {
    brokers
        .any()
        .delete_topic(pb::DeleteTopicRequest {
            name: name.to_owned(),
        })
        .await?;
    done(format, name, "deleted")
}

fn done(format: Format, topic: &str, what: &str) -> Result<()> {
    say(
        format,
        &format!("topic {topic} {what}"),
        &json!({"topic": topic, "done": what}),
    )
}

fn as_json(topic: &pb::Topic) -> serde_json::Value {
    let partition = |p: &pb::Partition| {
        json!({
            "index": p.index,
            "leader": p.leader,
            "leaderEpoch": p.leader_epoch,
            "replicas": p.replicas,
            "isr": p.isr,
            "elr": p.elr,
            "offline": p.offline,
        })
    };
    let owner = topic.owner.as_ref();
    json!({
        "name": topic.name,
        "id": topic.id,
        "internal": topic.internal,
        "config": topic.config.iter().collect::<BTreeMap<_, _>>(),
        "owner": owner.map(|o| json!({"uid": o.uid, "namespace": o.namespace, "name": o.name})),
        "partitions": topic.partitions.iter().map(partition).collect::<Vec<_>>(),
    })
}
