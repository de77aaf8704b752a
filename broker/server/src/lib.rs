//! weir-server.
