use super::*;

const TYPE: &str = "multipart/related; boundary=\"b\"; type=\"application/xml\"";

type Part = (Option<String>, Vec<u8>);

/// All of a body, given in pieces of so many octets: of each part its identifier and its octets.
fn read(body: &[u8], piece: usize) -> Result<Vec<Part>, Wrong> {
    let mut reader = Reader::new(&Related::parse(TYPE)?);
    let mut parts: Vec<Part> = Vec::new();
    let mut open = 0_usize;
    for piece in body.chunks(piece) {
        reader.take(piece);
        while let Some(event) = reader.event()? {
            match event {
                Event::Part(head) => {
                    open += 1;
                    parts.push((head.id, Vec::new()));
                }
                Event::Octets(octets) => parts.last_mut().expect("one has begun").1.extend_from_slice(octets),
                Event::End => open -= 1,
            }
        }
    }
    reader.finish()?;
    assert_eq!(open, 0);
    Ok(parts)
}

fn body(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, octets) in parts {
        body.extend_from_slice(format!("--b\r\n{head}\r\n").as_bytes());
        body.extend_from_slice(octets);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b--\r\n");
    body
}

#[test]
fn what_is_read_does_not_depend_on_the_pieces_that_it_comes_in() {
    let tricky = b"\r\n--\r\n--a\r\r\n-\r\n\r\n".as_slice();
    let all = body(&[("", b"<m/>"), ("Content-ID: <a>\r\n", tricky), ("content-id:c@x\r\nX: y\r\n", b""), ("", b"\r")]);
    let whole = read(&all, all.len()).expect("good");
    assert_eq!(whole.iter().map(|(id, _)| id.as_deref()).collect::<Vec<_>>(), [None, Some("a"), Some("c@x"), None]);
    assert_eq!(whole.iter().map(|(_, octets)| octets.as_slice()).collect::<Vec<_>>(), [b"<m/>", tricky, b"", b"\r"]);
    for piece in 1..40 {
        assert_eq!(read(&all, piece).as_ref(), Ok(&whole), "{piece}");
    }
    for cut in 0..all.len() - 2 {
        assert_eq!(read(&all[..cut], 7), Err(Wrong::Cut), "{cut}");
    }
}

#[test]
fn what_readers_differ_about_is_refused() {
    let good = String::from_utf8(body(&[("Content-ID: <a>\r\n", b"x")])).expect("UTF-8");
    for (from, to, wrong) in [
        ("--b\r\nC", "preamble\r\n--b\r\nC", Wrong::Preamble),
        ("--b\r\nC", "\r\n--b\r\nC", Wrong::Preamble),
        ("--b\r\nC", "--b \r\nC", Wrong::Boundary),
        ("--b\r\nC", "--bb\r\nC", Wrong::Boundary),
        ("--b\r\nC", "--b\nC", Wrong::Boundary),
        ("--b--\r\n", "--b-x\r\n", Wrong::Boundary),
        ("--b--\r\n", "--b--\r\nmore", Wrong::Epilogue),
        ("--b--\r\n", "--b--\r\n\r\n", Wrong::Epilogue),
        ("--b--\r\n", "", Wrong::Cut),
        ("Content-ID: <a>", "Content-ID: <a>\r\nContent-ID: <b>", Wrong::Head),
        ("Content-ID: <a>", "Content-ID: <a>\r\n folded", Wrong::Head),
        ("Content-ID: <a>", "Content-ID : <a>", Wrong::Head),
        ("Content-ID: <a>", "Content-ID: <a", Wrong::Head),
        ("Content-ID: <a>", "Content-ID: \u{7}", Wrong::Head),
        ("Content-ID: <a>", "Content-ID", Wrong::Head),
        ("Content-ID: <a>", "Content-Transfer-Encoding: base64", Wrong::Encoding),
        ("Content-ID: <a>", "Content-Encoding: gzip", Wrong::Encoding),
    ] {
        assert!(good.contains(from));
        assert_eq!(read(good.replacen(from, to, 1).as_bytes(), 5), Err(wrong), "{from:?} is {to:?}");
    }
    assert_eq!(read(b"--b--\r\n", 5), Err(Wrong::Boundary), "no part at all");
}

#[test]
fn a_body_has_so_many_parts_and_a_part_so_large_a_head_and_no_more() {
    let parts = |count: usize| read(&body(&vec![("", b"x".as_slice()); count]), 64).map(|parts| parts.len());
    assert_eq!(parts(limits::PARTS_MAX), Ok(limits::PARTS_MAX));
    assert_eq!(parts(limits::PARTS_MAX + 1), Err(Wrong::TooMany));
    // The last line has the break and the empty line behind it.
    let head = |octets: usize| read(&body(&[(&format!("X: {}\r\n", "y".repeat(octets - 7)), b"x")]), 64).map(|parts| parts.len());
    assert_eq!(head(limits::PART_HEAD_BYTES_MAX), Ok(1));
    assert_eq!(head(limits::PART_HEAD_BYTES_MAX + 1), Err(Wrong::HeadTooLarge));
    let fields = |count: usize| read(&body(&[(&"X: y\r\n".repeat(count), b"x")]), 64).map(|parts| parts.len());
    assert_eq!(fields(limits::PART_FIELDS_MAX), Ok(1));
    assert_eq!(fields(limits::PART_FIELDS_MAX + 1), Err(Wrong::Head));
}

#[test]
fn what_is_held_does_not_grow_with_a_part() {
    let mut reader = Reader::new(&Related::parse(TYPE).expect("good"));
    reader.take(b"--b\r\n\r\n");
    let piece = [b"\r\n--a".as_slice(), &[b'x'; 1000]].concat();
    for _ in 0..1000 {
        while reader.event().expect("good").is_some() {}
        reader.take(&piece);
        assert!(reader.held.len() < 2 * piece.len());
    }
}

#[test]
fn a_content_type_announces_one_boundary() {
    let boundary = |text: &str| Related::parse(text).map(|related| related.boundary);
    for (text, found) in [
        ("multipart/related; boundary=x", "x"),
        ("Multipart/Related;boundary=\"a b'()+_,-./:=?\";type=application/xml", "a b'()+_,-./:=?"),
        ("multipart/related; start=\"<m>\"; BOUNDARY=x ; type=\"text/xml\"", "x"),
        ("multipart/related; boundary=\"a\\b\"", "ab"),
    ] {
        assert_eq!(boundary(text), Ok(found.to_owned()), "{text}");
    }
    for text in [
        "multipart/related",
        "multipart/mixed; boundary=x",
        "multipart/related; boundary=x; boundary=y",
        "multipart/related; boundary=\"x",
        "multipart/related; boundary=\"x\"y",
        "multipart/related; boundary=",
        "multipart/related; boundary=\"a \"",
        "multipart/related; boundary=\"a\u{e9}\"",
        "multipart/related; boundary=x; type=\"text/html\"",
        "multipart/related; boundary=x; start=\"<m\"",
        "multipart/related; boundary",
    ] {
        assert_eq!(boundary(text), Err(Wrong::MediaType), "{text}");
    }
    let long = |length: usize| boundary(&format!("multipart/related; boundary={}", "x".repeat(length))).is_ok();
    assert_eq!((long(70), long(71)), (true, false));
}

#[test]
fn names_are_those_of_files_and_lead_nowhere() {
    for name in ["scan.pdf", "Справка № 4.pdf", "a", "console.txt", "com10.txt", "ß-1 (2).tar.gz", "COMB.txt"] {
        assert_eq!(plain(name), Ok(name));
    }
    for name in [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "/etc/passwd",
        "C:x",
        ".htaccess",
        "x.",
        "x ",
        " x",
        "-rf",
        "nul",
        "NUL.txt",
        "con .txt",
        "Com1.pdf",
        "lpt9",
        "a\nb",
        "a\0b",
        "a\u{202e}fdp.exe",
        "a\u{200b}b",
        "a|b",
        "a\"b",
        "a*",
        "a?b",
        "<a>",
    ] {
        assert_eq!(plain(name), Err(NotPlain), "{name:?}");
    }
    assert!(plain(&"x".repeat(255)).is_ok() && plain(&"x".repeat(256)).is_err());
}
