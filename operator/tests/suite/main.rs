//! The reconcilers against a Kubernetes API and brokers in memory. One program: it links once.

mod clusters;
mod drift;
mod epochs;
mod interrupted;
mod killed;
mod kstatus;
mod listeners;
mod metrics;
mod nodes;
mod ownership;
mod pauses;
mod reads;
mod renders;
mod rolls;
mod scalers;
mod scalers_killed;
mod scaling;
mod support;
mod targets;
mod topics;
mod volumes;
