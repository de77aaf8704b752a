//! Puts an answer for a follower together.

use std::sync::Arc;
use tracing::warn;
use weir_storage::DiskFile;
use weir_types::{LeaderEpoch, Offset};

use super::super::serving::Serving;
use super::super::shared::Shared;
use super::super::wire::{Answered, FetchAnswer, FetchRequest, Outcome};
use super::Verdict;
use super::session::{Ready, Told};

/// An answer in the making.
pub(super) struct Collected {
    pub(super) records: Vec<u8>,
    pub(super) answer: FetchAnswer,
    pub(super) told: Vec<(Ready, Told)>,
    bytes_max: usize,
    partition_bytes_max: usize,
}

impl Collected {
    pub(super) fn new(request: &FetchRequest) -> Self {
        let size = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
        Self {
            records: Vec::new(),
            answer: FetchAnswer::default(),
            told: Vec::new(),
            bytes_max: size(request.bytes_max).min(super::service::ANSWER_BYTES_MAX),
            partition_bytes_max: size(request.partition_bytes_max),
        }
    }

    pub(super) fn add(&mut self, ready: Ready) {
        let (outcome, told) = self.look(&ready);
        if let Some(outcome) = outcome {
            let (partition, leader_epoch) = (ready.id, ready.epoch);
            self.answer.partitions.push(Answered {
                partition,
                leader_epoch,
                outcome,
            });
        }
        self.told.push((ready, told));
    }

    fn look(&mut self, ready: &Ready) -> (Option<Outcome>, Told) {
        let problem = match ready.verdict {
            Verdict::Serve => None,
            Verdict::Diverging { epoch, end } => Some(Outcome::Diverging { epoch, end }),
            Verdict::OutOfRange { log_start } => Some(Outcome::OutOfRange { log_start }),
            Verdict::Refused => Some(Outcome::Refused),
        };
        if problem.is_some() {
            return (problem, Told::Problem);
        }
        match &ready.shared {
            Some(shared) if leads(shared, ready.epoch) => self.look_into(ready, shared),
            _ => (Some(Outcome::Refused), Told::Problem),
        }
    }

    fn look_into(&mut self, ready: &Ready, shared: &Arc<Shared>) -> (Option<Outcome>, Told) {
        let high_watermark = shared.high_watermark();
        let (log_start, end) = (shared.start(), shared.end());
        if ready.offset < log_start {
            return (Some(Outcome::OutOfRange { log_start }), Told::Problem);
        }
        let before = self.records.len();
        let next = match self.read(shared, ready.offset, end) {
            Ok(next) => next,
            Err(outcome) => return (Some(outcome), Told::Problem),
        };
        // What was read is this leader's only if it still leads: see `Shared`.
        if !leads(shared, ready.epoch) {
            self.records.truncate(before);
            return (Some(Outcome::Refused), Told::Problem);
        }
        let len = self.records.len() - before;
        let records = |len: usize| Outcome::Records {
            len: u32::try_from(len).unwrap_or(u32::MAX),
            high_watermark,
            log_start,
        };
        if len > 0 {
            return (
                Some(records(len)),
                Told::Records {
                    next,
                    high_watermark,
                    log_start,
                },
            );
        }
        if end > ready.offset {
            return (None, Told::NoRoom);
        }
        let old = high_watermark == ready.told_high_watermark && log_start == ready.told_start;
        if old {
            return (None, Told::Nothing);
        }
        (Some(records(0)), Told::Marks(high_watermark, log_start))
    }

    /// Appends what there is room for; one batch at least if the answer is empty yet.
    fn read(&mut self, shared: &Shared, from: Offset, end: Offset) -> Result<Offset, Outcome> {
        let left = self.bytes_max.saturating_sub(self.records.len());
        let first = self.records.is_empty();
        if from >= end || (left == 0 && !first) {
            return Ok(from);
        }
        let most = left.min(self.partition_bytes_max);
        let read = shared
            .reader
            .read(from, end, most, first)
            .map_err(|e| e.to_string());
        let read = read.and_then(|slice| {
            let before = self.records.len();
            self.records.resize(before + slice.len, 0);
            let copied = slice
                .file
                .read_exact_at(&mut self.records[before..], slice.position);
            copied.map_err(|e| {
                self.records.truncate(before);
                e.to_string()
            })?;
            Ok(if slice.len == 0 { from } else { slice.next })
        });
        read.map_err(|error| {
            warn!(partition = %shared.id, %error, "cannot read for a follower");
            Outcome::Refused
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.answer.partitions.is_empty()
    }
}

fn leads(shared: &Shared, epoch: LeaderEpoch) -> bool {
    shared.serving() == Serving::Leader(epoch)
}
