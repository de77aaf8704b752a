use super::draft::Draft;
use super::{Mood, Proposal, ReplicaMap, sized};

/// Differences below this are nobody's trouble.
const FLOOR_BYTES: u64 = 1 << 30;
/// Changes in one plan: the next look goes on.
const STEPS: usize = 100;
/// The largest partitions of a broker that are tried against each other.
const TRIED: usize = 64;

/// Evens out the bytes that brokers hold, without leaving replicas less even: one changes place,
/// or two change places with each other. It begins when a broker holds a fifth more than the
/// mean, and ends at a tenth.
pub fn disk(map: &ReplicaMap, mood: Mood) -> Proposal {
    let mut draft = Draft::new(map);
    let ids: Vec<i32> = map.takers().map(|m| m.id).collect();
    let held =
        |draft: &Draft<'_>| -> Vec<u64> { ids.iter().map(|id| draft.tally.bytes(*id)).collect() };
    let before = held(&draft);
    let (Some(most), Some(least)) = (before.iter().max(), before.iter().min()) else {
        return Proposal::default();
    };
    let brokers = u64::try_from(ids.len()).unwrap_or(1).max(1);
    let mean = before.iter().sum::<u64>() / brokers;
    let begin = match mood {
        Mood::Resting => mean / 5,
        Mood::Running => mean / 10,
    };
    if most.saturating_sub(mean) <= begin.max(FLOOR_BYTES) {
        return Proposal::default();
    }
    let reason = format!("brokers hold from {} to {}", sized(*least), sized(*most));
    for _ in 0..STEPS {
        let most = held(&draft).into_iter().max().unwrap_or(0);
        if most.saturating_sub(mean) <= (mean / 10).max(FLOOR_BYTES)
            || !step(&mut draft, &ids, mean)
        {
            break;
        }
    }
    draft.finish(Vec::new(), reason)
}

/// A partition that goes, and one that comes back for it, if any.
#[derive(Clone, Copy)]
struct Exchange {
    gives: usize,
    takes: Option<usize>,
    bytes: u64,
}

/// Makes the one change that helps the fullest broker most; false if none is worth it.
fn step(draft: &mut Draft<'_>, ids: &[i32], mean: u64) -> bool {
    let load = |id: &i32| (draft.tally.bytes(*id), *id);
    let (Some(from), Some(to)) = (
        ids.iter().copied().max_by_key(load),
        ids.iter().copied().min_by_key(load),
    ) else {
        return false;
    };
    let gap = draft
        .tally
        .bytes(from)
        .saturating_sub(draft.tally.bytes(to));
    let worth = (mean / 20).max(FLOOR_BYTES / 4);
    let best = exchanges(draft, from, to)
        .into_iter()
        .filter(|e| e.bytes >= worth && gap.saturating_sub(e.bytes) >= worth)
        .min_by_key(|e| {
            (
                (gap / 2).abs_diff(e.bytes),
                e.takes.is_some(),
                e.gives,
                e.takes,
            )
        });
    let Some(best) = best else { return false };
    draft.replace(best.gives, from, to);
    if let Some(back) = best.takes {
        draft.replace(back, to, from);
    }
    true
}

fn exchanges(draft: &Draft<'_>, from: i32, to: i32) -> Vec<Exchange> {
    let size = |at: usize| draft.map.partitions[at].bytes;
    let (gives, takes) = (largest(draft, from, to), largest(draft, to, from));
    let uneven = draft.tally.replicas(from) > draft.tally.replicas(to);
    let alone = gives.iter().filter(|_| uneven).map(|at| Exchange {
        gives: *at,
        takes: None,
        bytes: size(*at),
    });
    let pairs = gives.iter().flat_map(|gives| {
        takes
            .iter()
            .filter(|takes| size(**takes) < size(*gives))
            .map(|takes| Exchange {
                gives: *gives,
                takes: Some(*takes),
                bytes: size(*gives) - size(*takes),
            })
    });
    alone.chain(pairs).collect()
}

/// The largest partitions that may go from one broker to the other, and some of the smallest.
fn largest(draft: &Draft<'_>, from: i32, to: i32) -> Vec<usize> {
    let mut found: Vec<usize> = (0..draft.replicas.len())
        .filter(|at| draft.allows(*at, from, to) && draft.keeps_racks(*at, from, to))
        .collect();
    found.sort_by_key(|at| std::cmp::Reverse(draft.map.partitions[*at].bytes));
    let small = found
        .len()
        .saturating_sub(TRIED / 4)
        .max(TRIED.min(found.len()));
    let smallest: Vec<usize> = found[small..].to_vec();
    found.truncate(TRIED);
    found.extend(smallest);
    found
}
