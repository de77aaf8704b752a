//! Record batches, message format v2 (KIP-98), as Kafka clients send and read them.

mod builder;
mod codec;
mod header;
mod only;
mod record;
mod source;
mod validate;
mod varint;

pub use builder::BatchBuilder;
pub use header::{BatchHeader, Compression, HEADER_BYTES, split_batch};
pub use only::only_batch;
pub use record::{Header, Record, RecordBatch, for_each_batch, for_each_record};
pub use validate::{Checked, Rules, check_client_batch};
