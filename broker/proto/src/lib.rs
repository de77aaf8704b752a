//! The admin channel: generated from `proto/`, not kept in git.

/// Version 1 of the admin service, for the operator and the command line.
pub mod admin {
    #![allow(clippy::all, missing_docs)]
    tonic::include_proto!("weir.admin.v1");
}

/// Metadata key of a call: the epoch of the operator that makes it, in decimal. In an `ABORTED`
/// answer: the later epoch that the cluster has heard.
pub const OPERATOR_EPOCH: &str = "weir-operator-epoch";
