//! Names of attachments: those that mean a file and nothing else wherever they are saved.

/// A name that may lead somewhere else, deceive who reads it, or be no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPlain;

/// The name, if it is that of a file on any system: no path, no control or formatting characters, none that systems keep for
/// themselves.
pub fn plain(name: &str) -> Result<&str, NotPlain> {
    let stem = name.split('.').next().unwrap_or("").trim_end_matches(' ');
    let is_device = DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device))
        || stem.len() == 4
            && stem.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("com") || word.eq_ignore_ascii_case("lpt"))
            && stem.ends_with(|last: char| last.is_ascii_digit());
    let is_good = (1..=NAME_BYTES_MAX).contains(&name.len())
        && !name.contains(is_strange)
        && !name.starts_with(['.', ' ', '-'])
        && !name.ends_with(['.', ' ']);
    if is_good && !is_device { Ok(name) } else { Err(NotPlain) }
}

/// Bytes of a name that file systems take.
const NAME_BYTES_MAX: usize = 255;

const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// What paths, shells or file systems give a meaning to; what is not seen; what turns the direction of writing (UAX #9).
fn is_strange(c: char) -> bool {
    c.is_control()
        || "/\\:*?\"<>|".contains(c)
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}
