//! The client's end of one connection.

use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, BufReader, BufWriter};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use super::frame::{self, Class, Frame, Role};
use super::{PeerError, wire};

/// Requests of one connection that wait for their answers.
const IN_FLIGHT_MAX: usize = 1024;
/// Requests that wait to be written.
const QUEUE_MAX: usize = 128;
const BUFFER_BYTES: usize = 64 * 1024;

type Answer = Result<Bytes, PeerError>;

/// One live connection. Dropping it closes it.
pub(super) struct Connection {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Frame>,
    in_flight: Semaphore,
    tasks: [AbortHandle; 2],
}

struct Shared {
    address: String,
    next_correlation: AtomicU64,
    waiting: Mutex<Waiting>,
    closed: watch::Sender<bool>,
}

/// Who waits for which answer; closed for good with the reason.
struct Waiting {
    answers: HashMap<u64, oneshot::Sender<Answer>>,
    broken: Option<String>,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn break_with(&self, reason: &str) {
        let answers = {
            let mut waiting = self.waiting();
            waiting.broken.get_or_insert_with(|| reason.to_owned());
            std::mem::take(&mut waiting.answers)
        };
        self.closed.send_replace(true);
        for answer in answers.into_values() {
            let _ = answer.send(Err(self.broken(reason)));
        }
    }

    fn broken(&self, reason: &str) -> PeerError {
        PeerError::Broken {
            address: self.address.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// Takes a caller that gave up off the list.
struct Forget<'a> {
    shared: &'a Shared,
    correlation: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.shared.waiting().answers.remove(&self.correlation);
    }
}

impl Connection {
    /// Resolves, connects, says hello.
    pub async fn open(address: &str, class: Class) -> io::Result<Self> {
        let mut stream = connect(address).await?;
        stream.write_all(&frame::hello(class)).await?;
        let (read, write) = stream.into_split();
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let shared = Arc::new(Shared {
            address: address.to_owned(),
            next_correlation: AtomicU64::new(1),
            waiting: Mutex::new(Waiting {
                answers: HashMap::new(),
                broken: None,
            }),
            closed: watch::Sender::default(),
        });
        let reader = tokio::spawn(read_answers(read, Arc::clone(&shared)));
        let writer = tokio::spawn(write_requests(write, queue, Arc::clone(&shared)));
        Ok(Self {
            shared,
            requests,
            in_flight: Semaphore::new(IN_FLIGHT_MAX),
            tasks: [reader.abort_handle(), writer.abort_handle()],
        })
    }

    pub fn is_broken(&self) -> bool {
        self.shared.waiting().broken.is_some()
    }

    /// Turns true when the connection breaks.
    pub fn closed(&self) -> watch::Receiver<bool> {
        self.shared.closed.subscribe()
    }

    /// Sends one request and waits for its answer, without a timeout of its own. Dropping the
    /// future forgets the answer; the request may still arrive.
    pub async fn call(&self, kind: u16, body: Bytes) -> Answer {
        let overloaded = || PeerError::Overloaded {
            address: self.shared.address.clone(),
        };
        let _permit = self.in_flight.try_acquire().map_err(|_| overloaded())?;
        let correlation = self.shared.next_correlation.fetch_add(1, Ordering::Relaxed);
        let (tell, answer) = oneshot::channel();
        {
            let mut waiting = self.shared.waiting();
            if let Some(reason) = &waiting.broken {
                return Err(self.shared.broken(reason));
            }
            waiting.answers.insert(correlation, tell);
        }
        let _forget = Forget {
            shared: &self.shared,
            correlation,
        };
        let request = Frame {
            role: Role::Request,
            kind,
            correlation,
            body,
        };
        if self.requests.send(request).await.is_err() {
            return Err(self.shared.broken("closed"));
        }
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Err(self.shared.broken("closed")),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.break_with("closed");
    }
}

/// Connects to whichever address of the host answers first in order.
pub(super) async fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for candidate in lookup_host(address).await? {
        match TcpStream::connect(candidate).await {
            Ok(stream) => {
                tune(&stream)?;
                return Ok(stream);
            }
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// No delay for small frames; a peer that vanished without a word is noticed within half a minute.
pub(super) fn tune(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(10))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(5))?;
    sockopt::set_tcp_keepcnt(stream, 4)?;
    Ok(())
}

async fn read_answers(read: OwnedReadHalf, shared: Arc<Shared>) {
    let reason = match read_until_broken(read, &shared).await {
        Ok(()) => "closed by the other side".to_owned(),
        Err(e) => e.to_string(),
    };
    shared.break_with(&reason);
}

async fn read_until_broken(read: OwnedReadHalf, shared: &Shared) -> io::Result<()> {
    let mut read = BufReader::with_capacity(BUFFER_BYTES, read);
    while let Some(header) = frame::read_header(&mut read).await? {
        let body = frame::read_body(&mut read, header.body_bytes).await?;
        let answer = match header.role {
            Role::Answer => Ok(body),
            Role::Fault => Err(fault(shared, &body)),
            Role::Request => return Err(io::Error::other("a request on the answering side")),
        };
        // Nobody waits any more for an answer that came after its caller's timeout.
        if let Some(tell) = shared.waiting().answers.remove(&header.correlation) {
            let _ = tell.send(answer);
        }
    }
    Ok(())
}

fn fault(shared: &Shared, body: &[u8]) -> PeerError {
    let fault = wire::decode(body).unwrap_or_else(|malformed| malformed);
    PeerError::Fault {
        address: shared.address.clone(),
        fault,
    }
}

async fn write_requests(
    write: OwnedWriteHalf,
    mut queue: mpsc::Receiver<Frame>,
    shared: Arc<Shared>,
) {
    let mut write = BufWriter::with_capacity(BUFFER_BYTES, write);
    if let Err(e) = write_queue(&mut write, &mut queue).await {
        shared.break_with(&e.to_string());
    }
}

/// Writes frames as they come and flushes whenever none waits.
pub(super) async fn write_queue(
    write: &mut BufWriter<OwnedWriteHalf>,
    queue: &mut mpsc::Receiver<Frame>,
) -> io::Result<()> {
    while let Some(first) = queue.recv().await {
        frame::write_frame(write, &first).await?;
        while let Ok(next) = queue.try_recv() {
            frame::write_frame(write, &next).await?;
        }
        write.flush().await?;
    }
    write.shutdown().await
}
