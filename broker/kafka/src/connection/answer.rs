use futures::future::BoxFuture;
use tokio::sync::OwnedSemaphorePermit;

use crate::{codec::Encoded, context::Share};

/// What a request comes to.
pub(crate) enum Outcome {
    Answer(Encoded),
    /// The client waits for no answer.
    Silence,
    /// The client waits for no answer, but must learn that something went wrong.
    Close,
}

pub(crate) enum Reply {
    Ready(Encoded),
    Later(BoxFuture<'static, Outcome>),
}

/// In line to be sent.
pub(crate) struct Answer {
    pub reply: Reply,
    pub held: Held,
}

/// Released once the answer was handed to the socket.
pub(crate) struct Held {
    /// Places among the requests in flight of the connection.
    pub _places: OwnedSemaphorePermit,
    /// Share of the request budgets, the connection's and the broker's.
    pub _share: Share,
}
