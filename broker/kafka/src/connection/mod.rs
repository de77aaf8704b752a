//! One client connection: frames in, answers out, in order.
//!
//! **Invariants:** answers leave in the order of their requests. Produce requests overlap one
//! another, and are handed to the engine in order; every other request starts when all before it
//! were answered. At most [`IN_FLIGHT_MAX`] requests of a connection are in work, and no more bytes
//! of them than the connection's budget, unless a single one is larger.

mod answer;
mod end;
mod frame;
mod output;
mod requests;
mod responder;

use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
};
use tracing::{debug, info};
use weir_api::Caller;

use crate::context::Context;
use end::End;

pub(crate) use answer::{Outcome, Reply};

/// Most requests of one connection that are not yet answered.
pub(crate) const IN_FLIGHT_MAX: usize = 64;

/// Serves a connection until the client leaves, breaks the protocol, or `stop` turns true.
pub(crate) async fn run(
    context: Arc<Context>,
    mut socket: TcpStream,
    caller: Caller,
    stop: watch::Receiver<bool>,
) {
    let peer = caller.peer;
    let drain_max = context.config.drain_max;
    let (read, write) = socket.split();
    let (answers, queue) = mpsc::channel(IN_FLIGHT_MAX);
    let responder = responder::run(write, queue);
    tokio::pin!(responder);
    let given_up = given_up(stop.clone(), drain_max);
    let requests = requests::run(context, read, caller, stop, answers);
    let end = tokio::select! {
        end = requests => {
            // The queue is closed now: what is in it still gets its answer.
            match tokio::time::timeout(drain_max, &mut responder).await {
                Ok(Ok(())) => end,
                Ok(Err(broken)) if matches!(end, End::Left) => { debug!(?peer, %broken, "late"); end }
                Ok(Err(broken)) => broken,
                Err(_) => { debug!(?peer, "requests were given up at the end"); end }
            }
        }
        result = &mut responder => match result {
            Ok(()) => End::Left,
            Err(end) => end,
        },
        () = given_up => End::Stop,
    };
    match end {
        End::Left | End::Stop | End::Idle => debug!(?peer, %end, "connection closed"),
        End::Io(_) => debug!(?peer, %end, "connection lost"),
        End::Oversized(_) | End::Slow | End::Undecodable { .. } | End::UnknownApi { .. } => {
            info!(?peer, %end, "connection closed");
        }
        End::FailedSilently => debug!(?peer, %end, "connection closed"),
    }
}

/// Resolves when requests have had `drain_max` to end since the face stopped.
async fn given_up(mut stop: watch::Receiver<bool>, drain_max: Duration) {
    // An error means that the sender is gone, which is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(drain_max).await;
}
