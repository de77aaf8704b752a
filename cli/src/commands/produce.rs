use anyhow::{Context as _, Result, bail};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::BufRead as _;
use weir_proto::admin as pb;

use crate::args::{Format, Produce};
use crate::brokers::Brokers;
use crate::output::say;

/// Records that wait for one another, over all partitions.
const BATCH_RECORDS_MAX: usize = 500;
/// Bytes of one partition that wait for one another. What goes out in one call becomes one batch, and
/// brokers take batches of 1 MiB by default.
const BATCH_BYTES_MAX: usize = 512 * 1024;
/// What a record takes in a batch beside its key and value, bytes at most.
const RECORD_OVERHEAD_BYTES: usize = 32;

pub async fn run(brokers: &Brokers, args: Produce, format: Format) -> Result<()> {
    let topic = brokers.topic(&args.topic).await?;
    if topic.partitions.is_empty() {
        bail!("{} has no partitions", topic.name);
    }
    let mut sender = Sender {
        brokers,
        topic,
        args: &args,
        turn: 0,
        waiting: Waiting::default(),
        sent: 0,
    };
    let done = sender.send_all().await;
    let sent = sender.sent;
    done.with_context(|| format!("after {sent} records were written"))?;
    let object = json!({"topic": args.topic, "written": sent});
    say(format, &format!("{sent} records written"), &object)
}

struct Sender<'a> {
    brokers: &'a Brokers,
    topic: pb::Topic,
    args: &'a Produce,
    turn: usize,
    waiting: Waiting,
    sent: usize,
}

/// What was read and not sent yet, by partition.
#[derive(Default)]
struct Waiting {
    by_partition: BTreeMap<i32, (usize, Vec<pb::Record>)>,
    records: usize,
}

impl Waiting {
    /// Whether the record would make a batch of its partition larger than it should be.
    fn is_full_for(&self, partition: i32, record: &pb::Record) -> bool {
        let bytes = self
            .by_partition
            .get(&partition)
            .map_or(0, |(bytes, _)| *bytes);
        self.records >= BATCH_RECORDS_MAX || (bytes > 0 && bytes + size(record) > BATCH_BYTES_MAX)
    }

    fn push(&mut self, partition: i32, record: pb::Record) {
        let (bytes, records) = self.by_partition.entry(partition).or_default();
        *bytes += size(&record);
        records.push(record);
        self.records += 1;
    }
}

fn size(record: &pb::Record) -> usize {
    let len = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
    len(&record.key) + len(&record.value) + RECORD_OVERHEAD_BYTES
}

impl Sender<'_> {
    async fn send_all(&mut self) -> Result<()> {
        if let Some(value) = &self.args.value {
            self.take(value).await?;
        } else {
            // Standard input is read here, not on the side: there is nothing else to do meanwhile.
            for line in std::io::stdin().lock().lines() {
                self.take(&line?).await?;
            }
        }
        self.flush().await
    }

    async fn take(&mut self, line: &str) -> Result<()> {
        let (key, value) = match &self.args.key_separator {
            Some(separator) => match line.split_once(separator.as_str()) {
                Some((key, value)) => (Some(key.to_owned()), value),
                None => bail!("no {separator:?} in {line:?}"),
            },
            None => (self.args.key.clone(), line),
        };
        let record = pb::Record {
            key: key.map(String::into_bytes),
            value: Some(value.as_bytes().to_vec()),
            ..pb::Record::default()
        };
        let partition = self.choose(&record);
        if self.waiting.is_full_for(partition, &record) {
            self.flush().await?;
        }
        self.waiting.push(partition, record);
        Ok(())
    }

    fn choose(&mut self, record: &pb::Record) -> i32 {
        let count = self.topic.partitions.len();
        let place = match (self.args.partition, &record.key) {
            (Some(partition), _) => return partition,
            // As the Java client's default partitioner does, so that keys meet.
            (None, Some(key)) => (murmur2(key) & 0x7fff_ffff) as usize % count,
            (None, None) => {
                self.turn += 1;
                self.turn % count
            }
        };
        i32::try_from(place).unwrap_or(0)
    }

    async fn flush(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        for (partition, (_, records)) in waiting.by_partition {
            let count = records.len();
            let topic = self.topic.name.clone();
            let mut leader = self.brokers.leader(&self.topic, partition)?;
            leader
                .produce(pb::ProduceRequest {
                    topic,
                    partition,
                    records,
                })
                .await?;
            self.sent += count;
        }
        Ok(())
    }
}

/// MurmurHash2 with the seed that Kafka's clients use.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = 0x9747_b28c ^ len;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let tail = words.remainder();
    for (place, byte) in tail.iter().enumerate().rev() {
        hash ^= u32::from(*byte) << (8 * place);
    }
    if !tail.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(bytes: usize) -> pb::Record {
        pb::Record {
            value: Some(vec![b'x'; bytes]),
            ..pb::Record::default()
        }
    }

    #[test]
    fn a_batch_is_bounded_by_bytes_and_by_records() {
        let mut waiting = Waiting::default();
        for _ in 0..3 {
            assert!(!waiting.is_full_for(0, &record(160_000)));
            waiting.push(0, record(160_000));
        }
        assert!(
            waiting.is_full_for(0, &record(160_000)),
            "a fourth is too much"
        );
        assert!(
            !waiting.is_full_for(1, &record(160_000)),
            "elsewhere there is room"
        );
        let mut small = Waiting::default();
        (0..BATCH_RECORDS_MAX).for_each(|_| small.push(0, record(1)));
        assert!(small.is_full_for(1, &record(1)));
        // One that is too large by itself goes alone, and the broker judges it.
        assert!(!Waiting::default().is_full_for(0, &record(2 * BATCH_BYTES_MAX)));
    }

    #[test]
    fn keys_hash_as_in_the_java_client() {
        // Values of Kafka's own UtilsTest.
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }
}
