//! Brokers leave the quorum, and come back.

use super::*;

async fn form_four() -> (Vec<Seat>, Vec<Node>, Vec<String>) {
    let mut seats = Vec::new();
    for broker in 0..4 {
        seats.push(Seat::new(broker).await);
    }
    let seeds: Vec<String> = seats.iter().map(|s| s.address.clone()).collect();
    let mut nodes = Vec::new();
    for seat in &seats {
        let timing = QuorumTiming {
            session_timeout: Duration::from_secs(2),
            ..timing()
        };
        nodes.push(start_with(seat, &seeds, timing).await);
    }
    nodes[0].quorum.form(CLUSTER).await.expect("formed");
    for node in &nodes {
        node.until_registered().await;
        node.until_live(4).await;
    }
    (seats, nodes, seeds)
}

fn broker_nodes(node: &Node, broker: i32) -> Vec<u64> {
    let image = node.quorum.image();
    let nodes = image.raft_nodes.values();
    let of = nodes.filter(|n| n.broker == BrokerId(broker));
    of.map(|n| n.id.0).collect()
}

async fn until_member(node: &Node, id: u64, wanted: bool) {
    let became = async {
        while node.quorum.members().iter().any(|m| m.node.0 == id) != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let met = timeout(WAIT, became).await;
    assert!(met.is_ok(), "node {id}: {:?}", node.quorum.members());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cordoned_controller_hands_over_is_removed_and_may_come_back() {
    let (seats, mut nodes, seeds) = form_four().await;
    let broker = BrokerId(0);
    let [first] = broker_nodes(&nodes[1], 0)[..] else {
        panic!("one node a broker")
    };
    let voters: Vec<u64> = voter_ids(&nodes[1])
        .into_iter()
        .filter(|n| *n != first)
        .collect();
    let alive = nodes[1]
        .quorum
        .propose(ClusterCommand::RemoveBroker { broker });
    assert!(
        matches!(
            alive.await,
            Err(ProposeError::Refused(ClusterError::BrokerAlive(_)))
        ),
        "it is alive and not cordoned"
    );
    let cordon = |cordoned| ClusterCommand::SetCordon { broker, cordoned };
    nodes[1]
        .quorum
        .propose(cordon(true))
        .await
        .expect("cordoned");
    nodes[1].until_voters(&voters).await;
    assert_ne!(nodes[1].quorum.controller(), Some(broker));
    let removed = nodes[1]
        .quorum
        .propose(ClusterCommand::RemoveBroker { broker });
    removed.await.expect("it holds nothing");
    until_member(&nodes[1], first, false).await;
    assert!(!nodes[1].quorum.image().brokers.contains_key(&broker));

    nodes.remove(0).stop().await;
    let uncordoned = nodes[0].quorum.propose(cordon(false)).await;
    uncordoned.expect("nobody need be there to be uncordoned");
    let timing = QuorumTiming {
        session_timeout: Duration::from_secs(2),
        ..timing()
    };
    let back = start_with(&seats[0], &seeds, timing).await;
    back.until_registered().await;
    back.until_live(4).await;
    // Another broker hears of it a moment later.
    until_member(&nodes[0], first, true).await;
    assert_eq!(broker_nodes(&back, 0), [first], "its folder, its node");
    back.stop().await;
    for node in nodes {
        node.stop().await;
    }
}
