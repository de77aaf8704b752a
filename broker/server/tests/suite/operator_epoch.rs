//! A former operator's calls are refused by a whole broker.

use std::net::TcpListener;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use weir_proto::OPERATOR_EPOCH;
use weir_proto::admin as pb;
use weir_proto::admin::admin_client::AdminClient;
use weir_proto::admin::placement_client::PlacementClient;
use weir_server::{Args, run};

/// A port whose three neighbours above are free too.
fn port() -> u16 {
    let all_free = |first: &u16| {
        let bound = |n: u16| TcpListener::bind(("127.0.0.1", first.checked_add(n)?)).ok();
        (0..4).map(bound).collect::<Option<Vec<_>>>().is_some()
    };
    let any = || TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok();
    let mut drawn = std::iter::repeat_with(|| any().map_or(0, |a| a.port()));
    drawn.find(all_free).expect("four free ports")
}

async fn registered(port: u16) -> Channel {
    let channel = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))
        .expect("an address")
        .connect_lazy();
    let mut admin = AdminClient::new(channel.clone());
    let up = async {
        loop {
            let answer = admin.get_broker(pb::GetBrokerRequest {}).await;
            if answer.is_ok_and(|a| a.get_ref().registered && !a.get_ref().fenced) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let up = tokio::time::timeout(Duration::from_secs(60), up).await;
    up.expect("the broker serves");
    channel
}

/// A call of the operator of this epoch; 0: a person's.
fn of<T>(epoch: u64, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if epoch > 0 {
        request.metadata_mut().insert(OPERATOR_EPOCH, epoch.into());
    }
    request
}

fn topic(name: &str) -> pb::CreateTopicRequest {
    pb::CreateTopicRequest {
        name: name.to_owned(),
        partitions: 1,
        replication_factor: 1,
        ..pb::CreateTopicRequest::default()
    }
}

/// The epoch that a refusal names.
fn heard(refusal: &Status) -> (Code, Option<u64>) {
    let heard = refusal.metadata().get(OPERATOR_EPOCH);
    let heard = heard.and_then(|h| h.to_str().ok()?.parse().ok());
    (refusal.code(), heard)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_a_later_operator_was_heard_a_former_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = port();
    let broker = tokio::spawn(run(Args {
        dev: true,
        data_dir: Some(folder.path().to_owned()),
        port,
        config: None,
        log_json: false,
    }));
    let channel = registered(port + 2).await;
    let mut admin = AdminClient::new(channel.clone());
    let mut placement = PlacementClient::new(channel);

    // Before anybody was heard an epoch says nothing.
    admin.create_topic(of(7, topic("a"))).await.expect("made");
    let state = admin.get_broker(pb::GetBrokerRequest {}).await.expect("up");
    assert_eq!(state.get_ref().operator_epoch, Some(0));

    let hear = |epoch, force| pb::SetOperatorEpochRequest { epoch, force };
    admin
        .set_operator_epoch(of(8, hear(8, false)))
        .await
        .expect("heard");
    let refused = admin.create_topic(of(7, topic("b"))).await;
    let refused = refused.expect_err("its time is over");
    assert_eq!(heard(&refused), (Code::Aborted, Some(8)));
    let cordon = pb::CordonBrokerRequest {
        broker_id: 0,
        cordoned: true,
    };
    let refused = placement.cordon_broker(of(7, cordon)).await;
    assert_eq!(heard(&refused.expect_err("over")), (Code::Aborted, Some(8)));
    let refused = admin.set_operator_epoch(of(0, hear(7, false))).await;
    assert_eq!(heard(&refused.expect_err("over")), (Code::Aborted, Some(8)));

    // Whoever comes later is heard by what it does; a person has no epoch.
    admin.create_topic(of(9, topic("b"))).await.expect("made");
    admin.create_topic(of(0, topic("c"))).await.expect("made");
    let refused = admin.create_topic(of(8, topic("d"))).await;
    assert_eq!(heard(&refused.expect_err("over")), (Code::Aborted, Some(9)));

    // After etcd was restored a person lets operators of lower numbers in again.
    admin
        .set_operator_epoch(of(0, hear(1, true)))
        .await
        .expect("set back");
    admin.create_topic(of(5, topic("d"))).await.expect("made");
    let state = admin.get_broker(pb::GetBrokerRequest {}).await.expect("up");
    assert_eq!(state.get_ref().operator_epoch, Some(5));
    broker.abort();
}
