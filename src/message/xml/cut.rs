//! Leaving out parts of a text by their paths.

use super::{Profile, Start, Visitor, scan};
use std::ops::Range;

/// The text without the elements and attributes at these paths.
pub fn without(text: &str, paths: &[&str]) -> String {
    let mut cutter = Cutter { text, paths, open: Vec::new(), at: 0, tag: Tag::Open, cutting: None, cuts: Vec::new() };
    let mut kept = text.to_owned();
    if scan(text.as_bytes(), Profile::Message, &mut cutter).is_err() {
        return kept;
    }
    cutter.cuts.sort_by_key(|cut| cut.start);
    cutter.cuts.into_iter().rev().for_each(|cut| kept.replace_range(cut, ""));
    kept
}

/// Finds where stands what is left out. There is markup of tags and text alone: an example is signed, so it has no more.
struct Cutter<'t> {
    text: &'t str,
    paths: &'t [&'t str],
    open: Vec<String>,
    /// Behind the last tag.
    at: usize,
    tag: Tag,
    /// Where an element begins that is left out, and how deep it lies.
    cutting: Option<(usize, usize)>,
    cuts: Vec<Range<usize>>,
}

/// What the last tag was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    /// An element without content, whose end has no tag of its own.
    Empty,
    /// Any other.
    Open,
}

impl Visitor for Cutter<'_> {
    type Error = ();

    fn start(&mut self, element: &Start<'_>) -> Result<(), ()> {
        self.open.push(element.local().to_owned());
        let path = self.open.get(1..).unwrap_or_default().join("/");
        let from = element.at();
        self.at = end_of_tag(self.text, from).ok_or(())?;
        self.tag = if self.text.get(from..self.at).is_some_and(|tag| tag.ends_with("/>")) { Tag::Empty } else { Tag::Open };
        if self.cutting.is_some() {
            return Ok(());
        }
        if self.paths.contains(&path.as_str()) {
            self.cutting = Some((from, self.open.len()));
            return Ok(());
        }
        for found in element.attributes() {
            let below = if path.is_empty() { format!("@{}", found.local) } else { format!("{path}/@{}", found.local) };
            if self.paths.contains(&below.as_str()) {
                self.cuts.push(attribute(self.text, from, found.local).ok_or(())?);
            }
        }
        Ok(())
    }

    fn text(&mut self, _: &str, _: usize) -> Result<(), ()> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), ()> {
        if self.tag == Tag::Open {
            let ahead = self.text.get(self.at..).and_then(|rest| rest.find("</")).ok_or(())?;
            let from = self.at.saturating_add(ahead);
            self.at = end_of_tag(self.text, from).ok_or(())?;
        }
        self.tag = Tag::Open;
        if let Some((from, _)) = self.cutting.filter(|(_, depth)| *depth == self.open.len()) {
            self.cuts.push(from..self.at);
            self.cutting = None;
        }
        self.open.pop();
        Ok(())
    }
}

/// Behind the tag that begins at a place; `>` may stand in values.
fn end_of_tag(text: &str, from: usize) -> Option<usize> {
    let mut quote = None;
    for (at, char) in text.get(from..)?.char_indices() {
        match (quote, char) {
            (None, '>') => return from.checked_add(at)?.checked_add(1),
            (None, '"' | '\'') => quote = Some(char),
            (Some(open), char) if open == char => quote = None,
            _ => {}
        }
    }
    None
}

/// Where an attribute of the tag that begins at a place stands, with the space before it.
fn attribute(text: &str, tag: usize, name: &str) -> Option<Range<usize>> {
    let rest = text.get(tag..)?;
    let spelled = format!("{name}=");
    let at = rest.match_indices(&spelled).map(|(at, _)| at).find(|at| {
        let before = rest.get(..*at).and_then(|before| before.chars().next_back());
        before.is_some_and(|before| before.is_whitespace() || before == ':')
    })?;
    let from = rest.get(..at)?.rfind(char::is_whitespace)?;
    let opens = at.checked_add(spelled.len())?;
    let value = rest.get(opens..)?;
    let quote = value.chars().next()?;
    let closes = value.get(1..)?.find(quote)?;
    // Behind both quotes.
    let end = opens.checked_add(closes)?.checked_add(2)?;
    Some(tag.checked_add(from)?..tag.checked_add(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_attributes_are_left_out_by_their_paths_and_nothing_else_is() {
        let text = "<r x=\"1\"><A b='2' c=\"3\"><B/>t</A><A c=\"4\"><C>u</C></A><D/>&amp;<E xmlns:p=\"urn:p\" p:b=\"5\"/></r>";
        let left = |paths: &[&str]| without(text, paths);
        assert_eq!(left(&[]), text);
        assert_eq!(left(&["A/@c", "D"]), "<r x=\"1\"><A b='2'><B/>t</A><A><C>u</C></A>&amp;<E xmlns:p=\"urn:p\" p:b=\"5\"/></r>");
        assert_eq!(left(&["A", "A/@c", "E/@b"]), "<r x=\"1\"><D/>&amp;<E xmlns:p=\"urn:p\"/></r>");
        assert_eq!(left(&["@x", "A/B", "A/C", "E"]), "<r><A b='2' c=\"3\">t</A><A c=\"4\"></A><D/>&amp;</r>");
    }
}
