use bytes::Bytes;
use weir_types::Offset;

/// One record, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub offset: Offset,
    /// Unix milliseconds.
    pub timestamp_ms: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// Decoded records of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRecords {
    pub records: Vec<Record>,
    /// Where to read on.
    pub next: Offset,
    pub high_watermark: Offset,
}
