//! Agencies that want to take part and are not in the registry yet: what they have sent waits in `data/joins` for an operator.
//!
//! Nobody proves who he is here. What waits says which name somebody wants and which keys he has; its code is the hash of all of it, and
//! the operator compares the code with whoever asked, by telephone or on paper, before it is approved. The door is shut unless the
//! operator has opened it, and then for some days. What is said to the newcomer is public: certificates and addresses.

use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Digest};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::host::store::{make_folder, replace};
use crate::message::crypto::sha256;
use crate::message::pki::read_request;
use crate::rules::registry::Url;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// What a newcomer sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Application {
    /// The form of this object: 1.
    pub format: u32,
    /// The name in messages that it wants.
    pub agency: String,
    /// Its name for people.
    pub name: String,
    /// Where it is asked: `https://host:port/path`, or `outbound`; nothing if it holds no documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The document types that it holds.
    #[serde(default)]
    pub holds: Vec<String>,
    /// A certificate request (PKCS#10, PEM) for its systems' key.
    pub tls_request: String,
    /// The same for the key that it signs with.
    pub sign_request: String,
}

/// What a newcomer is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase", deny_unknown_fields)]
pub enum State {
    /// Nobody has decided.
    Waiting,
    /// It is in the registry.
    #[serde(rename_all = "camelCase")]
    Approved {
        /// The certificate of its systems, PEM.
        tls: String,
        /// The certificate of its signing key, PEM.
        sign: String,
        /// Where it reaches the gateway.
        gateway: String,
    },
    /// It was turned away.
    Refused {
        /// Why, in the operator's words.
        reason: String,
    },
}

/// What an operator finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What names it.
    pub code: Digest,
    /// What was sent.
    pub application: Application,
    /// When.
    pub since: UnixTime,
    /// What was decided.
    pub state: State,
}

/// The part of a code that people compare: 80 bits in groups of four digits.
pub fn spoken(code: &Digest) -> String {
    let digits = code.to_string();
    let groups: Vec<&str> = (0..5).filter_map(|group| digits.get(group * 4..group * 4 + 4)).collect();
    groups.join("-")
}

impl Application {
    /// Reads what was sent, and looks at all of it.
    pub fn parse(octets: &[u8]) -> Result<Self, Fault> {
        let wrong = |what: &str| Fault::at(Code::JoinForm, what.to_owned());
        let this: Self = serde_json::from_slice(octets).map_err(|cause| wrong(&cause.to_string()))?;
        if this.format != 1 {
            return Err(wrong("format: it is 1"));
        }
        if AgencyId::parse(&this.agency).is_none() {
            return Err(wrong("agency: a name looks like ru.yar.school-17"));
        }
        let is_title = |text: &str| !text.trim().is_empty() && !text.chars().any(char::is_control);
        if !is_title(&this.name) || this.name.chars().count() > limits::JOIN_NAME_CHARS_MAX {
            return Err(wrong("name: one line of text"));
        }
        let is_url = |url: &String| url == "outbound" || Url::parse(url).is_some();
        if !this.url.iter().all(is_url) || (this.url.is_none() && !this.holds.is_empty()) {
            return Err(wrong("url: a holder says https://host:port/path, or outbound"));
        }
        let is_type = |name: &String| crate::base::ids::Code::parse(name).is_some();
        if this.holds.len() > limits::JOIN_HOLDS_MAX || !this.holds.iter().all(is_type) {
            return Err(wrong("holds: document types, such as medical-absence-note"));
        }
        for (name, request) in [("tlsRequest", &this.tls_request), ("signRequest", &this.sign_request)] {
            read_request(request).map_err(|cause| wrong(&format!("{name}: {cause}")))?;
        }
        Ok(this)
    }
}

/// The folder of those who wait.
pub struct Joins {
    folder: PathBuf,
}

impl Joins {
    /// That of the data of a gateway.
    pub fn of(data: &Path) -> Self {
        Self { folder: data.join("joins") }
    }

    /// Opens the door until then.
    pub fn open_until(&self, until: UnixTime) -> io::Result<()> {
        make_folder(&self.folder)?;
        replace(&self.folder.join(DOOR), format!("{}\n", until.as_ms()).as_bytes(), 0o644)
    }

    /// Until when the door is open, if it is open now.
    pub fn is_open(&self, now: UnixTime) -> Option<UnixTime> {
        let text = std::fs::read_to_string(self.folder.join(DOOR)).ok()?;
        let until = UnixTime::from_ms(text.trim_end().parse().ok()?);
        (now < until).then_some(until)
    }

    /// Keeps what was sent until somebody decides; what is there already stays as it is.
    pub fn put(&self, octets: &[u8], now: UnixTime) -> Result<(Digest, State), Fault> {
        let unkept = |cause: io::Error| Fault::new(Code::HttpBusy).with_private(cause.to_string());
        let code = sha256(octets);
        if let Some(state) = self.state(&code) {
            return Ok((code, state));
        }
        if self.is_open(now).is_none() {
            return Err(Fault::new(Code::JoinShut));
        }
        Application::parse(octets)?;
        make_folder(&self.folder).map_err(unkept)?;
        if self.sweep(now).map_err(unkept)? >= limits::JOINS_MAX {
            return Err(Fault::new(Code::JoinFull));
        }
        replace(&self.path(&code, APPLICATION), octets, 0o600).map_err(unkept)?;
        Ok((code, State::Waiting))
    }

    /// What was decided of what this code names.
    pub fn state(&self, code: &Digest) -> Option<State> {
        match std::fs::read(self.path(code, DECISION)) {
            Ok(octets) => serde_json::from_slice(&octets).ok(),
            Err(_) => self.path(code, APPLICATION).exists().then_some(State::Waiting),
        }
    }

    /// All that have sent something, the newest last.
    pub fn all(&self) -> io::Result<Vec<Waiting>> {
        let mut all = Vec::new();
        for code in self.codes()? {
            let path = self.path(&code, APPLICATION);
            let Ok(application) = Application::parse(&std::fs::read(&path)?) else { continue };
            let state = self.state(&code).unwrap_or(State::Waiting);
            all.push(Waiting { code, application, since: since(&path)?, state });
        }
        all.sort_by_key(|waiting| (waiting.since, waiting.code));
        Ok(all)
    }

    /// Says what was decided.
    pub fn decide(&self, code: &Digest, state: &State) -> io::Result<()> {
        let octets = serde_json::to_vec(state)?;
        replace(&self.path(code, DECISION), &octets, 0o600)
    }

    /// Takes away what is too old; gives how many wait for a decision.
    fn sweep(&self, now: UnixTime) -> io::Result<usize> {
        let mut count = 0;
        for code in self.codes()? {
            let path = self.path(&code, APPLICATION);
            if since(&path)?.distance_ms(now) <= limits::JOIN_KEPT_MS {
                count += usize::from(!self.path(&code, DECISION).exists());
                continue;
            }
            std::fs::remove_file(&path)?;
            match std::fs::remove_file(self.path(&code, DECISION)) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
                _ => {}
            }
        }
        Ok(count)
    }

    fn codes(&self) -> io::Result<Vec<Digest>> {
        let names = match std::fs::read_dir(&self.folder) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            names => names?,
        };
        let mut codes = Vec::new();
        for name in names {
            let name = name?.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(APPLICATION));
            codes.extend(stem.and_then(Digest::parse_hex));
        }
        Ok(codes)
    }

    fn path(&self, code: &Digest, ending: &str) -> PathBuf {
        self.folder.join(format!("{code}{ending}"))
    }
}

/// When a file was written.
fn since(path: &Path) -> io::Result<UnixTime> {
    let written = std::fs::metadata(path)?.modified()?.duration_since(std::time::UNIX_EPOCH);
    Ok(UnixTime::from_ms(written.map_or(0, |since| since.as_millis() as u64)))
}

/// Until when the door is open.
const DOOR: &str = "open-until";
const APPLICATION: &str = ".request.json";
const DECISION: &str = ".decision.json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_spoken_in_five_groups() {
        assert_eq!(spoken(&Digest::from_octets([0xab; 32])), "abab-abab-abab-abab-abab");
    }

    #[test]
    fn nothing_is_taken_while_the_door_is_shut_nor_what_is_not_understood() {
        let folder = std::env::temp_dir().join(format!("oncegate-joins-{}", std::process::id()));
        let joins = Joins::of(&folder);
        let now = UnixTime::from_ms(1_000_000);
        let code = |result: Result<_, Fault>| result.err().map(|fault| fault.code);
        assert_eq!(code(joins.put(b"{}", now)), Some(Code::JoinShut));
        joins.open_until(UnixTime::from_ms(1_000_001)).expect("writable");
        for wrong in ["", "{}", "[1]", "{\"format\":2}", "{\"format\":1,\"agency\":\"xx.a\",\"more\":1}"] {
            assert_eq!(code(joins.put(wrong.as_bytes(), now)), Some(Code::JoinForm), "{wrong}");
        }
        assert_eq!(code(joins.put(b"{}", UnixTime::from_ms(1_000_001))), Some(Code::JoinShut));
        assert!(joins.all().expect("readable").is_empty());
        std::fs::remove_dir_all(&folder).expect("removable");
    }

    #[test]
    fn what_is_too_old_is_taken_away_when_somebody_comes() {
        let folder = std::env::temp_dir().join(format!("oncegate-joins-old-{}", std::process::id()));
        let joins = Joins::of(&folder);
        make_folder(&joins.folder).expect("writable");
        let code = Digest::from_octets([1; 32]);
        std::fs::write(joins.path(&code, APPLICATION), "{}").expect("writable");
        let written = since(&joins.path(&code, APPLICATION)).expect("readable");
        let left = |after: u64| joins.sweep(written.plus_ms(after)).expect("swept");
        assert_eq!(left(limits::JOIN_KEPT_MS), 1);
        joins.decide(&code, &State::Refused { reason: "no".to_owned() }).expect("writable");
        assert_eq!(left(limits::JOIN_KEPT_MS), 0, "it waits no more");
        assert!(joins.state(&code).is_some());
        assert_eq!(left(limits::JOIN_KEPT_MS + 1), 0);
        assert!(joins.state(&code).is_none() && !joins.path(&code, DECISION).exists());
        std::fs::remove_dir_all(&folder).expect("removable");
    }
}
