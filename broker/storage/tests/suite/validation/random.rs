//! Nothing sent can do harm.

use super::{append, open, recode::*};
use crate::support::*;
use bytes::Bytes;
use proptest::prelude::*;
use weir_storage::{HEADER_BYTES, for_each_record};
use weir_types::Millis;

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
