//! Archives of schema sets: ZIP files, read whole into memory within bounds. Nothing of them is ever written to the disk.
//!
//! Every name is looked at, also of what is not taken: an archive with one absolute path, one `..` or one link is refused whole,
//! since whoever packed that meant something with it. Taken are schemas, catalogues and `documents.toml`.

use super::{Files, SetError, is_of_a_set};
use crate::base::limits;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;
use zip::ZipArchive;

/// Reads what an archive has of a set.
pub(super) fn read(path: &Path) -> Result<Files, SetError> {
    let file = File::open(path).map_err(SetError::Unreadable)?;
    let mut octets = Vec::new();
    file.take(limits::SCHEMA_SET_BYTES_MAX as u64 + 1).read_to_end(&mut octets).map_err(SetError::Unreadable)?;
    if octets.len() > limits::SCHEMA_SET_BYTES_MAX {
        return Err(SetError::ArchiveTooLarge);
    }
    unpack(&octets)
}

/// What the octets of an archive have of a set.
pub fn unpack(octets: &[u8]) -> Result<Files, SetError> {
    // The directory of the archive is read into memory at once, so what it says of its length comes first.
    if entries(octets).ok_or_else(|| SetError::Archive("it has no directory at its end".to_owned()))?
        > limits::SCHEMA_ARCHIVE_FILES_MAX
    {
        return Err(SetError::TooManyPacked);
    }
    let broken = |error: zip::result::ZipError| SetError::Archive(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(octets)).map_err(broken)?;
    if archive.has_duplicate_names() {
        return Err(SetError::Archive("it has two files of one name".to_owned()));
    }
    let (mut files, mut total) = (Files::new(), 0_usize);
    for at in 0..archive.len() {
        let mut packed = archive.by_index(at).map_err(broken)?;
        let name = packed.name().map_err(broken)?.into_owned();
        let within = |why: SetError| SetError::Packed(name.clone(), Box::new(why));
        if packed.is_symlink() {
            return Err(within(SetError::Link));
        }
        let name = inside(&name).ok_or_else(|| within(SetError::Outside))?;
        if !packed.is_file() || !is_of_a_set(&name) {
            continue;
        }
        if packed.encrypted() {
            return Err(within(SetError::Archive("it is encrypted; pack it without a password".to_owned())));
        }
        let mut content = Vec::new();
        let most = limits::SCHEMA_BYTES_MAX as u64;
        let small = packed.compressed_size();
        // What the archive says of its sizes is whoever packed it saying so.
        (&mut packed).take(most + 1).read_to_end(&mut content).map_err(|cause| within(SetError::Unreadable(cause)))?;
        if content.len() as u64 > most {
            return Err(within(SetError::TooLarge));
        }
        if content.len() as u64 > small.saturating_mul(limits::SCHEMA_RATIO_MAX).saturating_add(RATIO_FREE_BYTES) {
            return Err(within(SetError::Swells));
        }
        total = total.saturating_add(content.len());
        if total > limits::SCHEMA_SET_BYTES_MAX {
            return Err(SetError::SetTooLarge);
        }
        if files.len() >= limits::SCHEMA_FILES_MAX {
            return Err(SetError::TooMany);
        }
        if files.insert(name.clone(), content).is_some() {
            return Err(SetError::Archive(format!("it has {name} twice")));
        }
    }
    Ok(files)
}

/// How many files the end of the archive says that it has (APPNOTE.TXT, section 4.3.16); of one with 65,535 or more the place
/// for it is full, so that is too many in any case.
fn entries(octets: &[u8]) -> Option<usize> {
    let tail = octets.get(octets.len().saturating_sub(END_BYTES_MAX)..)?;
    let at = memchr::memmem::rfind(tail, b"PK\x05\x06")?;
    let count = tail.get(at + 10..at + 12)?;
    Some(usize::from(u16::from_le_bytes(count.try_into().ok()?)))
}

/// A name as a path inside the set; nothing where it leaves the set, or could.
fn inside(name: &str) -> Option<String> {
    let name = name.strip_suffix('/').unwrap_or(name);
    let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0']);
    let is_shallow = name.split('/').count() <= limits::SCHEMA_FOLDERS_MAX + 1;
    (is_shallow && name.split('/').all(is_plain)).then(|| name.to_owned())
}

/// The end of an archive with the longest comment.
const END_BYTES_MAX: usize = 22 + 0xFFFF;
/// A file of a few lines that are alike shrinks to nothing, and is no bomb.
const RATIO_FREE_BYTES: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files {
            writer.start_file(*name, SimpleFileOptions::default()).expect("a name");
            writer.write_all(content).expect("room");
        }
        writer.finish().expect("an archive").into_inner()
    }

    fn refusal(octets: &[u8]) -> String {
        unpack(octets).expect_err("refused").to_string()
    }

    #[test]
    fn what_is_of_a_set_is_taken_and_the_rest_is_not() {
        let files = unpack(&packed(&[("a/b.xsd", b"x"), ("documents.toml", b"y"), ("a/manual.pdf", b"z")])).expect("read");
        assert_eq!(files.keys().collect::<Vec<_>>(), ["a/b.xsd", "documents.toml"]);
    }

    #[test]
    fn names_that_leave_the_set_and_links_refuse_the_archive_whole() {
        for name in ["../b.xsd", "/b.xsd", "a/../../b.xsd", "a\\b.xsd", "c:b.xsd", "a/../manual.pdf"] {
            let said = refusal(&packed(&[("a.xsd", b"x"), (name, b"y")]));
            assert!(said.contains("outside of the set"), "{name}: {said}");
        }
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("a.xsd", "/etc/passwd", SimpleFileOptions::default()).expect("a link");
        let said = refusal(&writer.finish().expect("an archive").into_inner());
        assert!(said.contains("a.xsd") && said.contains("symbolic link"), "{said}");
    }

    #[test]
    fn an_archive_may_grow_so_much_and_no_more() {
        let ratio = limits::SCHEMA_RATIO_MAX as usize;
        let said = refusal(&packed(&[("a.xsd", &vec![b' '; 4 << 20])]));
        assert!(said.contains(&format!("{ratio} times")), "{said}");
        let said = refusal(&packed(&[("a.xsd", &vec![b' '; limits::SCHEMA_BYTES_MAX + 1])]));
        assert!(said.contains("larger than a schema may be"), "{said}");
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        let of = |count: usize| {
            let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
            for at in 0..count {
                writer.start_file(format!("{at}.txt"), stored).expect("a name");
            }
            writer.finish().expect("an archive").into_inner()
        };
        assert!(unpack(&of(limits::SCHEMA_ARCHIVE_FILES_MAX)).is_ok());
        assert!(refusal(&of(limits::SCHEMA_ARCHIVE_FILES_MAX + 1)).contains("more than"));
    }

    #[test]
    fn what_is_no_archive_or_is_broken_is_refused() {
        let good = packed(&[("a.xsd", b"some text that is long enough to be packed")]);
        assert!(refusal(b"no archive").contains("not an archive"));
        let mut changed = good.clone();
        changed[45] ^= 0xFF;
        for broken in [&good[..good.len() - 30], &changed] {
            let said = refusal(broken);
            assert!(!said.is_empty(), "{said}");
        }
    }
}
