//! Broker-to-broker transport.
