use super::*; #[test] fn ok() { Schemas::built_in(); }
