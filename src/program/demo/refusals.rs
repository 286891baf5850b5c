//! Every way to be refused, as data: what is sent, the code it gets, and a twin that is just accepted.

use super::people::Person;
use super::provider::Behaviour;
use super::world::World;
use crate::base::fault::Code;
use crate::base::ids::{AgencyId, Code as Word, MessageId};
use crate::base::time::UnixTime;
use crate::faces::client::{Client, ClientError, Problem};
use crate::message::envelope::{Ask, Body, Context, Described, Kind, Message, World as MessageWorld, write};
use crate::message::schema::FieldPath;
use rustls::pki_types::ServerName;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// One way to be refused.
pub struct Case {
    /// What is wrong, in words.
    pub name: &'static str,
    /// The code it gets.
    pub code: Code,
    /// What is sent.
    pub bad: Shape,
    /// What is like it and just accepted.
    pub twin: Shape,
}

/// How a message is made and sent.
#[derive(Clone, Copy)]
pub enum Shape {
    /// A request, changed before it is written and signed.
    Edit(fn(&mut Message)),
    /// A request whose markup is changed before it is signed.
    Before(fn(&str) -> String),
    /// A request whose markup is changed after it was signed.
    After(fn(&str) -> String),
    /// A request of another agency.
    As(&'static str),
    /// A request of the school, signed by another agency.
    SignedBy(&'static str),
    /// Two requests of one id, the second changed.
    Twice(fn(&mut Message)),
    /// So many requests of an agency at once.
    Many(&'static str, usize),
    /// A request about somebody whose register behaves like this.
    About(Behaviour),
    /// The same, with a request that is good for a moment only: what fails is tried again for as long as a request is good.
    Brief(Behaviour),
    /// An application whose document's markup is changed.
    Application(fn(&str) -> String),
    /// An HTTP request of its own, made from a signed message.
    Http(fn(&str) -> Vec<u8>),
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The HTTP status.
    pub status: u16,
    /// The problem, if it was refused.
    pub problem: Problem,
    /// Whether a stored outcome was given again.
    pub is_replayed: bool,
}

/// Whether a case went as it should.
pub struct Verdict {
    /// What the bad one got.
    pub bad: Sent,
    /// What its twin got.
    pub twin: Sent,
}

impl Case {
    /// Sends both, the twin first.
    pub async fn run(&self, world: &World) -> Result<Verdict, ClientError> {
        let twin = self.twin.send(world).await?;
        let bad = self.bad.send(world).await?;
        Ok(Verdict { bad, twin })
    }
}

impl Verdict {
    /// Whether the bad one was refused with the case's code, blame, retry and status, with a record, and the twin was not.
    pub fn is_right(&self, case: &Case) -> bool {
        let (code, problem) = (case.code, &self.bad.problem);
        let is_refused = problem.code == code.as_str() && self.bad.status == code.status() && problem.log_index.is_some();
        let is_told =
            problem.blame == code.blame().as_str() && problem.retry == code.retry().as_str() && !problem.help.is_empty();
        is_refused && is_told && self.twin.status < 300
    }
}

impl Shape {
    /// Makes and sends it.
    pub async fn send(self, world: &World) -> Result<Sent, ClientError> {
        let school = client(world, "xx.demo.school-17")?;
        if let Some((sender, octets)) = self.message(world)? {
            // A word of progress is no answer to an application, and the registers of the demo give no other.
            let prefer = if matches!(self, Self::Application(_)) { "respond-async" } else { WAIT };
            return post_with(&sender, octets, prefer).await;
        }
        match self {
            Self::Twice(edit) => {
                let mut message = message(world, &school)?;
                post(&school, sign(&school, &write(&message, ""))?).await?;
                edit(&mut message);
                post(&school, sign(&school, &write(&message, ""))?).await
            }
            Self::Many(name, count) => {
                let other = client(world, name)?;
                let mut last = None;
                for _ in 0..count {
                    last = Some(post(&other, sign(&other, &edited(world, &other, as_anybody)?)?).await?);
                }
                last.ok_or_else(|| ClientError::Config("none was to be sent".to_owned()))
            }
            Self::About(behaviour) | Self::Brief(behaviour) => {
                let number = behaviour.household() * 4;
                let mut message = message(world, &school)?;
                if let Self::Brief(_) = self {
                    shorten(&mut message);
                }
                let context = message.context.as_mut();
                if let (Some(context), Some(person)) = (context, world.people().get(number as usize)) {
                    context.subject = person.subject();
                }
                post(&school, sign(&school, &write(&message, ""))?).await
            }
            Self::Http(make) => raw(world, &make(&text(&sign(&school, &written(world, &school)?)?))).await,
            _ => Err(ClientError::Config("this is one message".to_owned())),
        }
    }

    /// The message, and who sends it, if it is one message that whoever has it could judge.
    pub fn message(self, world: &World) -> Result<Option<(Client, Vec<u8>)>, ClientError> {
        let school = client(world, "xx.demo.school-17")?;
        let octets = match self {
            Self::Edit(edit) => sign(&school, &edited(world, &school, edit)?)?,
            Self::Before(change) => sign(&school, &change(&written(world, &school)?))?,
            Self::After(change) => change(&text(&sign(&school, &written(world, &school)?)?)).into_bytes(),
            Self::As(name) => {
                let other = client(world, name)?;
                let octets = sign(&other, &edited(world, &other, as_anybody)?)?;
                return Ok(Some((other, octets)));
            }
            Self::SignedBy(name) => sign(&client(world, name)?, &written(world, &school)?)?,
            Self::Application(change) => sign(&school, &application(world, &school, change)?)?,
            Self::Twice(_) | Self::Many(..) | Self::About(_) | Self::Brief(_) | Self::Http(_) => return Ok(None),
        };
        Ok(Some((school, octets)))
    }
}

fn client(world: &World, name: &str) -> Result<Client, ClientError> {
    Client::load(&world.agency_folder(name))
}

fn sign(client: &Client, markup: &str) -> Result<Vec<u8>, ClientError> {
    // What cannot be signed is sent as it is: the gateway has to refuse it before it looks for a signature.
    client.sign_markup(markup).or_else(|_| Ok(markup.as_bytes().to_vec()))
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// The pupil of the first household, who has an absence note.
fn pupil(world: &World) -> Option<&Person> {
    world.people().first()
}

fn word(text: &str) -> Word {
    Word::parse(text).expect("the words of the cases are codes")
}

fn message(world: &World, client: &Client) -> Result<Message, ClientError> {
    let subject = pupil(world).map(Person::subject).unwrap_or_default();
    let ask = Ask { document_type: word("medical-absence-note"), of: None, select: Vec::new(), during: None };
    Ok(Message {
        header: client.header(Kind::Request, None, None, MessageWorld::Live)?,
        context: Some(Context::new(word("school-attendance"), "XX:HEALTH:13", subject)),
        body: Body::Ask(ask),
        attachments: Vec::new(),
    })
}

fn edited(world: &World, client: &Client, edit: fn(&mut Message)) -> Result<String, ClientError> {
    let mut message = message(world, client)?;
    edit(&mut message);
    Ok(write(&message, ""))
}

fn written(world: &World, client: &Client) -> Result<String, ClientError> {
    edited(world, client, |_| ())
}

/// Any office of the demo may ask for this purpose.
fn as_anybody(message: &mut Message) {
    if let Some(context) = &mut message.context {
        context.purpose = word("fault-finding");
        context.legal_basis = vec!["XX:TEST:1".to_owned()];
    }
}

fn application(world: &World, client: &Client, change: fn(&str) -> String) -> Result<String, ClientError> {
    let mut message = message(world, client)?;
    message.header.kind = Kind::Application;
    message.header.to = AgencyId::parse("xx.demo.clinic-3");
    message.body = Body::Documents(Vec::new());
    if let Some(context) = &mut message.context {
        context.purpose = word("absence-review");
        context.legal_basis = vec!["XX:HEALTH:14".to_owned()];
    }
    let example = crate::message::schema::Schemas::example("medical-absence-note").unwrap_or("");
    let markup = example.split_once("?>").map_or(example, |(_, markup)| markup);
    Ok(write(&message, &change(markup)))
}

async fn post(client: &Client, octets: Vec<u8>) -> Result<Sent, ClientError> {
    post_with(client, octets, WAIT).await
}

async fn post_with(client: &Client, octets: Vec<u8>, prefer: &str) -> Result<Sent, ClientError> {
    let received = client.post(octets, prefer, Duration::from_secs(40)).await?;
    let problem = if received.status.is_success() { Problem::default() } else { crate::faces::client::problem_of(&received) };
    Ok(Sent { status: received.status.as_u16(), problem, is_replayed: received.headers.contains_key("oncegate-replayed") })
}

/// Sends octets of our own over TLS, and reads the status line and the body.
async fn raw(world: &World, request: &[u8]) -> Result<Sent, ClientError> {
    let broken = |cause: std::io::Error| ClientError::Unreachable(cause.to_string());
    let folder = world.agency_folder("xx.demo.school-17");
    let identity =
        crate::host::transport::Identity::load(&folder.join("tls.pem"), &folder.join("tls.key"), &folder.join("ca.pem"), None);
    let tls = identity.and_then(|identity| identity.client()).map_err(|error| ClientError::Config(error.to_string()))?;
    let stream = tokio::net::TcpStream::connect(world.exchange_address()).await.map_err(broken)?;
    let name = ServerName::try_from("localhost").map_err(|error| ClientError::Config(error.to_string()))?;
    let mut stream = tokio_rustls::TlsConnector::from(tls).connect(name, stream).await.map_err(broken)?;
    stream.write_all(request).await.map_err(broken)?;
    let mut response = Vec::new();
    // A peer that refuses a body it has not read may reset the connection after its answer.
    let _ = stream.read_to_end(&mut response).await;
    let response = text(&response);
    let status = response.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = response.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let problem = serde_json::from_str(body).unwrap_or_default();
    Ok(Sent { status, problem, is_replayed: false })
}

fn http(method_and_path: &str, headers: &str, body: &str) -> Vec<u8> {
    let common = "Host: localhost\r\nAccept: application/json\r\nConnection: close\r\n";
    format!("{method_and_path} HTTP/1.1\r\n{common}{headers}\r\n{body}").into_bytes()
}

fn posted(headers: &str, body: &str) -> Vec<u8> {
    http("POST /v1/messages", &format!("{headers}Content-Length: {}\r\n", body.len()), body)
}

fn good_post(body: &str) -> Vec<u8> {
    posted("Content-Type: application/xml; charset=utf-8\r\n", body)
}

fn same(_: &mut Message) {}

fn as_is(markup: &str) -> String {
    markup.to_owned()
}

/// Moves all times of a message, its id's included.
fn move_times(message: &mut Message, created_at: UnixTime) {
    let header = &mut message.header;
    header.created_at = created_at;
    header.expires_at = created_at.plus_ms(5 * 60 * 1000);
    header.id = MessageId::new(created_at, crate::message::crypto::random().unwrap_or_default());
}

/// Asks for an answer soon or never.
fn shorten(message: &mut Message) {
    message.header.expires_at = message.header.created_at.plus_ms(BRIEF);
}

/// Asks a holder that is never there.
fn ask_who_is_away(message: &mut Message) {
    message.header.to = AgencyId::parse("xx.demo.clinic-9");
    shorten(message);
}

fn declare(markup: &str, count: usize) -> String {
    let declarations: String = (0..count).map(|n| format!(" xmlns:n{n}=\"urn:n:{n}\"")).collect();
    markup.replacen("<Header>", &format!("<Header{declarations}>"), 1)
}

const fn case(name: &'static str, code: Code, bad: Shape, twin: Shape) -> Case {
    Case { name, code, bad, twin }
}

const WAIT: &str = "wait=20";
const MINUTE: u64 = 60 * 1000;
/// Longer than a request takes to be accepted on a busy machine.
const BRIEF: u64 = 2 * 1000;
const GOOD: Shape = Shape::Edit(same);
/// The same as [`GOOD`], for cases whose fault is in the spelling.
const PLAIN: Shape = Shape::Before(as_is);

use Shape::{About, After, Application, As, Before, Brief, Edit, Http, Many, SignedBy, Twice};

/// All cases.
pub const CASES: &[Case] = &[
    // Framing.
    case(
        "no Content-Length",
        Code::HttpLengthRequired,
        Http(|m| {
            http(
                "POST /v1/messages",
                "Content-Type: application/xml\r\nTransfer-Encoding: chunked\r\n",
                &format!("{:x}\r\n{m}\r\n0\r\n\r\n", m.len()),
            )
        }),
        Http(good_post),
    ),
    case(
        "both Transfer-Encoding and Content-Length",
        Code::HttpLengthRequired,
        Http(|m| posted("Content-Type: application/xml\r\nTransfer-Encoding: chunked\r\n", m)),
        Http(good_post),
    ),
    case(
        "too large",
        Code::HttpTooLarge,
        Http(|_| http("POST /v1/messages", "Content-Type: application/xml\r\nContent-Length: 1048577\r\n", "")),
        Before(|m| m.replacen("<Header>", &format!("{}<Header>", " ".repeat(500_000)), 1)),
    ),
    case(
        "too slow",
        Code::HttpTimeout,
        Http(|m| http("POST /v1/messages", &format!("Content-Type: application/xml\r\nContent-Length: {}\r\n", m.len() + 1), m)),
        Http(good_post),
    ),
    case(
        "not XML by its media type",
        Code::HttpMediaType,
        Http(|m| posted("Content-Type: text/plain\r\n", m)),
        Http(|m| posted("Content-Type: text/xml\r\n", m)),
    ),
    case(
        "compressed",
        Code::HttpMediaType,
        Http(|m| posted("Content-Type: application/xml\r\nContent-Encoding: gzip\r\n", m)),
        Http(|m| posted("Content-Type: application/xml\r\nContent-Encoding: identity\r\n", m)),
    ),
    case(
        "no such path",
        Code::HttpNoSuchPath,
        Http(|_| http("GET /v1/nothing", "", "")),
        Http(|_| http("GET /v1/catalogue", "", "")),
    ),
    case("a method that is not allowed", Code::HttpMethod, Http(|_| http("DELETE /v1/messages", "", "")), Http(good_post)),
    case(
        "a message that nobody sent",
        Code::MsgUnknown,
        Http(|_| http("GET /v1/messages/01990a5d-ac96-774b-8cce-b302099a8057", "", "")),
        Http(|_| http("GET /v1/trail", "", "")),
    ),
    // Who.
    case("a certificate that nobody registered", Code::TlsUnknownCertificate, As("xx.demo.stranger"), GOOD),
    case("a suspended agency", Code::TlsAgencySuspended, As("xx.demo.suspended"), As("xx.demo.social-fund")),
    case(
        "another sender than the certificate's",
        Code::SigSender,
        Edit(|m| m.header.from = AgencyId::parse("xx.demo.social-fund").expect("a name")),
        GOOD,
    ),
    case(
        "an agency that nobody knows",
        Code::SigSender,
        Edit(|m| m.header.from = AgencyId::parse("xx.demo.nobody").expect("a name")),
        GOOD,
    ),
    case("signed with another agency's key", Code::SigKeyUnknown, SignedBy("xx.demo.social-fund"), GOOD),
    case("signed with an expired key", Code::SigKeyExpired, As("xx.demo.old-key"), As("xx.demo.social-fund")),
    case("signed with a revoked key", Code::SigKeyRevoked, As("xx.demo.lost-key"), As("xx.demo.social-fund")),
    // XML.
    case(
        "a byte order mark",
        Code::XmlNotUtf8,
        After(|m| format!("\u{feff}{m}")),
        After(|m| format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{m}")),
    ),
    case("a NUL", Code::XmlNotUtf8, After(|m| m.replacen("<Header>", "<Header>\0", 1)), PLAIN),
    case("not well-formed", Code::XmlMalformed, After(|m| m.replacen("</Header>", "</Haeder>", 1)), PLAIN),
    case("cut off", Code::XmlMalformed, After(|m| m[..m.len() - 3].to_owned()), After(|m| format!("{m}\n"))),
    case(
        "a DOCTYPE",
        Code::XmlDoctype,
        After(|m| format!("<!DOCTYPE Message [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>{m}")),
        PLAIN,
    ),
    case("a processing instruction", Code::XmlInstruction, Before(|m| m.replacen("<Header>", "<?x y?><Header>", 1)), PLAIN),
    case(
        "a comment",
        Code::XmlComment,
        Before(|m| m.replacen("school-attendance", "school-<!-- -->attendance", 1)),
        Before(|m| m.replacen("school-attendance", "school-attend&#97;nce", 1)),
    ),
    case(
        "a CDATA section",
        Code::XmlCdata,
        Before(|m| m.replacen("school-attendance", "<![CDATA[school-attendance]]>", 1)),
        PLAIN,
    ),
    case("an entity", Code::XmlEntity, Before(|m| m.replacen("school-attendance", "&purpose;", 1)), PLAIN),
    case(
        "XML 1.1",
        Code::XmlVersion,
        After(|m| format!("<?xml version=\"1.1\"?>{m}")),
        After(|m| format!("<?xml version=\"1.0\" standalone=\"no\"?>{m}")),
    ),
    case(
        "a relative namespace",
        Code::XmlNamespace,
        Before(|m| m.replacen("<Header>", "<Header xmlns:r=\"relative\">", 1)),
        Before(|m| m.replacen("<Header>", "<Header xmlns:r=\"urn:absolute\">", 1)),
    ),
    case(
        "xsi:schemaLocation",
        Code::XmlForbiddenAttribute,
        Before(|m| {
            m.replacen(
                "<Message ",
                "<Message xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"a b\" ",
                1,
            )
        }),
        PLAIN,
    ),
    case(
        "xsi:type with a prefix that is not signed",
        Code::XmlQName,
        Before(|m| {
            m.replacen(
                "<Body>",
                "<Body xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:q=\"urn:q\" xsi:type=\"q:T\">",
                1,
            )
        }),
        PLAIN,
    ),
    case("too many namespaces", Code::XmlLimit, Before(|m| declare(m, 65)), Before(|m| declare(m, 50))),
    // Signature.
    case("no signature", Code::SigMissing, After(without_signature), PLAIN),
    case(
        "two signatures",
        Code::SigProfile,
        After(|m| m.replacen("</Message>", &format!("{}</Message>", signature_of(m)), 1)),
        PLAIN,
    ),
    case(
        "a signature that is not the last child",
        Code::SigProfile,
        After(|m| without_signature(m).replacen("<Header>", &format!("{}<Header>", signature_of(m)), 1)),
        PLAIN,
    ),
    case(
        "an attribute on the signature",
        Code::SigProfile,
        After(|m| m.replacen("<Signature ", "<Signature Id=\"s\" ", 1)),
        PLAIN,
    ),
    case(
        "an Object in the signature",
        Code::SigProfile,
        After(|m| m.replacen("</Signature>", "<Object></Object></Signature>", 1)),
        PLAIN,
    ),
    case(
        "a transform that the profile does not have",
        Code::SigProfile,
        After(|m| {
            m.replacen("http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/TR/1999/REC-xslt-19991116", 1)
        }),
        PLAIN,
    ),
    case(
        "inclusive canonicalisation",
        Code::SigProfile,
        After(|m| m.replacen("http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", 1)),
        PLAIN,
    ),
    case("a reference to a part", Code::SigProfile, After(|m| m.replacen("URI=\"\"", "URI=\"#x\"", 1)), PLAIN),
    case(
        "SHA-1",
        Code::SigProfile,
        After(|m| m.replacen("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1", 1)),
        PLAIN,
    ),
    case(
        "a signature method that nobody knows",
        Code::SigProfile,
        After(|m| m.replacen("#ecdsa-sha256", "#ecdsa-sha1", 1)),
        PLAIN,
    ),
    case(
        "another algorithm than the key's",
        Code::SigAlgorithm,
        After(|m| {
            m.replacen(
                "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
                "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519",
                1,
            )
        }),
        PLAIN,
    ),
    case(
        "two certificates",
        Code::SigProfile,
        After(|m| m.replacen("</X509Data>", "<X509Certificate>AA==</X509Certificate></X509Data>", 1)),
        PLAIN,
    ),
    case(
        "text between the parts of the signature",
        Code::SigProfile,
        After(|m| m.replacen("<SignatureValue>", "x<SignatureValue>", 1)),
        After(|m| m.replacen("<SignatureValue>", "\n<SignatureValue>", 1)),
    ),
    case(
        "changed after it was signed",
        Code::SigDigest,
        After(|m| m.replacen("school-attendance", "school-attendancf", 1)),
        After(|m| m.replacen("school-attendance", "school-attend&#97;nce", 1)),
    ),
    case("a signature value that is another's", Code::SigInvalid, After(swap_signature), PLAIN),
    case(
        "SignerCertificate of another certificate",
        Code::SigCertificate,
        Edit(|m| m.header.signer_certificate = Some(crate::message::crypto::sha256(b"another"))),
        GOOD,
    ),
    // Envelope.
    case(
        "an element that the envelope does not have",
        Code::MsgStructure,
        Before(|m| m.replacen("<Header>", "<Extra></Extra><Header>", 1)),
        PLAIN,
    ),
    case("an element missing", Code::MsgStructure, Before(|m| m.replacen("<Kind>request</Kind>", "", 1)), PLAIN),
    case(
        "a value of the wrong form",
        Code::MsgValue,
        Before(|m| m.replacen("<Kind>request", "<Kind>question", 1)),
        Before(|m| m.replacen("<Kind>request", "<Kind>\nrequest ", 1)),
    ),
    case("a cancel of nothing", Code::MsgReplyTo, Edit(|m| (m.header.kind, m.body) = (Kind::Cancel, state(m))), GOOD),
    case("a body that is another kind's", Code::MsgStructure, Edit(|m| m.header.kind = Kind::Event), GOOD),
    case("a request with a body of a status", Code::MsgStructure, Edit(|m| m.body = state(m)), GOOD),
    case("no context", Code::MsgContext, Edit(|m| m.context = None), GOOD),
    case(
        "an identifier with a wrong check digit",
        Code::DocCheckDigit,
        Before(|m| m.replacen("XX-OGTEST\">99", "RU-SNILS\">99", 1)),
        PLAIN,
    ),
    case(
        "a clock that is wrong",
        Code::MsgClock,
        Edit(|m| move_times(m, crate::gateway::driver::now().minus_ms(6 * MINUTE))),
        Edit(|m| move_times(m, crate::gateway::driver::now().minus_ms(4 * MINUTE))),
    ),
    case(
        "a time in the future",
        Code::MsgClock,
        Edit(|m| move_times(m, crate::gateway::driver::now().plus_ms(6 * MINUTE))),
        Edit(|m| move_times(m, crate::gateway::driver::now().plus_ms(4 * MINUTE))),
    ),
    case(
        "an id of another time",
        Code::MsgStaleId,
        Edit(|m| m.header.id = MessageId::new(m.header.created_at.minus_ms(6 * MINUTE), [9; 10])),
        GOOD,
    ),
    case(
        "an id older than the window",
        Code::MsgStaleId,
        Edit(|m| move_times(m, crate::gateway::driver::now().minus_ms(49 * 60 * MINUTE))),
        GOOD,
    ),
    case(
        "valid for too long",
        Code::MsgLifetime,
        Edit(|m| m.header.expires_at = m.header.created_at.plus_ms(24 * 60 * MINUTE + 1)),
        Edit(|m| m.header.expires_at = m.header.created_at.plus_ms(24 * 60 * MINUTE)),
    ),
    case(
        "expired",
        Code::MsgExpired,
        Edit(|m| {
            move_times(m, crate::gateway::driver::now().minus_ms(2 * MINUTE));
            m.header.expires_at = m.header.created_at.plus_ms(MINUTE);
        }),
        GOOD,
    ),
    case(
        "an id used again for another content",
        Code::MsgReplayed,
        Twice(|m| m.header.expires_at = m.header.expires_at.plus_ms(1)),
        Twice(same),
    ),
    case("an answer to nothing", Code::MsgReplyTo, Edit(|m| (m.header.kind, m.body) = (Kind::Status, state(m))), GOOD),
    case("a test message of a live agency", Code::MsgTest, Edit(|m| m.header.world = MessageWorld::Test), GOOD),
    // Right and purpose.
    case("no grant", Code::PolNoGrant, Edit(|m| ask_for(m, "identity-record")), GOOD),
    case("another purpose", Code::PolPurpose, Edit(|m| with_context(m, "curiosity", "XX:HEALTH:13")), GOOD),
    case("another legal basis", Code::PolBasis, Edit(|m| with_context(m, "school-attendance", "XX:HEALTH:99")), GOOD),
    case("a grant that has ended", Code::PolExpired, Edit(|m| ask_for(m, "residence-record")), GOOD),
    case(
        "a field that is not granted",
        Code::PolField,
        Edit(|m| select(m, &["Absence", "Diagnosis"])),
        Edit(|m| select(m, &["Absence", "PeExemption"])),
    ),
    case("an attribute that no document has", Code::PolField, Edit(|m| select(m, &["Absence", "@id"])), GOOD),
    case("a role that no document has", Code::PolNoGrant, Edit(|m| in_role(m, "witness")), GOOD),
    case("an organisation where persons are", Code::PolNoGrant, Edit(about_organisation), GOOD),
    case("a document type that nobody knows", Code::DocUnknown, Edit(|m| ask_for(m, "horoscope")), GOOD),
    case(
        "a holder that does not hold it",
        Code::RteNoHolder,
        Edit(|m| m.header.to = AgencyId::parse("xx.demo.maternity")),
        Edit(|m| m.header.to = AgencyId::parse("xx.demo.clinic-3")),
    ),
    // Documents on the way in.
    case(
        "a document that breaks its schema",
        Code::DocSchema,
        Application(|d| d.replacen("<Reason>illness", "<Reason>laziness", 1)),
        Application(as_is),
    ),
    case(
        "a document that nobody knows",
        Code::DocUnknown,
        Application(|_| "<x xmlns=\"urn:x\"></x>".to_owned()),
        Application(as_is),
    ),
    case(
        "a period whose days are miscounted",
        Code::DocPeriod,
        Application(|d| d.replacen("<Days>6<", "<Days>7<", 1)),
        Application(as_is),
    ),
    // Providers.
    case("a provider that stays down", Code::RteDeadline, Edit(ask_who_is_away), GOOD),
    case("a provider that stays slow", Code::RteDeadline, Brief(Behaviour::Slow), About(Behaviour::Later)),
    case("a provider that never has room", Code::RteDeadline, Brief(Behaviour::Busy), Brief(Behaviour::Honest)),
    case("a provider that fails", Code::RteBadAnswer, About(Behaviour::Failing), About(Behaviour::Honest)),
    case("a provider that answers garbage", Code::RteBadAnswer, About(Behaviour::Garbage), About(Behaviour::Honest)),
    case("a provider that answers too much", Code::RteBadAnswer, About(Behaviour::TooLarge), About(Behaviour::Honest)),
    case("an answer with a bad signature", Code::RteBadAnswer, About(Behaviour::BadSignature), About(Behaviour::Honest)),
    case("an answer that breaks its schema", Code::RteBadAnswer, About(Behaviour::Invalid), About(Behaviour::Honest)),
    case("an answer with a wrong check digit", Code::RteBadAnswer, About(Behaviour::CheckDigit), About(Behaviour::Honest)),
    case("an answer of another type", Code::RteBadAnswer, About(Behaviour::WrongType), About(Behaviour::Honest)),
    case("an answer to another question", Code::RteWrongQuestion, About(Behaviour::WrongQuestion), About(Behaviour::Honest)),
    case("an answer about another person", Code::RteWrongSubject, About(Behaviour::WrongSubject), About(Behaviour::Honest)),
    case("an answer with a field too many", Code::PolWithheldField, About(Behaviour::ExtraField), About(Behaviour::Honest)),
    // Quota; last, since it uses the agency's up.
    case("over quota", Code::LimRequests, Many("xx.demo.hasty", 3), Many("xx.demo.hasty", 1)),
];

fn signature_of(message: &str) -> String {
    let start = message.find("<Signature ").unwrap_or(0);
    let end = message.find("</Signature>").map_or(start, |at| at + "</Signature>".len());
    message.get(start..end).unwrap_or("").to_owned()
}

fn without_signature(message: &str) -> String {
    message.replacen(&signature_of(message), "", 1)
}

/// Puts a signature value of the right form and length in place of the message's.
fn swap_signature(message: &str) -> String {
    let (start, end) = (message.find("<SignatureValue>").unwrap_or(0) + 16, message.find("</SignatureValue>").unwrap_or(0));
    // The last group of four keeps its padding and its trailing zero bits.
    let (head, tail) = message.get(start..end).unwrap_or("").split_at(84);
    let value: String = head.chars().rev().collect();
    format!("{}{value}{tail}{}", message.get(..start).unwrap_or(""), message.get(end..).unwrap_or(""))
}

fn ask_for(message: &mut Message, document_type: &str) {
    if let Body::Ask(ask) = &mut message.body {
        ask.document_type = word(document_type);
    }
}

fn select(message: &mut Message, fields: &[&str]) {
    if let Body::Ask(ask) = &mut message.body {
        ask.select = fields.iter().filter_map(|field| FieldPath::parse(field)).collect();
    }
}

fn in_role(message: &mut Message, role: &str) {
    if let Body::Ask(ask) = &mut message.body {
        ask.of = Some(word(role));
    }
}

fn about_organisation(message: &mut Message) {
    if let Some(context) = &mut message.context {
        context.subject.described = Described::Organisation(None);
    }
}

fn state(message: &Message) -> Body {
    Body::State { of: word("absence-review"), at: message.header.created_at }
}

fn with_context(message: &mut Message, purpose: &str, basis: &str) {
    let subject = message.context.take().map(|context| context.subject).unwrap_or_default();
    message.context = Some(Context::new(word(purpose), basis, subject));
}
