use futures::poll;
use std::task::Poll;
use tokio::{
    net::tcp::WriteHalf,
    sync::mpsc::{self, error::TryRecvError},
};

use super::{
    End,
    answer::{Answer, Held, Outcome, Reply},
    output::Output,
};

/// Sends answers in the order of the queue until it is closed and empty. Answers that are ready
/// together leave together.
pub(crate) async fn run(
    socket: WriteHalf<'_>,
    mut queue: mpsc::Receiver<Answer>,
) -> Result<(), End> {
    let mut output = Output::new(socket.as_ref());
    // Of answers that are in the output's buffer.
    let mut held: Vec<Held> = Vec::new();
    loop {
        let answer = match queue.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Disconnected) => return Ok(output.flush().await?),
            Err(TryRecvError::Empty) => {
                output.flush().await?;
                held.clear();
                match queue.recv().await {
                    Some(answer) => answer,
                    None => return Ok(()),
                }
            }
        };
        let outcome = match answer.reply {
            Reply::Ready(encoded) => Outcome::Answer(encoded),
            Reply::Later(mut later) => match poll!(&mut later) {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => {
                    output.flush().await?;
                    held.clear();
                    later.await
                }
            },
        };
        match outcome {
            Outcome::Answer(encoded) => output.push(encoded).await?,
            Outcome::Silence => {}
            Outcome::Close => {
                output.flush().await?;
                return Err(End::FailedSilently);
            }
        }
        held.push(answer.held);
    }
}
