//! The types that are built in (part 2, section 3).

use super::calendar::Parts;
use super::lexical::White;
use super::value::Value;
use super::{Bound, Form, Identity, Kind, Primitive, Simple, Variety};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// All of them by their local names.
pub(super) static ALL: LazyLock<BTreeMap<&'static str, Arc<Simple>>> = LazyLock::new(|| {
    let mut all = BTreeMap::new();
    all.insert("anySimpleType", Arc::new(Simple::plain("anySimpleType", Variety::Any, White::Preserve)));
    for (name, primitive) in PRIMITIVES {
        let white = if *primitive == Primitive::String { White::Preserve } else { White::Collapse };
        let kind = match primitive {
            Primitive::QName => Kind::QName,
            Primitive::Notation => Kind::Notation,
            _ => Kind::Plain,
        };
        all.insert(*name, Arc::new(Simple { kind, ..Simple::plain(name, Variety::Atomic(*primitive), white) }));
    }
    for (name, white, form, kind) in TEXTS {
        let plain = Simple::plain(name, Variety::Atomic(Primitive::String), *white);
        let identity = match kind {
            Kind::Id => Identity::Id,
            Kind::Idref => Identity::Idref,
            _ => Identity::None,
        };
        all.insert(*name, Arc::new(Simple { form: *form, kind: *kind, identity, ..plain }));
    }
    for (name, low, high) in INTEGERS {
        let bound = |text: &Option<&str>| {
            text.map(|text| Bound { value: Value::Decimal(text.into()), text: text.into(), is_inclusive: true })
        };
        let plain = Simple::plain(name, Variety::Atomic(Primitive::Decimal), White::Collapse);
        let (low, high) = (bound(low), bound(high));
        let form = if name.starts_with("unsigned") { Form::Unsigned } else { Form::Integer };
        let mut made = Simple { form, low, high, fraction_digits: Some(0), ..plain };
        made.settle();
        all.insert(*name, Arc::new(made));
    }
    for (name, item, kind, identity) in LISTS {
        if let Some(item) = all.get(item).cloned() {
            let plain = Simple::plain(name, Variety::List(item), White::Collapse);
            all.insert(
                *name,
                Arc::new(Simple { length_min: 1, stated: vec!["minLength"], kind: *kind, identity: *identity, ..plain }),
            );
        }
    }
    all
});

const PRIMITIVES: &[(&str, Primitive)] = &[
    ("string", Primitive::String),
    ("boolean", Primitive::Boolean),
    ("decimal", Primitive::Decimal),
    ("float", Primitive::Float),
    ("double", Primitive::Double),
    ("duration", Primitive::Duration),
    ("dateTime", Primitive::Calendar(Parts::DateTime)),
    ("time", Primitive::Calendar(Parts::Time)),
    ("date", Primitive::Calendar(Parts::Date)),
    ("gYearMonth", Primitive::Calendar(Parts::YearMonth)),
    ("gYear", Primitive::Calendar(Parts::Year)),
    ("gMonthDay", Primitive::Calendar(Parts::MonthDay)),
    ("gDay", Primitive::Calendar(Parts::Day)),
    ("gMonth", Primitive::Calendar(Parts::Month)),
    ("hexBinary", Primitive::HexBinary),
    ("base64Binary", Primitive::Base64Binary),
    ("anyURI", Primitive::AnyUri),
    ("QName", Primitive::QName),
    ("NOTATION", Primitive::Notation),
];

const TEXTS: &[(&str, White, Form, Kind)] = &[
    ("normalizedString", White::Replace, Form::Any, Kind::Plain),
    ("token", White::Collapse, Form::Any, Kind::Plain),
    ("language", White::Collapse, Form::Language, Kind::Plain),
    ("NMTOKEN", White::Collapse, Form::Nmtoken, Kind::Plain),
    ("Name", White::Collapse, Form::Name, Kind::Plain),
    ("NCName", White::Collapse, Form::NcName, Kind::Plain),
    ("ID", White::Collapse, Form::NcName, Kind::Id),
    ("IDREF", White::Collapse, Form::NcName, Kind::Idref),
    ("ENTITY", White::Collapse, Form::NcName, Kind::Entity),
];

const INTEGERS: &[(&str, Option<&str>, Option<&str>)] = &[
    ("integer", None, None),
    ("nonPositiveInteger", None, Some("0")),
    ("negativeInteger", None, Some("-1")),
    ("long", Some("-9223372036854775808"), Some("9223372036854775807")),
    ("int", Some("-2147483648"), Some("2147483647")),
    ("short", Some("-32768"), Some("32767")),
    ("byte", Some("-128"), Some("127")),
    ("nonNegativeInteger", Some("0"), None),
    ("unsignedLong", Some("0"), Some("18446744073709551615")),
    ("unsignedInt", Some("0"), Some("4294967295")),
    ("unsignedShort", Some("0"), Some("65535")),
    ("unsignedByte", Some("0"), Some("255")),
    ("positiveInteger", Some("1"), None),
];

const LISTS: &[(&str, &str, Kind, Identity)] = &[
    ("NMTOKENS", "NMTOKEN", Kind::Plain, Identity::None),
    ("IDREFS", "IDREF", Kind::Idrefs, Identity::Idrefs),
    ("ENTITIES", "ENTITY", Kind::Entities, Identity::None),
];
