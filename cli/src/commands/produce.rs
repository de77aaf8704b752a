use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::io::BufRead as _;
use weir_proto::admin as pb;

use crate::args::Produce;
use crate::brokers::Brokers;

/// Records that go out in one call, over all partitions.
const BATCH: usize = 500;

pub async fn run(brokers: &Brokers, args: Produce) -> Result<()> {
    let topic = brokers.topic(&args.topic).await?;
    if topic.partitions.is_empty() {
        bail!("{} has no partitions", topic.name);
    }
    let mut sender = Sender {
        brokers,
        topic,
        args: &args,
        turn: 0,
        waiting: Vec::new(),
        sent: 0,
    };
    if let Some(value) = &args.value {
        sender.take(value).await?;
    } else {
        // Standard input is read here, not on the side: there is nothing else to do meanwhile.
        for line in std::io::stdin().lock().lines() {
            sender.take(&line?).await?;
        }
    }
    sender.flush().await?;
    println!("{} records written", sender.sent);
    Ok(())
}

struct Sender<'a> {
    brokers: &'a Brokers,
    topic: pb::Topic,
    args: &'a Produce,
    turn: usize,
    waiting: Vec<(i32, pb::Record)>,
    sent: usize,
}

impl Sender<'_> {
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
        self.waiting.push((partition, record));
        if self.waiting.len() >= BATCH {
            self.flush().await
        } else {
            Ok(())
        }
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
        let mut by_partition: BTreeMap<i32, Vec<pb::Record>> = BTreeMap::new();
        for (partition, record) in self.waiting.drain(..) {
            by_partition.entry(partition).or_default().push(record);
        }
        for (partition, records) in by_partition {
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
    use super::murmur2;

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
