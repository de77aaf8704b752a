//! Brokers tell an operator from the one before it.

use crate::support::World;
use weir_operator::admin::Refusal;
use weir_operator::error::Error;

#[tokio::test]
async fn an_operator_makes_itself_heard_once_and_before_it_changes_anything() {
    let world = World::serving(3).await;
    world.brokers.state().heard = Some(0);
    world.brokers.state().config.clear();
    world.brokers.take_calls();
    world.ctx.term.begin(70);
    world.cluster().await.expect("reconciles");
    let calls = world.brokers.take_calls();
    assert_eq!(calls.first().map(String::as_str), Some("hear operator 70"));
    assert!(calls.len() > 1, "{calls:?}");
    world.cluster().await.expect("reconciles");
    let calls = world.brokers.take_calls();
    assert!(!calls.iter().any(|c| c.starts_with("hear")), "{calls:?}");
}

#[tokio::test]
async fn a_former_operator_changes_nothing_of_a_cluster_that_heard_a_later_one() {
    let world = World::serving(3).await;
    world.brokers.state().heard = Some(71);
    world.brokers.state().config.clear();
    world.brokers.take_calls();
    world.ctx.term.begin(70);
    match world.cluster().await {
        Err(Error::Admin(error)) => assert!(error.is(Refusal::Deposed), "{error}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.brokers.take_calls(), [""; 0]);
}

#[tokio::test]
async fn brokers_without_epochs_and_operators_without_one_go_on_as_before() {
    let world = World::serving(3).await;
    world.brokers.take_calls();
    world.ctx.term.begin(70);
    world.cluster().await.expect("reconciles");
    assert_eq!(world.brokers.state().heard, None);
    // The first time, every broker must know of them.
    world.brokers.state().heard = Some(0);
    world.brokers.state().down.insert(2);
    world.cluster().await.expect("reconciles");
    assert_eq!(world.brokers.state().heard, Some(0));
    let other = World::serving(3).await;
    other.brokers.state().heard = Some(5);
    other.cluster().await.expect("reconciles");
    assert_eq!(other.brokers.state().heard, Some(5));
}
