use super::calendar::Moment;
use super::*;
use proptest::prelude::*;

fn built_in(name: &str) -> Arc<Simple> {
    Simple::built_in(name).expect("a built-in type")
}

fn takes(simple: &Simple, value: &str) -> bool {
    let mut room = Room::default();
    let checked = simple.check(value, &Prefixes, &mut room).is_ok();
    assert_eq!(checked, simple.value(value, &Prefixes, &mut Room::default()).is_ok(), "{value:?}");
    checked
}

fn facets(given: &[(&str, &str)]) -> Facets {
    let mut facets = Facets::default();
    for (name, text) in given {
        let text = Some(Box::from(*text));
        match *name {
            "length" => facets.length = text,
            "minLength" => facets.min_length = text,
            "maxLength" => facets.max_length = text,
            "totalDigits" => facets.total_digits = text,
            "fractionDigits" => facets.fraction_digits = text,
            "minInclusive" => facets.min_inclusive = text,
            "maxInclusive" => facets.max_inclusive = text,
            "minExclusive" => facets.min_exclusive = text,
            "maxExclusive" => facets.max_exclusive = text,
            "whiteSpace" => facets.white_space = text,
            "pattern" => facets.patterns.extend(text),
            "fixed" => facets.fixed.extend(text),
            _ => facets.enumeration.extend(text.map(|text| (text, vec![(Box::from("p"), Box::from("urn:one"))]))),
        }
    }
    facets
}

fn restricted(base: &Arc<Simple>, given: &[(&str, &str)]) -> Arc<Simple> {
    Simple::restrict(base, &facets(given)).expect("a restriction")
}

struct Prefixes;

impl Scope for Prefixes {
    fn namespace(&self, prefix: &str) -> Option<&str> {
        match prefix {
            "o" => Some("urn:one"),
            "t" => Some("urn:two"),
            _ => None,
        }
    }
}

/// A type, what it takes, and what it refuses.
type Forms<'t> = (&'t str, &'t [&'t str], &'t [&'t str]);

fn have_forms(forms: &[Forms<'_>]) {
    for (name, yes, no) in forms {
        let simple = built_in(name);
        yes.iter().for_each(|value| assert!(takes(&simple, value), "{name} {value:?}"));
        no.iter().for_each(|value| assert!(!takes(&simple, value), "{name} {value:?}"));
    }
}

#[test]
fn texts_and_numbers_have_their_forms() {
    have_forms(&[
        ("anySimpleType", &["", " a\n"], &[]),
        ("string", &["", " a\n"], &[]),
        ("normalizedString", &[" a\n"], &[]),
        ("token", &[" a\n b"], &[]),
        ("boolean", &["true", " 0\n"], &["TRUE", "", "2"]),
        ("integer", &["-0", "+7", "00012", " 5 "], &["", "+", "1.0", "1e3", "- 1", "１"]),
        ("decimal", &["1.50", "-.5", "+0", "1.", "123456789012345678901234567890.1"], &[".", "", "1,5", "1e3", "--1", "INF"]),
        (
            "float",
            &["1", "-1.5e-3", "+.5E+1", "INF", "-INF", "NaN", "1e999"],
            &["+INF", "inf", "", ".", "1e", "e1", "1e1.5", "0x1"],
        ),
        ("double", &["1", "-1.5e-3", "+.5E+1", "INF", "-INF", "NaN", "1e999"], &["+INF", "nan", "", ".", "1e", "infinity"]),
        ("byte", &["127", "-128"], &["128", "-129"]),
        ("unsignedByte", &["255", "000"], &["256", "-0", "+1"]),
        ("unsignedLong", &["18446744073709551615", "0"], &["18446744073709551616", "-1", "-0", "+1"]),
        ("long", &["-9223372036854775808", "+0009223372036854775807"], &["9223372036854775808", "-9223372036854775809"]),
        ("positiveInteger", &["1", "99999999999999999999999"], &["0", "-99999999999999999999999"]),
        ("negativeInteger", &["-1"], &["0", "-0"]),
        ("nonPositiveInteger", &["0", "-5"], &["1"]),
    ]);
}

#[test]
fn dates_octets_and_names_have_their_forms() {
    have_forms(&[
        (
            "date",
            &["2024-02-29", "2023-01-01Z", "2023-01-01+14:00", "-0004-02-29", "12024-02-29"],
            &[
                "2023-02-29",
                "0000-01-01",
                "2023-1-1",
                "2023-01-01+14:01",
                "02023-01-01",
                "2023-13-01",
                "2023-01-00",
                "2023-01-01z",
            ],
        ),
        (
            "dateTime",
            &["2024-02-29T24:00:00", "2024-01-01T00:00:59.999999999Z", "2024-01-01T00:00:00-14:00"],
            &["2024-02-29T24:00:01", "2024-01-01T00:00:60Z", "2024-01-01 00:00:00", "2024-01-01T00:00:00.Z", "2024-01-01T00:00"],
        ),
        ("time", &["24:00:00", "12:30:00.5Z"], &["24:00:00.1", "25:00:00", "12:30", "1:00:00"]),
        ("gYear", &["2024", "2024Z", "-0001"], &["0000", "24", "2024-01", "+2024"]),
        ("gYearMonth", &["2024-12", "2024-01-05:00"], &["2024-13", "2024-00", "2024-1"]),
        ("gMonthDay", &["--02-29", "--12-31Z"], &["--02-30", "--13-01", "02-29"]),
        ("gDay", &["---31", "---01+01:00"], &["---32", "--31", "---00"]),
        ("gMonth", &["--12", "--01Z"], &["--13", "--01--", "-01"]),
        (
            "duration",
            &["P1Y2M3DT4H5M6.7S", "-P1D", "PT0S", "P0Y", "PT.5S"],
            &["P", "PT", "P1YT", "1Y", "P1M1Y", "P1S", "PT1Y", "P-1D", "PT1.S", "P1.5D", "+P1D", "P1Y1Y"],
        ),
        ("hexBinary", &["", "0aFF"], &["0", "0g"]),
        ("base64Binary", &["", "QUJD", "QUI=", "QQ==", "Q Q = ="], &["QUJ", "QR==", "QUJ=", "=QQ=", "Q===", "QUJD="]),
        (
            "anyURI",
            &["", "https://a.example/%20?q#f", "urn:x", "a b", "<>", "\\\\a", "?a:b", "http://[::1]/"],
            &["%2", "a##b", "::", "1a:b", "http://["],
        ),
        ("QName", &["a", "o:b", "xml:lang"], &["u:b", ":b", "o:", "o:b:c", "1"]),
        ("NOTATION", &["o:b"], &["u:b"]),
        ("NCName", &["a", "_1", "я.б", " a "], &["1a", "a:b", "", "-a", "a b"]),
        ("Name", &["a:b", ":"], &["1", ""]),
        ("NMTOKEN", &["1:-."], &["", "a b", "a,b"]),
        ("NMTOKENS", &["1 2", "\n1\t2 "], &["", " "]),
        ("language", &["en", "et-EE", "i-klingon", "x-12345678"], &["e1", "en-", "", "abcdefghi", "en-123456789"]),
        ("ID", &["a"], &["1", "a:b"]),
        ("IDREFS", &["a b"], &["", "a 1"]),
        ("ENTITIES", &["a b"], &[""]),
    ]);
    assert_eq!(built_in::ALL.len(), 45);
    assert!(Simple::built_in("anyType").is_none());
}

#[test]
fn types_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Simple>();
    shared::<Pattern>();
}

#[test]
fn white_space_is_read_as_the_type_says() {
    for (name, raw, read) in [
        ("string", " a\t\nb  c ", " a\t\nb  c "),
        ("normalizedString", " a\t\nb  c ", " a  b  c "),
        ("token", " a\t\nb  c ", "a b c"),
        ("token", "\n a b \t", "a b"),
        ("token", " \n", ""),
        ("int", " 12\n", "12"),
    ] {
        assert_eq!(built_in(name).check(raw, &NoScope, &mut Room::default()), Ok(read));
    }
}

#[test]
fn facets_bound_values() {
    for (base, given, yes, no) in [
        ("string", &[("minLength", "2"), ("maxLength", "3")][..], &["яя", "abc", "  "][..], &["я", "abcd", "яяяя"][..]),
        ("hexBinary", &[("length", "2")], &["0A0B"], &["0A", "0A0B0C"]),
        ("base64Binary", &[("maxLength", "2")], &["QUI=", ""], &["QUJD"]),
        ("NMTOKENS", &[("length", "2")], &["a b"], &["a", "a b c"]),
        ("integer", &[("minInclusive", "1"), ("maxExclusive", "13")], &["1", "12", "+012"], &["0", "13", "-1"]),
        ("integer", &[("totalDigits", "2")], &["99", "-99", "0099"], &["100", "-100"]),
        ("unsignedLong", &[("minExclusive", "9223372036854775807")], &["9223372036854775808"], &["9223372036854775807", "1"]),
        ("decimal", &[("fractionDigits", "2"), ("totalDigits", "4")], &["12.34", "12.3400", "0012.3"], &["1.234", "123.45"]),
        ("decimal", &[("minExclusive", "0.5"), ("maxInclusive", "1")], &["0.51", "1.0"], &["0.50", "1.01"]),
        ("float", &[("minInclusive", "0"), ("maxInclusive", "1e3")], &["1000", "-0"], &["1001", "-0.1", "NaN", "INF"]),
        ("double", &[("maxInclusive", "INF")], &["INF", "1"], &["NaN"]),
        ("date", &[("minInclusive", "2024-01-01")], &["2024-01-01", "2024-01-02Z"], &["2023-12-31", "2024-01-01Z"]),
        (
            "dateTime",
            &[("maxExclusive", "2024-01-01T00:00:00Z")],
            &["2024-01-01T00:59:59+01:00", "2023-12-31T09:59:59"],
            &["2024-01-01T01:00:00+01:00", "2023-12-31T10:00:00"],
        ),
        ("dateTime", &[("minExclusive", "2024-01-01T00:00:00.5")], &["2024-01-01T00:00:00.51"], &["2024-01-01T00:00:00.50"]),
        ("duration", &[("maxInclusive", "P1M")], &["P27D", "P1M", "-P1Y"], &["P28D", "P29D", "P30D", "P31D", "P1Y"]),
        ("time", &[("minInclusive", "12:00:00")], &["12:00:00"], &["11:59:59", "24:00:00"]),
        ("token", &[("pattern", "[a-z]+"), ("pattern", "[0-9]")], &["a", " ab ", "1"], &["1a", "", "12"]),
        ("token", &[("e", "a b"), ("e", "c")], &["a b", " a  b ", "c"], &["a", "ab", ""]),
        ("decimal", &[("e", "1.0"), ("e", "2")], &["1", "1.00", "+2"], &["3", "1.01"]),
        ("QName", &[("e", "p:a")], &["o:a"], &["t:a", "a", "o:b"]),
        ("dateTime", &[("e", "2024-01-01T00:00:00Z")], &["2024-01-01T01:00:00+01:00"], &["2024-01-01T00:00:00"]),
        ("integer", &[("e", "1"), ("e", "22"), ("pattern", "..")], &["22", "01"], &["1", "022"]),
        ("string", &[("whiteSpace", "collapse"), ("maxLength", "1")], &["  a  "], &["ab"]),
    ] {
        let simple = restricted(&built_in(base), given);
        yes.iter().for_each(|value| assert!(takes(&simple, value), "{base} {given:?} {value:?}"));
        no.iter().for_each(|value| assert!(!takes(&simple, value), "{base} {given:?} {value:?}"));
        let sample = simple.sample(false).expect("a sample");
        assert!(base == "QName" || takes(&simple, &sample), "{base} {given:?} {sample}");
    }
}

#[test]
fn facets_that_contradict_are_refused() {
    for (base, first, second, good) in [
        ("string", &[("minLength", "3")][..], &[("maxLength", "2")][..], false),
        ("string", &[("minLength", "3")], &[("maxLength", "3")], true),
        ("string", &[("maxLength", "3")], &[("maxLength", "4")], false),
        ("string", &[("length", "3")], &[("length", "4")], false),
        ("string", &[("length", "3")], &[("length", "3")], true),
        ("string", &[], &[("length", "3"), ("minLength", "3")], false),
        ("string", &[("minLength", "3")], &[("length", "4"), ("minLength", "3")], true),
        ("string", &[], &[("minLength", "4"), ("maxLength", "3")], false),
        ("string", &[], &[("length", "-1")], false),
        ("string", &[], &[("length", " +1 ")], true),
        ("string", &[], &[("totalDigits", "1")], false),
        ("string", &[("whiteSpace", "collapse")], &[("whiteSpace", "replace")], false),
        ("string", &[("whiteSpace", "replace")], &[("whiteSpace", "collapse")], true),
        ("string", &[], &[("whiteSpace", "squeeze")], false),
        ("int", &[], &[("whiteSpace", "preserve")], false),
        ("int", &[], &[("length", "1")], false),
        ("int", &[], &[("fractionDigits", "1")], false),
        ("int", &[], &[("fractionDigits", "0")], true),
        ("int", &[], &[("maxInclusive", "2147483648")], false),
        ("int", &[], &[("maxInclusive", "1.0")], false),
        ("int", &[("maxInclusive", "5")], &[("maxExclusive", "5")], true),
        ("int", &[("maxExclusive", "5")], &[("maxExclusive", "5")], true),
        ("int", &[("maxExclusive", "5")], &[("maxInclusive", "5")], false),
        ("int", &[("maxInclusive", "5")], &[("minInclusive", "6")], false),
        ("int", &[], &[("minInclusive", "1"), ("minExclusive", "1")], false),
        ("int", &[], &[("minInclusive", "2"), ("maxInclusive", "1")], false),
        ("int", &[], &[("minInclusive", "2"), ("maxExclusive", "2")], false),
        ("decimal", &[], &[("totalDigits", "0")], false),
        ("decimal", &[("totalDigits", "3")], &[("totalDigits", "4")], false),
        ("decimal", &[("totalDigits", "3")], &[("fractionDigits", "4")], false),
        ("boolean", &[], &[("e", "true")], false),
        ("boolean", &[], &[("pattern", "true")], true),
        ("int", &[], &[("e", "a")], false),
        ("string", &[("e", "a")], &[("e", "b")], false),
        ("string", &[("e", "a"), ("e", "b")], &[("e", "b")], true),
        ("QName", &[], &[("e", "q:a")], false),
        ("string", &[], &[("pattern", "[")], false),
        ("string", &[("maxLength", "5"), ("fixed", "maxLength")], &[("maxLength", "4")], false),
        ("string", &[("maxLength", "5"), ("fixed", "maxLength")], &[("maxLength", "5")], true),
        ("anySimpleType", &[], &[("pattern", "a")], false),
    ] {
        let base = restricted(&built_in(base), first);
        let made = Simple::restrict(&base, &facets(second));
        assert_eq!(made.is_ok(), good, "{first:?} {second:?} {made:?}");
    }
    let list = Simple::list(&built_in("int"));
    let union = Simple::union(&[built_in("int"), built_in("token")]);
    assert!(Simple::restrict(&list, &facets(&[("maxInclusive", "1")])).is_err());
    assert!(Simple::restrict(&union, &facets(&[("maxLength", "1")])).is_err());
}

#[test]
fn lists_and_unions_are_made_of_others() {
    let small = restricted(&built_in("int"), &[("maxInclusive", "9")]);
    let list = restricted(&Simple::list(&small), &[("minLength", "1"), ("pattern", "[0-9 ]*")]);
    for (value, good) in [("1 2", true), (" 1\n2 ", true), ("", false), ("10", false), ("-1", false)] {
        assert_eq!(takes(&list, value), good, "{value}");
    }
    let union = Simple::union(&[small, restricted(&built_in("token"), &[("e", "none"), ("e", "1")]), Arc::clone(&list)]);
    for (value, good) in [("1", true), (" none ", true), ("1 2", true), ("no", false)] {
        assert_eq!(takes(&union, value), good, "{value}");
    }
    let some = restricted(&union, &[("e", "01"), ("e", "none")]);
    for (value, good) in [("1", true), ("none", true), ("1 1", false), ("2", false)] {
        assert_eq!(takes(&some, value), good, "{value}");
    }
    assert_eq!(union.check(" none ", &NoScope, &mut Room::default()), Ok("none"));
}

#[test]
fn identity_is_that_of_the_member_that_fits() {
    let union = Simple::union(&[built_in("int"), built_in("ID"), Simple::list(&built_in("IDREF"))]);
    for (value, identity) in [("1", Identity::None), ("a", Identity::Id), ("a b", Identity::Idrefs)] {
        assert_eq!(union.examine(value, &NoScope, &mut Room::default()).map(|found| found.identity), Ok(identity));
    }
    assert_eq!((built_in("IDREFS").identity(), built_in("ENTITY").kind()), (Identity::Idrefs, Kind::Entity));
    assert_eq!(restricted(&built_in("ID"), &[("maxLength", "3")]).kind(), Kind::Id);
}

#[test]
fn values_are_equal_only_within_a_primitive_type() {
    let value = |name: &str, text: &str| built_in(name).value(text, &Prefixes, &mut Room::default()).expect("a value");
    for (left, right, equal) in [
        (("decimal", "1.0"), ("int", "1"), true),
        (("decimal", "-0"), ("integer", "0"), true),
        (("decimal", "1"), ("float", "1"), false),
        (("float", "1"), ("double", "1"), false),
        (("float", "16777217"), ("float", "16777216"), true),
        (("double", "16777217"), ("double", "16777216"), false),
        (("float", "-0"), ("float", "0"), true),
        (("float", "NaN"), ("float", "NaN"), true),
        (("string", "a"), ("token", " a "), true),
        (("string", "a"), ("anyURI", "a"), false),
        (("boolean", "1"), ("boolean", "true"), true),
        (("hexBinary", "0a"), ("hexBinary", "0A"), true),
        (("hexBinary", ""), ("base64Binary", ""), false),
        (("base64Binary", "Q Q = ="), ("base64Binary", "QQ=="), true),
        (("QName", "o:a"), ("QName", "a"), false),
        (("dateTime", "2024-01-01T24:00:00Z"), ("dateTime", "2024-01-02T01:00:00+01:00"), true),
        (("dateTime", "2024-01-01T00:00:00"), ("dateTime", "2024-01-01T00:00:00Z"), false),
        (("date", "2024-01-01"), ("dateTime", "2024-01-01T00:00:00"), false),
        (("time", "24:00:00"), ("time", "00:00:00"), true),
        (("gYear", "1972"), ("gYearMonth", "1972-01"), false),
        (("duration", "P1Y"), ("duration", "P12M"), true),
        (("duration", "PT24H"), ("duration", "P1D"), true),
        (("duration", "P1M"), ("duration", "P30D"), false),
        (("duration", "-PT1.5S"), ("duration", "-PT1.50S"), true),
        (("NMTOKENS", "a  b"), ("NMTOKENS", "a b"), true),
        (("NMTOKENS", "a b"), ("NMTOKENS", "b a"), false),
        (("NMTOKENS", "a"), ("NMTOKEN", "a"), false),
    ] {
        let (one, other) = (value(left.0, left.1), value(right.0, right.1));
        assert_eq!(one == other, equal, "{left:?} {right:?}");
        assert_eq!(one.digest() == other.digest(), equal, "{left:?} {right:?}");
    }
}

#[test]
fn numbers_are_compared_by_value() {
    let order = [
        "-100000000000000000000",
        "-2.5",
        "-2.49",
        "-0.1",
        "0",
        "0.09",
        "0.1",
        "1",
        "1.000000000000000000001",
        "9",
        "10",
        "99999999999999999999.9",
    ];
    for (left_at, left) in order.iter().enumerate() {
        for (right_at, right) in order.iter().enumerate() {
            let (left, right) = (Number::parse(left).expect("number"), Number::parse(right).expect("number"));
            assert_eq!(left.compare(&right), left_at.cmp(&right_at), "{left:?} {right:?}");
        }
    }
    assert_eq!(Number::parse("-0.00"), Number::parse("+0"));
}

/// The examples of sections 3.2.6.2 and 3.2.7.4.
#[test]
fn order_of_durations_and_instants_is_partial() {
    let longer =
        |left: &str, right: &str| Duration::parse(left).expect("duration").compare(&Duration::parse(right).expect("duration"));
    for (left, right, order) in [
        ("P1Y", "P364D", Some(Ordering::Greater)),
        ("P1Y", "P365D", None),
        ("P1Y", "P366D", None),
        ("P1Y", "P367D", Some(Ordering::Less)),
        ("P1M", "P27D", Some(Ordering::Greater)),
        ("P1M", "P28D", None),
        ("P1M", "P31D", None),
        ("P1M", "P32D", Some(Ordering::Less)),
        ("P5M", "P149D", Some(Ordering::Greater)),
        ("P5M", "P150D", None),
        ("P5M", "P153D", None),
        ("P5M", "P154D", Some(Ordering::Less)),
        ("-PT0.1S", "PT0S", Some(Ordering::Less)),
        ("-PT0.1S", "-PT0.2S", Some(Ordering::Greater)),
    ] {
        assert_eq!(longer(left, right), order, "{left} {right}");
    }
    let later = |left: &str, right: &str| {
        let moment = |text: &str| Moment::parse(Parts::DateTime, text).expect("instant");
        moment(left).compare(&moment(right))
    };
    for (left, right, order) in [
        ("2000-01-15T00:00:00", "2000-02-15T00:00:00", Some(Ordering::Less)),
        ("2000-01-15T12:00:00", "2000-01-16T12:00:00Z", Some(Ordering::Less)),
        ("2000-01-01T12:00:00", "1999-12-31T23:00:00Z", None),
        ("2000-01-16T12:00:00", "2000-01-16T12:00:00Z", None),
        ("2000-01-16T00:00:00", "2000-01-16T12:00:00Z", None),
    ] {
        assert_eq!(later(left, right), order, "{left} {right}");
    }
}

#[test]
fn reasons_name_the_rule_and_not_the_value() {
    for (base, given, value, rule, what) in [
        ("string", &[("maxLength", "20")][..], "secret secret secret secret", "cvc-maxLength-valid", "longer than 20 characters"),
        ("string", &[("length", "2")], "secret", "cvc-length-valid", "of a length other than 2 characters"),
        ("int", &[("maxInclusive", "5")], "77", "cvc-maxInclusive-valid", "above the highest value allowed"),
        ("token", &[("pattern", "[0-9]")], "secret", "cvc-pattern-valid", "not as the pattern [0-9] wants it"),
        ("token", &[("e", "a")], "secret", "cvc-enumeration-valid", "not one of the values allowed"),
        ("date", &[], "secret", "cvc-datatype-valid", "not a date (YYYY-MM-DD)"),
    ] {
        let reason = restricted(&built_in(base), given).check(value, &NoScope, &mut Room::default()).map(str::to_owned);
        assert_eq!(reason, Err(Reason { rule, what: what.into() }));
    }
}

#[test]
fn what_is_expected_is_said_in_words() {
    for (base, given, words) in [
        ("date", &[][..], "a date (YYYY-MM-DD)"),
        ("int", &[("minInclusive", "1"), ("maxInclusive", "12")], "a whole number from 1 to 12"),
        ("token", &[("e", "a"), ("e", "b")], "one of: a, b"),
        ("string", &[("maxLength", "5"), ("pattern", "a+")], "text of at most 5 characters that matches the pattern a+"),
        ("decimal", &[("fractionDigits", "2")], "a decimal number with at most 2 behind the point"),
    ] {
        assert_eq!(restricted(&built_in(base), given).expects(), words);
    }
    for name in built_in::ALL.keys() {
        assert!(!built_in(name).expects().is_empty() && built_in(name).sample(true).is_some(), "{name}");
    }
}

/// Types whose values may come in pieces.
fn in_pieces() -> Vec<Arc<Simple>> {
    let restrictions: &[(&str, &[(&str, &str)])] = &[
        ("string", &[("minLength", "3"), ("maxLength", "9")]),
        ("string", &[("whiteSpace", "replace"), ("pattern", " *[a-f]{2,4} ?.*")]),
        ("normalizedString", &[("length", "6")]),
        ("token", &[("maxLength", "7"), ("pattern", "\\w+( \\w+)*")]),
        ("token", &[("pattern", "(a|ab)*я?.{0,3}")]),
        ("hexBinary", &[("minLength", "2")]),
        ("base64Binary", &[("length", "3")]),
        ("base64Binary", &[("pattern", "[A-F ]*={0,2}")]),
    ];
    let plain = ["string", "normalizedString", "token", "hexBinary", "base64Binary", "anySimpleType"].map(built_in);
    plain.into_iter().chain(restrictions.iter().map(|(base, facets)| restricted(&built_in(base), facets))).collect()
}

proptest! {
    #[test]
    fn a_value_in_pieces_is_judged_as_the_whole_value_is(
        value in "[aA]{0,70}([a-fABFQ01+/яȺ𝄞]{0,4}[ \t\n\r=]{0,3}){0,5}",
        cuts in prop::collection::vec(0_usize..90, 0..6),
    ) {
        for simple in in_pieces() {
            let mut pieces = simple.pieces().expect("it may come so");
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| value.floor_char_boundary(*cut)).collect();
            cuts.sort_unstable();
            let mut from = 0;
            for cut in cuts.into_iter().chain([value.len()]) {
                pieces.take(&value[from..cut]);
                from = cut;
            }
            let whole = simple.check(&value, &NoScope, &mut Room::default()).map(|_| ());
            prop_assert_eq!(pieces.end(), whole, "{:?}: {:?}", simple.expects(), value);
        }
    }
}

#[test]
fn what_must_be_there_whole_does_not_come_in_pieces() {
    let token = built_in("token");
    let listed = restricted(&token, &[("enumeration", "a")]);
    // More states than a table may have.
    let large = restricted(&token, &[("pattern", "\\S(.{0,1998}\\S)?")]);
    let union = Simple::union(&[built_in("int"), Arc::clone(&token)]);
    for simple in [listed, large, union, Simple::list(&token), built_in("ID"), built_in("decimal"), built_in("QName")] {
        assert!(simple.pieces().is_none(), "{}", simple.expects());
    }
}
