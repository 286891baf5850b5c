//! What a register's rows become: from columns to a document of a schema, by a mapping that was checked against both.

mod table;

pub use table::{Asked, Cell, Row, Table};
