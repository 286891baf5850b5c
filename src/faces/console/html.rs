//! Pieces of pages. Each is a value, and becomes HTML in one template of its own, which escapes all that it is given.

use super::chart::Svg;
pub(super) use super::tone::Tone;
use super::words::Words;
use crate::base::time::UnixTime;
use crate::evidence::audit::encoded;
use askama::Template;
use serde_json::Value;
use std::fmt;

/// HTML that a template has made, and that no other escapes again. Nothing else makes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Html(String);

impl Html {
    fn of(template: &impl Template) -> Self {
        // A template writes into memory, and none of ours calls what can fail.
        Self(template.render().unwrap_or_default())
    }

    #[cfg(test)]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Html {}
impl askama::filters::HtmlSafe for Svg {}

/// A run of text.
#[derive(Clone, Debug)]
pub(super) enum Span {
    Text(String),
    Strong(String),
    Code(String),
    Link {
        text: String,
        href: String,
    },
    Badge(String, Tone),
    Time {
        text: String,
        machine: String,
    },
    /// What comes next stands on a line of its own.
    Line,
    /// A small drawing of what stands beside it in words.
    Drawn(Svg),
    /// Some text at which addresses may point.
    Anchor {
        text: String,
        id: String,
    },
}

/// Some text.
pub(super) fn text(text: impl Into<String>) -> Span {
    Span::Text(text.into())
}

/// What leads somewhere.
pub(super) fn link(text: impl Into<String>, href: impl Into<String>) -> Span {
    Span::Link { text: text.into(), href: href.into() }
}

/// Some text at which addresses may point.
pub(super) fn anchor(text: impl Into<String>, id: impl Into<String>) -> Span {
    Span::Anchor { text: text.into(), id: id.into() }
}

/// A moment, to the second.
pub(super) fn moment(time: UnixTime) -> Span {
    let machine = time.to_string();
    Span::Time { text: spoken(time), machine }
}

/// A moment, to the minute: where seconds say nothing.
pub(super) fn minute(time: UnixTime) -> Span {
    Span::Time { text: spoken(time).chars().take(16).collect(), machine: time.to_string() }
}

/// A day as people write it: `4 March 2026`.
pub(super) fn day(words: Words, time: UnixTime) -> Span {
    Span::Time { text: words.day(time.day()), machine: time.to_string() }
}

/// A moment as people read it: `2026-03-04 08:12:10`.
pub(super) fn spoken(time: UnixTime) -> String {
    let machine = time.to_string();
    let (day, clock) = (machine.get(..10).unwrap_or_default(), machine.get(11..19).unwrap_or_default());
    format!("{day} {clock}")
}

#[derive(Template)]
#[template(path = "spans.html")]
struct Spans<'s> {
    spans: &'s [Span],
}

/// Runs of text as HTML.
pub(super) fn spans(spans: &[Span]) -> Html {
    Html::of(&Spans { spans })
}

/// How a column is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Words,
    Number,
    /// A code, a day or another mark, which is not broken into lines.
    Mark,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Self::Words => "",
            Self::Number => "number",
            Self::Mark => "mark",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Its name in CSV and JSON.
    pub key: &'static str,
    pub title: String,
    pub kind: Kind,
}

/// A column of words.
pub(super) fn column(key: &'static str, title: &str) -> Column {
    Column { key, title: title.to_owned(), kind: Kind::Words }
}

/// A column of numbers.
pub(super) fn figures(key: &'static str, title: &str) -> Column {
    Column { key, title: title.to_owned(), kind: Kind::Number }
}

/// A column of marks.
pub(super) fn marks(key: &'static str, title: &str) -> Column {
    Column { key, title: title.to_owned(), kind: Kind::Mark }
}

/// A cell: what people read, and what machines get.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub spans: Vec<Span>,
    pub value: Value,
    pub tone: Tone,
}

impl Cell {
    pub fn text(words: impl Into<String>) -> Self {
        let words = words.into();
        Self { value: words.clone().into(), spans: vec![text(words)], tone: Tone::Plain }
    }

    pub fn of(spans: Vec<Span>, value: impl Into<Value>) -> Self {
        Self { spans, value: value.into(), tone: Tone::Plain }
    }

    pub fn link(words: impl Into<String>, href: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::of(vec![link(words, href)], value)
    }

    pub fn number(words: Words, number: u64) -> Self {
        Self::of(vec![text(words.number(number))], number)
    }

    pub fn time(time: UnixTime) -> Self {
        Self::of(vec![moment(time)], time.to_string())
    }

    pub fn empty() -> Self {
        Self { spans: Vec::new(), value: Value::Null, tone: Tone::Quiet }
    }

    pub fn minute(time: UnixTime) -> Self {
        Self::of(vec![minute(time)], time.to_string())
    }

    pub fn day(words: Words, time: UnixTime) -> Self {
        Self::of(vec![day(words, time)], time.to_string())
    }

    pub fn maybe<T>(value: Option<T>, of: impl FnOnce(T) -> Self) -> Self {
        value.map_or_else(Self::empty, of)
    }

    pub fn toned(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// Whether there is something to read in it.
    fn says(&self) -> bool {
        self.spans.iter().any(|span| !matches!(span, Span::Text(text) if text.is_empty()))
    }

    fn html(&self) -> Html {
        spans(&self.spans)
    }
}

/// A table; each has a name, under which it is had as CSV and JSON.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub name: &'static str,
    pub caption: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
    /// What stands there if there are no rows; if that is nothing, people do not see the table.
    pub empty: String,
    /// Where it goes on.
    pub next: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "table.html")]
struct Tabled<'t> {
    table: &'t Table,
    /// The columns that say something in some row.
    shown: Vec<usize>,
    words: Words,
    as_csv: String,
    as_json: String,
}

impl Table {
    pub(super) fn html(&self, words: Words, address: &Address) -> Html {
        if self.rows.is_empty() && self.empty.is_empty() {
            return Html::default();
        }
        let says = |at: &usize| self.rows.iter().any(|row| row.get(*at).is_some_and(Cell::says));
        let shown = (0..self.columns.len()).filter(says).collect();
        let (as_csv, as_json) = (address.form("csv", self.name), address.form("json", self.name));
        Html::of(&Tabled { table: self, shown, words, as_csv, as_json })
    }

    /// By how many columns there are, the sheet knows how much room they need.
    fn class(&self) -> &'static str {
        match self.columns.len() {
            0..=3 => "tabled",
            4..=6 => "tabled some",
            7..=8 => "tabled many",
            _ => "tabled many dense",
        }
    }

    /// As CSV (RFC 4180), in UTF-8. A text that a spreadsheet would take for a formula begins with an apostrophe.
    pub fn csv(&self) -> String {
        let mut out = String::new();
        let heads = self.columns.iter().map(|column| column.key.to_owned());
        let rows = self.rows.iter().map(|row| row.iter().map(|cell| plain(&cell.value)).collect::<Vec<_>>());
        for row in std::iter::once(heads.collect::<Vec<_>>()).chain(rows) {
            let fields: Vec<String> = row.iter().map(|field| quoted(field)).collect();
            out.push_str(&fields.join(","));
            out.push_str("\r\n");
        }
        out
    }

    /// As a list of objects.
    pub fn json(&self) -> Value {
        let row = |row: &Vec<Cell>| {
            let pairs = self.columns.iter().zip(row).map(|(column, cell)| (column.key.to_owned(), cell.value.clone()));
            Value::Object(pairs.collect())
        };
        self.rows.iter().map(row).collect()
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

fn quoted(field: &str) -> String {
    let is_number = field.parse::<f64>().is_ok();
    let is_formula =
        !is_number && field.starts_with(['=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let guarded = if is_formula { format!("'{field}") } else { field.to_owned() };
    if guarded.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

/// The address of a page, with what is asked for in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Address {
    pub path: String,
    pub pairs: Vec<(String, String)>,
}

impl Address {
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), pairs: Vec::new() }
    }

    /// The same with another value of a key; with none of it if the value is empty.
    pub fn with(&self, key: &str, value: &str) -> Self {
        let mut pairs: Vec<_> = self.pairs.iter().filter(|(known, _)| known != key).cloned().collect();
        if !value.is_empty() {
            pairs.push((key.to_owned(), value.to_owned()));
        }
        Self { path: self.path.clone(), pairs }
    }

    fn form(&self, form: &str, name: &str) -> String {
        self.with("as", form).with("table", name).to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        for (number, (key, value)) in self.pairs.iter().enumerate() {
            write!(f, "{}{}={}", if number == 0 { '?' } else { '&' }, encoded(key), encoded(value))?;
        }
        Ok(())
    }
}

/// A number that is seen first.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub number: String,
    pub label: String,
    pub href: Option<String>,
    pub tone: Tone,
}

impl Figure {
    pub fn new(number: impl Into<String>, label: impl Into<String>) -> Self {
        Self { number: number.into(), label: label.into(), href: None, tone: Tone::Plain }
    }

    pub fn to(mut self, href: impl Into<String>) -> Self {
        self.href = Some(href.into());
        self
    }

    pub fn toned(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

#[derive(Template)]
#[template(path = "figures.html")]
struct Figures<'f> {
    figures: &'f [Figure],
}

/// Something that needs attention, or that is to be known.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub tone: Tone,
    pub spans: Vec<Span>,
    pub action: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "notes.html")]
struct Notes<'n> {
    notes: &'n [Note],
    words: Words,
}

#[derive(Template)]
#[template(path = "facts.html")]
struct Facts<'f> {
    facts: &'f [(String, Vec<Span>)],
}

#[derive(Template)]
#[template(path = "chart.html")]
struct Charted<'c> {
    svg: &'c Svg,
    caption: &'c str,
}

#[derive(Template)]
#[template(path = "section.html")]
struct Section<'s> {
    title: &'s str,
    id: &'s str,
    inside: &'s [Html],
}

#[derive(Template)]
#[template(path = "columns.html")]
struct Columns<'c> {
    columns: &'c [Vec<Html>],
}

#[derive(Template)]
#[template(path = "details.html")]
struct Details<'d> {
    summary: &'d str,
    inside: &'d [Html],
}

#[derive(Template)]
#[template(path = "command.html")]
struct Command<'c> {
    label: &'c str,
    lines: &'c str,
}

#[derive(Template)]
#[template(path = "list.html")]
struct Listed<'l> {
    items: &'l [Vec<Span>],
    is_ordered: Ordered,
}

/// Whether the items of a list have an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ordered {
    Yes,
    No,
}

/// Numbers that are seen first.
pub(super) fn figure_row(figures: &[Figure]) -> Html {
    Html::of(&Figures { figures })
}

/// Notes, one below the other.
pub(super) fn notes(words: Words, notes: &[Note]) -> Html {
    Html::of(&Notes { notes, words })
}

/// Names and what they are.
pub(super) fn facts(facts: &[(String, Vec<Span>)]) -> Html {
    Html::of(&Facts { facts })
}

/// A drawing with what it shows.
pub(super) fn chart(svg: &Svg, caption: &str) -> Html {
    Html::of(&Charted { svg, caption })
}

/// A part of a page with its heading; addresses may point at it.
pub(super) fn section(id: &str, title: &str, inside: &[Html]) -> Html {
    Html::of(&Section { title, id, inside })
}

/// Parts side by side where there is room.
pub(super) fn columns(columns: &[Vec<Html>]) -> Html {
    Html::of(&Columns { columns })
}

/// What is shown when it is asked for.
pub(super) fn details(summary: &str, inside: &[Html]) -> Html {
    Html::of(&Details { summary, inside })
}

/// A command, or other text for machines.
pub(super) fn command(label: &str, lines: &str) -> Html {
    Html::of(&Command { label, lines })
}

/// A list.
pub(super) fn list(items: &[Vec<Span>], is_ordered: Ordered) -> Html {
    Html::of(&Listed { items, is_ordered })
}

#[derive(Template)]
#[template(path = "prose.html")]
struct Prose<'p> {
    spans: &'p [Span],
    class: &'p str,
}

/// A paragraph.
pub(super) fn prose(spans: &[Span]) -> Html {
    Html::of(&Prose { spans, class: "prose" })
}

/// What matters most to whoever looks, apart from all else.
pub(super) fn banner(spans: &[Span], tone: Tone) -> Html {
    Html::of(&Prose { spans, class: if tone == Tone::Good { "lead banner good" } else { "lead banner warn" } })
}

/// A paragraph that says first what matters most.
pub(super) fn lead(spans: &[Span]) -> Html {
    Html::of(&Prose { spans, class: "lead" })
}

/// How a form is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
}

/// A field of a form.
#[derive(Clone, Debug)]
pub(super) enum Field {
    Hidden { name: &'static str, value: String },
    Input { name: String, label: String, value: String, hint: String, kind: &'static str, must: Must },
    Area { name: String, label: String, hint: String, length: usize },
    Choice { name: String, label: String, options: Vec<(String, String)>, chosen: String },
    Scale { name: String, label: String, options: Vec<(String, String)> },
}

/// Whether a field has to be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Must {
    Be,
    Not,
}

impl Field {
    pub fn input(name: impl Into<String>, label: &str, value: impl Into<String>) -> Self {
        let (label, hint) = (label.to_owned(), String::new());
        Self::Input { name: name.into(), label, value: value.into(), hint, kind: "text", must: Must::Not }
    }

    pub fn required(name: impl Into<String>, label: &str, hint: &str) -> Self {
        let (label, hint, value) = (label.to_owned(), hint.to_owned(), String::new());
        Self::Input { name: name.into(), label, value, hint, kind: "text", must: Must::Be }
    }
}

/// A form.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub method: Method,
    pub action: String,
    pub fields: Vec<Field>,
    pub submit: String,
    /// What others cannot know (OWASP: synchronizer token); for a form that is got it is empty.
    pub token: String,
    pub class: &'static str,
}

#[derive(Template)]
#[template(path = "form.html")]
struct Formed<'f> {
    form: &'f Form,
    id: String,
}

impl Form {
    pub fn get(action: impl Into<String>, fields: Vec<Field>, submit: &str) -> Self {
        let (action, submit) = (action.into(), submit.to_owned());
        Self { method: Method::Get, action, fields, submit, token: String::new(), class: "row" }
    }

    pub fn post(action: impl Into<String>, fields: Vec<Field>, submit: &str, token: &str) -> Self {
        let (action, submit, token) = (action.into(), submit.to_owned(), token.to_owned());
        Self { method: Method::Post, action, fields, submit, token, class: "block" }
    }

    pub fn classed(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }

    pub fn html(&self) -> Html {
        // Two forms of a page may have fields of one name: what labels them is told apart by where they go.
        let id: String = self.action.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        Html::of(&Formed { form: self, id: format!("f{id}") })
    }
}

/// What a page is made of.
#[derive(Clone, Debug)]
pub(super) enum Block {
    Html(Html),
    Table(Table),
}

/// A page.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub title: String,
    /// Where it stands: links to what is above it.
    pub above: Vec<(String, String)>,
    pub blocks: Vec<Block>,
    /// Whether it may be asked for anew while it is looked at.
    pub is_live: Live,
    pub address: Address,
    /// For people with a personal link: large type, no menu.
    pub is_personal: Personal,
}

/// Whether a page changes while it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Live {
    Yes,
    No,
}

/// Whose page it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Personal {
    Yes,
    No,
}

impl Page {
    pub fn new(title: impl Into<String>, address: Address) -> Self {
        let title = title.into();
        Self { title, above: Vec::new(), blocks: Vec::new(), is_live: Live::No, address, is_personal: Personal::No }
    }

    pub fn below(mut self, text: &str, href: impl Into<String>) -> Self {
        self.above.push((text.to_owned(), href.into()));
        self
    }

    pub fn put(&mut self, html: Html) {
        self.blocks.push(Block::Html(html));
    }

    pub fn table(&mut self, table: Table) {
        self.blocks.push(Block::Table(table));
    }

    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Table(table) => Some(table),
            Block::Html(_) => None,
        })
    }

    /// The whole document.
    pub fn html(&self, frame: &Frame<'_>) -> String {
        let blocks: Vec<Html> = self
            .blocks
            .iter()
            .map(|block| match block {
                Block::Html(html) => html.clone(),
                Block::Table(table) => table.html(frame.words, &self.address),
            })
            .collect();
        let frame = Framed { page: self, frame, words: frame.words, blocks: &blocks };
        Html::of(&frame).0
    }
}

/// What stands around a page.
pub(super) struct Frame<'f> {
    pub words: Words,
    /// The gateway's name, and whether it is the test world's alone.
    pub name: &'f str,
    /// The menu: address, text, and whether it is where we are.
    pub menu: Vec<(&'static str, String, bool)>,
    /// Who looks, and what they do.
    pub who: Option<(String, String)>,
    pub token: &'f str,
    /// Other languages: tag, name, address.
    pub languages: Vec<(&'static str, &'static str, String)>,
    pub style: &'f str,
    pub script: &'f str,
    pub finds: Finds,
}

/// Whether there is a box to find things with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finds {
    Yes,
    No,
}

#[derive(Template)]
#[template(path = "frame.html")]
struct Framed<'f> {
    page: &'f Page,
    frame: &'f Frame<'f>,
    words: Words,
    blocks: &'f [Html],
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<script>alert(1)</script>\"'&";

    #[test]
    fn nothing_that_pieces_are_given_becomes_markup() {
        let words = Words(super::super::words::Language::En);
        let all = vec![
            text(HOSTILE),
            Span::Strong(HOSTILE.to_owned()),
            Span::Code(HOSTILE.to_owned()),
            link(HOSTILE, format!("/x?{HOSTILE}")),
            Span::Badge(HOSTILE.to_owned(), Tone::Bad),
            Span::Time { text: HOSTILE.to_owned(), machine: HOSTILE.to_owned() },
            Span::Line,
            Span::Anchor { text: HOSTILE.to_owned(), id: HOSTILE.to_owned() },
        ];
        let field = Field::Input {
            name: HOSTILE.to_owned(),
            label: HOSTILE.to_owned(),
            value: HOSTILE.to_owned(),
            hint: HOSTILE.to_owned(),
            kind: "text",
            must: Must::Be,
        };
        let option = vec![(HOSTILE.to_owned(), HOSTILE.to_owned())];
        let choice =
            Field::Choice { name: HOSTILE.into(), label: HOSTILE.into(), options: option.clone(), chosen: String::new() };
        let scale = Field::Scale { name: HOSTILE.into(), label: HOSTILE.into(), options: option };
        let form = Form::post(format!("/{HOSTILE}"), vec![field, choice, scale], HOSTILE, HOSTILE);
        let table = Table {
            name: "t",
            caption: HOSTILE.to_owned(),
            columns: vec![column("k", HOSTILE)],
            rows: vec![vec![Cell::text(HOSTILE)]],
            empty: HOSTILE.to_owned(),
            next: Some((HOSTILE.to_owned(), format!("/{HOSTILE}"))),
        };
        let address = Address::new("/p").with("q", HOSTILE);
        let pieces = [
            spans(&all),
            form.html(),
            table.html(words, &address),
            figure_row(&[Figure::new(HOSTILE, HOSTILE).to(HOSTILE)]),
            notes(words, &[Note { tone: Tone::Bad, spans: all.clone(), action: Some((HOSTILE.to_owned(), HOSTILE.to_owned())) }]),
            facts(&[(HOSTILE.to_owned(), all.clone())]),
            section(HOSTILE, HOSTILE, &[]),
            details(HOSTILE, &[]),
            command(HOSTILE, HOSTILE),
            list(std::slice::from_ref(&all), Ordered::Yes),
            lead(&all),
            banner(&all, Tone::Warn),
        ];
        for piece in &pieces {
            assert!(!piece.as_str().contains("<script"), "{piece}");
            assert!(!piece.as_str().contains("\"'&"), "{piece}");
        }
        let mut page = Page::new(HOSTILE, address).below(HOSTILE, HOSTILE);
        page.table(table);
        let frame = Frame {
            words,
            name: HOSTILE,
            menu: vec![("/", HOSTILE.to_owned(), true)],
            who: Some((HOSTILE.to_owned(), HOSTILE.to_owned())),
            token: HOSTILE,
            languages: vec![("ru", "Русский", HOSTILE.to_owned())],
            style: HOSTILE,
            script: HOSTILE,
            finds: Finds::Yes,
        };
        let whole = page.html(&frame);
        assert!(!whole.contains("<script>") && !whole.contains("\"'&"), "{whole}");
    }

    #[test]
    fn no_cell_is_a_formula_in_a_spreadsheet() {
        let cell = |text: &str| {
            let rows = vec![vec![Cell::text(text)]];
            let table = Table {
                name: "t",
                caption: String::new(),
                columns: vec![column("k", "k")],
                rows,
                empty: String::new(),
                next: None,
            };
            table.csv().split_once("\r\n").expect("a head").1.trim_end_matches("\r\n").to_owned()
        };
        for (given, written) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+7 900", "'+7 900"),
            ("-5", "-5"),
            ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
            ("\t=1", "'\t=1"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(cell(given), written);
        }
    }
}
