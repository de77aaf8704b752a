//! What batches may look like, and that nothing sent can do harm.

mod support;

use bytes::Bytes;
use proptest::prelude::*;
use std::io::Write as _;
use support::*;
use weir_storage::{
    AppendError, BatchBuilder, BatchHeader, FaultyDisk, HEADER_BYTES, Log, LogConfig,
    for_each_batch, for_each_record,
};
use weir_types::Millis;

fn open() -> (FaultyDisk, Node) {
    let disk = FaultyDisk::new(1);
    let node = start(&disk, &LogConfig::default());
    (disk, node)
}

/// Changes the header and makes the CRC fit again.
fn with_header(batch: &[u8], change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let mut header = BatchHeader::parse(batch).expect("a sound batch");
    change(&mut header);
    let mut out = header.encode().to_vec();
    out.extend_from_slice(&batch[HEADER_BYTES..]);
    refresh_crc(&mut out);
    out.into()
}

fn refresh_crc(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// The batch with its records replaced by `records`, in codec `code`.
fn recoded(batch: &[u8], code: i16, records: &[u8]) -> Bytes {
    let mut header = BatchHeader::parse(batch).expect("a sound batch");
    header.attributes |= code;
    header.batch_length = (HEADER_BYTES - 12 + records.len()) as i32;
    let mut out = header.encode().to_vec();
    out.extend_from_slice(records);
    refresh_crc(&mut out);
    out.into()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

fn snappy_raw(plain: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new()
        .compress_vec(plain)
        .expect("memory")
}

/// As snappy-java's stream does it.
fn snappy_framed(plain: &[u8]) -> Vec<u8> {
    let mut out = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for chunk in plain.chunks(1000) {
        let block = snappy_raw(chunk);
        out.extend_from_slice(&(block.len() as u32).to_be_bytes());
        out.extend_from_slice(&block);
    }
    out
}

fn lz4(plain: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).expect("memory")
}

type Codec = fn(&[u8]) -> Vec<u8>;
const CODECS: [(i16, Codec); 5] = [
    (1, gzip),
    (2, snappy_raw),
    (2, snappy_framed),
    (3, lz4),
    (4, zstd),
];

fn append(log: &mut Log<FaultyDisk>, records: &Bytes) -> Result<(), AppendError> {
    log.append_as_leader(records, EPOCH, NOW).map(|_| ())
}

#[test]
fn every_codec_is_checked_and_read_back() {
    for (code, codec) in CODECS {
        let (_disk, mut node) = open();
        let plain = batch("a text that repeats a text that repeats", 500);
        let good = recoded(&plain, code, &codec(&plain[HEADER_BYTES..]));
        append(&mut node.log, &good).expect("sound");
        assert_eq!(values(&node.log.reader()).len(), 500);

        let liar = with_header(&good, |header| {
            header.record_count = 501;
            header.last_offset_delta = 500;
        });
        assert!(
            matches!(append(&mut node.log, &liar), Err(AppendError::Invalid(_))),
            "{code}"
        );
        let liar = with_header(&good, |header| {
            header.record_count = 499;
            header.last_offset_delta = 498;
        });
        assert!(
            matches!(append(&mut node.log, &liar), Err(AppendError::Invalid(_))),
            "{code}"
        );
        let garbage = recoded(&plain, code, b"this is no compressed stream at all");
        assert!(
            matches!(
                append(&mut node.log, &garbage),
                Err(AppendError::Invalid(_))
            ),
            "{code}"
        );
    }
}

#[test]
fn a_bomb_is_refused_without_being_held_in_memory() {
    let plain = batch("a", 1);
    // 300 MB of zeros in a few hundred KB: "records" that expand beyond the bound.
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("memory");
    let zeros = vec![0u8; 1 << 20];
    for _ in 0..300 {
        encoder.write_all(&zeros).expect("memory");
    }
    let bomb = recoded(&plain, 4, &encoder.finish().expect("memory"));
    let (_disk, mut node) = open();
    assert!(matches!(
        append(&mut node.log, &bomb),
        Err(AppendError::Invalid(_))
    ));
    // A raw snappy block that claims 200 MB.
    let mut claim = vec![0x80, 0x84, 0xaf, 0x5f];
    claim.extend_from_slice(&[0; 20]);
    let bomb = recoded(&plain, 2, &claim);
    assert!(matches!(
        append(&mut node.log, &bomb),
        Err(AppendError::Invalid(_))
    ));
}

#[test]
fn each_lie_gets_its_error() {
    let (_disk, mut node) = open();
    let log = &mut node.log;
    let good = batch("a", 3);
    let refuse = |log: &mut Log<FaultyDisk>, change: fn(&mut BatchHeader)| {
        append(log, &with_header(&good, change)).expect_err("it lies")
    };
    let mut bent = good.to_vec();
    bent[HEADER_BYTES + 5] ^= 1;
    assert!(matches!(
        append(log, &bent.into()),
        Err(AppendError::Corrupt(_))
    ));
    assert!(matches!(
        append(log, &good.slice(..50)),
        Err(AppendError::Corrupt(_))
    ));
    assert!(matches!(
        append(log, &good.slice(..good.len() - 1)),
        Err(AppendError::Corrupt(_))
    ));
    assert!(matches!(
        append(log, &Bytes::new()),
        Err(AppendError::Invalid(_))
    ));
    assert!(matches!(
        refuse(log, |h| h.magic = 1),
        AppendError::UnsupportedFormat(1)
    ));
    assert!(matches!(
        refuse(log, |h| h.magic = 0),
        AppendError::UnsupportedFormat(0)
    ));
    assert!(matches!(
        refuse(log, |h| h.attributes = 5),
        AppendError::UnsupportedCompression(5)
    ));
    assert!(matches!(
        refuse(log, |h| h.attributes = 0x20),
        AppendError::Invalid(_)
    ));
    assert!(matches!(
        refuse(log, |h| h.attributes = 0x10),
        AppendError::Invalid(_)
    ));
    assert!(matches!(
        refuse(log, |h| h.attributes = 0x08),
        AppendError::InvalidTimestamp { .. }
    ));
    assert!(matches!(
        refuse(log, |h| h.base_offset = 5),
        AppendError::Invalid(_)
    ));
    assert!(matches!(
        refuse(log, |h| h.last_offset_delta = 7),
        AppendError::Invalid(_)
    ));
    assert!(matches!(
        refuse(log, |h| h.record_count = 0),
        AppendError::Invalid(_)
    ));
    assert!(matches!(
        refuse(log, |h| h.batch_length = 10),
        AppendError::Corrupt(_)
    ));
    assert!(matches!(
        refuse(log, |h| h.batch_length = i32::MAX),
        AppendError::Corrupt(_)
    ));
    assert!(matches!(
        refuse(log, |h| h.producer_id = 5),
        AppendError::Invalid(_)
    ));
    assert_eq!(log.end().0, 0);
    let big = batch(&"x".repeat(1 << 20), 2);
    assert!(matches!(
        append(log, &big),
        Err(AppendError::TooLarge { .. })
    ));
}

#[test]
fn timestamps_have_bounds_and_a_wrong_maximum_is_put_right() {
    let (_disk, mut node) = open();
    let hour = 60 * 60 * 1000;
    append(&mut node.log, &keyed("k", Some("v"), NOW.0 + hour)).expect("just within");
    let late = append(&mut node.log, &keyed("k", Some("v"), NOW.0 + hour + 1));
    assert!(matches!(late, Err(AppendError::InvalidTimestamp { .. })));
    append(&mut node.log, &keyed("k", Some("v"), -1)).expect("no timestamp");
    let mut builder = BatchBuilder::new();
    builder
        .push(100, None, Some(b"a"))
        .push(50, None, Some(b"b"));
    let liar = with_header(&builder.build(), |header| header.max_timestamp = 999_999);
    append(&mut node.log, &liar).expect("put right");
    let end = node.log.end();
    let bytes = node
        .log
        .reader()
        .read_bytes(end.plus(-2), end, 9999, true)
        .expect("in the log");
    let mut seen = 0;
    for_each_batch(&bytes, |batch| {
        assert_eq!(batch.header.max_timestamp, 100);
        seen += 1;
        Ok(())
    })
    .expect("the CRC was renewed");
    assert_eq!(seen, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let (_disk, mut node) = open();
        let bytes = Bytes::from(bytes);
        prop_assert!(append(&mut node.log, &bytes).is_err());
        let _ = for_each_record(&bytes, |_, _| {});
        let _ = node.log.append_as_follower(&bytes);
    }

    #[test]
    fn mutated_batches_with_a_fitting_crc_do_no_harm(
        codec in prop::option::of(0usize..CODECS.len()),
        count in 1usize..20,
        changes in prop::collection::vec((0usize..2000, any::<u8>()), 1..6),
        keep_len in any::<bool>(),
    ) {
        let plain = batch("some text", count);
        let sound = match codec {
            Some(at) => {
                let (code, codec) = CODECS[at];
                recoded(&plain, code, &codec(&plain[HEADER_BYTES..]))
            }
            None => plain,
        };
        let mut bent = sound.to_vec();
        let len = bent.len();
        for (at, byte) in changes {
            bent[at % len] ^= byte;
        }
        if keep_len {
            bent[8..12].copy_from_slice(&sound[8..12]);
            bent[16] = 2;
        }
        refresh_crc(&mut bent);
        let (_disk, mut node) = open();
        let bent = Bytes::from(bent);
        let taken = node.log.append_as_leader(&bent, EPOCH, Millis(NOW.0));
        if let Ok(appended) = taken {
            // Whatever was taken can be read, and has as many records as offsets.
            let records = read_all(&node.log.reader());
            let count = appended.last_offset.0 - appended.base_offset.0 + 1;
            prop_assert_eq!(records.len() as i64, count);
        } else {
            prop_assert_eq!(node.log.end().0, 0);
        }
        let _ = for_each_record(&bent, |_, _| {});
    }
}
