//! The integration tests: one binary, since each further one costs a link of everything.

mod agreement;
mod api;
mod envelope;
mod generate;
mod installation;
mod peers;
mod profile;
mod refusals;
mod schema;
mod tidy;
mod tool;
mod vectors;
mod world;
