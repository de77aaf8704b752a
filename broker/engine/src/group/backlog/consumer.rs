//! What a consumer's metadata and assignment say (Kafka's `ConsumerProtocolSubscription` and
//! `ConsumerProtocolAssignment`, version 0, with which every later version begins).

/// Topics that a member subscribes to; none where the bytes are something else.
pub(in crate::group) fn subscribed(metadata: &[u8]) -> Vec<String> {
    read_subscription(metadata).unwrap_or_default()
}

/// Partitions that a member was given; none where the bytes are something else.
pub(in crate::group) fn assigned(assignment: &[u8]) -> Vec<(String, Vec<i32>)> {
    read_assignment(assignment).unwrap_or_default()
}

fn read_subscription(bytes: &[u8]) -> Option<Vec<String>> {
    let mut rest = bytes.get(2..)?;
    let count = usize::try_from(take_i32(&mut rest)?).ok()?;
    let mut topics = Vec::new();
    // The input bounds the loop: each name takes two bytes at least.
    for _ in 0..count {
        topics.push(take_text(&mut rest)?);
    }
    Some(topics)
}

fn read_assignment(bytes: &[u8]) -> Option<Vec<(String, Vec<i32>)>> {
    let mut rest = bytes.get(2..)?;
    let count = usize::try_from(take_i32(&mut rest)?).ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let topic = take_text(&mut rest)?;
        let mut partitions = Vec::new();
        for _ in 0..take_i32(&mut rest)? {
            partitions.push(take_i32(&mut rest)?);
        }
        topics.push((topic, partitions));
    }
    Some(topics)
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let (len, tail) = rest.split_first_chunk()?;
    let len = usize::try_from(i16::from_be_bytes(*len)).ok()?;
    let (text, tail) = tail.split_at_checked(len)?;
    *rest = tail;
    Some(std::str::from_utf8(text).ok()?.to_owned())
}

fn take_i32(rest: &mut &[u8]) -> Option<i32> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(i32::from_be_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_and_assignments_are_read_and_nonsense_is_not() {
        let subscription = [
            0, 1, 0, 0, 0, 2, 0, 1, b'b', 0, 2, b'a', b'a', 255, 255, 255, 255,
        ];
        assert_eq!(subscribed(&subscription), ["b", "aa"]);
        let assignment = [
            0, 1, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0,
        ];
        assert_eq!(assigned(&assignment), [("t".to_owned(), vec![0, 5])]);
        for bytes in [
            &[][..],
            &[0],
            &[0, 1, 0x7f, 0xff, 0xff, 0xff],
            &[0, 1, 0, 0, 0, 1, 0, 9, b't'],
            &[0, 1, 255, 255, 255, 255],
        ] {
            assert!(subscribed(bytes).is_empty(), "{bytes:?}");
            assert!(assigned(bytes).is_empty(), "{bytes:?}");
        }
        assert!(assigned(&assignment[..16]).is_empty());
    }
}
