use bytes::{Bytes, BytesMut};

use super::Gen;
use crate::codec::{
    DecodeError, Message, Reader, decode_message, encode_message, messages,
    messages::{describe_groups, metadata},
};

/// Cuts, bit flips and absurd lengths in otherwise good messages: an error or a message, never a
/// panic. (Memory is bounded by the reader's budget; see the tests below.)
fn disturb<M: Message>(version: i16, sample: impl Fn(i16, &mut Gen) -> M) {
    let mut g = Gen::new(u64::from(version.unsigned_abs()) + 1);
    for _ in 0..12 {
        let message = sample(version, &mut g);
        let bytes = encode_message(version, &message)
            .into_bytes()
            .expect("in memory");
        let step = (bytes.len() / 40).max(1);
        for len in (0..bytes.len()).step_by(step) {
            let _ = decode_message::<M>(version, bytes.slice(..len));
        }
        for _ in 0..40 {
            let _ = decode_message::<M>(version, mutated(&bytes, &mut g));
        }
    }
}

fn mutated(bytes: &Bytes, g: &mut Gen) -> Bytes {
    let mut out = BytesMut::from(&bytes[..]);
    if out.is_empty() {
        return out.freeze();
    }
    for _ in 0..=g.below(3) {
        let at = g.below(out.len() as u64) as usize;
        if g.bool() {
            out[at] ^= 1 << g.below(8);
        } else {
            let absurd = [0x7f, 0xff, 0xff, 0xff, 0x07];
            let end = (at + absurd.len()).min(out.len());
            out[at..end].copy_from_slice(&absurd[..end - at]);
        }
    }
    out.freeze()
}

macro_rules! disturb_api {
    ($module:ident, $name:ident) => {
        use messages::$module as api;
        let (min, max) = messages::ApiKey::$name.versions();
        for version in min..=max {
            disturb::<api::Request>(version, api::Request::sample);
            disturb::<api::Response>(version, api::Response::sample);
        }
    };
}

macro_rules! disturb_api_in_a_block {
    ($module:ident, $name:ident) => {{
        disturb_api!($module, $name);
    }};
}

#[test]
fn damaged_messages_never_panic() {
    messages::for_each_api!(disturb_api_in_a_block);
}

#[test]
fn an_array_longer_than_its_message_is_refused_before_anything_is_allocated() {
    let body = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff]);
    let got = decode_message::<metadata::Request>(1, body);
    assert_eq!(got, Err(DecodeError::Length(0x7fff_ffff)));
}

#[test]
fn arrays_of_tiny_elements_are_bounded_in_memory() {
    // Twenty million empty strings: each takes a byte here and 24 in memory.
    let count: u32 = 20_000_000;
    let mut body = BytesMut::new();
    let mut varint = count + 1;
    while varint >= 0x80 {
        body.extend_from_slice(&[(varint & 0x7f) as u8 | 0x80]);
        varint >>= 7;
    }
    body.extend_from_slice(&[varint as u8]);
    body.resize(body.len() + count as usize + 2, 1);
    let got = decode_message::<describe_groups::Request>(5, body.freeze());
    assert_eq!(got, Err(DecodeError::TooManyElements));
}

#[test]
fn a_negative_length_other_than_null_is_refused() {
    let body = Bytes::from_static(&[0xff, 0xff, 0xff, 0xfe]);
    assert_eq!(
        decode_message::<metadata::Request>(1, body),
        Err(DecodeError::Length(-2))
    );
}

#[test]
fn a_null_where_none_may_be_is_refused() {
    let body = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff]);
    assert_eq!(
        decode_message::<metadata::Request>(0, body.clone()),
        Err(DecodeError::Null)
    );
    let all = decode_message::<metadata::Request>(1, body).expect("null asks for all topics");
    assert_eq!(all.topics, None);
}

#[test]
fn unknown_tagged_fields_are_skipped() {
    // Metadata v12: null topics, three flags' worth of bytes, then a tagged field 9 of 3 bytes.
    let body = Bytes::from_static(&[0, 1, 0, 1, 9, 3, 1, 2, 3]);
    let mut r = Reader::new(body);
    let got = metadata::Request::decode(12, &mut r).expect("a good message");
    assert!(got.allow_auto_topic_creation);
    assert_eq!(r.remaining(), 0);
}

#[test]
fn a_tagged_field_that_claims_more_than_there_is_is_refused() {
    let body = Bytes::from_static(&[0, 1, 0, 1, 9, 0x7f, 1, 2, 3]);
    assert_eq!(
        decode_message::<metadata::Request>(12, body),
        Err(DecodeError::Truncated)
    );
}

#[test]
fn an_endless_varint_is_refused() {
    let body = Bytes::from_static(&[0xff; 16]);
    assert_eq!(
        decode_message::<metadata::Request>(12, body),
        Err(DecodeError::Varint)
    );
}
