use super::*;
use crate::base::ids::Identifier;
use crate::base::limits;
use crate::base::time::Day;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What stands in every file and answer that is refused here, and in no text about it.
const PLANTED: &str = "Zq7Planted";

/// A folder that is there for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("oncegate-source-{}-{count}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    /// Puts a file into its place by renaming.
    fn put(&self, octets: impl AsRef<[u8]>) {
        fs::write(self.0.join("new"), octets).expect("written");
        fs::rename(self.0.join("new"), self.0.join("t.csv")).expect("renamed");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn value(number: u32) -> String {
    Identifier::synthetic(number).value().to_owned()
}

fn asked(number: u32) -> Asked {
    let day = |text| Day::parse(text).expect("a day");
    Asked { person: Identifier::synthetic(number), from: Some(day("2026-01-01")), to: None, today: day("2026-03-04") }
}

fn key() -> Key {
    Key { column: "no".into(), scheme: "XX-OGTEST".into() }
}

fn by_key() -> By {
    By { how: How::Key(key()), columns: None }
}

const BY_QUESTION: By = By { how: How::Question, columns: None };

async fn open(folder: &Folder, config: &str, keys: &[Key]) -> Result<Source, SourceError> {
    let config: SourceConfig = toml::from_str(config).unwrap_or_else(|error| panic!("{config}: {error}"));
    Source::open("notes", &config, &folder.0, keys).await
}

async fn open_csv(folder: &Folder, more: &str) -> Result<Source, SourceError> {
    open(folder, &format!("kind = \"csv\"\nfile = \"t.csv\"\n{more}"), &[key()]).await
}

/// The cells of a table, those without anything as nothing.
fn cells(table: &Table) -> Vec<Vec<&str>> {
    table.rows.iter().map(|row| row.cells.iter().map(|cell| cell.expose().unwrap_or("")).collect()).collect()
}

/// What is said of a refusal: never what was planted.
fn refused<T>(result: Result<T, SourceError>, code: Code) -> String {
    let Err(error) = result else { panic!("not refused with {code}") };
    assert!(!error.what.contains(PLANTED), "it says a value: {}", error.what);
    assert_eq!(error.code, code, "{}", error.what);
    error.what
}

#[tokio::test]
async fn source_of_a_file_gives_all_rows_of_a_person_in_their_order() {
    let folder = Folder::new("rows");
    let (one, two) = (value(1), value(2));
    let spaced = format!("{} {}-{}", &one[..3], &one[3..6], &one[6..]);
    let text = format!(
        "no,name,sum\r\n{one},\"Ж, \"\"x\"\"\ny\",=1+1\r\n{two},b,+7\r\n{two},,\r\n{spaced},@c,-2\r\nunknown,d,1\r\n{one},e,"
    );
    folder.put(&text);
    let source = open_csv(&folder, "").await.expect("a source");
    let table = source.rows(&asked(1), &by_key()).await.expect("rows");
    assert_eq!(*table.columns, ["no".into(), "name".into(), "sum".into()]);
    assert_eq!(
        cells(&table),
        [vec![one.as_str(), "Ж, \"x\"\ny", "=1+1"], vec![spaced.as_str(), "@c", "-2"], vec![one.as_str(), "e", ""]]
    );
    assert_eq!(table.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 6, 8]);
    assert_eq!(source.rows(&asked(2), &by_key()).await.expect("rows").rows.len(), 2);
    assert_eq!(source.rows(&asked(3), &by_key()).await.expect("none").rows, []);
    assert_eq!((source.rows_held(), source.columns(&by_key()).await.expect("names").len()), (Some(6), 3));
    assert_eq!(source.warnings(), ["1 rows cannot be asked for, since \"no\" is no XX-OGTEST there: lines 7"]);
}

#[tokio::test]
async fn source_of_a_file_refuses_a_bad_file_with_the_line() {
    let folder = Folder::new("bad");
    let with = |text: &str| text.replace("ID", &value(1)).replace("SECRET", PLANTED).into_bytes();
    let wide: Vec<u8> = "\u{feff}no,a\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cell = "x".repeat(limits::SOURCE_CELL_BYTES_MAX + 1);
    for (octets, more, words) in [
        (with("no,a\nID,SECRET\nID\n"), "", ":3: the row has 1 cells"),
        (with("no,a\nID,SECRET\nID,1,SECRET\n"), "", ":3: the row has 3 cells"),
        (with("no,a\nID,SECRET\n\n"), "", ":3: the row has 1 cells"),
        (with("no,a\nID,SECRET\0\n"), "", ":2: a NUL"),
        (with("no,a\nID,SECRET\u{1b}\n"), "", ":2: a control"),
        (with("no,a\nID,1\nID,\"SECRET\n"), "", ":3: a quote is opened here"),
        (with("no,a\nID,\"1\" SECRET\n"), "", ":2: text behind"),
        (with("no,a\nID,1 \"SECRET\"\n"), "", ":2: a quote inside"),
        ([&b"no,a\n\n"[..], b"\xC6", PLANTED.as_bytes()].concat(), "", ":3: an octet is not UTF-8"),
        (with("no,a\nID,SECRETЖ\n"), "encoding = \"windows-1251\"", ":2: the file is UTF-8"),
        (with("\u{feff}no,a\nID,SECRET\n"), "encoding = \"windows-1251\"", ":1: the file begins with the mark of UTF-8"),
        (wide, "", ":1: the file begins with the mark of UTF-16LE"),
        (with(""), "", ":1: the file is empty"),
        (with("no,SECRET,SECRET\nID,1,2\n"), "", ":1: columns 2 and 3 have one name"),
        (with(&format!("no,{}SECRET\nID,1\n", "x".repeat(limits::NAME_BYTES_MAX))), "", ":1: the name of column 2"),
        // Without a row of names the first person's cells are there.
        (with("ID,SECRET,Zq7Planted\n"), "", ":1: columns 2 and 3"),
        (with("ID,SECRET\n"), "", ""),
        (with("no, \nID,SECRET\n"), "", ":1: column 2 has no name"),
        (with("no;a\nID;SECRET\n"), "", ""),
        (with(&format!("no,a\nID,{cell}\n")), "", ":2: cell 2 has more than 65536"),
        (with("no,a\nID,SECRET\n"), "as_of_column = \"a\"", ":2: \"a\" is neither"),
        (with("no,a\nID,9999-12-31\n"), "as_of_column = \"a\"", ":2: \"a\" is in the future"),
        (with("no,a\nID,\n"), "as_of_column = \"a\"", "no row says"),
    ] {
        folder.put(octets);
        // A file with another separator has one column, which is not the key's.
        let code = if words.is_empty() { Code::AgtUnknown } else { Code::AgtTable };
        let said = refused(open_csv(&folder, more).await, code);
        assert!(said.contains(words), "{said}");
    }
    folder.put("nro,a\n");
    assert!(refused(open_csv(&folder, "").await, Code::AgtUnknown).contains("did you mean \"nro\"?"));
    fs::remove_file(folder.0.join("t.csv")).expect("removed");
    refused(open_csv(&folder, "").await, Code::AgtTable);
    fs::create_dir(folder.0.join("t.csv")).expect("a folder");
    assert!(refused(open_csv(&folder, "").await, Code::AgtTable).contains("no file"));
}

#[tokio::test]
async fn source_of_a_file_with_a_mark_or_another_encoding_is_read_if_it_is_said() {
    let folder = Folder::new("encodings");
    let one = value(1);
    let wide: Vec<u8> = format!("\u{feff}no\ta\n{one}\tЖ\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (octets, more) in [
        (format!("\u{feff}no,a\n{one},Ж\n").into_bytes(), ""),
        ([format!("no;a\n{one};").as_bytes(), b"\xC6"].concat(), "encoding = \"windows-1251\"\nseparator = \";\""),
        (wide, "encoding = \"utf-16le\"\nseparator = \"tab\""),
    ] {
        folder.put(octets);
        let table = open_csv(&folder, more).await.expect(more).rows(&asked(1), &by_key()).await.expect("rows");
        assert_eq!(cells(&table), [[one.as_str(), "Ж"]]);
    }
    for more in ["encoding = \"x-none\"", "separator = \"ab\"", "quote = \",\"", "rows_max = 0", "rows_max = 1001"] {
        refused(open_csv(&folder, more).await, Code::AgtFile);
    }
}

#[tokio::test]
async fn source_of_a_file_keeps_the_last_good_one_when_the_next_is_bad() {
    let folder = Folder::new("kept");
    let text = |cell: &str| format!("no,a\n{},{cell}\n", value(1));
    folder.put(text("first"));
    let source = open_csv(&folder, "").await.expect("a source");
    let cell = async |source: &Source| cells(&source.rows(&asked(1), &by_key()).await.expect("rows"))[0][1].to_owned();
    assert_eq!(source.refresh().await, Ok(Refreshed::Same));
    folder.put(format!("{}{},\"{PLANTED}\n", text("second"), value(1)));
    for _ in 0..2 {
        assert!(refused(source.refresh().await, Code::AgtTable).contains("t.csv:3: a quote"));
        assert_eq!(cell(&source).await, "first");
    }
    // Another header is a bad file as well if the key is not in it.
    folder.put("nr,a\n");
    refused(source.refresh().await, Code::AgtUnknown);
    fs::remove_file(folder.0.join("t.csv")).expect("removed");
    refused(source.refresh().await, Code::AgtTable);
    assert_eq!(cell(&source).await, "first");
    folder.put(text("third"));
    assert_eq!(source.refresh().await, Ok(Refreshed::Loaded { rows: 1 }));
    assert_eq!(cell(&source).await, "third");
    assert_eq!(source.refresh().await, Ok(Refreshed::Same));
}

/// Whoever asks while a file is replaced gets all of the one or all of the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn source_of_a_file_that_is_renamed_while_it_is_asked_gives_one_file_or_the_other() {
    let folder = Folder::new("renamed");
    let text = |round: usize| format!("no,a\n{}", format!("{},{round}\n", value(1)).repeat(50));
    folder.put(text(0));
    let source = Arc::new(open_csv(&folder, "").await.expect("a source"));
    let asking = {
        let source = Arc::clone(&source);
        tokio::spawn(async move {
            let mut seen = std::collections::BTreeSet::new();
            while seen.len() < 5 {
                let table = source.rows(&asked(1), &by_key()).await.expect("rows");
                let mut rounds: Vec<_> = cells(&table).into_iter().map(|row| row[1].to_owned()).collect();
                assert_eq!(rounds.len(), 50);
                rounds.dedup();
                assert_eq!(rounds.len(), 1);
                seen.extend(rounds);
                tokio::task::yield_now().await;
            }
        })
    };
    let mut round = 0;
    while !asking.is_finished() {
        round += 1;
        folder.put(text(round));
        source.refresh().await.expect("a good file");
    }
    asking.await.expect("one or the other");
}

#[tokio::test]
async fn source_of_a_file_that_is_too_old_gives_nothing_and_says_so() {
    let folder = Folder::new("old");
    let put = |age_hours: u64, cell: &str| {
        folder.put(format!("no,a\n{},2020-01-01\n{},{cell}\n{},\n", value(2), value(1), value(3)));
        let file = fs::File::options().write(true).open(folder.0.join("t.csv")).expect("the file");
        file.set_modified(SystemTime::now() - Duration::from_secs(age_hours * 3600)).expect("a time");
    };
    let ask = async |more: &str| open_csv(&folder, more).await.expect("a source").rows(&asked(1), &by_key()).await;
    put(27, PLANTED);
    assert!(refused(ask("max_age = \"26h\"").await, Code::SrcTooOld).contains("27 hours ago; max_age is 26 hours"));
    assert!(ask("max_age = \"28h\"").await.is_ok() && ask("").await.is_ok());
    // What the data says counts, and not when somebody touched the file.
    let now = super::answer::now();
    let of_column = |max_age: &str| format!("as_of_column = \"a\"\nmax_age = \"{max_age}\"");
    put(0, &now.minus_ms(27 * 3_600_000).to_string());
    refused(ask(&of_column("26h")).await, Code::SrcTooOld);
    assert!(ask(&of_column("28h")).await.is_ok());
    put(27, &now.day().to_string());
    let table = ask(&of_column("26h")).await.expect("of today");
    assert_eq!(table.as_of.day(), now.day());
    refused(open_csv(&folder, "as_of_column = \"b\"").await, Code::AgtUnknown);
}

#[tokio::test]
async fn source_of_a_file_says_by_codes_of_their_own_what_it_cannot_give() {
    let folder = Folder::new("codes");
    folder.put(format!("no,a\n{}", format!("{},{PLANTED}\n", value(1)).repeat(101)));
    let source = open_csv(&folder, "").await.expect("a source");
    assert!(refused(source.rows(&asked(1), &by_key()).await, Code::SrcTooMuch).contains("more than 100 rows"));
    let source = open_csv(&folder, "rows_max = 101").await.expect("a source");
    assert_eq!(source.rows(&asked(1), &by_key()).await.expect("as many as may be").rows.len(), 101);
    let snils = Asked { person: Identifier::parse("XX-OTHER", "1").expect("an identifier"), ..asked(1) };
    refused(source.rows(&snils, &by_key()).await, Code::SrcSelector);
    let pinned = |names: &[&str]| By { columns: Some(names.iter().map(|name| Box::from(*name)).collect()), ..by_key() };
    assert!(source.rows(&asked(1), &pinned(&["a", "no"])).await.is_ok());
    let said = refused(source.rows(&asked(1), &pinned(&["no", "b"])).await, Code::SrcChanged);
    assert!(said.contains("\"b\" is missing, \"a\" is new"), "{said}");
    refused(source.rows(&asked(1), &pinned(&["no"])).await, Code::SrcChanged);
    refused(source.rows(&asked(1), &BY_QUESTION).await, Code::AgtFile);
    // Each cell is small enough, and all together are not.
    let cell = "x".repeat(limits::SOURCE_CELL_BYTES_MAX);
    folder.put(format!("no,a\n{}", format!("{},{cell}\n", value(1)).repeat(16)));
    let source = open_csv(&folder, "").await.expect("a source");
    refused(source.rows(&asked(1), &by_key()).await, Code::SrcTooMuch);
}

#[tokio::test]
async fn source_of_a_file_has_so_many_rows_and_no_more() {
    let folder = Folder::new("limit");
    let text = |rows: usize| format!("no\n{}", "1\n".repeat(rows));
    // Without a key, which would only make the test longer.
    let open = async || open(&folder, "kind = \"csv\"\nfile = \"t.csv\"", &[]).await;
    folder.put(text(limits::SOURCE_FILE_ROWS_MAX));
    assert_eq!(open().await.expect("as many as may be").rows_held(), Some(limits::SOURCE_FILE_ROWS_MAX));
    folder.put(text(limits::SOURCE_FILE_ROWS_MAX + 1));
    assert!(refused(open().await, Code::AgtTable).contains("more than 2000000 rows"));
    let file = fs::File::create(folder.0.join("t.csv")).expect("a file");
    file.set_len(limits::SOURCE_FILE_BYTES_MAX + 1).expect("a sparse file");
    assert!(refused(open().await, Code::AgtTable).contains("more than 1073741824 octets"));
}

#[tokio::test]
async fn source_of_a_file_with_a_million_rows_finds_each_person() {
    let folder = Folder::new("million");
    let mut text = "no,family,given,begin,end,note\n".to_owned();
    for number in 0..1_000_000 {
        text.extend([
            value(number).as_str(),
            ",Ivanova,Maria Sergeevna,01.02.2026,14.02.2026,certificate of absence from work\n",
        ]);
    }
    folder.put(&text);
    drop(text);
    let begun = Instant::now();
    let source = open_csv(&folder, "").await.expect("a source");
    let took = begun.elapsed();
    for number in [0, 1, 499_999, 999_999] {
        let table = source.rows(&asked(number), &by_key()).await.expect("rows");
        assert_eq!(table.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [u64::from(number) + 2]);
    }
    assert_eq!(source.rows(&asked(1_000_000), &by_key()).await.expect("none").rows, []);
    // For whoever measures: the test is run with this variable and says what it took.
    if let Some(file) = std::env::var_os("ONCEGATE_MEASURED") {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let memory: Vec<&str> = status.lines().filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS")).collect();
        fs::write(file, format!("{took:?} {memory:?}\n")).expect("written");
    }
}

/// What a service does with a request, whatever it is.
#[derive(Clone)]
enum Reply {
    Whole(String),
    /// Two gibibytes are announced, and come.
    Endless,
    /// An octet at a time, for ever.
    Slowly,
}

fn reply(status: &str, media_type: &str, body: &str) -> Reply {
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {}", body.len());
    Reply::Whole(format!("{head}\r\nlocation: https://elsewhere.example/{PLANTED}\r\n\r\n{body}"))
}

/// A service that gives one reply to everybody, and what it was asked.
async fn service(reply: Reply) -> (String, Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let len = stream.read(&mut request).await.unwrap_or(0);
            hears.lock().expect("nobody panics").push(String::from_utf8_lossy(&request[..len]).into_owned());
            match &reply {
                Reply::Whole(text) => drop(stream.write_all(text.as_bytes()).await),
                Reply::Endless => {
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2147483648\r\n\r\n[";
                    let _ = stream.write_all(head.as_bytes()).await;
                    while stream.write_all(&[b' '; 65536]).await.is_ok() {}
                }
                Reply::Slowly => {
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
                    let _ = stream.write_all(head.as_bytes()).await;
                    while stream.write_all(b" ").await.is_ok() {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        }
    });
    (address, heard)
}

async fn of_service(reply: Reply, more: &str) -> Result<Table, SourceError> {
    let (address, _) = service(reply).await;
    let folder = Folder::new("service");
    let config = format!(
        "kind = \"http-json\"\nurl = \"http://{address}/p/{{value}}\"\nrows = \"/data\"\ncolumns = {{ no = \"/id\", name = \"/who/name\" }}\n{more}"
    );
    open(&folder, &config, &[]).await.expect("a source").rows(&asked(1), &BY_QUESTION).await
}

#[tokio::test]
async fn source_of_a_service_gives_what_pointers_point_to() {
    let json = |body: &str| reply("200 OK", "application/json; charset=utf-8", body);
    let rows = json(
        r#"{"data": [{"id": 12345678901234567890123, "who": {"name": "Ж"}, "more": []}, {"id": 1.50, "who": {"name": null}}]}"#,
    );
    let table = of_service(rows, "").await.expect("rows");
    assert_eq!(*table.columns, ["name".into(), "no".into()]);
    assert_eq!(cells(&table), [["Ж", "12345678901234567890123"], ["", "1.50"]]);
    let one = of_service(json(r#"{"data": {"id": true, "who": {}}}"#), "optional = [\"name\"]").await.expect("a row");
    assert_eq!(cells(&one), [["", "true"]]);
    assert_eq!(of_service(json(r#"{"data": []}"#), "").await.expect("none").rows, []);
    // That there is none is what is said to mean it, and nothing else.
    let gone = reply("404 Not Found", "text/html", PLANTED);
    assert_eq!(of_service(gone.clone(), "absent = { status = 404 }").await.expect("none").rows, []);
    assert!(refused(of_service(gone, "").await, Code::SrcUnavailable).contains("absent = { status = 404 }"));
    let none = json(r#"{"total": 0, "data": "nothing"}"#);
    assert_eq!(of_service(none.clone(), "absent = { pointer = \"/total\", is = \"0\" }").await.expect("none").rows, []);
    refused(of_service(none, "absent = { pointer = \"/total\", is = \"1\" }").await, Code::SrcChanged);
}

#[tokio::test]
async fn source_of_a_service_takes_no_outage_for_an_answer() {
    let page = reply("200 OK", "text/html", PLANTED);
    let html = reply("200 OK", "application/json", &format!("<html>{PLANTED}</html>"));
    let mut unavailable = vec![page, html];
    for status in ["301 Moved", "302 Found", "307 Temporary", "500 Error", "401 Unauthorized", "204 No Content", "206 Partial"] {
        unavailable.push(reply(status, "application/json", r#"{"data": []}"#));
    }
    unavailable.push(reply("200 OK", "application/json", r#"{"data": [], "data": []}"#));
    unavailable.push(Reply::Whole(format!("{PLANTED} is no HTTP\r\n\r\n")));
    unavailable.push(Reply::Whole("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{".to_owned()));
    for reply in unavailable {
        refused(of_service(reply, "").await, Code::SrcUnavailable);
    }
    for body in [
        r#"{"data": "Zq7Planted"}"#,
        r#"{"rows": []}"#,
        r#"{"data": ["Zq7Planted"]}"#,
        r#"{"data": [{"id": "Zq7Planted"}]}"#,
        r#"{"data": [{"id": ["Zq7Planted"], "who": {"name": 1}}]}"#,
        r#"{"data": [{"id": {"Zq7Planted": 1}, "who": {"name": 1}}]}"#,
    ] {
        refused(of_service(reply("200 OK", "application/json", body), "").await, Code::SrcChanged);
    }
}

#[tokio::test]
async fn source_of_a_service_is_read_so_far_and_so_long_and_no_further() {
    refused(of_service(Reply::Endless, "").await, Code::SrcTooMuch);
    let begun = Instant::now();
    refused(of_service(Reply::Slowly, "deadline = \"300ms\"").await, Code::SrcUnavailable);
    assert!(begun.elapsed() < Duration::from_millis(limits::SOURCE_ANSWER_MS));
    let row = r#"{"id": 1, "who": {"name": 2}}"#;
    let rows = |count: usize| reply("200 OK", "application/json", &format!("{{\"data\": [{}]}}", vec![row; count].join(",")));
    assert_eq!(of_service(rows(100), "").await.expect("as many as may be").rows.len(), 100);
    refused(of_service(rows(101), "").await, Code::SrcTooMuch);
    // Nobody is there.
    let folder = Folder::new("nobody");
    let nobody = "kind = \"http-json\"\nurl = \"http://127.0.0.1:1/{value}\"\ncolumns = { a = \"/a\" }";
    let source = open(&folder, nobody, &[]).await.expect("a source");
    refused(source.rows(&asked(1), &BY_QUESTION).await, Code::SrcUnavailable);
}

#[tokio::test]
async fn source_of_a_service_is_asked_with_its_token_and_the_question_alone() {
    let (address, heard) = service(reply("200 OK", "application/json", "[]")).await;
    let folder = Folder::new("token");
    let config = |more: &str| {
        let url = format!("http://{address}/p/{{scheme}}/{{value}}?from={{from}}&to={{to}}&today={{today}}");
        format!("kind = \"http-json\"\nurl = \"{url}\"\ncolumns = {{ a = \"/a\" }}\ntoken_file = \"token\"\n{more}")
    };
    let path = folder.0.join("token");
    fs::write(&path, "s3cret\n").expect("written");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("a mode");
    let said = refused(open(&folder, &config(""), &[]).await, Code::AgtFile);
    assert!(said.contains("others may read it") && !said.contains("s3cret"));
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    for more in ["", "method = \"POST\""] {
        open(&folder, &config(more), &[]).await.expect("a source").rows(&asked(1), &BY_QUESTION).await.expect("none");
    }
    let heard = heard.lock().expect("nobody panics").clone();
    let path = format!("/p/XX-OGTEST/{}?from=2026-01-01&to=&today=2026-03-04 HTTP/1.1", value(1));
    assert!(heard[0].starts_with(&format!("GET {path}")) && heard[0].contains("authorization: Bearer s3cret\r\n"), "{heard:?}");
    assert!(heard[1].starts_with(&format!("POST {path}")), "{heard:?}");
}

async fn of_program(script: &str, more: &str) -> Result<Table, SourceError> {
    let folder = Folder::new("program");
    let script = script.replace("SECRET", PLANTED);
    let config = format!(
        "kind = \"command\"\nprogram = \"/bin/sh\"\narguments = [\"-c\", '''{script}''']\ncolumns = [\"a\", \"b\"]\n{more}"
    );
    open(&folder, &config, &[]).await.expect("a source").rows(&asked(1), &BY_QUESTION).await
}

#[tokio::test]
async fn source_of_a_program_gets_the_question_as_json_and_gives_rows() {
    let table = of_program(r#"echo '{"a": 1.50, "b": "Ж"}'; echo '{"b": null, "a": true}'"#, "").await.expect("rows");
    assert_eq!(cells(&table), [["1.50", "Ж"], ["true", ""]]);
    assert_eq!(of_program("exit 0", "").await.expect("none").rows, []);
    assert_eq!(cells(&of_program(r#"printf '{"a":1}\r\n'"#, "optional = [\"b\"]").await.expect("a row")), [["1", ""]]);
    // Its environment is what is said and nothing else.
    let script = r#"printf '{"a":"%s","b":"%s"}\n' "$HOME$CARGO$USER" "$MINE""#;
    let table = of_program(script, "environment = { MINE = \"x\" }").await.expect("a row");
    assert_eq!(cells(&table), [["", "x"]]);
    // What it is asked comes back as it was asked.
    let folder = Folder::new("cat");
    let config = "kind = \"command\"\nprogram = \"/bin/cat\"\ncolumns = [\"scheme\", \"value\", \"from\", \"to\", \"today\"]";
    let source = open(&folder, config, &[]).await.expect("a source");
    for hostile in ["A--1", "../..", "+1", "A/-/B"] {
        let asked = Asked { person: Identifier::parse("XX-ANY", hostile).expect("an identifier"), ..asked(1) };
        let table = source.rows(&asked, &BY_QUESTION).await.expect("a row");
        assert_eq!(cells(&table), [["XX-ANY", hostile, "2026-01-01", "", "2026-03-04"]]);
    }
}

/// What could be more than a value in some language is no identifier to begin with.
#[test]
fn source_is_asked_about_nobody_whose_identifier_is_hostile() {
    for hostile in [
        "'",
        "\"",
        "' OR '1'='1",
        "%",
        "_",
        "*",
        "A\0B",
        "\u{0410}1",
        "1;2",
        "$(id)",
        "`id`",
        "a",
        "1 2",
        "\n",
        "{value}",
        "\\",
        "",
    ] {
        assert!(Identifier::parse("XX-ANY", hostile).is_err(), "{hostile:?}");
        assert!(Identifier::parse(hostile, "1").is_err(), "{hostile:?}");
    }
}

#[tokio::test]
async fn source_of_a_program_that_prints_garbage_or_dies_is_an_outage() {
    for script in [
        "echo SECRET",
        r#"echo '{"a": 1, "b": "SECRET"'"#,
        r#"echo '{"a": 1, "b": 2, "b": "SECRET"}'"#,
        r#"printf '{"a":"\377SECRET","b":1}\n'"#,
        r#"echo '{"a": 1, "b": "SECRET"}'; exit 3"#,
        r#"echo '{"a": 1, "b": "SECRET"}'; echo SECRET >&2; kill -9 $$"#,
        "exec /nonexistent/SECRET",
    ] {
        refused(of_program(script, "").await, Code::SrcUnavailable);
    }
    for script in [
        r#"echo '["SECRET"]'"#,
        r#"echo '"SECRET"'"#,
        r#"echo '{"a": "SECRET"}'"#,
        r#"echo '{"a": 1, "b": 2, "SECRET": 3}'"#,
        r#"echo '{"a": 1, "b": ["SECRET"]}'"#,
    ] {
        let said = refused(of_program(script, "").await, Code::SrcChanged);
        assert!(said.contains("line 1 of the program's output"), "{said}");
    }
}

#[tokio::test]
async fn source_of_a_program_is_bounded_in_time_octets_and_rows() {
    let begun = Instant::now();
    for script in ["sleep 60", "exec >&-; sleep 60", "trap '' TERM INT; while :; do :; done"] {
        refused(of_program(script, "deadline = \"200ms\"").await, Code::SrcUnavailable);
    }
    refused(of_program("yes SECRET", "").await, Code::SrcTooMuch);
    let rows = |count: u32| format!(r#"i=0; while [ $i -lt {count} ]; do echo '{{"a":1,"b":"SECRET"}}'; i=$((i+1)); done"#);
    assert_eq!(of_program(&rows(100), "").await.expect("as many as may be").rows.len(), 100);
    refused(of_program(&rows(101), "").await, Code::SrcTooMuch);
    assert!(begun.elapsed() < Duration::from_secs(20), "nothing was waited for to its end");
}

/// A program that is left behind holds the output open; it is not waited for, and does not go on.
#[tokio::test]
async fn source_of_a_program_that_forks_is_answered_and_its_children_are_killed() {
    let folder = Folder::new("forks");
    let pid = folder.0.join("pid");
    let script = format!(r#"sleep 600 & echo $! > {}; echo '{{"a": 1, "b": 2}}'"#, pid.display());
    let begun = Instant::now();
    let table = of_program(&script, "").await.expect("a row");
    assert_eq!(cells(&table), [["1", "2"]]);
    assert!(begun.elapsed() < Duration::from_millis(limits::SOURCE_ANSWER_MS));
    // One that has left the group is beyond us, and is not waited for either.
    let script = r#"setsid sleep 3 & echo '{"a": 1, "b": 2}'"#;
    assert_eq!(cells(&of_program(script, "").await.expect("a row")), [["1", "2"]]);
    // So it is when nobody waits for the program any more.
    let script = format!("sleep 601 & echo $! >> {}; sleep 602", pid.display());
    refused(of_program(&script, "deadline = \"300ms\"").await, Code::SrcUnavailable);
    let pids = fs::read_to_string(&pid).expect("the children");
    assert_eq!(pids.lines().count(), 2);
    for pid in pids.lines() {
        // Killed, and perhaps not reaped yet by whoever inherits it.
        let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let is_gone = || {
            state()
                .rsplit(')')
                .next()
                .is_none_or(|rest| rest.trim_start().is_empty() || rest.trim_start().starts_with(['Z', 'X']))
        };
        while !is_gone() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{pid} goes on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn source_of_a_program_is_a_program_that_nobody_else_may_change() {
    let folder = Folder::new("programs");
    let open = async |program: &str, more: &str| {
        let config = format!("kind = \"command\"\nprogram = \"{program}\"\ncolumns = [\"a\"]\n{more}");
        open(&folder, &config, &[]).await.map(|_| ())
    };
    let path = folder.0.join("p");
    fs::write(&path, "#!/bin/sh\n").expect("written");
    let path_text = path.display().to_string();
    for (mode, is_good) in [(0o755, true), (0o600, false), (0o757, false)] {
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("a mode");
        assert_eq!(open(&path_text, "").await.is_ok(), is_good, "{mode:o}");
    }
    for (program, more) in [
        ("sh", ""),
        ("/nonexistent", ""),
        ("/bin", ""),
        ("/bin/sh", "at_once = 5"),
        ("/bin/sh", "deadline = \"6s\""),
        ("/bin/sh", "optional = [\"b\"]"),
    ] {
        let error = open(program, more).await.expect_err(program);
        assert!(matches!(error.code, Code::AgtFile | Code::AgtUnknown), "{error}");
    }
}
