//! The admin channel: generated from `proto/`, not kept in git.

/// Version 1 of the admin service, for the operator and the command line.
pub mod admin {
    #![allow(clippy::all, missing_docs)]
    tonic::include_proto!("weir.admin.v1");
}
