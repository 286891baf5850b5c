//! Start tags of the strict reader as a run sees them.

use super::run::{Run, Tag};
use super::set::Bindings;
use super::simple::Scope;
use crate::message::xml::{Start, Visitor};
use std::convert::Infallible;

impl Scope for Start<'_> {
    fn namespace(&self, prefix: &str) -> Option<&str> {
        Start::namespace(self, prefix).filter(|uri| !uri.is_empty())
    }
}

impl Tag for Start<'_> {
    fn uri(&self) -> &str {
        Start::uri(self)
    }

    fn local(&self) -> &str {
        Start::local(self)
    }

    fn attribute(&self, at: usize) -> Option<(&str, &str, &str)> {
        Start::attribute(self, at).map(|found| (found.uri, found.local, found.value))
    }

    fn bindings(&self) -> Bindings {
        Bindings(Start::bindings(self))
    }
}

/// A run hears what a reader reads.
impl Visitor for Run<'_> {
    type Error = Infallible;

    fn start(&mut self, element: &Start<'_>) -> Result<(), Infallible> {
        Run::start(self, element);
        Ok(())
    }

    fn text(&mut self, text: &str, _: usize) -> Result<(), Infallible> {
        Run::text(self, text);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Infallible> {
        Run::end(self);
        Ok(())
    }
}
