/// Kafka's error numbers; the list is in the protocol guide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    pub const UNKNOWN: Self = Self(-1);
    pub const NONE: Self = Self(0);
    pub const OFFSET_OUT_OF_RANGE: Self = Self(1);
    pub const CORRUPT_MESSAGE: Self = Self(2);
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    pub const LEADER_NOT_AVAILABLE: Self = Self(5);
    pub const NOT_LEADER_OR_FOLLOWER: Self = Self(6);
    pub const REQUEST_TIMED_OUT: Self = Self(7);
    pub const BROKER_NOT_AVAILABLE: Self = Self(8);
    pub const MESSAGE_TOO_LARGE: Self = Self(10);
    pub const OFFSET_METADATA_TOO_LARGE: Self = Self(12);
    pub const COORDINATOR_LOAD_IN_PROGRESS: Self = Self(14);
    pub const COORDINATOR_NOT_AVAILABLE: Self = Self(15);
    pub const NOT_COORDINATOR: Self = Self(16);
    pub const INVALID_TOPIC: Self = Self(17);
    pub const NOT_ENOUGH_REPLICAS: Self = Self(19);
    pub const NOT_ENOUGH_REPLICAS_AFTER_APPEND: Self = Self(20);
    pub const INVALID_REQUIRED_ACKS: Self = Self(21);
    pub const ILLEGAL_GENERATION: Self = Self(22);
    pub const INCONSISTENT_GROUP_PROTOCOL: Self = Self(23);
    pub const INVALID_GROUP_ID: Self = Self(24);
    pub const UNKNOWN_MEMBER_ID: Self = Self(25);
    pub const INVALID_SESSION_TIMEOUT: Self = Self(26);
    pub const REBALANCE_IN_PROGRESS: Self = Self(27);
    pub const TOPIC_AUTHORIZATION_FAILED: Self = Self(29);
    pub const CLUSTER_AUTHORIZATION_FAILED: Self = Self(31);
    pub const INVALID_TIMESTAMP: Self = Self(32);
    pub const UNSUPPORTED_VERSION: Self = Self(35);
    pub const TOPIC_ALREADY_EXISTS: Self = Self(36);
    pub const INVALID_PARTITIONS: Self = Self(37);
    pub const INVALID_REPLICATION_FACTOR: Self = Self(38);
    pub const INVALID_REPLICA_ASSIGNMENT: Self = Self(39);
    pub const INVALID_CONFIG: Self = Self(40);
    pub const NOT_CONTROLLER: Self = Self(41);
    pub const INVALID_REQUEST: Self = Self(42);
    pub const UNSUPPORTED_FOR_MESSAGE_FORMAT: Self = Self(43);
    pub const POLICY_VIOLATION: Self = Self(44);
    pub const OUT_OF_ORDER_SEQUENCE_NUMBER: Self = Self(45);
    pub const DUPLICATE_SEQUENCE_NUMBER: Self = Self(46);
    pub const INVALID_PRODUCER_EPOCH: Self = Self(47);
    pub const KAFKA_STORAGE_ERROR: Self = Self(56);
    pub const UNKNOWN_PRODUCER_ID: Self = Self(59);
    pub const NON_EMPTY_GROUP: Self = Self(68);
    pub const GROUP_ID_NOT_FOUND: Self = Self(69);
    pub const FETCH_SESSION_ID_NOT_FOUND: Self = Self(70);
    pub const INVALID_FETCH_SESSION_EPOCH: Self = Self(71);
    pub const LISTENER_NOT_FOUND: Self = Self(72);
    pub const FENCED_LEADER_EPOCH: Self = Self(74);
    pub const UNKNOWN_LEADER_EPOCH: Self = Self(75);
    pub const UNSUPPORTED_COMPRESSION_TYPE: Self = Self(76);
    pub const OFFSET_NOT_AVAILABLE: Self = Self(78);
    pub const MEMBER_ID_REQUIRED: Self = Self(79);
    pub const PREFERRED_LEADER_NOT_AVAILABLE: Self = Self(80);
    pub const GROUP_MAX_SIZE_REACHED: Self = Self(81);
    pub const FENCED_INSTANCE_ID: Self = Self(82);
    pub const ELECTION_NOT_NEEDED: Self = Self(84);
    pub const NO_REASSIGNMENT_IN_PROGRESS: Self = Self(85);
    pub const GROUP_SUBSCRIBED_TO_TOPIC: Self = Self(86);
    pub const INVALID_RECORD: Self = Self(87);
    pub const THROTTLING_QUOTA_EXCEEDED: Self = Self(89);
    pub const UNKNOWN_TOPIC_ID: Self = Self(100);
    pub const INCONSISTENT_TOPIC_ID: Self = Self(103);
    pub const FETCH_SESSION_TOPIC_ID_ERROR: Self = Self(106);
    pub const MISMATCHED_ENDPOINT_TYPE: Self = Self(114);
    pub const UNSUPPORTED_ENDPOINT_TYPE: Self = Self(115);

    pub const fn is_error(self) -> bool {
        self.0 != 0
    }
}
