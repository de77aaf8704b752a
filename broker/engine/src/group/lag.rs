use std::collections::BTreeMap;
use weir_api::{Caller, CommittedOffset, Result, TopicPartitionName};
use weir_core::cluster::Image;
use weir_types::{Offset, PartitionId};

use super::{Groups, OffsetsLog, groups::coordinator_of};

impl Groups {
    /// Lag of a group on the partitions that this broker leads. What retention has deleted counts
    /// no more: lag is at most high watermark minus log start. Partitions without a committed
    /// offset are left out.
    ///
    /// # Errors
    /// Those of asking the group's coordinator, which may be another broker. A group on a cluster
    /// without groups has no lag.
    pub async fn group_lag(
        &self,
        caller: &Caller,
        group: &str,
    ) -> Result<BTreeMap<TopicPartitionName, i64>> {
        let log = &self.inner.log;
        let image = self.inner.image();
        let committed = match coordinator_of(&image, group)? {
            None => return Ok(BTreeMap::new()),
            Some(broker) if broker == log.broker() => {
                self.committed_offsets(caller, group, None).await?
            }
            Some(broker) => log.ask_committed(broker, group).await?,
        };
        let lag = |c: CommittedOffset| {
            let lag = lag_of(&**log, &image, &c)?;
            Some((c.partition, lag))
        };
        Ok(committed.into_iter().filter_map(lag).collect())
    }
}

fn lag_of(log: &dyn OffsetsLog, image: &Image, committed: &CommittedOffset) -> Option<i64> {
    let topic = image.topic_by_name(&committed.partition.topic)?;
    let id = PartitionId::new(topic.id, committed.partition.index);
    let (start, high_watermark) = log.bounds(id)?;
    let from: Offset = committed.offset.max(start);
    Some((high_watermark.0 - from.0).max(0))
}
