use anyhow::Result;
use serde_json::json;
use std::collections::BTreeMap;
use tonic::Code;
use weir_proto::admin as pb;

use crate::args::Format;
use crate::brokers::Brokers;
use crate::output::{or_dash, print_json, print_table, table};

/// Each broker knows the groups that it coordinates.
pub async fn list(brokers: &Brokers, format: Format) -> Result<()> {
    warn_of_silent(brokers);
    let mut groups = BTreeMap::new();
    for (id, mut admin) in brokers.all() {
        for group in admin
            .list_groups(pb::ListGroupsRequest {})
            .await?
            .into_inner()
            .groups
        {
            groups.insert(group.id.clone(), (id, group));
        }
    }
    if format == Format::Json {
        let group = |(coordinator, g): &(i32, pb::Group)| {
            json!({"group": g.id, "state": g.state, "protocolType": g.protocol_type,
                   "coordinator": coordinator})
        };
        return print_json(&groups.values().map(group).collect::<Vec<_>>());
    }
    let mut rows = table(&["GROUP", "STATE", "PROTOCOL TYPE", "COORDINATOR"]);
    for (coordinator, g) in groups.values() {
        rows.add_row([&g.id, &g.state, &g.protocol_type, &coordinator.to_string()]);
    }
    print_table(&rows);
    Ok(())
}

pub async fn describe(brokers: &Brokers, group: &str, format: Format) -> Result<()> {
    warn_of_silent(brokers);
    let mut found = find(brokers, group).await?;
    fill_lag(brokers, &mut found).await?;
    if format == Format::Json {
        return print_json(&as_json(&found));
    }
    println!(
        "group {}: {} ({} members)",
        found.id,
        found.state,
        found.members.len()
    );
    let mut rows = table(&[
        "TOPIC",
        "PARTITION",
        "COMMITTED",
        "END",
        "LAG",
        "MEMBER",
        "CLIENT",
        "HOST",
    ]);
    for o in &found.offsets {
        let owner = owner(&found, o);
        rows.add_row([
            o.topic.clone(),
            o.partition.to_string(),
            o.committed.to_string(),
            or_dash(o.end),
            or_dash(o.lag),
            or_dash(owner.map(|m| &m.id)),
            or_dash(owner.map(|m| &m.client_id)),
            or_dash(owner.map(|m| &m.client_host)),
        ]);
    }
    print_table(&rows);
    let lags: Option<Vec<i64>> = found.offsets.iter().map(|o| o.lag).collect();
    if let Some(lags) = lags {
        println!("total lag {}", lags.iter().sum::<i64>());
    }
    Ok(())
}

/// On standard error, so that what programs read stays whole.
fn warn_of_silent(brokers: &Brokers) {
    for silent in &brokers.silent {
        eprintln!("weir: no answer from {silent}; the groups that it coordinates are missing");
    }
}

async fn find(brokers: &Brokers, group: &str) -> Result<pb::Group> {
    let mut refused = None;
    for (_, mut admin) in brokers.all() {
        let request = pb::DescribeGroupRequest {
            id: group.to_owned(),
        };
        match admin.describe_group(request).await {
            Ok(answer) => {
                let found = answer.into_inner().group.unwrap_or_default();
                if !(found.members.is_empty() && found.offsets.is_empty()) {
                    return Ok(found);
                }
                refused.get_or_insert(tonic::Status::not_found(format!("no group {group}")));
            }
            // Another broker coordinates it.
            Err(status) if matches!(status.code(), Code::Unavailable | Code::NotFound) => {
                refused.get_or_insert(status);
            }
            Err(status) => return Err(status.into()),
        }
    }
    Err(refused
        .unwrap_or_else(|| tonic::Status::not_found(format!("no group {group}")))
        .into())
}

/// The coordinator knows the lag of partitions it leads; the rest is asked of their leaders.
async fn fill_lag(brokers: &Brokers, found: &mut pb::Group) -> Result<()> {
    let missing = found.offsets.iter().any(|o| o.lag.is_none());
    if !missing {
        return Ok(());
    }
    let wanted = |o: &pb::GroupOffset| pb::PartitionBoundsRequest {
        topic: o.topic.clone(),
        partition: o.partition,
    };
    for (_, mut admin) in brokers.all() {
        for offset in found.offsets.iter_mut().filter(|o| o.lag.is_none()) {
            if let Ok(answer) = admin.partition_bounds(wanted(offset)).await {
                let bounds = answer.into_inner();
                offset.end = Some(bounds.end);
                offset.lag = Some((bounds.end - offset.committed.max(bounds.start)).max(0));
            }
        }
    }
    Ok(())
}

fn owner<'a>(group: &'a pb::Group, offset: &pb::GroupOffset) -> Option<&'a pb::GroupMember> {
    let owns = |m: &&pb::GroupMember| {
        m.assigned
            .iter()
            .any(|p| p.topic == offset.topic && p.partition == offset.partition)
    };
    group.members.iter().find(owns)
}

fn as_json(group: &pb::Group) -> serde_json::Value {
    let offset = |o: &pb::GroupOffset| {
        json!({"topic": o.topic, "partition": o.partition, "committed": o.committed,
               "end": o.end, "lag": o.lag, "metadata": o.metadata,
               "member": owner(group, o).map(|m| &m.id)})
    };
    let member = |m: &pb::GroupMember| json!({"id": m.id, "instance": m.instance, "clientId": m.client_id, "host": m.client_host});
    json!({
        "group": group.id,
        "state": group.state,
        "protocol": group.protocol,
        "members": group.members.iter().map(member).collect::<Vec<_>>(),
        "offsets": group.offsets.iter().map(offset).collect::<Vec<_>>(),
    })
}
