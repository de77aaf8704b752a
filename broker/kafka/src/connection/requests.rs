use bytes::{Bytes, BytesMut};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::AsyncReadExt,
    net::tcp::ReadHalf,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::{Instant, timeout, timeout_at},
};
use weir_api::Caller;

use super::{
    End, IN_FLIGHT_MAX,
    answer::{Answer, Held, Reply},
    frame,
};
use crate::{
    codec::{ApiKey, DecodeError, Encoded, Reader, RequestHeader, RequestPrefix},
    context::{ConnectionBudget, Context, Share},
    handlers,
};

/// Room is made when there is less than this.
const SPARE_BYTES_MIN: usize = 4096;
/// Room made in the buffer at a time.
const READ_BYTES: usize = 64 * 1024;
/// Most room made at a time for a frame that is known to be long.
const READ_BYTES_MAX: usize = 1024 * 1024;
/// A frame has this long to arrive ...
const FRAME_TIME: Duration = Duration::from_secs(30);
/// ... and a second more for so many bytes of it.
const FRAME_BYTES_PER_SECOND: usize = 64 * 1024;

/// Reads and begins requests until the connection ends. Dropping the future ends it too; requests
/// that the engine has begun may still take effect.
pub(crate) async fn run(
    context: Arc<Context>,
    socket: ReadHalf<'_>,
    caller: Caller,
    mut stop: watch::Receiver<bool>,
    answers: mpsc::Sender<Answer>,
) -> End {
    let mut requests = Requests {
        budget: context.connection_budget(),
        context,
        socket,
        buffer: BytesMut::with_capacity(READ_BYTES),
        caller,
        places: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
    };
    loop {
        let next = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return End::Stop,
            next = requests.next_frame() => next,
        };
        let begun = match next {
            Ok((frame, share)) => requests.begin(frame, share).await,
            Err(end) => return end,
        };
        match begun {
            Ok(answer) => {
                if answers.send(answer).await.is_err() {
                    return End::Left;
                }
            }
            Err(end) => return end,
        }
    }
}

struct Requests<'a> {
    context: Arc<Context>,
    socket: ReadHalf<'a>,
    buffer: BytesMut,
    caller: Caller,
    places: Arc<Semaphore>,
    budget: ConnectionBudget,
}

impl Requests<'_> {
    /// The next request with its share of the budgets. Cancel-safe.
    async fn next_frame(&mut self) -> Result<(Bytes, Share), End> {
        let bytes_max = self.context.config.frame_bytes_max;
        let len = loop {
            if let Some(len) = frame::claimed_len(&self.buffer, bytes_max)? {
                break len;
            }
            make_room(&mut self.buffer, SPARE_BYTES_MIN);
            match timeout(self.context.config.idle_max, self.fill()).await {
                Ok(filled) => filled?,
                Err(_) if self.places.available_permits() == IN_FLIGHT_MAX => {
                    return Err(End::Idle);
                }
                Err(_) => {}
            }
        };
        let admitted = self.context.admit(&self.budget, len).await;
        let share = admitted.ok_or(End::Stop)?;
        let seconds = (len / FRAME_BYTES_PER_SECOND) as u64;
        let deadline = Instant::now() + FRAME_TIME + Duration::from_secs(seconds);
        loop {
            if let Some(frame) = frame::split(&mut self.buffer, len) {
                return Ok((frame, share));
            }
            let missing = frame::PREFIX_BYTES + len - self.buffer.len();
            make_room(&mut self.buffer, missing);
            timeout_at(deadline, self.fill())
                .await
                .map_err(|_| End::Slow)??;
        }
    }

    /// Reads what there is into the space that was made.
    async fn fill(&mut self) -> Result<(), End> {
        match self.socket.read_buf(&mut self.buffer).await? {
            0 => Err(End::Left),
            _ => Ok(()),
        }
    }

    /// Begins a request; a Produce is only in line when this returns, others are done.
    async fn begin(&mut self, frame: Bytes, share: Share) -> Result<Answer, End> {
        let mut reader = Reader::new(frame);
        let prefix =
            RequestPrefix::decode(&mut reader).map_err(|source| undecodable(-1, -1, source))?;
        let RequestPrefix {
            api_key,
            api_version,
            correlation_id,
        } = prefix;
        let Some(key) = ApiKey::from_number(api_key) else {
            return Err(End::UnknownApi {
                api_key,
                api_version,
            });
        };
        let (min, max) = key.versions();
        if !(min..=max).contains(&api_version) {
            if key != ApiKey::ApiVersions {
                return Err(End::UnknownApi {
                    api_key,
                    api_version,
                });
            }
            let answer = handlers::api_versions::refuse_version(correlation_id);
            let places = self.places(IN_FLIGHT_MAX).await?;
            return Ok(ready(answer, places, share));
        }
        let header = RequestHeader::decode(prefix, key, &mut reader)
            .map_err(|source| undecodable(api_key, api_version, source))?;
        let client_id = header.client_id.as_deref().unwrap_or("");
        if self.caller.client_id != client_id {
            self.caller.client_id = client_id.to_owned();
        }
        let places = self
            .places(if key == ApiKey::Produce {
                1
            } else {
                IN_FLIGHT_MAX
            })
            .await?;
        let reply = if key == ApiKey::Fetch {
            self.run_while_connected(key, &header, &mut reader).await
        } else {
            let work = handlers::dispatch(&self.context, &self.caller, key, &header, &mut reader);
            work.await.map(Some)
        };
        let reply = reply.map_err(|source| undecodable(api_key, api_version, source))?;
        match reply {
            Some(reply) => Ok(Answer {
                reply,
                held: Held {
                    _places: places,
                    _share: share,
                },
            }),
            None => Err(End::Left),
        }
    }

    /// Gives a waiting Fetch up (`None`) when its client leaves: nobody reads the answer.
    async fn run_while_connected(
        &mut self,
        key: ApiKey,
        header: &RequestHeader,
        reader: &mut Reader,
    ) -> Result<Option<Reply>, DecodeError> {
        let work = handlers::dispatch(&self.context, &self.caller, key, header, reader);
        tokio::select! {
            biased;
            reply = work => reply.map(Some),
            () = until_left(&mut self.socket, &mut self.buffer) => Ok(None),
        }
    }

    async fn places(&self, count: usize) -> Result<OwnedSemaphorePermit, End> {
        let places = Arc::clone(&self.places);
        places
            .acquire_many_owned(count as u32)
            .await
            .map_err(|_| End::Stop)
    }
}

/// Reads ahead, within bounds, until the client has left with nothing more to be served.
async fn until_left(socket: &mut ReadHalf<'_>, buffer: &mut BytesMut) {
    while buffer.len() < READ_BYTES {
        make_room(buffer, SPARE_BYTES_MIN);
        let read: io::Result<usize> = socket.read_buf(buffer).await;
        match read {
            Ok(0) | Err(_) if buffer.is_empty() => return,
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    std::future::pending::<()>().await;
}

/// Makes room for `missing` bytes, or for some of them. Requests in work share the buffer's
/// memory, so what is left of it is used up before more is taken.
fn make_room(buffer: &mut BytesMut, missing: usize) {
    let wanted = missing.clamp(SPARE_BYTES_MIN, READ_BYTES_MAX);
    if buffer.capacity() - buffer.len() < wanted {
        buffer.reserve(wanted.max(READ_BYTES));
    }
}

fn ready(encoded: Encoded, places: OwnedSemaphorePermit, share: Share) -> Answer {
    Answer {
        reply: Reply::Ready(encoded),
        held: Held {
            _places: places,
            _share: share,
        },
    }
}

fn undecodable(api_key: i16, api_version: i16, source: DecodeError) -> End {
    End::Undecodable {
        api_key,
        api_version,
        source,
    }
}
