//! One broker, or two.

use super::*;
use std::path::Path;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_broker_is_ready_at_once() {
    let seat = Seat::new(0).await;
    let began = Instant::now();
    let node = start(&seat, &[]).await;
    let started = began.elapsed();
    node.quorum.form(CLUSTER).await.expect("formed");
    let formed = began.elapsed();
    node.until_registered().await;
    node.until_live(1).await;
    let live = began.elapsed();
    node.quorum
        .propose(topic("a", &[&[0]]))
        .await
        .expect("created");
    println!(
        "opened after {started:?}, formed after {formed:?}, live after {live:?}, first topic \
         after {:?}",
        began.elapsed()
    );
    assert!(live < Duration::from_secs(5), "{live:?}");
    assert!(node.quorum.image().topic_by_name("a").is_some());
    assert_eq!(node.quorum.controller(), Some(BrokerId(0)));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forming_twice_is_forming_once_and_another_id_is_refused() {
    let (_seat, node) = form_one().await;
    node.quorum.form(CLUSTER).await.expect("the same id");
    let other = node.quorum.form("another").await;
    assert!(
        matches!(other, Err(QuorumError::OtherCluster { .. })),
        "{other:?}"
    );
    let again = node
        .quorum
        .propose(ClusterCommand::Form {
            cluster_id: "x".into(),
        })
        .await;
    assert!(matches!(
        again,
        Err(ProposeError::Refused(ClusterError::OtherCluster { .. }))
    ));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_broker_knows_everything_at_once() {
    let (seat, node) = form_one().await;
    node.until_live(1).await;
    node.quorum
        .propose(topic("kept", &[&[0], &[0]]))
        .await
        .expect("created");
    let epoch = node.quorum.broker_epoch();
    let id = node
        .quorum
        .image()
        .topic_by_name("kept")
        .expect("created")
        .id;
    node.kill().await;

    let began = Instant::now();
    let node = start(&seat, &[]).await;
    let again = node.until_registered().await;
    node.until_live(1).await;
    println!("live again after {:?}", began.elapsed());
    assert!(Some(again) > epoch, "a new incarnation has a new epoch");
    let image = node.quorum.image();
    let partition = image.partition(PartitionId::new(id, 1)).expect("kept");
    assert_eq!(partition.leader, Some(BrokerId(0)));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_after_snapshots_and_purges_restores_the_same_image() {
    let seat = Seat::new(0).await;
    let timing = QuorumTiming {
        snapshot_every: 40,
        ..timing()
    };
    let node = start_with(&seat, &[], timing.clone()).await;
    node.quorum.form(CLUSTER).await.expect("formed");
    node.until_live(1).await;
    for index in 0..250 {
        node.quorum
            .propose(topic(&format!("t{index}"), &[&[0]]))
            .await
            .expect("created");
    }
    let raft = &node
        .quorum
        .shared_for_tests()
        .node
        .get()
        .expect("joined")
        .raft;
    raft.wait(Some(WAIT))
        .metrics(|m| m.purged.is_some_and(|p| p.index > 100), "purged")
        .await
        .expect("old entries are purged");
    let before = node.quorum.image();
    node.kill().await;
    let node = start_with(&seat, &[], timing).await;
    let image = node
        .until("restored", |i| i.version >= before.version)
        .await;
    assert_eq!(image.topics, before.topics);
    assert_eq!(image.cluster_id, CLUSTER);
    node.until_registered().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_broker_with_the_same_id_gives_up_with_a_clear_line() {
    let (seat, node) = form_one().await;
    node.until_live(1).await;
    let mut twin = Seat::new(0).await;
    twin.folder_id = FolderId(Uuid::new_v4());
    let second = start(&twin, std::slice::from_ref(&seat.address)).await;
    let error = second.quorum.registered().await.expect_err("refused");
    assert!(
        matches!(error, QuorumError::DuplicateBroker { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("same id"), "{error}");
    assert_eq!(node.quorum.image().raft_nodes.len(), 1, "it left no trace");
    second.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_joiner_gets_the_snapshot() {
    let seat = Seat::new(0).await;
    let timing = QuorumTiming {
        snapshot_every: 30,
        ..timing()
    };
    let node = start_with(&seat, &[], timing.clone()).await;
    node.quorum.form(CLUSTER).await.expect("formed");
    node.until_live(1).await;
    for index in 0..200 {
        node.quorum
            .propose(topic(&format!("t{index}"), &[&[0]]))
            .await
            .expect("created");
    }
    let late = Seat::new(1).await;
    let second = start_with(&late, std::slice::from_ref(&seat.address), timing).await;
    second.until_registered().await;
    second.until_live(2).await;
    assert_eq!(second.quorum.image().topics.len(), 200);
    assert_eq!(second.quorum.image().topics, node.quorum.image().topics);
    let voters = node.quorum.members().iter().filter(|m| m.voter).count();
    assert_eq!(voters, 1, "two brokers, one voter");
    assert!(node.quorum.needs(BrokerId(0)));
    assert!(!node.quorum.needs(BrokerId(1)));
    second.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_a_newer_release_stops_the_broker() {
    let (seat, node) = form_one().await;
    node.stop().await;
    poke(seat.folder.path(), "identity", &[4, 9, 0]);
    let config = QuorumConfig {
        folder: seat.folder.path().to_owned(),
        folder_id: seat.folder_id,
        broker: seat.broker,
        rack: None,
        peer_address: seat.address.clone(),
        listeners: Vec::new(),
        seeds: Vec::new(),
        incarnation: Uuid::new_v4(),
        clean: true,
        ineligible: Vec::new(),
        timing: timing(),
    };
    let refused = Quorum::start(config, PeerNet::new(), &PeerRouter::new()).await;
    let error = refused.err().expect("refused");
    assert!(error.to_string().contains("newer release"), "{error}");
}

fn poke(folder: &Path, key: &str, value: &[u8]) {
    let table = redb::TableDefinition::<&str, &[u8]>::new("meta");
    let path = folder.join("metadata/quorum.redb");
    let database = redb::Database::open(path).expect("closed by then");
    let write = database.begin_write().expect("writes");
    write
        .open_table(table)
        .expect("there")
        .insert(key, value)
        .expect("put");
    write.commit().expect("written");
}
