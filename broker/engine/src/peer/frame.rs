//! Frames: a 4-byte length, a 12-byte header, a body. All integers big-endian.
//!
//! ```text
//! hello (client, once)   "WEIR" version:u8 class:u8 0:u16
//! frame                  length:u32 | version:u8 flags:u8 kind:u16 correlation:u64 | body
//! ```
//! `length` counts the header and the body.

use bytes::{BufMut, Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Largest body, bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
pub(super) const HELLO_BYTES: usize = 8;
const MAGIC: &[u8; 4] = b"WEIR";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 12;
/// A length that lies costs no more memory than this before its bytes have arrived.
const STEP_BYTES: usize = 256 * 1024;
const FLAG_ANSWER: u8 = 1;
const FLAG_FAULT: u8 = 2;

/// Separate connections, so that votes and heartbeats never wait behind records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    Control,
    Data,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Request,
    Answer,
    Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub role: Role,
    pub kind: u16,
    pub correlation: u64,
    pub body: Bytes,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub role: Role,
    pub kind: u16,
    pub correlation: u64,
    pub body_bytes: usize,
}

fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

pub(super) fn hello(class: Class) -> [u8; HELLO_BYTES] {
    let mut out = [0; HELLO_BYTES];
    out[..4].copy_from_slice(MAGIC);
    out[4] = VERSION;
    out[5] = match class {
        Class::Control => 0,
        Class::Data => 1,
    };
    out
}

pub(super) async fn read_hello<R: AsyncRead + Unpin>(from: &mut R) -> io::Result<Class> {
    let mut hello = [0; HELLO_BYTES];
    from.read_exact(&mut hello).await?;
    if &hello[..4] != MAGIC {
        return Err(invalid("not a broker's connection"));
    }
    if hello[4] != VERSION {
        return Err(invalid(format!("unknown protocol version {}", hello[4])));
    }
    match hello[5] {
        0 => Ok(Class::Control),
        1 => Ok(Class::Data),
        other => Err(invalid(format!("unknown connection class {other}"))),
    }
}

/// Reads the next header, `None` at an orderly end between frames.
pub(super) async fn read_header<R: AsyncRead + Unpin>(from: &mut R) -> io::Result<Option<Header>> {
    let mut raw = [0; 4 + HEADER_BYTES];
    let first = from.read(&mut raw).await?;
    if first == 0 {
        return Ok(None);
    }
    from.read_exact(&mut raw[first..]).await?;
    let [l0, l1, l2, l3, version, flags, k0, k1, correlation @ ..] = raw;
    let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
    if version != VERSION {
        return Err(invalid(format!("unknown frame version {version}")));
    }
    let body_bytes = length
        .checked_sub(HEADER_BYTES)
        .filter(|bytes| *bytes <= BODY_BYTES_MAX)
        .ok_or_else(|| invalid(format!("frame length {length} is out of bounds")))?;
    let role = match flags {
        0 => Role::Request,
        FLAG_ANSWER => Role::Answer,
        f if f == FLAG_ANSWER | FLAG_FAULT => Role::Fault,
        other => return Err(invalid(format!("unknown frame flags {other:#04x}"))),
    };
    Ok(Some(Header {
        role,
        kind: u16::from_be_bytes([k0, k1]),
        correlation: u64::from_be_bytes(correlation),
        body_bytes,
    }))
}

pub(super) async fn read_body<R: AsyncRead + Unpin>(
    from: &mut R,
    body_bytes: usize,
) -> io::Result<Bytes> {
    let mut body = BytesMut::new();
    while body.len() < body_bytes {
        let missing = body_bytes - body.len();
        body.reserve(missing.min(STEP_BYTES.max(body.len())));
        if from.take(missing as u64).read_buf(&mut body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(body.freeze())
}

pub(super) async fn write_frame<W: AsyncWrite + Unpin>(
    to: &mut W,
    frame: &Frame,
) -> io::Result<()> {
    let mut head = BytesMut::with_capacity(4 + HEADER_BYTES);
    let length =
        u32::try_from(HEADER_BYTES + frame.body.len()).map_err(|_| invalid("frame over 4 GiB"))?;
    head.put_u32(length);
    head.put_u8(VERSION);
    head.put_u8(match frame.role {
        Role::Request => 0,
        Role::Answer => FLAG_ANSWER,
        Role::Fault => FLAG_ANSWER | FLAG_FAULT,
    });
    head.put_u16(frame.kind);
    head.put_u64(frame.correlation);
    to.write_all(&head).await?;
    to.write_all(&frame.body).await
}
