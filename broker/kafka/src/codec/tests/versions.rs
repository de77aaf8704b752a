//! The versions that Kafka 4.1 serves.

use crate::codec::ApiKey;

/// What a broker of Kafka 4.1.0 tells of the APIs that are served here: number, least and greatest
/// version. From the message definitions in its client library, less versions that are marked as
/// unstable there.
const KAFKA_4_1: [(i16, i16, i16); 32] = [
    (0, 3, 13),
    (1, 4, 18),
    (2, 1, 10),
    (3, 0, 13),
    // 10 is unstable.
    (8, 2, 9),
    // 10 is unstable.
    (9, 1, 9),
    (10, 0, 6),
    (11, 0, 9),
    (12, 0, 4),
    (13, 0, 5),
    (14, 0, 5),
    (15, 0, 6),
    (16, 0, 5),
    (18, 0, 4),
    (19, 2, 7),
    (20, 1, 6),
    (21, 0, 2),
    // 6 is unstable.
    (22, 0, 5),
    (23, 2, 4),
    (32, 1, 4),
    (33, 0, 2),
    (35, 1, 4),
    (37, 0, 3),
    (42, 0, 2),
    (43, 0, 2),
    (44, 0, 1),
    (45, 0, 1),
    (46, 0, 0),
    (47, 0, 0),
    (60, 0, 2),
    (74, 0, 1),
    (75, 0, 0),
];

#[test]
fn every_api_is_served_in_the_versions_of_kafka_4_1() {
    let served = ApiKey::ALL.map(|key| {
        let (min, max) = key.versions();
        (key.number(), min, max)
    });
    assert_eq!(served, KAFKA_4_1);
}
