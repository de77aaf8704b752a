//! The serving end of the peer listener.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{BufReader, BufWriter};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::connection::{tune, write_queue};
use super::frame::{self, BODY_BYTES_MAX, Frame, Header, Role};
use super::{ConnectionId, PeerFault, PeerRouter, wire};

const CONNECTIONS_MAX: usize = 1024;
/// Requests of one connection that run at once; more are not read.
const IN_FLIGHT_MAX: usize = 1024;
/// Bytes of request bodies of one connection in memory; more are not read.
const IN_FLIGHT_BYTES_MAX: usize = 2 * BODY_BYTES_MAX;
const QUEUE_MAX: usize = 128;
const BUFFER_BYTES: usize = 64 * 1024;
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a stopping server waits for handlers that already run.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

/// Serves the peer listener until `stop` turns true or its sender is gone, then closes every
/// connection after the requests in hand were answered, and returns when all tasks ended.
pub async fn serve(
    listener: TcpListener,
    router: Arc<PeerRouter>,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, from)) => {
                let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                    warn!(%from, "too many peer connections, one is closed");
                    continue;
                };
                let served = serve_connection(stream, Arc::clone(&router), stop.clone(), permit);
                connections.spawn(async move {
                    if let Err(error) = served.await {
                        debug!(%from, %error, "peer connection ended");
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: waiting is all that helps.
                warn!(%error, "cannot accept a peer connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Tells every service of the end, however it comes (this future may be dropped).
struct Farewell {
    router: Arc<PeerRouter>,
    id: ConnectionId,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.router.disconnected(self.id);
    }
}

async fn serve_connection(
    stream: TcpStream,
    router: Arc<PeerRouter>,
    mut stop: watch::Receiver<bool>,
    _room: OwnedSemaphorePermit,
) -> io::Result<()> {
    tune(&stream)?;
    let (read, write) = stream.into_split();
    let mut read = BufReader::with_capacity(BUFFER_BYTES, read);
    timeout(HELLO_TIMEOUT, frame::read_hello(&mut read)).await??;

    let id = ConnectionId(NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed));
    let _farewell = Farewell {
        router: Arc::clone(&router),
        id,
    };
    let (answers, queue) = mpsc::channel(QUEUE_MAX);
    let writer = write_answers(write, queue);
    let reader = async {
        let mut handlers = JoinSet::new();
        let read = read_requests(read, id, &router, &answers, &mut handlers);
        let ended = tokio::select! {
            () = stopped(&mut stop) => Ok(true),
            ended = read => ended.map(|()| false),
        };
        drop(answers);
        // At an orderly stop the requests in hand are answered; a peer that left gets nothing.
        if matches!(ended, Ok(true)) {
            let drain = async { while handlers.join_next().await.is_some() {} };
            let _ = timeout(DRAIN_TIMEOUT, drain).await;
        }
        handlers.shutdown().await;
        ended.map(|_| ())
    };
    let (read, written) = tokio::join!(reader, writer);
    read.and(written)
}

async fn write_answers(write: OwnedWriteHalf, mut queue: mpsc::Receiver<Frame>) -> io::Result<()> {
    let mut write = BufWriter::with_capacity(BUFFER_BYTES, write);
    let written = write_queue(&mut write, &mut queue).await;
    // Whoever still answers finds the queue closed.
    queue.close();
    written
}

async fn read_requests(
    mut read: BufReader<OwnedReadHalf>,
    id: ConnectionId,
    router: &PeerRouter,
    answers: &mpsc::Sender<Frame>,
    handlers: &mut JoinSet<()>,
) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let bytes = Arc::new(Semaphore::new(IN_FLIGHT_BYTES_MAX));
    while let Some(header) = frame::read_header(&mut read).await? {
        if header.role != Role::Request {
            return Err(io::Error::other("an answer on the serving side"));
        }
        let permits = (
            acquire(&room, 1).await?,
            acquire(&bytes, header.body_bytes).await?,
        );
        let body = frame::read_body(&mut read, header.body_bytes).await?;
        while handlers.try_join_next().is_some() {}
        let service = router.find(header.kind);
        let answers = answers.clone();
        handlers.spawn(async move {
            let answered = match service {
                Some(service) => service.handle_from(id, header.kind, body).await,
                None => Err(PeerFault::UnknownKind(header.kind)),
            };
            let _ = answers.send(answer_frame(&header, answered)).await;
            drop(permits);
        });
    }
    Ok(())
}

async fn acquire(from: &Arc<Semaphore>, count: usize) -> io::Result<OwnedSemaphorePermit> {
    let count = u32::try_from(count).map_err(io::Error::other)?;
    let permit = Arc::clone(from).acquire_many_owned(count).await;
    permit.map_err(io::Error::other)
}

fn answer_frame(request: &Header, answered: Result<bytes::Bytes, PeerFault>) -> Frame {
    let answered = answered.and_then(|body| {
        if body.len() <= BODY_BYTES_MAX {
            Ok(body)
        } else {
            Err(PeerFault::Failed(format!(
                "an answer of {} bytes is too large",
                body.len()
            )))
        }
    });
    let (role, body) = match answered {
        Ok(body) => (Role::Answer, body),
        Err(fault) => (Role::Fault, wire::encode(&fault).unwrap_or_default()),
    };
    Frame {
        role,
        kind: request.kind,
        correlation: request.correlation,
        body,
    }
}
