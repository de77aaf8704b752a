//! A broker that stops knows when nobody is left to take its leaders.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heirs_whose_processes_are_gone_are_not_waited_for_even_without_a_majority() {
    let (_seats, mut nodes, _) = form_three().await;
    let last = nodes.remove(0);
    assert!(!last.quorum.has_heirs(), "it leads nothing");
    let created = last.quorum.propose(topic("t", &[&[0, 1, 2]])).await;
    created.expect("created");
    assert!(last.quorum.has_heirs());
    for node in nodes {
        node.kill().await;
    }
    let seen = timeout(WAIT, last.quorum.without_heirs()).await;
    seen.expect("both processes are seen to be gone");
    // Nobody could write it down: in the metadata they live.
    assert!(last.quorum.has_heirs());
    last.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_heir_that_lives_is_waited_for() {
    let (_seats, mut nodes, _) = form_three().await;
    let created = nodes[0].quorum.propose(topic("t", &[&[0, 1, 2]])).await;
    created.expect("created");
    nodes.pop().expect("three").kill().await;
    // Fenced by the other two; until then and from then on broker 1 is an heir.
    let fenced = |i: &Image| !i.is_live(BrokerId(2));
    tokio::select! {
        biased;
        () = nodes[0].quorum.without_heirs() => panic!("broker 1 lives"),
        _ = nodes[0].until("the third is fenced", fenced) => {}
    }
    assert!(nodes[0].quorum.has_heirs());
    let stopping = nodes[1].quorum.begin_stop().await.expect("decided");
    assert_eq!(stopping, 0);
    nodes[0]
        .until("the second is stopping", |i| {
            i.brokers.get(&BrokerId(1)).is_some_and(|b| b.stopping)
        })
        .await;
    assert!(!nodes[0].quorum.has_heirs());
    let seen = timeout(WAIT, nodes[0].quorum.without_heirs()).await;
    seen.expect("one that stops itself takes nothing");
    for node in nodes {
        node.stop().await;
    }
}
