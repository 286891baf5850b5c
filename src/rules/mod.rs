//! Who may do what, and what the law has them do: registry, grants, quotas, conditions, life
//! situations.

pub mod condition;
pub mod policy;
pub mod quality;
pub mod quota;
pub mod registry;
pub mod situation;
