//! The integration tests: one binary, since each further one costs a link of everything.

mod schema;
