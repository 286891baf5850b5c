//! Paths of fields: what a question selects and what a grant releases (`message.md`, "Fields").
//!
//! A path names elements by their local names, with `/` between them. A step may be `*`, any one element; the last may be `@name`
//! or `@*`, an attribute, or `**`, everything that is below. Whoever is given a field is given all that lies in it, and the
//! elements around it, so `Doctor` and `Doctor/**` release the same.

use crate::base::limits;
use crate::message::xsd::simple::is_ncname;
use std::fmt::{self, Write};

/// The path of a field, or a pattern that names many.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath {
    text: Box<str>,
    /// Octets of it without `**` at its end.
    stem: usize,
    form: Form,
}

/// Whether it names one path. One is compared octet by octet, many step by step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    One,
    Many,
}

impl FieldPath {
    /// The form, for whoever wrote another.
    pub const FORM: &'static str =
        "names of elements with / between them, * for any one; the last may be @name, @* or **; at most 400 characters";

    /// Reads a path.
    pub fn parse(text: &str) -> Option<Self> {
        let is_element = |step: &str| step == "*" || is_ncname(step);
        // Nothing is below an attribute.
        let is_last = |step: &str| step == "**" || is_element(step.strip_prefix('@').unwrap_or(step));
        let mut steps = text.split('/');
        let is_good = steps.next_back().is_some_and(is_last) && steps.all(is_element);
        let stem = text.strip_suffix("**").map_or(text, |above| above.strip_suffix('/').unwrap_or(above));
        let form = if stem.contains('*') { Form::Many } else { Form::One };
        let fits = text.chars().count() <= limits::FIELD_PATH_CHARS_MAX;
        (is_good && fits).then(|| Self { text: text.into(), stem: stem.len(), form })
    }

    /// The path as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it names all that a document may hold.
    pub fn is_everything(&self) -> bool {
        self.stem == 0
    }

    /// Whether it names several paths.
    pub fn is_pattern(&self) -> bool {
        self.form == Form::Many
    }

    /// Whether what stands at a path of a document is named by it, or lies in what is named.
    pub fn covers(&self, path: &str) -> bool {
        match self.form {
            Form::One => self.is_everything() || lies_in(path, self.stem()),
            Form::Many => {
                let mut steps = path.split('/');
                self.stem().split('/').all(|own| steps.next().is_some_and(|step| fits(own, step)))
            }
        }
    }

    /// Whether what stands at a path of a document goes out to whoever is given this field: it is covered, or what is named lies
    /// in it, since nothing goes out without the elements around it. Of a pattern, what is named must be among the paths that are
    /// known: `*/@id` releases the elements that can have one, and no other.
    pub fn releases(&self, path: &str, known: &Known<'_>) -> bool {
        self.covers(path)
            || match self.form {
                Form::One => lies_in(self.stem(), path),
                Form::Many => self.is_within(path) && known.below(path).any(|other| self.covers(other)),
            }
    }

    /// Whether a document could have what it names in what stands at a path.
    pub fn is_within(&self, path: &str) -> bool {
        match self.form {
            Form::One => lies_in(self.stem(), path),
            Form::Many => {
                let mut own = self.stem().split('/');
                path.split('/').all(|step| own.next().is_some_and(|own| fits(own, step)))
            }
        }
    }

    /// Whether it covers all that another path names, in whatever document.
    pub fn includes(&self, other: &Self) -> bool {
        // A pattern has the steps of paths, and `*` among them fits `*` alone.
        self.is_everything() || !other.is_everything() && self.covers(other.stem())
    }

    /// Whether all that it names lies in what stands at this path.
    pub fn lies_in(&self, path: &str) -> bool {
        lies_in(self.stem(), path)
    }

    fn stem(&self) -> &str {
        self.text.get(..self.stem).unwrap_or(&self.text)
    }
}

/// The paths among which patterns find what they name, in the order of their octets.
#[derive(Default)]
pub struct Known<'k>(Vec<&'k str>);

impl<'k> Known<'k> {
    /// Paths for these fields to look among; none where no field is a pattern, which would look.
    pub fn of<'f>(fields: impl IntoIterator<Item = &'f FieldPath>, lists: &[&'k [String]]) -> Self {
        if !fields.into_iter().any(FieldPath::is_pattern) {
            return Self::default();
        }
        let mut paths: Vec<&str> = lists.iter().copied().flatten().map(String::as_str).collect();
        paths.sort_unstable();
        Self(paths)
    }

    /// Those that lie in what stands at a path, itself left out.
    fn below(&self, path: &str) -> impl Iterator<Item = &'k str> {
        let inside = format!("{path}/");
        let from = self.0.partition_point(|other| *other < inside.as_str());
        self.0.iter().copied().skip(from).take_while(move |other| other.starts_with(&inside))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl serde::Serialize for FieldPath {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl fmt::Debug for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

/// Fields as the value of a header field: each percent-encoded, with commas between them. None if that would be too long for the
/// head of a message; whoever reads none knows nothing, while an empty value says that there are none.
pub fn fields_header(fields: &[FieldPath]) -> Option<String> {
    let mut header = String::new();
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            header.push(',');
        }
        for octet in field.as_str().bytes() {
            if octet.is_ascii_graphic() && !matches!(octet, b',' | b'%') {
                header.push(char::from(octet));
            } else {
                let _ = write!(header, "%{octet:02X}");
            }
        }
        if header.len() > limits::FIELDS_HEADER_BYTES_MAX {
            return None;
        }
    }
    Some(header)
}

/// The fields of such a header; None if it is none, or has something in it that is no path.
pub fn fields_of_header(header: &str) -> Option<Vec<FieldPath>> {
    if header.is_empty() {
        return Some(Vec::new());
    }
    let fits = header.len() <= limits::FIELDS_HEADER_BYTES_MAX && header.bytes().all(|octet| octet.is_ascii_graphic());
    if !fits {
        return None;
    }
    header.split(',').map(|text| FieldPath::parse(&decoded(text)?)).collect()
}

/// RFC 3986, section 2.1.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut octets = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        // What reads numbers takes a sign as well.
        let octet = u8::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        octets.push(octet);
        octets.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(octets).ok()
}

/// Whether `path` is `field` or below it.
pub(super) fn lies_in(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a step of a pattern fits a step of a path. `**` in a document's path stands for what nobody looked at: no step fits it,
/// so it goes out with the whole element only.
fn fits(own: &str, step: &str) -> bool {
    match own {
        "*" => !step.starts_with('@') && step != "**",
        "@*" => step.starts_with('@'),
        _ => own == step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(text: &str) -> FieldPath {
        FieldPath::parse(text).unwrap_or_else(|| panic!("{text} is a path"))
    }

    #[test]
    fn a_path_has_names_of_any_alphabet_and_wildcards_in_their_places_alone() {
        let long = "n".repeat(limits::FIELD_PATH_CHARS_MAX);
        for good in
            ["A", "A/b-c.d_e", "_/я/Ω", "СвЮЛ/@НаимЮЛПолн", "@a", "@*", "*", "*/A/*", "A/**", "*/**", "**", "A/*/@*", &long]
        {
            assert_eq!(FieldPath::parse(good).map(|path| path.to_string()).as_deref(), Some(good));
        }
        let longer = format!("{long}я");
        for bad in [
            "", "/", "A/", "/A", "A//B", "A B", "1", "A:b", "@", "A/@", "@a/B", "@a/**", "A/**/B", "***", "A*", "@@a", "a/@*b",
            "**/A", "/**", "A/**/**", &longer,
        ] {
            assert_eq!(FieldPath::parse(bad), None, "{bad}");
        }
        assert!(FieldPath::FORM.contains(&format!("at most {} characters", limits::FIELD_PATH_CHARS_MAX)));
    }

    #[test]
    fn a_field_releases_what_lies_in_it_and_what_leads_to_it() {
        for (own, path, covers, is_within) in [
            ("A", "A", true, true),
            ("A", "A/B/@c", true, false),
            ("A/B", "A", false, true),
            ("A", "AB", false, false),
            ("A/**", "A", true, true),
            ("**", "A/@b", true, false),
            ("*", "A", true, true),
            ("*", "A/@b", true, false),
            ("*", "@b", false, false),
            ("@*", "@b", true, true),
            ("@*", "A", false, false),
            ("A/*/C", "A/B", false, true),
            ("A/*/C", "A/B/C/D", true, false),
            ("A/*/C", "A/B/D", false, false),
            ("A/@*", "A", false, true),
            // What nobody has looked at goes out with the whole element only.
            ("A/*", "A/**", false, false),
            ("A/B", "A/**", false, false),
            ("A/@*", "A/**", false, false),
            ("A/**", "A/**", true, false),
            ("*", "A/**", true, false),
        ] {
            let own = field(own);
            assert_eq!((own.covers(path), own.is_within(path)), (covers, is_within), "{own} {path}");
        }
    }

    #[test]
    fn a_header_has_fields_of_any_alphabet_in_visible_octets() {
        let fields = ["Doctor/**", "СвЮЛ/@НаимЮЛПолн", "*/@id"].map(field);
        let header = fields_header(&fields).expect("short");
        assert!(header.starts_with("Doctor/**,%D0%A1%D0%B2%D0%AE%D0%9B/@%D0%9D") && header.ends_with(",*/@id"), "{header}");
        assert_eq!(fields_of_header(&header).as_deref(), Some(&fields[..]));
        assert_eq!((fields_header(&[]).as_deref(), fields_of_header("")), (Some(""), Some(Vec::new())));
        for wrong in [",", "A,", "A, B", "A%2", "A%+1", "A%zz", "%D0", "A%2CB", "я", "A%я", "1", "%"] {
            assert_eq!(fields_of_header(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_header_of_fields_has_so_many_octets_and_no_more() {
        let full = limits::FIELDS_HEADER_BYTES_MAX;
        let last = full % 101;
        // Each with its comma has 101 octets; the last one has what is left.
        let mut fields = vec![field(&"n".repeat(100)); full / 101];
        fields.push(field(&"n".repeat(last)));
        let header = fields_header(&fields).expect("just short enough");
        assert_eq!((header.len(), fields_of_header(&header).map(|read| read == fields)), (full, Some(true)));
        fields.push(field("n"));
        assert_eq!((fields_header(&fields), fields_of_header(&format!("{header}n"))), (None, None));
    }

    proptest! {
        #[test]
        fn fields_come_out_of_a_header_as_they_went_in(
            names in prop::collection::vec("[A-Za-zА-Яа-яΩ_][A-Za-zА-Яа-я0-9._-]{0,8}(/[A-ZЯ][a-zя]{0,5}){0,2}(/@[a-zя]{1,5}|/@\\*|/\\*\\*)?", 0..20),
        ) {
            let fields: Vec<FieldPath> = names.iter().map(|name| field(name)).collect();
            let header = fields_header(&fields).expect("short");
            prop_assert!(header.bytes().all(|octet| octet.is_ascii_graphic()));
            prop_assert_eq!(fields_of_header(&header), Some(fields));
        }

        #[test]
        fn a_header_that_is_read_says_what_it_would_be_written_as(header in "[A-Ba/@*,%2D01]{0,12}") {
            if let Some(fields) = fields_of_header(&header) {
                let again = fields_header(&fields).expect("short");
                prop_assert_eq!(fields_of_header(&again), Some(fields));
            }
        }
    }

    /// What a pattern names, said slowly: each path of a small world is tried from its beginning.
    mod slow {
        /// Whether a pattern names a path exactly.
        fn names(own: &[&str], path: &[&str]) -> bool {
            match (own, path) {
                ([], []) | (["**"], []) => true,
                (["**"], [_, rest @ ..]) => names(&["**"], rest),
                ([own, more @ ..], [step, rest @ ..]) => {
                    let is_attribute = step.starts_with('@');
                    let fits = match *own {
                        "*" => !is_attribute && *step != "**",
                        "@*" => is_attribute,
                        own => own == *step,
                    };
                    fits && names(more, rest)
                }
                _ => false,
            }
        }

        pub(super) fn covers(own: &str, path: &str) -> bool {
            let (own, path): (Vec<&str>, Vec<&str>) = (own.split('/').collect(), path.split('/').collect());
            (0..=path.len()).any(|end| names(&own, &path[..end]))
        }

        /// All paths of three names, an attribute and what nobody looked at, to a depth.
        pub(super) fn world(depth: usize) -> Vec<String> {
            let mut paths = vec![String::new()];
            let mut found = Vec::new();
            for _ in 0..depth {
                let below = |path: &String, step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}/{step}") };
                let ends = ["@a", "@b", "**"].map(|end| paths.iter().map(move |path| below(path, end)).collect::<Vec<_>>());
                found.extend(ends.concat());
                paths = ["A", "B", "C"].iter().flat_map(|name| paths.iter().map(move |path| below(path, name))).collect();
                found.extend(paths.iter().cloned());
            }
            found
        }
    }

    proptest! {
        #[test]
        fn a_pattern_means_what_a_slow_reading_of_it_means(
            own in "((A|B|\\*)(/(A|B|\\*)){0,2}(/(@a|@\\*|\\*\\*))?|@a|@\\*|\\*\\*)",
            other in "((A|B|\\*)(/(A|B|\\*)){0,2}(/(@a|@\\*|\\*\\*))?|@a|@\\*|\\*\\*)",
            step in 1..40_usize,
        ) {
            let world = slow::world(5);
            let (left, right) = (field(&own), field(&other));
            // All that is named lies somewhere: as deep as a pattern, and one step more.
            let mut includes = true;
            for path in &world {
                prop_assert_eq!(left.covers(path), slow::covers(&own, path), "{} {}", own, path);
                includes &= !slow::covers(&other, path) || slow::covers(&own, path);
            }
            prop_assert_eq!(left.includes(&right), includes, "{} {}", own, other);
            let some: Vec<String> = world.iter().skip(step).step_by(step).cloned().collect();
            let known = Known::of([&left], &[&some]);
            for path in &world {
                let below = format!("{path}/");
                let leads = if left.is_pattern() {
                    some.iter().any(|known| known.starts_with(&below) && slow::covers(&own, known))
                } else {
                    left.stem().starts_with(&below)
                };
                prop_assert_eq!(left.releases(path, &known), slow::covers(&own, path) || leads, "{} {}", own, path);
            }
            for path in world.iter().filter(|path| path.split('/').count() < 4) {
                let below = format!("{path}/");
                let own_stem = left.stem().to_owned();
                // What it names, not what lies in that.
                let mut named = world.iter().filter(|longer| longer.split('/').count() == own_stem.split('/').count() && !own_stem.is_empty());
                let is_within = named.any(|longer| left.covers(longer) && (longer == path || longer.starts_with(&below)));
                prop_assert_eq!(left.is_within(path), is_within, "{} {}", own, path);
            }
        }
    }
}
