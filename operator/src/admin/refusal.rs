//! What went wrong, in the operator's words.

use tonic::{Code, Status};
use weir_proto::OPERATOR_EPOCH;

use super::{AdminError, Refusal};

/// A broker's refusal, or that it did not answer.
pub fn answered(host: &str, status: &Status) -> AdminError {
    let kind = match status.code() {
        Code::NotFound => Refusal::NotFound,
        Code::AlreadyExists => Refusal::AlreadyExists,
        Code::InvalidArgument | Code::OutOfRange => Refusal::Invalid,
        Code::Aborted if later_operator(status).is_some() => Refusal::Deposed,
        Code::FailedPrecondition | Code::Aborted => Refusal::Precondition,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => {
            return AdminError::Unreachable {
                host: host.to_owned(),
                why: why(status),
            };
        }
        _ => Refusal::Other,
    };
    AdminError::Refused {
        kind,
        message: status.message().to_owned(),
    }
}

/// The later epoch that a cluster has heard, if that is why it refused.
pub fn later_operator(status: &Status) -> Option<u64> {
    let heard = status.metadata().get(OPERATOR_EPOCH)?;
    let aborted = status.code() == Code::Aborted;
    heard.to_str().ok()?.parse().ok().filter(|_| aborted)
}

/// What lies behind a broken connection.
pub fn why(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(source) => reasons(source),
        None => status.message().to_owned(),
    }
}

/// An error with all its causes: the outermost of a connection says nothing.
pub fn reasons(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    for _ in 0..8 {
        let Some(inner) = cause else { break };
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
