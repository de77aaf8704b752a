use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use futures::stream::{self, SelectAll};
use serde_json::json;
use tonic::Status;
use weir_proto::admin as pb;
use weir_proto::admin::consume_request::Start;

use crate::args::{Consume, Format};
use crate::brokers::Brokers;

/// A partition's next records.
type Answer = (i32, Result<pb::ConsumeResponse, Status>);

pub async fn run(brokers: &Brokers, args: Consume, format: Format) -> Result<()> {
    let topic = brokers.topic(&args.topic).await?;
    let start = start(&args.from)?;
    let wanted = |p: &&pb::Partition| args.partition.is_none_or(|only| only == p.index);
    let mut all: SelectAll<stream::BoxStream<'static, Answer>> = SelectAll::new();
    for partition in topic.partitions.iter().filter(wanted).map(|p| p.index) {
        let request = pb::ConsumeRequest {
            topic: topic.name.clone(),
            partition,
            start: Some(start),
            max_records: args.max,
            until_end: !args.follow,
        };
        let mut leader = brokers.leader(&topic, partition)?;
        let answers = leader.consume(request).await?.into_inner();
        let tagged = answers.map(move |answer| (partition, answer));
        all.push(Box::pin(tagged));
    }
    let most = if args.max == 0 { u64::MAX } else { args.max };
    let mut seen = 0;
    while let Some((partition, answer)) = all.next().await {
        for record in answer?.records {
            print(partition, &record, format);
            seen += 1;
            if seen >= most {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn start(text: &str) -> Result<Start> {
    Ok(match text {
        "earliest" => Start::Earliest(true),
        "latest" => Start::Latest(true),
        _ => match text.strip_prefix('@') {
            Some(ms) => Start::TimestampMs(ms.parse().with_context(|| format!("--from {text}"))?),
            None => Start::Offset(text.parse().with_context(|| format!("--from {text}"))?),
        },
    })
}

fn print(partition: i32, record: &pb::Record, format: Format) {
    let text = |bytes: &Option<Vec<u8>>| {
        bytes
            .as_ref()
            .map(|b| String::from_utf8_lossy(b).into_owned())
    };
    let (key, value) = (text(&record.key), text(&record.value));
    match format {
        Format::Json => {
            let headers: Vec<_> = record
                .headers
                .iter()
                .map(|h| json!({"key": h.key, "value": text(&h.value)}))
                .collect();
            println!(
                "{}",
                json!({"partition": partition, "offset": record.offset, "key": key,
                       "value": value, "timestampMs": record.timestamp_ms, "headers": headers})
            );
        }
        Format::Table => println!(
            "{partition}:{}\t{}\t{}",
            record.offset,
            key.as_deref().unwrap_or("-"),
            value.as_deref().unwrap_or("-")
        ),
    }
}
