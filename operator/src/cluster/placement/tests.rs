//! Plans as text: what a planner makes of a map that is easy to read.

use std::collections::BTreeSet;

use super::*;

const MIB: u64 = 1 << 20;

/// One partition a line: `topic-index MiB replicas`, with the ISR behind a bar if it is less.
pub(super) fn map(brokers: &[(i32, &str)], lines: &str) -> ReplicaMap {
    let members = brokers.iter().map(|(id, rack)| Member {
        id: *id,
        rack: (!rack.is_empty()).then(|| (*rack).to_owned()),
        ..Member::default()
    });
    let ids = |text: &str| -> Vec<i32> {
        let ids = text.split(',').filter(|t| !t.is_empty());
        ids.map(|t| t.parse().expect("a number")).collect()
    };
    let partition = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (topic, index) = words[0].rsplit_once('-').expect("topic-index");
        let (replicas, isr) = words[2].split_once('|').unwrap_or((words[2], words[2]));
        Partition {
            topic: topic.to_owned(),
            index: index.parse().expect("a number"),
            leader: ids(isr).first().copied(),
            replicas: ids(replicas),
            isr: ids(isr),
            min_isr: ids(replicas).len().saturating_sub(1).max(1),
            bytes: words[1].parse::<u64>().expect("a number") * MIB,
            ..Partition::default()
        }
    };
    ReplicaMap {
        partitions: lines
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .map(partition)
            .collect(),
        members: members.map(|m| (m.id, m)).collect(),
    }
}

fn plain(count: i32) -> Vec<(i32, &'static str)> {
    (0..count).map(|id| (id, "")).collect()
}

const ORDERS: &str = "
    clicks-0 10 0,1
    clicks-1 2000 1,2
    orders-0 300 0,1,2
    orders-1 200 1,2,0
    orders-2 100 2,0,1
    orders-3 400 0,2,1|0,2
";

fn said(drained: Result<Proposal, Obstacle>) -> String {
    match drained {
        Ok(proposal) => proposal.to_string(),
        Err(obstacle) => format!("{}: {obstacle}\n", obstacle.reason()),
    }
}

#[test]
fn drains_as_text() {
    let mut text = String::new();
    let mut tell = |name: &str, outcome: String| text += &format!("{name}\n{outcome}\n");
    let four = map(&plain(4), ORDERS);
    tell(
        "broker 1 of four leaves",
        said(drain(&four, 1, Why::Leaving)),
    );
    let three = map(&plain(3), ORDERS);
    tell(
        "broker 2 of three leaves",
        said(drain(&three, 2, Why::Leaving)),
    );
    tell(
        "broker 2 of three is lost",
        said(drain(&three, 2, Why::Lost)),
    );
    let mut fenced = four.clone();
    fenced.members.get_mut(&3).expect("it is there").fenced = true;
    tell(
        "the only spare one is down",
        said(drain(&fenced, 1, Why::Lost)),
    );
    let mut cordoned = four.clone();
    cordoned.members.get_mut(&3).expect("it is there").cordoned = true;
    let outcome = said(drain(&cordoned, 1, Why::Leaving));
    tell("the only spare one leaves too", outcome);
    let racks = [(0, "a"), (1, "b"), (2, "c"), (3, "b"), (4, "a")];
    let spread = map(&racks, ORDERS);
    tell("rack b has another", said(drain(&spread, 1, Why::Leaving)));
    let behind = map(&plain(4), "t-0 5 1,0,2|1\n t-1 5 1,0,2");
    tell("one is behind", said(drain(&behind, 1, Why::Leaving)));
    let mut begun = map(&plain(4), "t-0 5 1,0\n t-1 5 0,1");
    begun.partitions[0].adding = vec![0];
    tell("one moves already", said(drain(&begun, 1, Why::Leaving)));
    insta::assert_snapshot!("drains", text);
}

#[test]
fn spreads_as_text() {
    let mut text = String::new();
    let mut tell = |name: &str, p: Proposal| text += &format!("{name}\n{p}\n");
    tell("even", spread(&map(&plain(3), ORDERS), Mood::Resting));
    let grown = map(&plain(5), ORDERS);
    tell("two new brokers", spread(&grown, Mood::Resting));
    let racks = [(0, "a"), (1, "b"), (2, "c"), (3, "a")];
    tell("one in rack a", spread(&map(&racks, ORDERS), Mood::Resting));
    let small = map(&plain(3), "a-0 1 0\n a-1 1 0\n a-2 1 1");
    tell("not worth it", spread(&small, Mood::Resting));
    tell("begun", spread(&small, Mood::Running));
    insta::assert_snapshot!("spreads", text);
}

#[test]
fn balances_as_text() {
    let mut text = String::new();
    let mut tell = |name: &str, p: Proposal| text += &format!("{name}\n{p}\n");
    let led = map(
        &plain(3),
        "t-0 1 0,1\n t-1 1 0,1\n t-2 1 0,1\n t-3 1 1,2\n t-4 1 1,2\n t-5 1 0,1",
    );
    tell("leaders by a chain", leaders(&led, Mood::Resting));
    tell(
        "leaders, even",
        leaders(&map(&plain(3), ORDERS), Mood::Resting),
    );
    let full = map(
        &plain(3),
        "t-0 9000 0\n t-1 8000 0\n t-2 100 1\n t-3 200 1\n t-4 100 2\n t-5 3000 2",
    );
    tell("disks by exchange", disk(&full, Mood::Resting));
    let near = map(&plain(2), "t-0 2000 0\n t-1 1500 1");
    tell("disks, near enough", disk(&near, Mood::Resting));
    insta::assert_snapshot!("balances", text);
}

#[test]
fn a_wave_leaves_room_for_what_moves_already() {
    let mut map = map(&plain(5), ORDERS);
    let all = drain(&map, 1, Why::Leaving).expect("it can go");
    assert_eq!(wave(&map, &all, 2).len(), 2);
    map.partitions[0].removing = vec![1];
    map.partitions[2].adding = vec![3];
    assert_eq!(wave(&map, &all, 2), Vec::new());
    assert_eq!(wave(&map, &all, 3).len(), 1);
}

#[test]
fn brokers_stop_together_only_if_every_partition_stays_writable() {
    let lines = "t-0 1 0,1,2,3\n t-1 1 2,3,4";
    let mut map = map(&plain(5), lines);
    map.partitions[0].min_isr = 2;
    let set = |ids: &[i32]| ids.iter().copied().collect::<BTreeSet<i32>>();
    assert_eq!(stoppable(&map, &set(&[0, 1])), Ok(()));
    let refused = stoppable(&map, &set(&[2, 3])).expect_err("t-1 would have one");
    assert_eq!(refused, "t-1 would have 1 of 2 replicas in sync");
}

#[test]
fn sizes_are_told_in_few_digits() {
    let told = [0, 900, 1024, 1536, 20 * 1024, 3 << 30].map(sized);
    assert_eq!(
        told,
        ["0 B", "900 B", "1.0 KiB", "1.5 KiB", "20 KiB", "3.0 GiB"]
    );
}
