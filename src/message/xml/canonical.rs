//! Exclusive XML Canonicalization 1.0 without comments, over the events of the reader.
//!
//! Octets that are already canonical are handed on as they stand, in runs as long as possible: canonical input costs
//! one comparison per tag and no copy.

use super::start::{NO_NAMESPACE, Slot, Start, same_prefix};
use super::write::{escape_attribute, escape_text};
use super::{Event, Violation};
use crate::base::fault::Code;
use std::cmp::Ordering;

const XSI_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// How much text is escaped at a time.
const PIECE_BYTES: usize = 4096;

/// Where canonical octets go.
pub trait Octets {
    /// Takes the next octets.
    fn put(&mut self, octets: &[u8]);
}

impl Octets for Vec<u8> {
    fn put(&mut self, octets: &[u8]) {
        self.extend_from_slice(octets);
    }
}

/// The canonicaliser of one subtree: its apex is the first element that it is given.
pub struct Canonical<'a, O> {
    input: &'a [u8],
    out: O,
    /// Input that is canonical and not yet handed on.
    run: std::ops::Range<usize>,
    /// Prefixes rendered by the open elements, with their namespace and the depth of the element.
    rendered: Vec<(&'a str, u32, usize)>,
    depth: usize,
    buffer: String,
    order: Vec<usize>,
}

impl<'a, O: Octets> Canonical<'a, O> {
    /// A canonicaliser for parts of `input`, which writes to `out`.
    pub fn new(input: &'a [u8], out: O) -> Self {
        let (rendered, buffer, order) = (Vec::with_capacity(8), String::with_capacity(256), Vec::with_capacity(8));
        Self { input, out, run: 0..0, rendered, depth: 0, buffer, order }
    }

    /// Takes one event of the reader that reads the same input.
    pub fn event(&mut self, event: &Event<'_, 'a>) -> Result<(), Violation> {
        match event {
            Event::Start(start) => self.start(start)?,
            Event::Text { raw, text, at, canonical } => {
                if *canonical {
                    self.keep(*at, raw.len());
                } else {
                    self.escape(text);
                }
            }
            Event::End { raw, name, at } => self.end(raw, name, *at),
            Event::Done => {}
        }
        Ok(())
    }

    /// Hands on what is left and gives the sink back.
    pub fn finish(mut self) -> O {
        self.flush_run();
        self.out
    }

    /// Escaped text is up to five times as long as it was: it is handed on in pieces, so that no buffer grows with it.
    fn escape(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at_checked(rest.floor_char_boundary(PIECE_BYTES)).unwrap_or((rest, ""));
            escape_text(piece, &mut self.buffer);
            self.flush_buffer();
            rest = after;
        }
    }

    fn start(&mut self, start: &Start<'a>) -> Result<(), Violation> {
        self.depth = self.depth.saturating_add(1);
        let before = self.rendered.len();
        self.render(start.prefix(), start.uri);
        if start.attributes.is_empty() && start.declarations.is_empty() && before == self.rendered.len() && start.plain {
            self.keep(start.at(), start.raw.len());
            return Ok(());
        }
        for slot in &start.attributes {
            if slot.prefix_len > 0 && slot.prefix() != "xml" {
                self.render(slot.prefix(), slot.uri);
            }
        }
        let added = self.rendered.get_mut(before..).unwrap_or_default();
        added.sort_unstable_by_key(|(prefix, _, _)| *prefix);
        self.check_qname_values(start)?;
        self.sort_attributes(start);
        if start.plain && self.in_order(start, before) {
            self.keep(start.at(), start.raw.len());
        } else {
            self.write_start(start, before);
        }
        Ok(())
    }

    /// Notes that the prefix is visibly utilised here; renders it unless an ancestor's output has the same binding.
    fn render(&mut self, prefix: &'a str, uri: u32) {
        let last = self.rendered.iter().rev().find(|(rendered, _, _)| same_prefix(rendered, prefix));
        let same = match last {
            Some((_, rendered, _)) => *rendered == uri,
            None => (prefix.is_empty() && uri == NO_NAMESPACE) || prefix == "xml",
        };
        if !same {
            self.rendered.push((prefix, uri, self.depth));
        }
    }

    /// A value of `xsi:type` uses a prefix that exclusive canonicalisation does not see: it must be rendered here, or
    /// it could be bound to another namespace under a valid signature.
    fn check_qname_values(&self, start: &Start<'a>) -> Result<(), Violation> {
        for slot in &start.attributes {
            if slot.local() != "type" || start.scope.uri(slot.uri) != XSI_NAMESPACE {
                continue;
            }
            let prefix = slot.value.trim().split_once(':').map_or("", |(prefix, _)| prefix);
            let rendered = self.rendered.iter().rev().find(|(rendered, _, _)| *rendered == prefix).map(|(_, uri, _)| *uri);
            let rendered = rendered.or(if prefix.is_empty() { Some(NO_NAMESPACE) } else { None });
            if rendered.is_none() || rendered != start.scope.resolve(prefix) {
                return Err(Violation {
                    code: Code::XmlQName,
                    what: "xsi:type with a prefix that is not signed",
                    at: start.at(),
                });
            }
        }
        Ok(())
    }

    /// Attributes are ordered by namespace name, then local name.
    fn sort_attributes(&mut self, start: &Start<'a>) {
        self.order.clear();
        self.order.extend(0..start.attributes.len());
        let order = |a: &Slot<'_>, b: &Slot<'_>| {
            let uris = if a.uri == b.uri { Ordering::Equal } else { start.scope.uri(a.uri).cmp(start.scope.uri(b.uri)) };
            // Names differ early: comparing them in place is faster than a call.
            uris.then_with(|| a.local().bytes().cmp(b.local().bytes()))
        };
        if !start.attributes.is_sorted_by(|a, b| order(a, b).is_le()) {
            let slot = |index: &usize| start.attributes.get(*index);
            self.order.sort_unstable_by(|a, b| slot(a).zip(slot(b)).map_or(Ordering::Equal, |(a, b)| order(a, b)));
        }
    }

    /// Whether the tag as it stands declares just what is to be rendered, in the canonical order.
    fn in_order(&self, start: &Start<'a>, before: usize) -> bool {
        let rendered = self.rendered.get(before..).unwrap_or_default();
        let declared = start.declarations.iter();
        rendered.len() == start.declarations.len()
            && declared.enumerate().zip(rendered).all(|((place, d), (prefix, _, _))| d.place == place && d.prefix == *prefix)
            && self.order.iter().enumerate().all(|(place, index)| place == *index)
    }

    fn write_start(&mut self, start: &Start<'a>, before: usize) {
        let buffer = &mut self.buffer;
        buffer.push('<');
        buffer.push_str(start.name);
        for (prefix, uri, _) in self.rendered.get(before..).unwrap_or_default() {
            buffer.push_str(" xmlns");
            buffer.push_str(if prefix.is_empty() { "" } else { ":" });
            buffer.push_str(prefix);
            write_value(start.scope.uri(*uri), buffer);
        }
        for slot in self.order.iter().filter_map(|index| start.attributes.get(*index)) {
            write_attribute(slot, buffer);
        }
        buffer.push('>');
        self.flush_buffer();
    }

    fn end(&mut self, raw: &str, name: &str, at: usize) {
        while self.rendered.last().is_some_and(|(_, _, depth)| *depth >= self.depth) {
            self.rendered.pop();
        }
        self.depth = self.depth.saturating_sub(1);
        if raw.len() == name.len().saturating_add(3) {
            self.keep(at, raw.len());
        } else {
            self.buffer.push_str("</");
            self.buffer.push_str(name);
            self.buffer.push('>');
            self.flush_buffer();
        }
    }

    /// Keeps input as it stands: joins it to the run, or begins another.
    fn keep(&mut self, at: usize, length: usize) {
        if self.run.end != at {
            self.flush_run();
            self.run.start = at;
        }
        self.run.end = at.saturating_add(length);
    }

    fn flush_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        if !run.is_empty() {
            self.out.put(self.input.get(run).unwrap_or_default());
        }
    }

    fn flush_buffer(&mut self) {
        self.flush_run();
        self.out.put(self.buffer.as_bytes());
        self.buffer.clear();
    }
}

fn write_attribute(slot: &Slot<'_>, buffer: &mut String) {
    if let Some(spelled) = slot.spelled {
        buffer.push_str(spelled);
        return;
    }
    buffer.push(' ');
    buffer.push_str(slot.name);
    write_value(&slot.value, buffer);
}

fn write_value(value: &str, buffer: &mut String) {
    buffer.push_str("=\"");
    escape_attribute(value, buffer);
    buffer.push('"');
}
