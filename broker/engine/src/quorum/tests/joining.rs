//! Who is let in, when, and at which address.

use super::*;
use crate::peer::PeerService as _;
use crate::quorum::join;
use crate::quorum::record::Identity;
use crate::quorum::rpc::{self, Join, Joined};
use crate::quorum::service::Service;

async fn ask(service: &Service, seat: &Seat) -> Joined {
    let join = Join {
        folder: seat.folder_id,
        broker: seat.broker,
        address: seat.address.clone(),
    };
    let body = rpc::encode(&join).expect("encodes");
    let answer = service.handle(rpc::JOIN, body).await.expect("an answer");
    rpc::decode(&answer).expect("decodes")
}

/// The founder runs under node id 1 before its own allocation is in the log. Whoever were let in
/// meanwhile would be given that very id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_let_in_before_the_founder_has_its_own_node_id() {
    let (first, second) = (Seat::new(0).await, Seat::new(1).await);
    let node = start(&first, &[]).await;
    let shared = node.quorum.shared_for_tests();
    let service = Service::new(Arc::clone(shared));
    assert!(matches!(ask(&service, &second).await, Joined::NotYet(_)));

    let founder = Identity {
        cluster_id: CLUSTER.to_owned(),
        node: 1,
        founder: true,
    };
    join::enter(shared, founder).await.expect("raft starts");
    assert!(node.quorum.image().raft_nodes.is_empty());
    let answer = ask(&service, &second).await;
    assert!(matches!(answer, Joined::NotYet(_)), "{answer:?}");

    node.quorum.form(CLUSTER).await.expect("formed");
    let first_nodes: Vec<_> = node.quorum.image().raft_nodes.values().cloned().collect();
    assert_eq!(first_nodes.len(), 1);
    assert_eq!(first_nodes[0].folder, first.folder_id);
    let answer = ask(&service, &second).await;
    let Joined::Member {
        cluster_id,
        node: id,
    } = answer
    else {
        panic!("{answer:?}");
    };
    assert_eq!((cluster_id.as_str(), id.0), (CLUSTER, 2));
    node.stop().await;
}

/// Asking while the cluster is being formed, again and again: ids never meet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_ask_while_the_cluster_is_formed_get_ids_of_their_own() {
    let founder = Seat::new(0).await;
    let seeds = [founder.address.clone()];
    let others = [Seat::new(1).await, Seat::new(2).await];
    let mut nodes = Vec::new();
    for seat in &others {
        nodes.push(start(seat, &seeds).await);
    }
    let first = start(&founder, &[]).await;
    first.quorum.form(CLUSTER).await.expect("formed");
    for node in nodes.iter().chain([&first]) {
        node.until_registered().await;
        node.until_live(3).await;
    }
    let image = first.quorum.image();
    let founded = image.raft_nodes.values().find(|n| n.id.0 == 1);
    assert_eq!(founded.map(|n| n.broker), Some(BrokerId(0)));
    assert_eq!(image.raft_nodes.len(), 3);
    nodes.push(first);
    for node in nodes {
        node.stop().await;
    }
}

fn address_of(node: &Node, member: u64) -> Option<String> {
    let shared = node.quorum.shared_for_tests();
    let metrics = shared.node.get()?.metrics.borrow().clone();
    let mut nodes = metrics.membership_config.nodes();
    nodes
        .find(|(id, _)| **id == member)
        .map(|(_, node)| node.addr.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_returns_at_another_address_is_a_member_there() {
    let (mut seats, mut nodes, seeds) = form_three().await;
    let image = nodes[0].quorum.image();
    let known = image.raft_nodes.values().find(|n| n.broker == BrokerId(2));
    let moved = known.expect("a node").id.0;
    nodes.pop().expect("three").kill().await;
    let elsewhere = Seat::new(2).await.address;
    assert_ne!(seats[2].address, elsewhere);
    seats[2].address.clone_from(&elsewhere);
    let back = start(&seats[2], &seeds).await;
    back.until_registered().await;
    back.until_live(3).await;
    nodes.push(back);
    for node in &nodes {
        node.until_voters(&voter_ids(&nodes[0])).await;
        let mut images = node.quorum.subscribe();
        let told = async {
            while address_of(node, moved).as_ref() != Some(&elsewhere) {
                // Membership is no part of the image: look now and then too.
                let _ = timeout(Duration::from_millis(50), images.changed()).await;
            }
        };
        let told = timeout(WAIT, told).await;
        assert!(told.is_ok(), "still at {:?}", address_of(node, moved));
    }
    // The quorum works with it there: of the other two, one may go.
    nodes.remove(1).kill().await;
    nodes[1]
        .quorum
        .propose(topic("a", &[&[2]]))
        .await
        .expect("two of three are a majority");
    for node in nodes {
        node.stop().await;
    }
}
