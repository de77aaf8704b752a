use super::*;
use uuid::Uuid;
use weir_core::cluster::{ClusterReply, Registration};
use weir_types::FolderId;

const TIMEOUT: Duration = Duration::from_secs(6);

fn apply(image: &mut Image, command: ClusterCommand) -> ClusterReply {
    let (next, reply) = image.apply(&command);
    *image = next;
    reply.expect("accepted")
}

fn register(image: &mut Image, incarnation: u128) -> BrokerEpoch {
    let registration = Registration {
        broker: BrokerId(1),
        folder: FolderId(Uuid::from_u128(1)),
        incarnation: Uuid::from_u128(incarnation),
        rack: None,
        peer_address: "b1:1".into(),
        listeners: Vec::new(),
        clean: true,
        ineligible: Vec::new(),
    };
    match apply(image, ClusterCommand::RegisterBroker(registration)) {
        ClusterReply::Registered(epoch) => epoch,
        other => panic!("{other:?}"),
    }
}

fn formed() -> (Image, BrokerEpoch) {
    let mut image = Image::default();
    apply(
        &mut image,
        ClusterCommand::Form {
            cluster_id: "c".into(),
        },
    );
    let epoch = register(&mut image, 1);
    (image, epoch)
}

/// And no longer fenced.
fn serving() -> (Image, BrokerEpoch) {
    let (mut image, epoch) = formed();
    let broker = BrokerId(1);
    apply(&mut image, ClusterCommand::Unfence { broker, epoch });
    (image, epoch)
}

fn beat(epoch: BrokerEpoch, applied: u64) -> Heartbeat {
    Heartbeat {
        broker: BrokerId(1),
        epoch,
        applied,
        leaving: false,
    }
}

#[test]
fn a_broker_is_unfenced_once_it_has_caught_up_with_its_registration() {
    let (image, epoch) = formed();
    let now = Instant::now();
    let mut sessions = Sessions::new(TIMEOUT, now);
    assert_eq!(sessions.judge(&image, now), [], "never heard");
    assert_eq!(
        sessions.hear(&image, &beat(epoch, 0), None, now),
        Heard::News
    );
    assert_eq!(sessions.judge(&image, now), [], "behind");
    sessions.hear(&image, &beat(epoch, image.version), None, now);
    let unfence = ClusterCommand::Unfence {
        broker: BrokerId(1),
        epoch,
    };
    assert_eq!(sessions.judge(&image, now), [unfence]);
}

#[test]
fn silence_fences_after_the_timeout_and_a_new_controller_starts_it_afresh() {
    let (image, epoch) = serving();
    let start = Instant::now();
    let mut sessions = Sessions::new(TIMEOUT, start);
    sessions.hear(&image, &beat(epoch, 9), None, start);
    let fence = ClusterCommand::Fence {
        broker: BrokerId(1),
        epoch,
    };
    assert_eq!(sessions.judge(&image, start + TIMEOUT / 2), []);
    assert_eq!(
        sessions.judge(&image, start + TIMEOUT),
        std::slice::from_ref(&fence)
    );
    sessions.restart(&image, None, start + TIMEOUT);
    assert_eq!(sessions.judge(&image, start + TIMEOUT), []);
    assert_eq!(
        sessions.take_doubtful(),
        [(BrokerId(1), epoch)],
        "worth a look at once"
    );
    assert_eq!(sessions.judge(&image, start + 2 * TIMEOUT), [fence]);
}

#[test]
fn the_last_controllers_session_goes_on_under_the_next() {
    let (image, _) = serving();
    let broker = BrokerId(1);
    let heard = Instant::now();
    let mut sessions = Sessions::new(TIMEOUT, heard);
    let fenced_after = |sessions: &Sessions, began: Instant| {
        let millis = (0..).map(|n| n * 100);
        let mut waits = millis.map(Duration::from_millis);
        waits.find(|wait| !sessions.judge(&image, began + *wait).is_empty())
    };
    let election = Duration::from_millis(2500);
    for (before, silence, left) in [
        (broker, election, TIMEOUT - election),
        (broker, 3 * TIMEOUT, TIMEOUT / 3),
        (BrokerId(2), election, TIMEOUT),
    ] {
        let began = heard + silence;
        sessions.restart(&image, Some((before, heard)), began);
        assert_eq!(fenced_after(&sessions, began), Some(left));
    }
}

#[test]
fn a_broker_found_gone_comes_back_only_by_a_new_heartbeat() {
    let (mut image, epoch) = serving();
    let now = Instant::now();
    let mut sessions = Sessions::new(TIMEOUT, now);
    sessions.hear(&image, &beat(epoch, 9), Some(ConnectionId(5)), now);
    assert!(!sessions.lose(ConnectionId(6)));
    assert!(sessions.lose(ConnectionId(5)));
    assert_eq!(sessions.take_doubtful(), [(BrokerId(1), epoch)]);
    sessions.forget(BrokerId(1), epoch);
    apply(
        &mut image,
        ClusterCommand::Fence {
            broker: BrokerId(1),
            epoch,
        },
    );
    assert_eq!(sessions.judge(&image, now), []);
    sessions.hear(&image, &beat(epoch, image.version), None, now);
    let unfence = ClusterCommand::Unfence {
        broker: BrokerId(1),
        epoch,
    };
    assert_eq!(sessions.judge(&image, now), [unfence]);
}

#[test]
fn an_older_incarnation_is_told_so() {
    let (mut image, old) = formed();
    let new = register(&mut image, 2);
    assert!(new > old);
    let now = Instant::now();
    let mut sessions = Sessions::new(TIMEOUT, now);
    assert_eq!(
        sessions.hear(&image, &beat(old, 9), None, now),
        Heard::Unknown
    );
    assert_eq!(sessions.hear(&image, &beat(new, 9), None, now), Heard::News);
}

#[test]
fn a_goodbye_fences_at_once_and_for_good() {
    let (mut image, epoch) = serving();
    let now = Instant::now();
    let mut sessions = Sessions::new(TIMEOUT, now);
    let goodbye = Heartbeat {
        leaving: true,
        ..beat(epoch, 9)
    };
    assert_eq!(sessions.hear(&image, &goodbye, None, now), Heard::News);
    let fence = ClusterCommand::Fence {
        broker: BrokerId(1),
        epoch,
    };
    assert_eq!(sessions.judge(&image, now), std::slice::from_ref(&fence));
    apply(&mut image, fence);
    assert_eq!(sessions.judge(&image, now), []);
}
