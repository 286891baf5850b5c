//! Who may do what: registry, grants, quotas.

pub mod policy;
pub mod quota;
pub mod registry;
