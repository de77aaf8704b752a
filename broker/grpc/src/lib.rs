//! weir-grpc.
