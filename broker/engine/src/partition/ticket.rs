//! The answers of one produce request.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;
use weir_api::{Appended, Error, Produced, Result};

/// Collects one result a partition and hands them over when the last is in.
struct Wait {
    state: Mutex<State>,
}

struct State {
    results: Vec<Option<Result<Appended>>>,
    left: usize,
    done: Option<oneshot::Sender<Vec<Result<Appended>>>>,
}

/// The duty to answer one partition of a request. Dropped unanswered it answers "shutting down":
/// the shard that held it is gone.
pub(super) struct Ticket {
    wait: Option<Arc<Wait>>,
    index: usize,
}

/// Tickets for `count` partitions, and the future of all their answers.
pub(super) fn tickets(count: usize) -> (Vec<Ticket>, Produced) {
    if count == 0 {
        return (Vec::new(), Box::pin(std::future::ready(Vec::new())));
    }
    let (done, answers) = oneshot::channel();
    let state = State {
        results: vec![None; count],
        left: count,
        done: Some(done),
    };
    let wait = Arc::new(Wait {
        state: Mutex::new(state),
    });
    let ticket = |index| Ticket {
        wait: Some(Arc::clone(&wait)),
        index,
    };
    let tickets = (0..count).map(ticket).collect();
    let produced = async move {
        let given_up = |_| vec![Err(Error::ShuttingDown); count];
        answers.await.unwrap_or_else(given_up)
    };
    (tickets, Box::pin(produced))
}

impl Ticket {
    /// Nobody waits (acks=0).
    pub(super) const fn none() -> Self {
        Self {
            wait: None,
            index: 0,
        }
    }

    pub(super) fn answer(mut self, result: Result<Appended>) {
        self.settle(result);
    }

    pub(super) fn fail(self, error: Error) {
        self.answer(Err(error));
    }

    fn settle(&mut self, result: Result<Appended>) {
        let Some(wait) = self.wait.take() else { return };
        let mut state = wait.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.results[self.index] = Some(result);
        state.left -= 1;
        if state.left > 0 {
            return;
        }
        let done = state.done.take();
        let results = std::mem::take(&mut state.results);
        drop(state);
        if let Some(done) = done {
            let missing = || Err(Error::Internal("unanswered partition".to_owned()));
            let results = results.into_iter().map(|r| r.unwrap_or_else(missing));
            // The caller may have given up its wait.
            let _ = done.send(results.collect());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.settle(Err(Error::ShuttingDown));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_come_in_the_order_of_the_request() {
        let (mut tickets, produced) = tickets(2);
        let second = tickets.pop().expect("two tickets");
        let first = tickets.pop().expect("two tickets");
        second.fail(Error::MessageTooLarge);
        first.fail(Error::TimedOut);
        assert_eq!(
            produced.await,
            vec![Err(Error::TimedOut), Err(Error::MessageTooLarge)]
        );
    }

    #[tokio::test]
    async fn a_dropped_ticket_is_answered() {
        let (tickets, produced) = tickets(1);
        drop(tickets);
        assert_eq!(produced.await, vec![Err(Error::ShuttingDown)]);
    }
}
