//! The integration tests: one binary, since each further one costs a link of everything.

mod agreement;
mod api;
mod audit;
mod cli;
mod crash;
mod envelope;
mod evidence;
mod figures;
mod foreign;
mod generate;
mod installation;
mod journal;
mod log;
mod manipulation;
mod memory;
mod peers;
mod process;
mod profile;
mod refusals;
mod restart;
mod schema;
mod tidy;
mod tool;
mod vectors;
mod witness;
mod world;
