use bytes::Bytes;
use proptest::prelude::*;
use weir_core::group::{Committed, MemberSnapshot, OffsetKey, Snapshot};
use weir_types::{LeaderEpoch, Millis, Offset};

use super::*;

fn offset_key() -> OffsetKey {
    OffsetKey {
        topic: "orders".to_owned(),
        index: 7,
    }
}

fn committed() -> Committed {
    Committed {
        offset: Offset(1234),
        leader_epoch: LeaderEpoch(5),
        metadata: "m".to_owned(),
        committed_at: Millis(0x0102_0304),
        expires_at: None,
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        protocol_type: "consumer".to_owned(),
        generation: 3,
        protocol: Some("range".to_owned()),
        leader: Some("c-1".to_owned()),
        state_since: Some(Millis(9)),
        members: vec![MemberSnapshot {
            member: "c-1".to_owned(),
            instance: Some("i".to_owned()),
            client_id: "c".to_owned(),
            client_host: "/h".to_owned(),
            rebalance_timeout_ms: 300_000,
            session_timeout_ms: 45_000,
            subscription: Bytes::from_static(b"\x01\x02"),
            assignment: Bytes::from_static(b"\x03"),
        }],
    }
}

// All bytes here are what Kafka 4.1's own classes write.

#[test]
fn keys_have_kafkas_bytes() {
    let offset = write_offset_key("g", &offset_key()).expect("fits");
    assert_eq!(&offset[..], b"\0\x01\0\x01g\0\x06orders\0\0\0\x07");
    let expected = Key::Offset {
        group: "g".to_owned(),
        key: offset_key(),
    };
    assert_eq!(read_key(offset), Ok(expected.clone()));
    assert_eq!(
        read_key(Bytes::from_static(b"\0\0\0\x01g\0\x06orders\0\0\0\x07")),
        Ok(expected)
    );
    let group = write_group_key("g").expect("fits");
    assert_eq!(&group[..], b"\0\x02\0\x01g");
    assert_eq!(
        read_key(group),
        Ok(Key::Group {
            group: "g".to_owned()
        })
    );
    assert_eq!(
        read_key(Bytes::from_static(b"\0\x03rest")),
        Ok(Key::Unknown(3))
    );
}

#[test]
fn offset_values_have_kafkas_bytes_in_every_version() {
    let v3 = b"\0\x03\0\0\0\0\0\0\x04\xd2\0\0\0\x05\0\x01m\0\0\0\0\x01\x02\x03\x04";
    assert_eq!(&write_offset(&committed()).expect("fits")[..], v3);
    let bare = Committed {
        leader_epoch: LeaderEpoch::NONE,
        ..committed()
    };
    let expiring = Committed {
        expires_at: Some(Millis(6)),
        ..bare.clone()
    };
    let v1 = b"\0\x01\0\0\0\0\0\0\x04\xd2\0\x01m\0\0\0\0\x01\x02\x03\x04\0\0\0\0\0\0\0\x06";
    assert_eq!(&write_offset(&expiring).expect("fits")[..], v1);
    let table: [(&'static [u8], Committed); 5] = [
        (v3, committed()),
        (b"\0\0\0\0\0\0\0\0\x04\xd2\0\x01m\0\0\0\0\x01\x02\x03\x04", bare.clone()),
        (b"\0\x02\0\0\0\0\0\0\x04\xd2\0\x01m\0\0\0\0\x01\x02\x03\x04", bare.clone()),
        (v1, expiring),
        (
            b"\0\x01\0\0\0\0\0\0\x04\xd2\0\x01m\0\0\0\0\x01\x02\x03\x04\xff\xff\xff\xff\xff\xff\xff\xff",
            bare,
        ),
    ];
    for (bytes, expected) in table {
        assert_eq!(
            read_offset(Bytes::from_static(bytes)),
            Ok(expected),
            "{bytes:?}"
        );
    }
    let newer = Bytes::from_static(b"\0\x04\0");
    assert_eq!(read_offset(newer), Err(FormatError::Version(4)));
}

#[test]
fn group_values_have_kafkas_bytes() {
    let v3: &'static [u8] = b"\0\x03\0\x08consumer\0\0\0\x03\0\x05range\0\x03c-1\
        \0\0\0\0\0\0\0\x09\0\0\0\x01\
        \0\x03c-1\0\x01i\0\x01c\0\x02/h\0\x04\x93\xe0\0\0\xaf\xc8\
        \0\0\0\x02\x01\x02\0\0\0\x01\x03";
    assert_eq!(&write_group(&snapshot()).expect("fits")[..], v3);
    assert_eq!(read_group(Bytes::from_static(v3)), Ok(snapshot()));

    let empty = Snapshot {
        protocol_type: "consumer".to_owned(),
        generation: 4,
        state_since: Some(Millis(9)),
        ..Snapshot::default()
    };
    let bytes: &'static [u8] =
        b"\0\x03\0\x08consumer\0\0\0\x04\xff\xff\xff\xff\0\0\0\0\0\0\0\x09\0\0\0\0";
    assert_eq!(&write_group(&empty).expect("fits")[..], bytes);
    assert_eq!(read_group(Bytes::from_static(bytes)), Ok(empty));
}

#[test]
fn old_group_values_lack_what_came_later() {
    let v0: &'static [u8] = b"\0\0\0\x08consumer\0\0\0\x03\0\x05range\0\x03c-1\0\0\0\x01\
        \0\x03c-1\0\x01c\0\x02/h\0\0\xaf\xc8\0\0\0\x02\x01\x02\0\0\0\x01\x03";
    let mut expected = snapshot();
    expected.state_since = None;
    expected.members[0].instance = None;
    expected.members[0].rebalance_timeout_ms = 45_000;
    assert_eq!(read_group(Bytes::from_static(v0)), Ok(expected.clone()));

    let v2: &'static [u8] = b"\0\x02\0\x08consumer\0\0\0\x03\0\x05range\0\x03c-1\
        \0\0\0\0\0\0\0\x09\0\0\0\x01\
        \0\x03c-1\0\x01c\0\x02/h\0\x04\x93\xe0\0\0\xaf\xc8\0\0\0\x02\x01\x02\0\0\0\x01\x03";
    expected.state_since = Some(Millis(9));
    expected.members[0].rebalance_timeout_ms = 300_000;
    assert_eq!(read_group(Bytes::from_static(v2)), Ok(expected));
}

#[test]
fn absurd_lengths_are_refused_without_allocating() {
    let members = b"\0\x03\0\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0\x7f\xff\xff\xff";
    assert_eq!(
        read_group(Bytes::from_static(members)),
        Err(FormatError::Short)
    );
    let negative = b"\0\x02\xff\xfe";
    assert_eq!(
        read_key(Bytes::from_static(negative)),
        Err(FormatError::Length)
    );
    let null = b"\0\x02\xff\xff";
    assert_eq!(read_key(Bytes::from_static(null)), Err(FormatError::Length));
    let rest = b"\0\x02\0\x01gg";
    assert_eq!(read_key(Bytes::from_static(rest)), Err(FormatError::Rest));
    assert_eq!(
        write_group_key(&"g".repeat(40_000)),
        Err(FormatError::Length)
    );
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        let _ = read_key(bytes.clone());
        let _ = read_offset(bytes.clone());
        let _ = read_group(bytes);
    }

    #[test]
    fn damaged_groups_never_panic(at in 0..80usize, value in any::<u8>()) {
        let mut bytes = write_group(&snapshot()).expect("fits").to_vec();
        let at = at % bytes.len();
        bytes[at] = value;
        let _ = read_group(Bytes::from(bytes));
    }
}
