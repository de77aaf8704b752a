use super::draft::Draft;
use super::{Mood, Proposal, ReplicaMap};

/// Evens out the numbers of replicas until they are within one of each other, as far as racks
/// allow: from the fullest broker to the emptiest, and nothing that need not move. New brokers
/// get their share of bytes too, since what leaves a broker is of its usual size.
pub fn spread(map: &ReplicaMap, mood: Mood) -> Proposal {
    let mut draft = Draft::new(map);
    let counts: Vec<usize> = takers(&draft).into_iter().map(|(n, _, _)| n).collect();
    let (least, most) = (counts.iter().min(), counts.iter().max());
    let (Some(least), Some(most)) = (least.copied(), most.copied()) else {
        return Proposal::default();
    };
    let mean = counts.iter().sum::<usize>() / counts.len();
    if !mood.uneven(least, most, mean) {
        return Proposal::default();
    }
    let empty: Vec<i32> = takers(&draft)
        .into_iter()
        .filter(|(n, _, _)| *n == 0)
        .map(|(_, _, id)| id)
        .collect();
    while let Some((at, from, to)) = step(&draft) {
        draft.replace(at, from, to);
    }
    draft.finish(Vec::new(), reason(&empty, least, most))
}

fn reason(empty: &[i32], least: usize, most: usize) -> String {
    let list: Vec<String> = empty.iter().map(i32::to_string).collect();
    match list.as_slice() {
        [] => format!("brokers have from {least} to {most} replicas"),
        [one] => format!("broker {one} takes its share"),
        [some @ .., last] => format!("brokers {} and {last} take their share", some.join(", ")),
    }
}

/// Replicas, bytes and id of each broker that takes replicas.
fn takers(draft: &Draft<'_>) -> Vec<(usize, u64, i32)> {
    let load = |id: i32| (draft.tally.replicas(id), draft.tally.bytes(id), id);
    draft.map.takers().map(|m| load(m.id)).collect()
}

/// The next replica to move, from where to where.
fn step(draft: &Draft<'_>) -> Option<(usize, i32, i32)> {
    let mut brokers = takers(draft);
    brokers.sort_unstable();
    for (full, bytes, from) in brokers.iter().rev() {
        for (free, _, to) in &brokers {
            if *full < free + 2 {
                break;
            }
            let usual = bytes / u64::try_from(*full).unwrap_or(1).max(1);
            if let Some(at) = pick(draft, *from, *to, usual) {
                return Some((at, *from, *to));
            }
        }
    }
    None
}

/// The partition whose size is nearest to `usual`.
fn pick(draft: &Draft<'_>, from: i32, to: i32, usual: u64) -> Option<usize> {
    (0..draft.replicas.len())
        .filter(|at| draft.allows(*at, from, to) && draft.keeps_racks(*at, from, to))
        .min_by_key(|at| (draft.map.partitions[*at].bytes.abs_diff(usual), *at))
}
