//! Behaviour through the public API: one module per behaviour.

#[cfg(test)]
mod accepting;
#[cfg(test)]
mod after_cancel;
#[cfg(test)]
mod backoff;
#[cfg(test)]
mod bad_answers;
#[cfg(test)]
mod bad_requests;
#[cfg(test)]
mod cancel;
#[cfg(test)]
mod client_middleware;
#[cfg(test)]
mod closing;
#[cfg(test)]
mod compression;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod connectivity;
#[cfg(test)]
mod cut_streams;
#[cfg(test)]
mod deadline;
#[cfg(test)]
mod deadline_edges;
mod defence;
#[cfg(test)]
mod doubles;
#[cfg(test)]
mod downstream;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod engines;
mod errors;
#[cfg(test)]
mod failed_metadata;
#[cfg(test)]
mod flow_control;
#[cfg(test)]
mod goaway;
#[cfg(test)]
mod handlers;
#[cfg(test)]
mod health;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod hostile;
#[cfg(test)]
mod http2_negative;
#[cfg(test)]
mod idle;
#[cfg(test)]
mod in_memory;
#[cfg(test)]
mod keepalive;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod listeners;
#[cfg(test)]
mod log;
#[cfg(test)]
mod lost_client;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod mixed_load;
#[cfg(test)]
mod own_errors;
#[cfg(test)]
mod panics;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod races;
#[cfg(test)]
mod reflection;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod run_to_completion;
#[cfg(test)]
mod runtimes;
#[cfg(test)]
mod server_interceptors;
#[cfg(test)]
mod server_layers;
#[cfg(test)]
mod server_stats;
#[cfg(test)]
mod sharing;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod sizes;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod statuses;
#[cfg(test)]
mod stream_limits;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tasks;
#[cfg(test)]
mod tiny_messages;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod traps;
#[cfg(test)]
#[cfg(unix)]
mod unix;
#[cfg(test)]
mod uploads;
#[cfg(test)]
mod windows;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod workers;
mod world;
