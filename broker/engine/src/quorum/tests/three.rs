//! Three brokers: joining, leaving, dying.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_brokers_join_and_any_of_them_may_propose() {
    let (_seats, nodes, _) = form_three().await;
    for (index, node) in nodes.iter().enumerate() {
        let name = format!("from-{index}");
        let reply = node
            .quorum
            .propose(topic(&name, &[&[0, 1, 2]]))
            .await
            .expect("created");
        assert!(matches!(reply, ClusterReply::TopicCreated(_)));
        assert!(
            node.quorum.image().topic_by_name(&name).is_some(),
            "its own image has it"
        );
        let twice = node.quorum.propose(topic(&name, &[&[0]])).await;
        assert!(matches!(
            twice,
            Err(ProposeError::Refused(ClusterError::TopicExists(_)))
        ));
    }
    for node in &nodes {
        node.until("all topics everywhere", |i| i.topics.len() == 3)
            .await;
        assert!(
            !node.quorum.needs(BrokerId(1)),
            "two of three are a majority"
        );
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_controller_is_replaced_and_fenced_quickly() {
    let (seats, mut nodes, seeds) = form_three().await;
    let id = match nodes[1]
        .quorum
        .propose(topic("a", &[&[0, 1, 2]]))
        .await
        .expect("created")
    {
        ClusterReply::TopicCreated(id) => id,
        other => panic!("{other:?}"),
    };
    let partition = PartitionId::new(id, 0);
    let leads = |broker: i32| {
        move |i: &Image| {
            i.partition(partition)
                .is_some_and(|p| p.leader == Some(BrokerId(broker)))
        }
    };
    nodes[1].until("led by 0", leads(0)).await;
    assert_eq!(nodes[1].quorum.controller(), Some(BrokerId(0)));

    let first = nodes.remove(0);
    first.kill().await;
    let began = Instant::now();
    nodes[0].until("fenced", |i| !i.is_live(BrokerId(0))).await;
    println!(
        "controller killed: fenced by its heir after {:?}",
        began.elapsed()
    );
    nodes[0].until("led by 1", leads(1)).await;
    nodes[0]
        .quorum
        .propose(topic("b", &[&[1, 2]]))
        .await
        .expect("goes on");
    nodes[1]
        .until("follows", |i| i.topic_by_name("b").is_some())
        .await;
    assert!(nodes[0].quorum.needs(BrokerId(1)), "two of three are left");

    let back = start(&seats[0], &seeds).await;
    back.until_registered().await;
    back.until_live(3).await;
    assert!(back.quorum.image().topic_by_name("b").is_some());
    nodes.push(back);
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_is_fenced_long_before_its_session_ends() {
    let (_seats, mut nodes, _) = form_three().await;
    let victim = nodes.remove(2);
    victim.kill().await;
    let began = Instant::now();
    nodes[0].until("fenced", |i| !i.is_live(BrokerId(2))).await;
    println!("broker killed: fenced after {:?}", began.elapsed());
    assert!(
        began.elapsed() < timing().session_timeout,
        "{:?}",
        began.elapsed()
    );
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_stop_of_the_controller_leaves_no_gap() {
    let (_seats, mut nodes, _) = form_three().await;
    let first = nodes.remove(0);
    assert_eq!(first.quorum.begin_stop().await, Ok(0));
    first.stop().await;
    let began = Instant::now();
    nodes[0]
        .quorum
        .propose(topic("a", &[&[1]]))
        .await
        .expect("created");
    println!(
        "controller stopped: the next proposal took {:?}",
        began.elapsed()
    );
    assert!(
        !nodes[0].quorum.image().is_live(BrokerId(0)),
        "it said goodbye"
    );
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_cluster_restarts() {
    let (seats, nodes, seeds) = form_three().await;
    nodes[2]
        .quorum
        .propose(topic("kept", &[&[0, 1, 2]]))
        .await
        .expect("created");
    for node in nodes {
        node.kill().await;
    }
    let mut nodes = Vec::new();
    for seat in &seats {
        nodes.push(start(seat, &seeds).await);
    }
    for node in &nodes {
        node.until_registered().await;
        node.until_live(3).await;
        assert!(node.quorum.image().topic_by_name("kept").is_some());
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_folder_comes_back_as_a_new_node() {
    let (mut seats, mut nodes, seeds) = form_three().await;
    let old = voter_ids(&nodes[0]);
    let seat_of_three = nodes[0].quorum.image();
    let replaced = seat_of_three
        .raft_nodes
        .values()
        .find(|n| n.broker == BrokerId(2))
        .map(|n| n.id.0)
        .expect("a node");
    nodes.pop().expect("three").kill().await;
    seats[2].empty();
    let back = start(&seats[2], &seeds).await;
    back.until_registered().await;
    back.until_live(3).await;
    let forgotten = |i: &Image| !i.raft_nodes.contains_key(&weir_types::RaftNodeId(replaced));
    back.until("the old node is forgotten", forgotten).await;
    let mut voters: Vec<u64> = old.into_iter().filter(|id| *id != replaced).collect();
    voters.push(4);
    back.until_voters(&voters).await;
    nodes.push(back);
    for node in &nodes {
        node.quorum
            .propose(topic(&Uuid::new_v4().to_string(), &[&[2]]))
            .await
            .expect("created");
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_go_back_to_their_preferred_broker() {
    let (seats, mut nodes, seeds) = form_three().await;
    let reply = nodes[0]
        .quorum
        .propose(topic("a", &[&[2, 0]]))
        .await
        .expect("created");
    let ClusterReply::TopicCreated(id) = reply else {
        panic!("{reply:?}")
    };
    let partition = PartitionId::new(id, 0);
    nodes.pop().expect("three").kill().await;
    let led_by = |broker: i32| {
        move |i: &Image| {
            i.partition(partition)
                .is_some_and(|p| p.leader == Some(BrokerId(broker)))
        }
    };
    let image = nodes[0].until("taken over", led_by(0)).await;
    let back = start(&seats[2], &seeds).await;
    back.until_registered().await;
    back.until_live(3).await;
    let state = back
        .quorum
        .image()
        .partition(partition)
        .expect("there")
        .clone();
    assert!(state.leader_epoch >= image.partition(partition).expect("there").leader_epoch);
    // What the partition's leader does once the follower has caught up.
    let image = back.quorum.image();
    let isr = [0, 2]
        .map(|id| (BrokerId(id), image.brokers[&BrokerId(id)].epoch))
        .to_vec();
    let grown = ClusterCommand::AlterPartition(weir_core::cluster::AlterPartition {
        broker: BrokerId(0),
        broker_epoch: image.brokers[&BrokerId(0)].epoch,
        partition,
        leader_epoch: state.leader_epoch,
        partition_epoch: state.partition_epoch,
        isr,
    });
    nodes[0].quorum.propose(grown).await.expect("in sync again");
    nodes[0].until("given back", led_by(2)).await;
    nodes.push(back);
    for node in nodes {
        node.stop().await;
    }
}
