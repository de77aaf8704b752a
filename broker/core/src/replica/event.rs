//! What happens to a replica, and what it wants done.

use weir_types::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionEpoch};

/// A partition as the metadata has it, with what a replica must know of the other brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub leader: Option<BrokerId>,
    pub leader_epoch: LeaderEpoch,
    pub partition_epoch: PartitionEpoch,
    pub replicas: Vec<BrokerId>,
    pub isr: Vec<BrokerId>,
    pub elr: Vec<BrokerId>,
    /// Already clamped to the replica count.
    pub min_isr: usize,
    /// Current epochs of those replicas that are registered and not fenced.
    pub live: Vec<(BrokerId, BrokerEpoch)>,
    /// Those of them that are about to stop: they may stay in the ISR, and not join it.
    pub stopping: Vec<BrokerId>,
    /// Replicas that a reassignment adds: nobody misses them before they are in sync.
    pub adding: Vec<BrokerId>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The metadata names this partition anew (also once at start).
    Metadata(Membership),
    /// The local log's end moved by an append (as leader or from the leader); not yet durable.
    Appended { end: Offset },
    /// The local log is durable up to here.
    Synced { durable_end: Offset },
    /// The local log was cut to here by a command of ours, or emptied to start here because the
    /// leader's log starts above our end. Durable already.
    Truncated { end: Offset },
    /// Leader: a follower fetched from `fetch_offset` on, which says that it has everything
    /// below. Its broker epoch fences zombies (KIP-903). The shell has checked that the request
    /// names our leader epoch, that the answer is not "diverging" (such a fetch says nothing), and
    /// that the follower has a replica as far as we know: a broker may hear sooner than its leader
    /// that it got one, and is refused until both know.
    FollowerFetched {
        follower: BrokerId,
        epoch: BrokerEpoch,
        fetch_offset: Offset,
    },
    /// Leader: a follower's log is durable up to here. The shell has checked that the report names
    /// our leader epoch. A follower reports nothing under an epoch before the leader answered one
    /// of its fetches without "diverging"; right after that it reports what it has.
    FollowerDurable {
        follower: BrokerId,
        epoch: BrokerEpoch,
        durable_end: Offset,
    },
    /// Leader: the quorum answered the last [`Command::ProposeIsr`]; the committed state follows
    /// as [`Event::Metadata`] as well, in either order.
    IsrCommitted {
        partition_epoch: PartitionEpoch,
        isr: Vec<BrokerId>,
    },
    /// Leader: the quorum did not take the proposal made on `partition_epoch`. Every proposal
    /// gets an answer, this or [`Event::IsrCommitted`].
    IsrRefused {
        partition_epoch: PartitionEpoch,
        reason: IsrRefused,
    },
    /// Follower: the leader answered a fetch of this epoch.
    LeaderAnswered {
        epoch: LeaderEpoch,
        high_watermark: Offset,
        log_start: Offset,
    },
    /// Follower: the leader says that the logs part: cut to the lower of our end of `epoch` and
    /// `end` (KIP-595's diverging epoch). The shell has already looked up `cut_to` in the log.
    Diverged {
        leader_epoch: LeaderEpoch,
        cut_to: Offset,
    },
    /// Time passed.
    Tick,
}

/// Why a proposed ISR was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsrRefused {
    /// Somebody changed the partition first: newer metadata is on its way.
    Stale,
    /// A proposed member is fenced or of another epoch.
    Ineligible,
    /// Nobody knows whether it was taken: propose the same again.
    Unknown,
}

/// Something to be done. Commands are to be carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve produce and fetch under this epoch; the log notes that `epoch` starts at `start`.
    StartLeading { epoch: LeaderEpoch, start: Offset },
    /// Stop serving writes; fail writes that wait with "not leader"; fetch from `leader`.
    StartFollowing {
        leader: BrokerId,
        epoch: LeaderEpoch,
    },
    /// There is no leader now: fail what waits.
    Idle,
    /// Cut the log to `to` (durably, before anything is fetched) and forget the leader epochs
    /// that begin there or later. `to` may be the log's end: then only epochs go.
    Truncate { to: Offset },
    /// Ask the quorum for this ISR.
    ProposeIsr {
        leader_epoch: LeaderEpoch,
        partition_epoch: PartitionEpoch,
        isr: Vec<(BrokerId, BrokerEpoch)>,
    },
    /// The high watermark is now here: answer writes and fetches that wait for it.
    HighWatermark { to: Offset },
}
