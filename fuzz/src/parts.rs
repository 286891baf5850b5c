//! Bodies of several parts.

use crate::memory::bounded;
use oncegate::base::limits;
use oncegate::message::parts::{Event, Reader, Related, Wrong, plain};

const TYPE: &str = "multipart/related; boundary=\"b\"; type=\"application/xml\"";

type Part = (Option<String>, Vec<u8>);

/// The parts of a body that comes in pieces of so many octets.
fn read(body: &[u8], piece: usize) -> Result<Vec<Part>, Wrong> {
    let mut reader = Reader::new(&Related::parse(TYPE).expect("a boundary"));
    let mut parts: Vec<Part> = Vec::new();
    let mut is_open = false;
    for piece in body.chunks(piece.max(1)) {
        reader.take(piece);
        while let Some(event) = reader.event()? {
            match event {
                Event::Part(head) => {
                    assert!(!std::mem::replace(&mut is_open, true), "a part begins in another");
                    parts.push((head.id, Vec::new()));
                }
                Event::Octets(octets) => {
                    assert!(is_open && !octets.is_empty());
                    parts.last_mut().expect("one has begun").1.extend_from_slice(octets);
                }
                Event::End => assert!(std::mem::replace(&mut is_open, false), "nothing ends"),
            }
        }
    }
    reader.finish().inspect(|()| assert!(!is_open, "the last part has no end"))?;
    Ok(parts)
}

/// The first octet says in what pieces the rest comes: what is read is the same in whatever pieces, and written again is read
/// as the same. What begins like a `Content-Type`, or like a name, is that.
pub fn parts(input: &[u8]) {
    let Some((first, body)) = input.split_first() else { return };
    if let Ok(text) = std::str::from_utf8(body) {
        if let Ok(related) = bounded(body.len(), || Related::parse(text)) {
            assert!((1..=70).contains(&related.boundary.len()) && !related.boundary.contains(['"', '\r', '\n']));
        }
        if let Ok(name) = plain(text) {
            assert!(!name.contains(['/', '\\', '\0']) && name != "." && name != "..");
            assert_eq!(std::path::Path::new("f").join(name).parent(), Some(std::path::Path::new("f")), "it leads elsewhere");
        }
    }
    let whole = bounded(body.len(), || read(body, body.len()));
    let pieces = bounded(body.len(), || read(body, usize::from(*first)));
    assert_eq!(whole.is_ok(), pieces.is_ok(), "it depends on the pieces");
    let Ok(parts) = whole else { return };
    assert_eq!(Ok(&parts), pieces.as_ref());
    assert!((1..=limits::PARTS_MAX).contains(&parts.len()));
    let mut again = Vec::new();
    for (id, octets) in &parts {
        assert!(!octets.windows(5).any(|five| five == b"\r\n--b"), "the boundary is in a part");
        again.extend_from_slice(b"--b\r\n");
        id.iter().for_each(|id| again.extend_from_slice(format!("Content-ID: <{id}>\r\n").as_bytes()));
        again.extend_from_slice(b"\r\n");
        again.extend_from_slice(octets);
        again.extend_from_slice(b"\r\n");
    }
    again.extend_from_slice(b"--b--");
    assert_eq!(read(&again, 7), Ok(parts), "written again it is another");
}

/// Bodies, and what stands in front of them.
pub fn bodies() -> Vec<Vec<u8>> {
    [
        "--b\r\nContent-Type: application/xml\r\n\r\n<m/>\r\n--b\r\nContent-ID: <a>\r\n\r\nx\r\n--b--\r\n",
        "--b\r\n\r\n\r\n--b\r\nContent-ID: a@b\r\nContent-Transfer-Encoding: binary\r\n\r\n\r\n-\r\n--\r\n--b--",
        "multipart/related; boundary=\"a b\"; type=\"application/xml\"; start=\"<m>\"",
        "scan 1.pdf",
    ]
    .iter()
    .enumerate()
    .map(|(number, text)| [&[number as u8 + 1], text.as_bytes()].concat())
    .collect()
}
