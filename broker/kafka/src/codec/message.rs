use bytes::Bytes;

use super::{ApiKey, DecodeError, Encoded, Reader, Writer};

/// A request or a response. Versions must be ones that [`ApiKey::versions`] names.
pub trait Message: Sized {
    const KEY: ApiKey;
    fn decode(version: i16, r: &mut Reader) -> Result<Self, DecodeError>;
    /// Fields that the version lacks are left out.
    fn encode(&self, version: i16, w: &mut Writer);
}

pub trait RequestMessage: Message {
    type Response: Message;
}

/// A message without a header. Bytes after its end are ignored, as Kafka does.
pub fn decode_message<M: Message>(version: i16, body: Bytes) -> Result<M, DecodeError> {
    M::decode(version, &mut Reader::new(body))
}

/// A message without a header.
pub fn encode_message<M: Message>(version: i16, message: &M) -> Encoded {
    let mut w = Writer::new();
    message.encode(version, &mut w);
    w.finish()
}
