//! PostgreSQL as a source: one prepared statement, in a transaction that only reads, over few connections.
//!
//! Every column is read as text, so that no type of the server's has to be known here; days and instants are of ISO 8601 and in UTC. What
//! the server says of an error may repeat values, so only its code (SQLSTATE) and its severity are passed on. A connection on which
//! anything went wrong is not used again.

use super::answer::{Gathering, Parameter, now, rows_max, secret, twice, within, within_ms};
use super::{PostgresConfig, SourceError, Statement};
use crate::base::fault::Code;
use crate::base::limits;
use crate::exchange::mapping::{Asked, Table};
use crate::host::config::is_loopback;
use crate::host::transport::{Dialed, trust};
use crate::rules::registry::Url;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{ChannelBinding, NoTls, TlsConnect, TlsStream};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Transaction};

/// A database that is asked.
pub(super) struct PostgresSource {
    server: Server,
    database: String,
    user: String,
    password_file: Option<PathBuf>,
    statement_time: Duration,
    rows_max: usize,
    room: Semaphore,
    idle: Mutex<Vec<Link>>,
}

/// Where the server is.
enum Server {
    Socket(PathBuf),
    Plain(Url),
    Tls(Url, Arc<rustls::ClientConfig>),
}

/// A connection.
struct Link {
    client: Client,
    /// Who carries its octets; that one ends with it.
    carrier: AbortHandle,
    used: Instant,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

/// What is wanted of a statement.
#[derive(Clone, Copy)]
struct Wish<'w> {
    statement: &'w Statement,
    /// About whom the rows are; without it the names of the columns are all that is wanted.
    about: Option<&'w Asked>,
    pinned: Option<&'w [Box<str>]>,
}

/// Why a question got no answer.
enum Failed {
    /// The connection is gone, and nothing had come by it: the question may be put again.
    Lost(SourceError),
    /// Anything else.
    For(SourceError),
}

impl Failed {
    fn into_error(self) -> SourceError {
        match self {
            Self::Lost(error) | Self::For(error) => error,
        }
    }
}

impl PostgresSource {
    pub fn open(config: &PostgresConfig, folder: &Path) -> Result<Self, SourceError> {
        let password_file = config.password_file.as_ref().map(|file| folder.join(file));
        // It is read when it is needed, so that it may be changed; whether it can be is found out now.
        password_file.as_deref().map(secret).transpose()?;
        let said = config.statement_timeout.map(super::Span::duration);
        let statement_time = within_ms("statement_timeout", said, limits::SOURCE_STATEMENT_MS, limits::SOURCE_STATEMENT_MS_MAX)?;
        let most = limits::SOURCE_PARALLEL_MAX;
        let connections = within("connections", config.connections, most, most)?;
        Ok(Self {
            server: Server::of(config, folder)?,
            database: config.database.clone(),
            user: config.user.clone(),
            password_file,
            statement_time,
            rows_max: rows_max(config.rows_max)?,
            room: Semaphore::new(connections),
            idle: Mutex::default(),
        })
    }

    pub async fn rows(&self, asked: &Asked, statement: &Statement, pinned: Option<&[Box<str>]>) -> Result<Table, SourceError> {
        self.twice(Wish { statement, about: Some(asked), pinned }).await
    }

    pub async fn columns(&self, statement: &Statement) -> Result<Arc<[Box<str>]>, SourceError> {
        self.twice(Wish { statement, about: None, pinned: None }).await.map(|table| table.columns)
    }

    /// Puts a question; once more over a new connection if the first was lost before anything came, as when a server was restarted.
    async fn twice(&self, wish: Wish<'_>) -> Result<Table, SourceError> {
        let room = timeout(self.statement_time, self.room.acquire()).await;
        let Ok(Ok(_room)) = room else { return Err(unavailable("all connections are in use")) };
        let link = match self.kept() {
            Some(link) => link,
            None => self.connect().await?,
        };
        match self.once(link, wish).await {
            Err(Failed::Lost(_)) => {
                // What else was kept is most likely gone as well.
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
                self.once(self.connect().await?, wish).await.map_err(Failed::into_error)
            }
            other => other.map_err(Failed::into_error),
        }
    }

    async fn once(&self, mut link: Link, wish: Wish<'_>) -> Result<Table, Failed> {
        let asking = async {
            let transaction = link.client.build_transaction().read_only(true).start().await.map_err(failed)?;
            let table = ask(&transaction, wish, self.rows_max).await?;
            transaction.rollback().await.map_err(failed)?;
            Ok(table)
        };
        // The server ends a statement by itself. One that does not even do that is waited for no longer.
        let deadline = self.statement_time + Duration::from_millis(limits::SOURCE_SILENT_MS);
        let silent = |_| Failed::For(unavailable("the database says nothing any more; the connection is given up"));
        let table = timeout(deadline, asking).await.map_err(silent)??;
        link.used = Instant::now();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(link);
        Ok(table)
    }

    /// A connection that waits for a question. A firewall in between forgets it some time, so none waits for long.
    fn kept(&self) -> Option<Link> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let is_good = |link: &Link| !link.client.is_closed() && link.used.elapsed() < Duration::from_millis(limits::POOL_IDLE_MS);
        idle.retain(is_good);
        idle.pop()
    }

    async fn connect(&self) -> Result<Link, SourceError> {
        let connecting = async {
            let config = self.config()?;
            match &self.server {
                Server::Socket(path) => {
                    let stream = UnixStream::connect(path).await.map_err(|cause| unavailable(cause.kind()))?;
                    start(stream, NoTls, config).await
                }
                Server::Plain(url) => start(dial(url).await?, NoTls, config).await,
                Server::Tls(url, tls) => {
                    let secured = Secured { host: url.host.clone(), tls: Arc::clone(tls) };
                    start(dial(url).await?, secured, config).await
                }
            }
        };
        let deadline = Duration::from_millis(limits::CONNECT_MS);
        let link = timeout(deadline, connecting).await.map_err(|_| unavailable("no connection in time"))??;
        let settings = self.settings();
        let set =
            timeout(deadline, link.client.batch_execute(&settings)).await.map_err(|_| unavailable("no settings in time"))?;
        set.map_err(|error| said(&error))?;
        Ok(link)
    }

    fn config(&self) -> Result<Config, SourceError> {
        let mut config = Config::new();
        config.user(&self.user).dbname(&self.database).application_name("oncegate-agent");
        if let Some(file) = &self.password_file {
            config.password(secret(file)?);
        }
        config.ssl_mode(if matches!(self.server, Server::Tls(..)) { SslMode::Require } else { SslMode::Disable });
        Ok(config)
    }

    /// What a session is held to. All of it is numbers and words of our own.
    fn settings(&self) -> String {
        let ms = self.statement_time.as_millis();
        format!(
            "SET default_transaction_read_only = on; SET statement_timeout = {ms}; SET lock_timeout = {ms}; \
             SET idle_in_transaction_session_timeout = {}; SET standard_conforming_strings = on; SET DateStyle = ISO; \
             SET IntervalStyle = iso_8601; SET TimeZone = 'UTC'; SET bytea_output = hex",
            ms + u128::from(limits::SOURCE_SILENT_MS)
        )
    }
}

impl Server {
    fn of(config: &PostgresConfig, folder: &Path) -> Result<Self, SourceError> {
        let wrong = |what: &str| Err(SourceError::new(Code::AgtFile, what));
        match (&config.address, &config.socket) {
            (Some(_), Some(_)) | (None, None) => wrong("a database has either an address or a socket"),
            (None, Some(socket)) if config.tls.is_none() => {
                let socket = folder.join(socket);
                Ok(Self::Socket(if socket.is_dir() { socket.join(".s.PGSQL.5432") } else { socket }))
            }
            (None, Some(_)) => wrong("tls is for an address; a socket is on this machine"),
            (Some(address), None) => {
                let url = if address.contains('/') { None } else { Url::parse(&format!("https://{address}")) };
                let Some(mut url) = url else { return wrong("address is a host and a port: db.example:5432") };
                if !address.rsplit(']').next().is_some_and(|behind| behind.contains(':')) {
                    url.port = 5432;
                }
                match &config.tls {
                    Some(tls) => Ok(Self::Tls(url, for_postgres(&folder.join(&tls.authorities))?)),
                    None if is_loopback(&url.host) => Ok(Self::Plain(url)),
                    None => wrong("tls is needed for a database on another machine: tls = { authorities = \"ca.pem\" }"),
                }
            }
        }
    }
}

/// Whom to believe, in the protocol's own words (since PostgreSQL 17 the server refuses others).
fn for_postgres(authorities: &Path) -> Result<Arc<rustls::ClientConfig>, SourceError> {
    let trusted = trust(authorities).map_err(|error| SourceError::new(Code::AgtFile, format!("tls: {error}")))?;
    let mut config = rustls::ClientConfig::clone(&trusted);
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(Arc::new(config))
}

async fn dial(url: &Url) -> Result<TcpStream, SourceError> {
    Dialed::connect(&url.host, url.port, |_| true).await.map_err(unavailable)
}

async fn start<S, T>(stream: S, tls: T, config: Config) -> Result<Link, SourceError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect_raw(stream, tls).await.map_err(|error| said(&error))?;
    // How it ends is seen by whoever asks.
    let carrier = tokio::spawn(async { drop(connection.await) }).abort_handle();
    Ok(Link { client, carrier, used: Instant::now() })
}

/// Asks for the columns, and then for the rows: the first says what the second is to have as text.
async fn ask(transaction: &Transaction<'_>, wish: Wish<'_>, rows_max: usize) -> Result<Table, Failed> {
    let columns = columns(transaction, wish.statement).await?;
    super::hold_to(&columns, wish.pinned).map_err(Failed::For)?;
    match wish.about {
        Some(asked) => fetch(transaction, wish.statement, &columns, asked, rows_max).await,
        None => Ok(Gathering::new(&columns, rows_max).finish(now())),
    }
}

/// The names of a statement's columns, of which none may be there twice: nobody could tell them apart.
async fn columns(transaction: &Transaction<'_>, statement: &Statement) -> Result<Arc<[Box<str>]>, Failed> {
    let prepared = transaction.prepare(statement.text()).await.map_err(failed)?;
    let columns: Arc<[Box<str>]> = prepared.columns().iter().map(|column| Box::from(column.name())).collect();
    let wrong = |what: String| Err(Failed::For(SourceError::new(Code::AgtStatement, what)));
    if columns.is_empty() || columns.len() > limits::SOURCE_COLUMNS_MAX {
        return wrong(format!("the statement must have from 1 to {} columns", limits::SOURCE_COLUMNS_MAX));
    }
    match twice(&columns) {
        Some(name) => wrong(format!("the statement has two columns {name:?}")),
        None => Ok(columns),
    }
}

/// Asks, and takes the rows in small portions, so that no more of them is in memory than an answer may have.
async fn fetch(
    transaction: &Transaction<'_>,
    statement: &Statement,
    columns: &Arc<[Box<str>]>,
    asked: &Asked,
    rows_max: usize,
) -> Result<Table, Failed> {
    let prepared = transaction.prepare(&as_text(statement, columns, rows_max)).await.map_err(failed)?;
    let values: Vec<Option<String>> = statement.parameters().iter().map(|parameter: &Parameter| parameter.of(asked)).collect();
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
    let portal = transaction.bind(&prepared, &values).await.map_err(failed)?;
    let mut gathering = Gathering::new(columns, rows_max);
    loop {
        let portion = transaction.query_portal(&portal, PORTION).await.map_err(failed)?;
        for row in &portion {
            for at in 0..columns.len() {
                let cell: Option<&str> = row.try_get(at).map_err(|error| Failed::For(said(&error)))?;
                gathering.cell(cell).map_err(Failed::For)?;
            }
            gathering.end_row(None).map_err(Failed::For)?;
        }
        if i32::try_from(portion.len()).is_ok_and(|len| len < PORTION) {
            return Ok(gathering.finish(now()));
        }
    }
}

/// The statement with each of its columns as text, and with one row and one character more than there may be.
fn as_text(statement: &Statement, columns: &[Box<str>], rows_max: usize) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let characters = limits::SOURCE_CELL_BYTES_MAX + 1;
    let cells: Vec<String> = columns.iter().map(|name| format!("left(q.{}::text, {characters})", quoted(name))).collect();
    format!("SELECT {} FROM ({}) AS q LIMIT {}", cells.join(", "), statement.text(), rows_max.saturating_add(1))
}

fn unavailable(what: impl std::fmt::Display) -> SourceError {
    SourceError::new(Code::SrcUnavailable, what.to_string())
}

fn failed(error: tokio_postgres::Error) -> Failed {
    let is_lost = match error.code() {
        // The server stops, was stopped, or has lost another process: "Class 57 — Operator Intervention".
        Some(code) => [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(code),
        None => true,
    };
    let said = said(&error);
    if is_lost { Failed::Lost(said) } else { Failed::For(said) }
}

/// What an error is here. The server's own text may have values in it and stays where it is.
fn said(error: &tokio_postgres::Error) -> SourceError {
    let Some(of_server) = error.as_db_error() else {
        return unavailable(of_connection(error));
    };
    let (state, severity) = (of_server.code(), of_server.severity());
    let (code, words) = match state {
        state if [SqlState::UNDEFINED_COLUMN, SqlState::UNDEFINED_TABLE].contains(state) => {
            (Code::SrcChanged, "a table, a view or a column of the statement is not there")
        }
        state if *state == SqlState::READ_ONLY_SQL_TRANSACTION => (Code::AgtStatement, "the statement writes"),
        state if *state == SqlState::SYNTAX_ERROR => (Code::AgtStatement, "the statement is no SQL"),
        state if [SqlState::UNDEFINED_FUNCTION, SqlState::DATATYPE_MISMATCH].contains(state) => {
            (Code::AgtStatement, "types do not fit; parameters are texts and days: :value::bigint makes a number of it")
        }
        state if *state == SqlState::QUERY_CANCELED => (Code::SrcUnavailable, "the statement took too long: statement_timeout"),
        state if *state == SqlState::INSUFFICIENT_PRIVILEGE => {
            (Code::SrcUnavailable, "the role may not read what the statement reads")
        }
        state if [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION].contains(state) => {
            (Code::SrcUnavailable, "the database does not let the role in")
        }
        _ => (Code::SrcUnavailable, "the database refused"),
    };
    SourceError::new(code, format!("{words} (SQLSTATE {}, {severity})", state.code()))
}

/// What an error is that is not the server's: one of a fixed list of lines, and what TLS and the network say.
fn of_connection(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// TLS for a connection to the database, by the rustls that is there.
struct Secured {
    host: String,
    tls: Arc<rustls::ClientConfig>,
}

impl TlsConnect<TcpStream> for Secured {
    type Stream = Dialed;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Dialed>> + Send>>;

    fn connect(self, stream: TcpStream) -> Self::Future {
        Box::pin(async move {
            let secured = Dialed::secure(stream, &self.host, &self.tls).await;
            secured.map_err(|cause| io::Error::other(cause.to_string()))
        })
    }
}

/// Without channel binding: who the server is, is known by its authority.
impl TlsStream for Dialed {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

/// Rows that are fetched at a time.
const PORTION: i32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> PostgresConfig {
        toml::from_str(&format!("database = \"d\"\nuser = \"u\"\n{more}")).expect("a configuration")
    }

    #[test]
    fn a_database_on_another_machine_needs_tls_and_one_here_does_not() {
        let opened =
            |more: &str| PostgresSource::open(&config(more), Path::new("/nowhere")).map(|_| ()).map_err(|error| error.what);
        for good in ["address = \"127.0.0.1:5432\"", "address = \"[::1]\"", "socket = \"/run/postgresql\""] {
            assert_eq!(opened(good), Ok(()), "{good}");
        }
        for (bad, words) in [
            ("address = \"db.example:5432\"", "tls is needed"),
            ("address = \"10.0.0.1\"", "tls is needed"),
            ("address = \"127.0.0.1:5432/x\"", "a host and a port"),
            ("", "either an address or a socket"),
            ("address = \"127.0.0.1\"\nsocket = \"/x\"", "either"),
            ("socket = \"/x\"\ntls = { authorities = \"ca.pem\" }", "for an address"),
            ("address = \"db.example\"\ntls = { authorities = \"ca.pem\" }", "tls:"),
            ("socket = \"/x\"\npassword_file = \"none\"", "/nowhere/none"),
            ("socket = \"/x\"\nconnections = 5", "connections"),
            ("socket = \"/x\"\nconnections = 0", "connections"),
            ("socket = \"/x\"\nstatement_timeout = \"10001ms\"", "statement_timeout"),
            ("socket = \"/x\"\nrows_max = 1001", "rows_max"),
        ] {
            let said = opened(bad).expect_err(bad);
            assert!(said.contains(words), "{bad}: {said}");
        }
        assert_eq!(opened("socket = \"/x\"\nconnections = 4\nstatement_timeout = \"10s\"\nrows_max = 1000"), Ok(()));
    }

    #[test]
    fn names_of_columns_are_quoted_in_the_statement_around() {
        let statement = Statement::parse("select 1 as \"a\"\"b\" where '' <> :value -- end").expect("a statement");
        let text = as_text(&statement, &["a\"b".into()], 100);
        assert_eq!(
            text,
            "SELECT left(q.\"a\"\"b\"::text, 65537) FROM (select 1 as \"a\"\"b\" where '' <> CAST($1 AS text)) AS q LIMIT 101"
        );
    }
}
