use bytes::{Buf, Bytes, BytesMut};

use super::End;

/// Bytes of the length before every frame.
pub(crate) const PREFIX_BYTES: usize = 4;

/// Length of the frame that begins the buffer, its prefix not counted, once that is there.
/// A length that is negative or above `bytes_max` ends the connection.
pub(crate) fn claimed_len(buffer: &BytesMut, bytes_max: usize) -> Result<Option<usize>, End> {
    let Some(prefix) = buffer.first_chunk::<PREFIX_BYTES>() else {
        return Ok(None);
    };
    let claimed = i32::from_be_bytes(*prefix);
    match usize::try_from(claimed) {
        Ok(len) if len <= bytes_max => Ok(Some(len)),
        _ => Err(End::Oversized(claimed)),
    }
}

/// Takes a frame of `len` bytes off the buffer, without its prefix, once it is all there.
/// Nothing is copied.
pub(crate) fn split(buffer: &mut BytesMut, len: usize) -> Option<Bytes> {
    if buffer.len() < PREFIX_BYTES + len {
        return None;
    }
    buffer.advance(PREFIX_BYTES);
    Some(buffer.split_to(len).freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_split_off_when_it_is_complete() {
        let mut buffer = BytesMut::from(&[0, 0, 0, 2, 7][..]);
        assert_eq!(claimed_len(&buffer, 100).expect("allowed"), Some(2));
        assert_eq!(split(&mut buffer, 2), None);
        buffer.extend_from_slice(&[8, 0, 0]);
        assert_eq!(split(&mut buffer, 2), Some(Bytes::from_static(&[7, 8])));
        assert_eq!(&buffer[..], &[0, 0]);
        assert_eq!(claimed_len(&buffer, 100).expect("not yet known"), None);
    }

    #[test]
    fn oversized_and_negative_lengths_are_refused() {
        for (prefix, claimed) in [([0, 0, 0, 101], 101), ([0xff, 0xff, 0xff, 0xff], -1)] {
            let buffer = BytesMut::from(&prefix[..]);
            let refused = claimed_len(&buffer, 100);
            assert!(matches!(refused, Err(End::Oversized(n)) if n == claimed));
        }
    }
}
