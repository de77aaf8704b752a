//! Former operators and later ones.

use proptest::prelude::*;
use weir_core::cluster::{ClusterCommand as C, ClusterError, ClusterReply};
use weir_types::{BrokerId, OperatorEpoch};

use super::support::{Cluster, TOPIC};

fn cordon(cordoned: bool) -> C {
    let broker = BrokerId(1);
    C::SetCordon { broker, cordoned }
}

impl Cluster {
    fn as_operator(&mut self, epoch: u64, command: C) -> Result<ClusterReply, ClusterError> {
        self.apply(C::AsOperator {
            epoch: OperatorEpoch(epoch),
            command: Box::new(command),
        })
    }

    fn heard(&mut self, epoch: u64, force: bool) -> Result<ClusterReply, ClusterError> {
        let epoch = OperatorEpoch(epoch);
        self.apply(C::SetOperatorEpoch { epoch, force })
    }
}

fn stale(have: u64, asked: u64) -> ClusterError {
    let (have, asked) = (OperatorEpoch(have), OperatorEpoch(asked));
    ClusterError::StaleOperator { have, asked }
}

#[test]
fn a_former_operators_command_that_was_on_its_way_changes_nothing() {
    let mut c = Cluster::of(3);
    c.as_operator(7, cordon(true)).expect("the first");
    c.as_operator(9, cordon(false)).expect("a later one");
    let before = c.0.clone();
    assert_eq!(c.as_operator(7, cordon(true)), Err(stale(9, 7)));
    assert_eq!(c.0.cordoned, before.cordoned);
    assert_eq!(c.0.version, before.version + 1);
    c.as_operator(9, cordon(true)).expect("the same again");
    // A person has no epoch.
    c.ok(cordon(false));
}

#[test]
fn an_operator_is_heard_also_where_its_command_is_refused() {
    let mut c = Cluster::of(2);
    let topic = TOPIC;
    let refused = c.as_operator(9, C::DeleteTopic { topic });
    assert_eq!(refused, Err(ClusterError::UnknownTopic(topic)));
    assert_eq!(c.0.operator_epoch, OperatorEpoch(9));
    assert_eq!(c.as_operator(8, cordon(true)), Err(stale(9, 8)));
}

#[test]
fn an_epoch_goes_back_by_force_only() {
    let mut c = Cluster::of(2);
    c.heard(9, false).expect("heard");
    assert_eq!(c.heard(5, false), Err(stale(9, 5)));
    c.heard(1, true).expect("forced");
    c.as_operator(5, cordon(true)).expect("a restored one");
    assert_eq!(c.0.operator_epoch, OperatorEpoch(5));
}

proptest! {
    #[test]
    fn whatever_comes_in_whatever_order_the_epoch_only_grows(
        epochs in proptest::collection::vec(1..20u64, 1..40),
    ) {
        let mut c = Cluster::of(2);
        for epoch in epochs {
            let before = c.0.operator_epoch.0;
            let taken = c.as_operator(epoch, cordon(epoch % 2 == 0)).is_ok();
            prop_assert_eq!(taken, epoch >= before);
            prop_assert_eq!(c.0.operator_epoch.0, before.max(epoch));
        }
    }
}
