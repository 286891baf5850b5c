//! Sets of characters that escapes stand for (XML Schema 1.0, part 2, appendix F.1.1).
//!
//! Categories are those of the Unicode version of the tables that are built in, which the specification encourages;
//! blocks are those that it lists (Unicode 3.1), and a few names of later versions that makers use.

use super::letters::{FOLLOWERS, LETTERS};
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// A set of characters.
pub(super) type Set = ClassUnicode;

/// The set of some ranges.
pub(super) fn of(ranges: &[(char, char)]) -> Set {
    Set::new(ranges.iter().map(|(start, end)| ClassUnicodeRange::new(*start, *end)))
}

/// All characters that are not of the set.
pub(super) fn negated(mut set: Set) -> Set {
    set.negate();
    set
}

/// What `.` stands for.
pub(super) fn dot() -> Set {
    negated(of(&[('\n', '\n'), ('\r', '\r')]))
}

/// What a backslash with this letter stands for: `\d`, `\W`, `\i` and their like.
pub(super) fn escape(letter: char) -> Option<Set> {
    let set = match letter.to_ascii_lowercase() {
        's' => of(&[(' ', ' '), ('\t', '\n'), ('\r', '\r')]),
        'd' => category("Nd")?,
        'i' => name_start(),
        'c' => {
            let mut set = name_start();
            set.union(&of(FOLLOWERS));
            set.union(&of(&[('0', '9'), ('-', '-'), ('.', '.')]));
            set
        }
        'w' => {
            let mut set = category("P")?;
            set.union(&category("Z")?);
            set.union(&category("C")?);
            negated(set)
        }
        _ => return None,
    };
    Some(if letter.is_ascii_uppercase() { negated(set) } else { set })
}

fn name_start() -> Set {
    let mut set = of(LETTERS);
    set.union(&of(&[('_', '_'), (':', ':')]));
    set
}

/// The characters of a category; `None` if there is no such category.
pub(super) fn category(name: &str) -> Option<Set> {
    if !CATEGORIES.contains(&name) {
        return None;
    }
    match regex_syntax::parse(&format!("\\p{{{name}}}")).ok()?.into_kind() {
        HirKind::Class(Class::Unicode(set)) => Some(set),
        // A category of one character.
        HirKind::Literal(literal) => {
            let character = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
            Some(of(&[(character, character)]))
        }
        _ => None,
    }
}

/// A block by its name without `Is`.
pub(super) enum Block {
    /// One of those that the specification lists.
    Listed(Set),
    /// One that Unicode has named later.
    Later(Set),
}

/// The characters of a block; `None` if there is no such block.
pub(super) fn block(name: &str) -> Option<Block> {
    let find = |table: &[(&str, u32, u32)]| {
        let ranges = table.iter().filter(|(known, ..)| *known == name);
        let ranges = ranges.map(|(_, start, end)| (above(*start), below(*end))).collect::<Vec<_>>();
        let known = !ranges.is_empty();
        // Blocks of surrogates are known but hold no character.
        let ranges = ranges.into_iter().filter(|(start, end)| start <= end).collect::<Vec<_>>();
        known.then(|| of(&ranges))
    };
    find(BLOCKS).map(Block::Listed).or_else(|| find(LATER_BLOCKS).map(Block::Later))
}

/// The first character from this code on.
fn above(code: u32) -> char {
    char::from_u32(code).unwrap_or('\u{E000}')
}

/// The last character up to this code.
fn below(code: u32) -> char {
    char::from_u32(code).unwrap_or('\u{D7FF}')
}

const CATEGORIES: &[&str] = &[
    "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf",
    "Po", "Z", "Zs", "Zl", "Zp", "S", "Sm", "Sc", "Sk", "So", "C", "Cc", "Cf", "Co", "Cn",
];

#[rustfmt::skip]
const BLOCKS: &[(&str, u32, u32)] = &[
    ("BasicLatin", 0x0, 0x7F), ("Latin-1Supplement", 0x80, 0xFF), ("LatinExtended-A", 0x100, 0x17F),
    ("LatinExtended-B", 0x180, 0x24F), ("IPAExtensions", 0x250, 0x2AF), ("SpacingModifierLetters", 0x2B0, 0x2FF),
    ("CombiningDiacriticalMarks", 0x300, 0x36F), ("Greek", 0x370, 0x3FF), ("Cyrillic", 0x400, 0x4FF),
    ("Armenian", 0x530, 0x58F), ("Hebrew", 0x590, 0x5FF), ("Arabic", 0x600, 0x6FF), ("Syriac", 0x700, 0x74F),
    ("Thaana", 0x780, 0x7BF), ("Devanagari", 0x900, 0x97F), ("Bengali", 0x980, 0x9FF), ("Gurmukhi", 0xA00, 0xA7F),
    ("Gujarati", 0xA80, 0xAFF), ("Oriya", 0xB00, 0xB7F), ("Tamil", 0xB80, 0xBFF), ("Telugu", 0xC00, 0xC7F),
    ("Kannada", 0xC80, 0xCFF), ("Malayalam", 0xD00, 0xD7F), ("Sinhala", 0xD80, 0xDFF), ("Thai", 0xE00, 0xE7F),
    ("Lao", 0xE80, 0xEFF), ("Tibetan", 0xF00, 0xFFF), ("Myanmar", 0x1000, 0x109F), ("Georgian", 0x10A0, 0x10FF),
    ("HangulJamo", 0x1100, 0x11FF), ("Ethiopic", 0x1200, 0x137F), ("Cherokee", 0x13A0, 0x13FF),
    ("UnifiedCanadianAboriginalSyllabics", 0x1400, 0x167F), ("Ogham", 0x1680, 0x169F), ("Runic", 0x16A0, 0x16FF),
    ("Khmer", 0x1780, 0x17FF), ("Mongolian", 0x1800, 0x18AF), ("LatinExtendedAdditional", 0x1E00, 0x1EFF),
    ("GreekExtended", 0x1F00, 0x1FFF), ("GeneralPunctuation", 0x2000, 0x206F), ("SuperscriptsandSubscripts", 0x2070, 0x209F),
    ("CurrencySymbols", 0x20A0, 0x20CF), ("CombiningMarksforSymbols", 0x20D0, 0x20FF), ("LetterlikeSymbols", 0x2100, 0x214F),
    ("NumberForms", 0x2150, 0x218F), ("Arrows", 0x2190, 0x21FF), ("MathematicalOperators", 0x2200, 0x22FF),
    ("MiscellaneousTechnical", 0x2300, 0x23FF), ("ControlPictures", 0x2400, 0x243F),
    ("OpticalCharacterRecognition", 0x2440, 0x245F), ("EnclosedAlphanumerics", 0x2460, 0x24FF), ("BoxDrawing", 0x2500, 0x257F),
    ("BlockElements", 0x2580, 0x259F), ("GeometricShapes", 0x25A0, 0x25FF), ("MiscellaneousSymbols", 0x2600, 0x26FF),
    ("Dingbats", 0x2700, 0x27BF), ("BraillePatterns", 0x2800, 0x28FF), ("CJKRadicalsSupplement", 0x2E80, 0x2EFF),
    ("KangxiRadicals", 0x2F00, 0x2FDF), ("IdeographicDescriptionCharacters", 0x2FF0, 0x2FFF),
    ("CJKSymbolsandPunctuation", 0x3000, 0x303F), ("Hiragana", 0x3040, 0x309F), ("Katakana", 0x30A0, 0x30FF),
    ("Bopomofo", 0x3100, 0x312F), ("HangulCompatibilityJamo", 0x3130, 0x318F), ("Kanbun", 0x3190, 0x319F),
    ("BopomofoExtended", 0x31A0, 0x31BF), ("EnclosedCJKLettersandMonths", 0x3200, 0x32FF), ("CJKCompatibility", 0x3300, 0x33FF),
    ("CJKUnifiedIdeographsExtensionA", 0x3400, 0x4DB5), ("CJKUnifiedIdeographs", 0x4E00, 0x9FFF),
    ("YiSyllables", 0xA000, 0xA48F), ("YiRadicals", 0xA490, 0xA4CF), ("HangulSyllables", 0xAC00, 0xD7A3),
    ("HighSurrogates", 0xD800, 0xDB7F), ("HighPrivateUseSurrogates", 0xDB80, 0xDBFF), ("LowSurrogates", 0xDC00, 0xDFFF),
    ("PrivateUse", 0xE000, 0xF8FF), ("PrivateUse", 0xF0000, 0xFFFFD), ("PrivateUse", 0x100000, 0x10FFFD),
    ("CJKCompatibilityIdeographs", 0xF900, 0xFAFF), ("AlphabeticPresentationForms", 0xFB00, 0xFB4F),
    ("ArabicPresentationForms-A", 0xFB50, 0xFDFF), ("CombiningHalfMarks", 0xFE20, 0xFE2F),
    ("CJKCompatibilityForms", 0xFE30, 0xFE4F), ("SmallFormVariants", 0xFE50, 0xFE6F),
    ("ArabicPresentationForms-B", 0xFE70, 0xFEFE), ("Specials", 0xFEFF, 0xFEFF),
    ("HalfwidthandFullwidthForms", 0xFF00, 0xFFEF), ("Specials", 0xFFF0, 0xFFFD), ("OldItalic", 0x10300, 0x1032F),
    ("Gothic", 0x10330, 0x1034F), ("Deseret", 0x10400, 0x1044F), ("ByzantineMusicalSymbols", 0x1D000, 0x1D0FF),
    ("MusicalSymbols", 0x1D100, 0x1D1FF), ("MathematicalAlphanumericSymbols", 0x1D400, 0x1D7FF),
    ("CJKUnifiedIdeographsExtensionB", 0x20000, 0x2A6D6), ("CJKCompatibilityIdeographsSupplement", 0x2F800, 0x2FA1F),
    ("Tags", 0xE0000, 0xE007F),
];

#[rustfmt::skip]
const LATER_BLOCKS: &[(&str, u32, u32)] = &[
    ("GreekandCoptic", 0x370, 0x3FF), ("CyrillicSupplementary", 0x500, 0x52F), ("CyrillicSupplement", 0x500, 0x52F),
    ("CombiningDiacriticalMarksforSymbols", 0x20D0, 0x20FF), ("PrivateUseArea", 0xE000, 0xF8FF),
    ("SupplementaryPrivateUseArea-A", 0xF0000, 0xFFFFF), ("SupplementaryPrivateUseArea-B", 0x100000, 0x10FFFF),
    ("VariationSelectors", 0xFE00, 0xFE0F), ("PhoneticExtensions", 0x1D00, 0x1D7F), ("GeorgianSupplement", 0x2D00, 0x2D2F),
    ("LatinExtended-C", 0x2C60, 0x2C7F), ("LatinExtended-D", 0xA720, 0xA7FF), ("CyrillicExtended-A", 0x2DE0, 0x2DFF),
    ("CyrillicExtended-B", 0xA640, 0xA69F), ("SupplementalPunctuation", 0x2E00, 0x2E7F), ("ArabicSupplement", 0x750, 0x77F),
];
