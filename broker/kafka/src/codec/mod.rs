//! Kafka's messages as bytes, and back: sans-IO and bounded.
//!
//! `schema/*.txt` says what there is; `build.rs` makes the types of [`messages`] of it. The codec
//! reads and writes both directions, so that tests and tools can be clients with it.
//!
//! **Invariant:** decoding allocates at most a small multiple of the message's own bytes,
//! whatever lengths it claims, and never panics.

mod error_code;
mod header;
mod message;
mod reader;
mod records;
mod writer;

#[cfg(test)]
mod tests;

/// One module an API, each with its `Request` and `Response`.
#[allow(clippy::all, missing_docs)]
#[rustfmt::skip]
pub mod messages {
    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
}

/// What the generated modules name.
mod prelude {
    #[cfg(test)]
    pub(crate) use super::tests::Gen;
    pub(crate) use super::{
        ApiKey, DecodeError, ErrorCode, Message, Reader, Records, RequestMessage, Writer,
    };
    #[allow(unused_imports)]
    pub(crate) use bytes::Bytes;
    #[allow(unused_imports)]
    pub(crate) use uuid::Uuid;
}

pub use error_code::ErrorCode;
pub use header::{RequestHeader, RequestPrefix, decode_response_header, encode_response_header};
pub use message::{Message, RequestMessage, decode_message, encode_message};
pub use messages::ApiKey;
pub use reader::{DecodeError, Reader};
pub use records::Records;
pub use writer::{Encoded, Part, Writer};
