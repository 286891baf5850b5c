//! Databases as sources of rows, against a server of PostgreSQL.

use crate::postgres::{PASSWORD, Postgres, Stop};
use oncegate::base::fault::Code;
use oncegate::base::ids::Identifier;
use oncegate::base::time::Day;
use oncegate::exchange::mapping::{Asked, Table};
use oncegate::host::source::{By, How, Source, SourceConfig, SourceError, Statement};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// What stands in every table here, and in no text about a failure.
const PLANTED: &str = "Zq7Planted";

/// A server with a role that may read.
fn server(sql: &str) -> Postgres {
    let server = Postgres::start();
    server.sql(&format!("CREATE ROLE agent LOGIN PASSWORD '{PASSWORD}'"));
    server.sql(&sql.replace("SECRET", PLANTED));
    server.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO agent");
    let password = server.folder().join("password");
    fs::write(&password, PASSWORD).expect("written");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("a mode");
    server
}

async fn open(server: &Postgres, place: &str, more: &str) -> Result<Source, SourceError> {
    let text =
        format!("kind = \"postgres\"\ndatabase = \"postgres\"\nuser = \"agent\"\npassword_file = \"password\"\n{place}\n{more}");
    let config: SourceConfig = toml::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    Source::open("register", &config, server.folder(), &[]).await
}

async fn by_tcp(server: &Postgres, more: &str) -> Source {
    open(server, &format!("address = \"{}\"", server.address()), more).await.expect("a source")
}

fn by(sql: &str) -> By {
    let statement = Statement::parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    By { how: How::Statement(Arc::new(statement)), columns: None }
}

fn asked(value: &str) -> Asked {
    let person = Identifier::parse("XX-ANY", value).expect("an identifier");
    Asked { person, from: Day::parse("2026-01-01"), to: None, today: Day::parse("2026-03-04").expect("a day") }
}

fn cells(table: &Table) -> Vec<Vec<&str>> {
    table.rows.iter().map(|row| row.cells.iter().map(|cell| cell.expose().unwrap_or("")).collect()).collect()
}

/// What is said of a refusal: never what was planted, nor a password.
fn refused<T>(result: Result<T, SourceError>, code: Code) -> String {
    let Err(error) = result else { panic!("not refused with {code}") };
    assert!(!error.what.contains("Zq7"), "it says a value: {}", error.what);
    assert_eq!(error.code, code, "{}", error.what);
    error.what
}

fn seconds_since(begun: Instant) -> u64 {
    begun.elapsed().as_secs()
}

#[tokio::test]
async fn source_of_a_database_gives_every_column_as_text() {
    let server = server(
        "CREATE TYPE mood AS ENUM ('good', 'bad');
         CREATE TABLE t (id text, d date, at timestamptz, n numeric, b boolean, m mood, x bytea, span interval, \"odd \"\"name\" text, nothing int);
         INSERT INTO t VALUES ('A1', '2026-03-04', '2026-03-04 07:00+02', 12.50, true, 'good', '\\x00ff', '1 year 2 days', 'Ж', NULL), \
         ('A1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', NULL), ('B2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'SECRET', NULL)",
    );
    let sql = "-- all of it;\nSELECT d, at, n, b, m, x, span, \"odd \"\"name\", nothing FROM t WHERE id = :value \
               AND :scheme = 'XX-ANY' AND :today > :from AND :to IS NULL ORDER BY d; -- end";
    for place in [format!("socket = \"{}\"", server.socket().display()), format!("address = \"{}\"", server.address())] {
        let source = open(&server, &place, "").await.expect("a source");
        let columns = source.columns(&by(sql)).await.expect("names");
        assert_eq!(columns.join("|"), "d|at|n|b|m|x|span|odd \"name|nothing");
        let table = source.rows(&asked("A1"), &by(sql)).await.expect("rows");
        let row = ["2026-03-04", "2026-03-04 05:00:00+00", "12.50", "true", "good", "\\x00ff", "P1Y2D", "Ж", ""];
        assert_eq!(cells(&table), [row.to_vec(), vec![""; 9]]);
        assert_eq!(table.columns, columns);
        assert_eq!(source.rows(&asked("C3"), &by(sql)).await.expect("none").rows, []);
    }
}

/// Whatever is in the table under names that would mean something in SQL stays where it is, and the question is compared as it is.
#[tokio::test]
async fn source_of_a_database_binds_what_is_asked() {
    let server = server(
        "CREATE TABLE t (id text, name text);
         INSERT INTO t VALUES ('A--1', 'asked'), ('A', 'SECRET'), (''' OR ''1''=''1', 'SECRET'), ('%', 'SECRET'), ('_', 'SECRET'), \
         ('А--1', 'SECRET'), ('', 'SECRET'), (NULL, 'SECRET'), ('../..', 'path'), ('+-/.', 'marks')",
    );
    let source = by_tcp(&server, "").await;
    for (value, name) in [("A--1", "asked"), ("../..", "path"), ("+-/.", "marks")] {
        let by = by("SELECT name FROM t WHERE id = :value AND ':value' <> :scheme /* :value */");
        assert_eq!(cells(&source.rows(&asked(value), &by).await.expect("rows")), [[name]]);
    }
    assert_eq!(source.rows(&asked("1"), &by("SELECT name FROM t WHERE id LIKE :value")).await.expect("none").rows, []);
}

#[tokio::test]
async fn source_of_a_database_never_writes() {
    let server = server(
        "CREATE TABLE t (id text); INSERT INTO t VALUES ('A1'); CREATE SEQUENCE s;
         CREATE FUNCTION writes(text) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ INSERT INTO t VALUES ('SECRET') RETURNING id $$;
         CREATE FUNCTION lifts(text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN SET transaction_read_only = off; INSERT INTO t VALUES ('SECRET'); RETURN 'SECRET'; END $$;
         GRANT ALL ON s TO agent; GRANT ALL ON t TO agent",
    );
    let source = by_tcp(&server, "").await;
    for sql in ["SELECT writes(:value)", "SELECT nextval('s'), :value"] {
        refused(source.rows(&asked("A1"), &by(sql)).await, Code::AgtStatement);
    }
    refused(source.rows(&asked("A1"), &by("SELECT lifts(:value)")).await, Code::SrcUnavailable);
    assert_eq!(server.sql("SELECT count(*) FROM t"), "1");
    // What is not one statement that reads does not even get there.
    for sql in [
        "DELETE FROM t WHERE id = :value",
        "SELECT :value; DELETE FROM t",
        "WITH x AS (DELETE FROM t RETURNING id) SELECT :value FROM x",
    ] {
        refused(Statement::parse(sql), Code::AgtStatement);
    }
}

#[tokio::test]
async fn source_of_a_database_whose_view_lost_a_column_says_that_it_changed() {
    let mut server = server(
        "CREATE TABLE t (id text, a text, b text); INSERT INTO t VALUES ('A1', 'x', 'SECRET'); CREATE VIEW v AS SELECT * FROM t",
    );
    let source = by_tcp(&server, "").await;
    let named = by("SELECT a, b FROM v WHERE id = :value");
    let all = by("SELECT * FROM v WHERE id = :value");
    let pinned = By { columns: Some(source.columns(&all).await.expect("names")), ..all.clone() };
    for by in [&named, &all, &pinned] {
        assert_eq!(source.rows(&asked("A1"), by).await.expect("rows").rows.len(), 1);
    }
    server.sql("DROP VIEW v; CREATE VIEW v AS SELECT id, a, 1 AS more FROM t; GRANT SELECT ON v TO agent");
    refused(source.rows(&asked("A1"), &named).await, Code::SrcChanged);
    let said = refused(source.rows(&asked("A1"), &pinned).await, Code::SrcChanged);
    assert!(said.contains("\"b\" is missing, \"more\" is new"), "{said}");
    assert_eq!(cells(&source.rows(&asked("A1"), &all).await.expect("rows")), [["A1", "x", "1"]]);
    server.sql("DROP VIEW v");
    refused(source.rows(&asked("A1"), &all).await, Code::SrcChanged);
    server.restart(Stop::Fast, &[]);
    refused(source.columns(&all).await, Code::SrcChanged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn source_of_a_database_that_restarts_is_asked_again_over_a_new_connection() {
    let mut server = server("CREATE TABLE t (id text); INSERT INTO t VALUES ('A1')");
    let source = Arc::new(by_tcp(&server, "statement_timeout = \"10s\"").await);
    let simple = by("SELECT id FROM t WHERE id = :value");
    assert_eq!(source.rows(&asked("A1"), &simple).await.expect("rows").rows.len(), 1);
    // What was kept is gone, and nobody notices.
    for how in [Stop::Fast, Stop::Immediate] {
        server.restart(how, &[]);
        assert_eq!(source.rows(&asked("A1"), &simple).await.expect("rows").rows.len(), 1);
    }
    // In the middle of a question: an answer of the new server, or an outage, and never "there is none".
    let asking = {
        let source = Arc::clone(&source);
        tokio::spawn(async move { source.rows(&asked("A1"), &by("SELECT id, pg_sleep(2) FROM t WHERE id = :value")).await })
    };
    while server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'oncegate-agent' AND wait_event = 'PgSleep'")
        != "1"
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.restart(Stop::Fast, &[]);
    match asking.await.expect("nobody panics") {
        Ok(table) => assert_eq!(table.rows.len(), 1),
        error => drop(refused(error, Code::SrcUnavailable)),
    }
    assert_eq!(source.rows(&asked("A1"), &simple).await.expect("rows").rows.len(), 1);
}

#[tokio::test]
async fn source_of_a_database_that_hangs_is_waited_for_so_long_and_no_longer() {
    let server = server("CREATE TABLE t (id text); INSERT INTO t VALUES ('A1')");
    let source = by_tcp(&server, "statement_timeout = \"500ms\"\nconnections = 1").await;
    let simple = by("SELECT id FROM t WHERE id = :value");
    // A statement that takes too long is ended by the server,
    let said = refused(source.rows(&asked("A1"), &by("SELECT pg_sleep(30) WHERE '' <> :value")).await, Code::SrcUnavailable);
    assert!(said.contains("statement_timeout") && said.contains("57014"), "{said}");
    // so is one that waits for whoever holds a table,
    let mut holds = Command::new("psql");
    holds.args(["-X", "-q", "-U", "postgres", "-d", "postgres", "-c", "BEGIN; LOCK TABLE t; SELECT pg_sleep(600)"]);
    holds.arg("-h").arg(server.folder()).arg("-p").arg(server.address().rsplit(':').next().expect("a port"));
    let mut holds = holds.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("psql starts");
    let held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 't'::regclass AND granted";
    while server.sql(held) != "1" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    refused(source.rows(&asked("A1"), &simple).await, Code::SrcUnavailable);
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'");
    holds.wait().expect("it ends");
    assert_eq!(source.rows(&asked("A1"), &simple).await.expect("rows").rows.len(), 1);
    // and a server that does not do that is given up.
    let pid = server.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'oncegate-agent'");
    let pid = rustix::process::Pid::from_raw(pid.parse().expect("one connection")).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("stopped");
    let begun = Instant::now();
    let said = refused(source.rows(&asked("A1"), &simple).await, Code::SrcUnavailable);
    assert!(said.contains("says nothing any more") && seconds_since(begun) < 10, "{said}");
    // The next one is not held up by it.
    assert_eq!(source.rows(&asked("A1"), &simple).await.expect("rows").rows.len(), 1);
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).expect("goes on");
}

#[tokio::test]
async fn source_of_a_database_whose_connection_says_nothing_is_an_outage() {
    let server = server("CREATE TABLE t (id text)");
    let simple = by("SELECT id FROM t WHERE id = :value");
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let place = format!("address = \"{}\"", silent.local_addr().expect("bound"));
    let begun = Instant::now();
    let source = open(&server, &place, "").await.expect("a source");
    refused(source.rows(&asked("A1"), &simple).await, Code::SrcUnavailable);
    assert!(seconds_since(begun) < 10);
    for place in ["address = \"127.0.0.1:1\"", "socket = \"/nonexistent/socket\""] {
        refused(open(&server, place, "").await.expect("a source").columns(&simple).await, Code::SrcUnavailable);
    }
    // Others have no right to read, or another password.
    server.sql("CREATE TABLE hidden (id text)");
    refused(
        by_tcp(&server, "").await.rows(&asked("A1"), &by("SELECT id FROM hidden WHERE id = :value")).await,
        Code::SrcUnavailable,
    );
    fs::write(server.folder().join("password"), "Zq7Another").expect("written");
    let said = refused(by_tcp(&server, "").await.rows(&asked("A1"), &simple).await, Code::SrcUnavailable);
    assert!(said.contains("28P01"), "{said}");
    fs::set_permissions(server.folder().join("password"), fs::Permissions::from_mode(0o644)).expect("a mode");
    refused(open(&server, "address = \"127.0.0.1:1\"", "").await.map(|_| ()), Code::AgtFile);
}

#[tokio::test]
async fn source_of_a_database_says_too_much_by_its_own_code_and_never_a_value() {
    let server = server(
        "CREATE TABLE t (id text, name text); INSERT INTO t SELECT 'A1', 'SECRET' FROM generate_series(1, 101);
         CREATE FUNCTION complains(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'SECRET %', $1; END $$",
    );
    let source = by_tcp(&server, "").await;
    let ask = async |sql: &str| source.rows(&asked("A1"), &by(sql)).await;
    assert_eq!(ask("SELECT name FROM t WHERE id = :value LIMIT 100").await.expect("as many as may be").rows.len(), 100);
    let said = refused(ask("SELECT name FROM t WHERE id = :value").await, Code::SrcTooMuch);
    assert!(said.contains("more than 100 rows"), "{said}");
    let long = |octets: usize| format!("SELECT repeat('x', {octets}) AS a WHERE '' <> :value");
    assert_eq!(ask(&long(65536)).await.expect("as long as may be").rows.len(), 1);
    refused(ask(&long(65537)).await, Code::SrcTooMuch);
    refused(ask("SELECT repeat('x', 5000000) AS a WHERE '' <> :value").await, Code::SrcTooMuch);
    refused(ask("SELECT repeat('x', 65536) AS a FROM generate_series(1, 17) WHERE '' <> :value").await, Code::SrcTooMuch);
    for (sql, code) in [
        ("SELECT name::int FROM t WHERE id = :value", Code::SrcUnavailable),
        ("SELECT complains(:value)", Code::SrcUnavailable),
        ("SELECT 1 / 0 AS a WHERE '' <> :value", Code::SrcUnavailable),
        ("SELECT (:value || 'Zq7Planted')::date AS a", Code::SrcUnavailable),
        ("SELECT 'Zq7Planted' FROM nowhere WHERE '' <> :value", Code::SrcChanged),
        ("SELECT 'Zq7Planted' 1 2 WHERE '' <> :value", Code::AgtStatement),
        ("SELECT 1 AS a WHERE 1 = :value", Code::AgtStatement),
        ("SELECT 1 AS a, 2 AS a WHERE '' <> :value", Code::AgtStatement),
        ("SELECT WHERE '' <> :value", Code::AgtStatement),
    ] {
        refused(ask(sql).await, code);
    }
    // After all that it is a source as before.
    assert_eq!(ask("SELECT name FROM t WHERE id = :value LIMIT 1").await.expect("a row").rows.len(), 1);
}

#[tokio::test]
async fn source_of_a_database_has_so_many_connections_and_no_more() {
    let server = server("CREATE TABLE t (id text); INSERT INTO t VALUES ('A1')");
    let source = Arc::new(by_tcp(&server, "").await);
    let asking = (0..12).map(|_| {
        let source = Arc::clone(&source);
        tokio::spawn(async move { source.rows(&asked("A1"), &by("SELECT id, pg_sleep(0.2) FROM t WHERE id = :value")).await })
    });
    let asking: Vec<_> = asking.collect();
    for asking in asking {
        assert_eq!(asking.await.expect("nobody panics").expect("rows").rows.len(), 1);
    }
    assert_eq!(server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'oncegate-agent'"), "4");
}

/// An authority with a certificate for the server.
fn certify(folder: &Path, name: &str) {
    let run = |arguments: &str| drop(crate::pki::openssl(folder, arguments));
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    run(&format!("req -x509 {new} -keyout {name}-ca.key -out {name}-ca.pem -days 2 -subj /CN={name}"));
    run(&format!("req {new} -keyout {name}.key -out {name}.csr -subj /CN=localhost"));
    fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").expect("written");
    run(&format!(
        "x509 -req -in {name}.csr -CA {name}-ca.pem -CAkey {name}-ca.key -CAcreateserial -days 2 -extfile names -out {name}.pem"
    ));
}

#[tokio::test]
async fn source_of_a_database_by_tls_believes_its_authority_and_nobody_else() {
    let mut server = server("CREATE TABLE t (id text); INSERT INTO t VALUES ('A1')");
    let folder = server.folder().to_owned();
    certify(&folder, "good");
    certify(&folder, "other");
    let simple = by("SELECT id FROM t WHERE id = :value AND (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())");
    let place = |authority: &str| format!("address = \"{}\"\ntls = {{ authorities = \"{authority}-ca.pem\" }}", server.address());
    let (good, other) = (place("good"), place("other"));
    // A server without TLS is not spoken to.
    let source = open(&server, &good, "").await.expect("a source");
    refused(source.rows(&asked("A1"), &simple).await, Code::SrcUnavailable);
    for file in ["good.key", "good.pem"] {
        server.give(&folder.join(file));
    }
    let file = |name: &str| folder.join(name).display().to_string();
    let settings =
        ["ssl=on".to_owned(), format!("ssl_cert_file={}", file("good.pem")), format!("ssl_key_file={}", file("good.key"))];
    server.restart(Stop::Fast, &settings.each_ref().map(String::as_str));
    assert_eq!(source.rows(&asked("A1"), &simple).await.expect("rows").rows.len(), 1);
    let said =
        refused(open(&server, &other, "").await.expect("a source").rows(&asked("A1"), &simple).await, Code::SrcUnavailable);
    assert!(said.contains("TLS"), "{said}");
}
