use bytes::{BufMut, Bytes, BytesMut};
use rustix::{fs::sendfile, net::SendFlags};
use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};
use tokio::{io::Interest, net::TcpStream};

use crate::codec::{Encoded, Part};

/// The buffer is sent when it holds so much.
const BUFFER_BYTES: usize = 64 * 1024;
/// Parts up to this size are copied into the buffer.
const COPIED_BYTES_MAX: usize = 16 * 1024;
/// Most bytes that one call hands from a file to the socket, so that others get their turn.
const SENDFILE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes read at a time from a file that is probably not in the page cache.
const COLD_BYTES: usize = 256 * 1024;

/// What goes out on one socket.
pub(crate) struct Output<'a> {
    socket: &'a TcpStream,
    buffer: BytesMut,
}

impl<'a> Output<'a> {
    pub(crate) fn new(socket: &'a TcpStream) -> Self {
        Self {
            socket,
            buffer: BytesMut::new(),
        }
    }

    /// Sends a frame; its end may stay in the buffer until the next call. Not cancel-safe: part
    /// of the frame may have been sent.
    pub(crate) async fn push(&mut self, frame: Encoded) -> io::Result<()> {
        let len = i32::try_from(frame.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "an answer is too large"))?;
        self.buffer.put_i32(len);
        for part in frame.parts {
            match part {
                Part::Bytes(bytes) if bytes.len() <= COPIED_BYTES_MAX => {
                    self.buffer.put(bytes);
                }
                Part::Bytes(bytes) => {
                    self.send_buffer(SendFlags::MORE).await?;
                    self.send(&bytes, SendFlags::empty()).await?;
                }
                Part::File {
                    file,
                    position,
                    len,
                    cold,
                } => {
                    self.send_buffer(SendFlags::MORE).await?;
                    if cold {
                        self.send_cold(file, position, len).await?;
                    } else {
                        self.send_file(&file, position, len).await?;
                    }
                }
            }
            if self.buffer.len() >= BUFFER_BYTES {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Sends what is in the buffer.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.send_buffer(SendFlags::empty()).await
    }

    async fn send_buffer(&mut self, flags: SendFlags) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = self.buffer.split().freeze();
        self.send(&bytes, flags).await
    }

    async fn send(&self, mut bytes: &[u8], flags: SendFlags) -> io::Result<()> {
        let flags = flags | SendFlags::NOSIGNAL;
        while !bytes.is_empty() {
            self.socket.writable().await?;
            let sent = self.socket.try_io(Interest::WRITABLE, || {
                rustix::net::send(self.socket, bytes, flags).map_err(io::Error::from)
            });
            match sent {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn send_file(&self, file: &File, position: u64, len: usize) -> io::Result<()> {
        let mut at = position;
        let end = position + len as u64;
        while at < end {
            self.socket.writable().await?;
            let count = SENDFILE_BYTES_MAX.min((end - at) as usize);
            let sent = self.socket.try_io(Interest::WRITABLE, || {
                sendfile(self.socket, file, Some(&mut at), count).map_err(io::Error::from)
            });
            match sent {
                Ok(0) => return Err(ended_early()),
                Ok(_) => {}
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn send_cold(&self, file: Arc<File>, position: u64, len: usize) -> io::Result<()> {
        let mut at = position;
        let end = position + len as u64;
        while at < end {
            let count = COLD_BYTES.min((end - at) as usize);
            let file = Arc::clone(&file);
            let read = tokio::task::spawn_blocking(move || -> io::Result<Bytes> {
                let mut chunk = vec![0; count];
                file.read_exact_at(&mut chunk, at)?;
                Ok(chunk.into())
            });
            let chunk = read.await.map_err(io::Error::other)??;
            self.send(&chunk, SendFlags::empty()).await?;
            at += count as u64;
        }
        Ok(())
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// The frame's length is sent already: only closing the connection tells the client.
fn ended_early() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "a segment is shorter than promised",
    )
}
