//! Which topics a consumer's metadata names (Kafka's `ConsumerProtocolSubscription`, version 0,
//! with which every later version begins).

use std::collections::BTreeSet;

/// Adds the topics in `metadata` to `topics`; `None` if it is not a subscription.
pub(super) fn read_topics(metadata: &[u8], topics: &mut BTreeSet<String>) -> Option<()> {
    let (version, rest) = metadata.split_first_chunk::<2>()?;
    if i16::from_be_bytes(*version) < 0 {
        return None;
    }
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    // Each name takes two bytes at least, so the input bounds the loop.
    if count > rest.len() / 2 {
        return None;
    }
    for _ in 0..count {
        let (len, tail) = rest.split_first_chunk::<2>()?;
        let len = usize::try_from(i16::from_be_bytes(*len)).ok()?;
        let (name, tail) = tail.split_at_checked(len)?;
        topics.insert(std::str::from_utf8(name).ok()?.to_owned());
        rest = tail;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<Vec<String>> {
        let mut topics = BTreeSet::new();
        read_topics(bytes, &mut topics)?;
        Some(topics.into_iter().collect())
    }

    #[test]
    fn topics_of_a_subscription_are_read() {
        let bytes = [
            0, 1, 0, 0, 0, 2, 0, 1, b'b', 0, 2, b'a', b'a', 255, 255, 255, 255,
        ];
        assert_eq!(read(&bytes), Some(vec!["aa".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn malformed_subscriptions_are_refused() {
        for bytes in [
            &[][..],
            &[0],
            &[255, 255, 0, 0, 0, 0],
            &[0, 0, 255, 255, 255, 255],
            &[0, 0, 127, 255, 255, 255],
            &[0, 0, 0, 0, 0, 1, 0, 5, b'a'],
            &[0, 0, 0, 0, 0, 1, 0, 1, 0xff],
        ] {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
    }
}
