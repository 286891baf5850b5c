//! What becomes of a message whose holder is down, opens no port, sends a large file; of news; of what is taken back. Five small
//! stories, by way of the client alone, and each ends with its receipts verified by the log's key.

use super::documents::document;
use super::people::{Person, Role};
use super::provider::nobody;
use super::world::{AMPLE, World, WorldError, agency};
use crate::base::ids::{AgencyId, Code, MessageId};
use crate::evidence::tlog::note::VerifierKey;
use crate::evidence::tlog::proof::Proof;
use crate::faces::client::{Attached, Checked, Client, Signed, digest_of, problem_of};
use crate::host::config::Config;
use crate::host::store::log_key;
use crate::host::transport::Received;
use crate::message::crypto::{Sha256, equal};
use crate::message::envelope::{Ask, Body, Context, Kind, Message, ReplyTo, World as MessageWorld};
use crate::program::setup::{Installation, NewAgency, NewGrant, grant_entry};
use crate::rules::registry::About;
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::net::TcpSocket;

const SCHOOL: &str = "xx.demo.school-17";
const FUND: &str = "xx.demo.social-fund";
const REGISTRY: &str = "xx.demo.civil-registry";
/// A holder that is down when it is asked.
const LATE: &str = "xx.demo.late";
/// A holder that opens no port.
const ARCHIVE: &str = "xx.demo.archive";
/// It hears of births.
const INSURER: &str = "xx.demo.insurer";
/// It may hear of births, but not of who the parents are.
const STATISTICS: &str = "xx.demo.statistics";

/// Whom the stories add to the world.
const AGENCIES: [&str; 4] = [LATE, ARCHIVE, INSURER, STATISTICS];

/// A scan of 200 MB.
const SCAN_BYTES: u64 = 200_000_000;
/// What a scan is made of: a piece that is told from all others by its number.
const PIECE_BYTES: usize = 64 * 1024;
/// The longest that anything here takes, on a machine that is busy with other things.
const LONG: Duration = Duration::from_secs(60);

/// Whoever takes part in the stories, beside the world's own agencies.
pub struct Cast {
    /// A port that is taken, and at which nobody listens yet: whoever connects is turned away.
    late: TcpSocket,
    address: SocketAddr,
}

/// A story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// A holder that is down at first.
    Late,
    /// A holder that opens no port.
    Outbound,
    /// Something is told once, and heard by whoever may.
    Event,
    /// A large file beside an answer.
    Scan,
    /// A question that is taken back.
    Cancel,
}

impl Story {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 5] = [Self::Late, Self::Outbound, Self::Event, Self::Scan, Self::Cancel];

    /// What it is called.
    pub fn title(self) -> &'static str {
        match self {
            Self::Late => "down at first",
            Self::Outbound => "no open port",
            Self::Event => "told once",
            Self::Scan => "a large scan",
            Self::Cancel => "taken back",
        }
    }
}

/// What was seen of a story.
#[derive(Clone, Debug)]
pub struct Told {
    /// In a sentence.
    pub said: String,
    /// The records whose receipts were verified: kind and index.
    pub records: Vec<(String, u64)>,
}

impl Cast {
    /// Takes a port for the holder that is down.
    pub fn gather() -> io::Result<Self> {
        let late = TcpSocket::new_v4()?;
        late.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = late.local_addr()?;
        Ok(Self { late, address })
    }

    /// How many there are.
    pub const fn agencies() -> usize {
        AGENCIES.len()
    }

    /// Enters them into a registry. Their regions keep other questions away from the holders among them.
    pub fn enrol(&self, installation: &Installation) -> Result<(), WorldError> {
        let config = Config::load(&installation.config()).map_err(|error| io::Error::other(error.to_string()))?;
        let gateway = format!("https://{}", config.exchange.listen);
        let url = format!("https://{}/oncegate", self.address);
        // What an agency may send per minute is meant for a whole office, and the scan comes all at once.
        let plenty = AMPLE.replace(" }", ", kib_per_minute = 60000000 }");
        let mut entries = String::new();
        for (id, name, url, holds, more, region) in [
            (LATE, "A clinic that is down at first", Some(&*url), &["medical-absence-note"][..], AMPLE, "XX-LTE"),
            (ARCHIVE, "Archive of the registry", Some("outbound"), &["birth-certificate"], &*plenty, "XX-ARC"),
            (INSURER, "Health insurance", None, &[], "", ""),
            (STATISTICS, "Office of statistics", None, &[], "", ""),
        ] {
            let entry = installation.prepare_agency(&NewAgency { id: &agency(id), name, url, holds, more }, &gateway)?;
            entries += &entry;
            if !holds.is_empty() {
                entries = format!("{}\nregions = [\"{region}\"]\n", entries.trim_end());
            }
        }
        for (id, who, fields) in [
            ("fund-hears-of-births", FUND, &["Parent", "FatherBasis", "Child"][..]),
            ("insurer-hears-of-births", INSURER, &["Parent", "FatherBasis", "Child"]),
            ("statistics-hears-of-births", STATISTICS, &["Child"]),
        ] {
            entries += &grant_entry(&NewGrant {
                id,
                who,
                action: "subscribe",
                what: "birth-certificate",
                about: About::Person,
                fields,
                purpose: "birth-allowance",
                basis: "XX:FAMILY:81",
                until: "2099-12-31",
            });
        }
        Ok(installation.extend_registry(&entries)?)
    }

    /// Begins, in a world that knows them.
    pub fn on_stage(self, world: &World) -> Result<Stage<'_>, WorldError> {
        let config = Config::load(&world.installation().config()).map_err(|error| io::Error::other(error.to_string()))?;
        let key = log_key(&config.data, &config.log.origin).map_err(|error| io::Error::other(error.to_string()))?;
        let (school, fund, archive) = (world.client(SCHOOL)?, world.client(FUND)?, world.client(ARCHIVE)?);
        Ok(Stage { world, key, attachments: config.data.join("attachments"), late: Some(self.late), school, fund, archive })
    }
}

/// A world in which the stories are told.
pub struct Stage<'w> {
    world: &'w World,
    key: VerifierKey,
    attachments: std::path::PathBuf,
    late: Option<TcpSocket>,
    school: Client,
    fund: Client,
    archive: Client,
}

impl Stage<'_> {
    /// Plays a story; what it gives was seen from outside.
    pub async fn tell(&mut self, story: Story) -> Result<Told, WorldError> {
        match story {
            Story::Late => self.holder_that_is_down().await,
            Story::Outbound => self.holder_without_a_port().await,
            Story::Event => self.event().await,
            Story::Scan => self.scan().await,
            Story::Cancel => self.cancel().await,
        }
    }

    async fn holder_that_is_down(&mut self) -> Result<Told, WorldError> {
        let socket = self.late.take().ok_or_else(|| unlike("this story is told once"))?;
        let question = asked(&self.school, "medical-absence-note", LATE, self.person(Role::Pupil)?)?;
        let start = Instant::now();
        status(&self.school.post(question.octets.clone(), "wait=1", LONG).await?, 202)?;
        let kept = start.elapsed();
        self.world.open_holder(LATE, socket.listen(128)?, nobody())?;
        let start = Instant::now();
        let answer = self.school.answer_to(question.id, LONG).await?;
        status(&answer, 200)?;
        self.school.check(answer, &question, self.world.schemas())?;
        let said = format!(
            "{LATE} is down: 202 after {:.1} s; it comes up, and {:.1} s later the answer is there",
            kept.as_secs_f64(),
            start.elapsed().as_secs_f64()
        );
        let records = self.receipts(&self.school, question.id, &["req", "rsp"]).await?;
        Ok(Told { said, records })
    }

    async fn holder_without_a_port(&mut self) -> Result<Told, WorldError> {
        let question = asked(&self.fund, "birth-certificate", ARCHIVE, self.person(Role::Newborn)?)?;
        let start = Instant::now();
        // One call of the consumer, and beside it what the worker of the holder does.
        let (answer, worked) = tokio::join!(self.fund.post(question.octets.clone(), "wait=30", LONG), self.work(&[]));
        worked?;
        let answer = answer?;
        status(&answer, 200)?;
        self.fund.check(answer, &question, self.world.schemas())?;
        let said = format!(
            "{ARCHIVE} comes for the question and posts its answer; who asked has it in the one call, after {:.0} ms",
            start.elapsed().as_secs_f64() * 1e3
        );
        let records = self.receipts(&self.fund, question.id, &["req", "rsp"]).await?;
        Ok(Told { said, records })
    }

    async fn event(&mut self) -> Result<Told, WorldError> {
        let (publisher, newborn) = (self.world.client(REGISTRY)?, self.person(Role::Newborn)?);
        let header = publisher.header(Kind::Event, None, None, MessageWorld::Live)?;
        let context = Some(Context::new(code("birth-registration")?, "XX:CIVIL:14", newborn.subject()));
        let message = Message { header, context, body: Body::Documents(Vec::new()), attachments: Vec::new() };
        let event = publisher.sign(&message, &self.markup("birth-certificate", newborn)?)?;
        let start = Instant::now();
        status(&publisher.post(event.octets.clone(), "", LONG).await?, 202)?;
        let (insurer, statistics) = (self.world.client(INSURER)?, self.world.client(STATISTICS)?);
        for subscriber in [&self.fund, &insurer] {
            let heard = next(subscriber, "event", event.id).await?;
            if heard.body != event.octets {
                return Err(unlike("a subscriber has heard something else"));
            }
            end(subscriber, &heard, "ack").await?;
        }
        let elapsed = start.elapsed();
        let word = next(&statistics, "withheld", event.id).await?;
        end(&statistics, &word, "ack").await?;
        let said = format!(
            "a birth; {FUND} and {INSURER} have heard after {:.0} ms; {STATISTICS}, granted less, is told that it has not",
            elapsed.as_secs_f64() * 1e3
        );
        let mut records = self.receipts(&publisher, event.id, &["evt"]).await?;
        // From whom it was withheld stands in a record that its publisher does not see.
        records.extend(self.receipts(&statistics, event.id, &["err"]).await?);
        Ok(Told { said, records })
    }

    async fn scan(&mut self) -> Result<Told, WorldError> {
        let file = self.world.folder().join("register-page.tiff");
        let written = file.clone();
        let scanned = tokio::task::spawn_blocking(move || {
            write_scan(&written)?;
            Ok::<_, WorldError>(Attached::of_file(&written, 1)?)
        });
        let scan = [scanned.await.map_err(io::Error::other)??];
        let question = asked(&self.fund, "birth-certificate", ARCHIVE, self.person(Role::Newborn)?)?;
        let (answer, sent) = tokio::join!(self.fund.exchange(&question, LONG, self.world.schemas()), self.work(&scan));
        let (answer, sent) = (answer?, sent?);
        std::fs::remove_file(&file)?;
        let got = self.fetch(&answer).await?;
        let stored = octets_in(&self.attachments)?;
        if !(SCAN_BYTES..=SCAN_BYTES / 20 * 21).contains(&stored) {
            return Err(unlike(&format!("{stored} octets are stored of {SCAN_BYTES}")));
        }
        let rate = |took: Duration| SCAN_BYTES as f64 / 1e6 / took.as_secs_f64();
        let said = format!(
            "{:.0} MB beside an answer: in at {:.0} MB/s, stored once, sealed; out at {:.0} MB/s, with the SHA-256 that was signed",
            SCAN_BYTES as f64 / 1e6,
            rate(sent),
            rate(got)
        );
        let records = self.receipts(&self.fund, question.id, &["req", "rsp"]).await?;
        Ok(Told { said, records })
    }

    async fn cancel(&mut self) -> Result<Told, WorldError> {
        let question = asked(&self.fund, "birth-certificate", ARCHIVE, self.person(Role::Newborn)?)?;
        status(&self.fund.post(question.octets.clone(), "respond-async", LONG).await?, 202)?;
        let reply = ReplyTo { id: question.id, digest: question.digest };
        let header = self.fund.header(Kind::Cancel, None, Some(reply), MessageWorld::Live)?;
        let body = Body::State { of: code("withdrawn")?, at: header.created_at };
        let cancel = self.fund.sign(&Message { header, context: None, body, attachments: Vec::new() }, "")?;
        status(&self.fund.post(cancel.octets, "", LONG).await?, 202)?;
        let state = self.fund.get(&format!("/v1/messages/{}", question.id)).await?;
        let state: serde_json::Value = serde_json::from_slice(&state.body).map_err(io::Error::other)?;
        if state["state"] != "cancelled" {
            return Err(unlike(&format!("a question that was taken back is {}", state["state"])));
        }
        status(&self.archive.get("/v1/inbox").await?, 204)?;
        let said = format!("a question that waits for {ARCHIVE}; the cancel is in time, and the archive never sees it");
        let records = self.receipts(&self.fund, question.id, &["req", "cnl"]).await?;
        Ok(Told { said, records })
    }

    /// What a worker of the archive does: takes a question, answers it, and says how long the answer was on its way.
    async fn work(&self, files: &[Attached]) -> Result<Duration, WorldError> {
        let archive = &self.archive;
        let taken = archive.get_within("/v1/inbox?wait=30", 30).await?;
        status(&taken, 200)?;
        let (question, _) = archive.verify(&taken.body, self.world.schemas()).map_err(|cause| unlike(&cause))?;
        let digest = digest_of(&taken.body).map_err(|fault| unlike(&fault.to_string()))?;
        let reply = ReplyTo { id: question.header.id, digest };
        let header = archive.header(Kind::Answer, Some(question.header.from), Some(reply), MessageWorld::Live)?;
        let attachments = files.iter().map(|file| file.attachment().clone()).collect();
        let message = Message { header, context: question.context, body: Body::Documents(Vec::new()), attachments };
        let answer = archive.sign(&message, &self.markup("birth-certificate", self.person(Role::Newborn)?)?)?;
        let start = Instant::now();
        let told = match files {
            [] => archive.post(answer.octets, "respond-async", LONG).await?,
            files => archive.post_with(answer.octets, files, "respond-async", LONG).await?,
        };
        status(&told, 202)?;
        Ok(start.elapsed())
    }

    /// Fetches the file that an answer names, holds it to what was signed, and keeps nothing of it.
    async fn fetch(&self, answer: &Checked) -> Result<Duration, WorldError> {
        let [named] = &answer.message.attachments[..] else { return Err(unlike("the answer names no file")) };
        let (mut hash, mut size) = (Sha256::new(), 0);
        let start = Instant::now();
        let take = |octets: &[u8]| {
            size += octets.len() as u64;
            hash.update(octets);
            Ok(())
        };
        status(&self.fund.download(&format!("/v1/attachments/{}", named.sha256), take).await?, 200)?;
        let elapsed = start.elapsed();
        if size != named.size || !equal(&hash.finish(), &named.sha256) {
            return Err(unlike("the file is not what was signed"));
        }
        Ok(elapsed)
    }

    /// Verifies the receipts of a message with the log's key alone; there must be records of these kinds, in this order.
    async fn receipts(&self, client: &Client, id: MessageId, kinds: &[&str]) -> Result<Vec<(String, u64)>, WorldError> {
        let received = client.get(&format!("/v1/messages/{id}/receipt")).await?;
        status(&received, 200)?;
        let proofs = Proof::parse_bundle(&String::from_utf8_lossy(&received.body)).map_err(|error| unlike(&error.to_string()))?;
        let mut records = Vec::new();
        for proof in proofs {
            let shown = proof.verify(&self.key).map_err(|error| unlike(&error.to_string()))?;
            let leaf: serde_json::Value = serde_json::from_slice(&proof.leaf).map_err(io::Error::other)?;
            records.push((leaf["k"].as_str().unwrap_or("?").to_owned(), shown.index));
        }
        let mut found = records.iter().map(|(kind, _)| kind.as_str());
        if !kinds.iter().all(|kind| found.any(|found| found == *kind)) {
            return Err(unlike(&format!("the receipts are of {records:?}, not of {kinds:?}")));
        }
        Ok(records)
    }

    /// Somebody of the family that all this is about.
    fn person(&self, role: Role) -> Result<&Person, WorldError> {
        let person = self.world.people().iter().find(|person| person.household() == 0 && person.role == role);
        person.ok_or_else(|| unlike("there is no such person"))
    }

    fn markup(&self, document_type: &str, about: &Person) -> Result<String, WorldError> {
        let family: Vec<Person> =
            self.world.people().iter().filter(|person| person.household() == about.household()).cloned().collect();
        document(document_type, about, &family).ok_or_else(|| unlike("there is no such document"))
    }
}

/// A question to one holder, on the grants of the demo.
fn asked(client: &Client, document_type: &str, holder: &str, about: &Person) -> Result<Signed, WorldError> {
    let (purpose, basis) = match document_type {
        "medical-absence-note" => ("school-attendance", "XX:HEALTH:13"),
        _ => ("birth-allowance", "XX:FAMILY:81"),
    };
    let ask = Ask { document_type: code(document_type)?, of: None, select: Vec::new(), during: None };
    let holder: AgencyId = agency(holder);
    Ok(client.request(ask, Context::new(code(purpose)?, basis, about.subject()), Some(holder), MessageWorld::Live)?)
}

/// Waits for a message in an inbox; what else comes is put aside as done.
async fn next(client: &Client, kind: &str, id: MessageId) -> Result<Received, WorldError> {
    let start = Instant::now();
    while start.elapsed() < LONG {
        let received = client.get_within("/v1/inbox?wait=30", 30).await?;
        if received.status.as_u16() == 204 {
            continue;
        }
        status(&received, 200)?;
        if header(&received, "oncegate-kind") == kind && header(&received, "oncegate-message-id") == id.to_string() {
            return Ok(received);
        }
        end(client, &received, "ack").await?;
    }
    Err(unlike(&format!("no {kind} has come to {}", client.agency())))
}

/// Ends a lease.
async fn end(client: &Client, leased: &Received, how: &str) -> Result<(), WorldError> {
    let path = format!("/v1/inbox/{}/{how}", header(leased, "oncegate-lease"));
    status(&client.post_to(&path, "application/json", Vec::new()).await?, 200)
}

fn header<'r>(received: &'r Received, name: &str) -> &'r str {
    received.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

fn status(received: &Received, wanted: u16) -> Result<(), WorldError> {
    if received.status.as_u16() == wanted {
        return Ok(());
    }
    let problem = problem_of(received);
    Err(unlike(&format!("status {}, not {wanted}: {} {}", received.status, problem.code, problem.detail)))
}

fn code(text: &str) -> Result<Code, WorldError> {
    Code::parse(text).ok_or_else(|| unlike(&format!("\"{text}\" is not a code")))
}

fn unlike(what: &str) -> WorldError {
    WorldError::Unlike(what.to_owned())
}

/// Writes a scan, piece by piece.
fn write_scan(path: &Path) -> io::Result<()> {
    let (mut file, mut piece) = (File::create(path)?, vec![0x5A; PIECE_BYTES]);
    let mut left = SCAN_BYTES;
    while left > 0 {
        if let Some(number) = piece.first_chunk_mut::<8>() {
            *number = left.to_le_bytes();
        }
        let count = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.write_all(piece.get(..count).unwrap_or_default())?;
        left -= count as u64;
    }
    Ok(())
}

/// How many octets the files of a folder have.
fn octets_in(folder: &Path) -> io::Result<u64> {
    std::fs::read_dir(folder)?.map(|entry| entry?.metadata().map(|metadata| metadata.len())).sum()
}
