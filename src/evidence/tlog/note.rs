//! Signed notes and checkpoints: C2SP signed-note, tlog-checkpoint and tlog-cosignature, with Ed25519.

use super::tree::{Hash, Head};
use crate::base::limits;
use crate::message::crypto::{Algorithm, PrivateKey, PublicKey, Signer, SigningFailed, sha256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// What a signature line says: the text itself, or the text at a time, by a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The log signs its checkpoint (signature type 0x01).
    Log,
    /// A witness cosigns it (signature type 0x04).
    Witness,
}

impl Role {
    const fn octet(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Witness => 4,
        }
    }
}

/// Why a note, a key or a checkpoint is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteError {
    /// It does not have the form of a signed note.
    Form,
    /// It is a note and no checkpoint.
    Checkpoint,
    /// The text of a key is wrong.
    Key,
    /// No signature is by a key that is trusted.
    Unsigned,
    /// The signature by a trusted key does not fit.
    Signature,
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "not a signed note",
            Self::Checkpoint => "not a checkpoint",
            Self::Key => "not a verifier key (name+hash+base64)",
            Self::Unsigned => "no signature by the key that is trusted",
            Self::Signature => "the signature is wrong",
        })
    }
}

impl std::error::Error for NoteError {}

/// A public key with its name and role: `name+hash+base64`, the form of C2SP signed-note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    role: Role,
    octets: [u8; 32],
    key: PublicKey,
}

impl VerifierKey {
    fn new(name: &str, role: Role, octets: [u8; 32]) -> Option<Self> {
        let is_named = !name.is_empty()
            && name.len() <= limits::LOG_NAME_BYTES_MAX
            && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+');
        let key = PublicKey::new(Algorithm::Ed25519, &octets)?;
        let hash = sha256(&[name.as_bytes(), b"\n", &[role.octet()], &octets].concat());
        let id = *hash.octets().first_chunk()?;
        is_named.then(|| Self { name: name.to_owned(), id, role, octets, key })
    }

    /// Reads `name+hash+base64`.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(NoteError::Key) };
        let key = STANDARD.decode(key).map_err(|_| NoteError::Key)?;
        let role = match key.first() {
            Some(1) => Role::Log,
            Some(4) => Role::Witness,
            _ => return Err(NoteError::Key),
        };
        let octets = key.get(1..).and_then(|key| key.try_into().ok()).ok_or(NoteError::Key)?;
        let this = Self::new(name, role, octets).ok_or(NoteError::Key)?;
        if id == hex(this.id) { Ok(this) } else { Err(NoteError::Key) }
    }

    /// The name of the log or witness.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a log's or a witness's.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether both are of one key, by whatever names.
    pub fn is_of_same_key(&self, other: &Self) -> bool {
        self.octets == other.octets
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.role.octet()], self.octets.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex(self.id), STANDARD.encode(key))
    }
}

fn hex(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

/// A key that signs checkpoints, of a log or of a witness.
pub struct LogSigner {
    key: PrivateKey,
    verifier: VerifierKey,
}

impl LogSigner {
    /// The signer with this name; its key is Ed25519.
    pub fn new(name: &str, role: Role, key: PrivateKey) -> Result<Self, NoteError> {
        let octets = key.public_key().filter(|key| key.algorithm() == Algorithm::Ed25519).ok_or(NoteError::Key)?;
        let octets = octets.octets().try_into().map_err(|_| NoteError::Key)?;
        let verifier = VerifierKey::new(name, role, octets).ok_or(NoteError::Key)?;
        Ok(Self { key, verifier })
    }

    /// Its public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The checkpoint of a tree of the log that has this signer's name.
    pub fn checkpoint(&self, head: Head) -> Result<Checkpoint, SigningFailed> {
        let text = checkpoint_text(&self.verifier.name, &head);
        let signature = self.key.sign(text.as_bytes())?;
        let signatures = vec![SignatureLine { name: self.verifier.name.clone(), id: self.verifier.id, octets: signature }];
        Ok(Checkpoint { origin: self.verifier.name.clone(), head, note: Note { text, signatures } })
    }

    /// A witness's cosignature on a checkpoint, at a time in seconds since 1970.
    pub fn cosign(&self, checkpoint: &Checkpoint, seconds: u64) -> Result<SignatureLine, SigningFailed> {
        let signature = self.key.sign(&cosigned(&checkpoint.note.text, seconds))?;
        let octets = [seconds.to_be_bytes().as_slice(), &signature].concat();
        Ok(SignatureLine { name: self.verifier.name.clone(), id: self.verifier.id, octets })
    }
}

fn cosigned(text: &str, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

/// A signature of a note, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    name: String,
    id: [u8; 4],
    octets: Vec<u8>,
}

impl SignatureLine {
    /// Reads one line, without its end.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let (name, value) = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' ')).ok_or(NoteError::Form)?;
        let value = STANDARD.decode(value).map_err(|_| NoteError::Form)?;
        let (id, octets) = value.split_first_chunk::<4>().ok_or(NoteError::Form)?;
        if name.is_empty() || name.contains('+') || name.chars().any(char::is_whitespace) || octets.is_empty() {
            return Err(NoteError::Form);
        }
        Ok(Self { name: name.to_owned(), id: *id, octets: octets.to_vec() })
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = [self.id.as_slice(), &self.octets].concat();
        writeln!(f, "\u{2014} {} {}", self.name, STANDARD.encode(value))
    }
}

/// A text with signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

impl Note {
    fn parse(octets: &str) -> Result<Self, NoteError> {
        if octets.len() > limits::NOTE_BYTES_MAX || octets.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Form);
        }
        let at = octets.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, lines) = (octets.get(..=at), octets.get(at + 2..));
        let (Some(text), Some(lines)) = (text, lines.and_then(|lines| lines.strip_suffix('\n'))) else {
            return Err(NoteError::Form);
        };
        let signatures: Result<Vec<_>, _> = lines.split('\n').map(SignatureLine::parse).collect();
        Ok(Self { text: text.to_owned(), signatures: signatures? })
    }

    /// Checks the signature of a key: those of unknown keys are passed over, one of this key that does not fit is not.
    fn verify(&self, key: &VerifierKey) -> Result<Option<u64>, NoteError> {
        let mut found = Err(NoteError::Unsigned);
        for line in self.signatures.iter().filter(|line| line.name == key.name && line.id == key.id) {
            let (message, signature, seconds) = match key.role {
                Role::Log => (self.text.as_bytes().to_vec(), line.octets.as_slice(), None),
                Role::Witness => {
                    let (seconds, signature) = line.octets.split_first_chunk::<8>().ok_or(NoteError::Signature)?;
                    let seconds = u64::from_be_bytes(*seconds);
                    (cosigned(&self.text, seconds), signature, Some(seconds))
                }
            };
            key.key.verify(&message, signature).map_err(|crate::message::crypto::BadSignature| NoteError::Signature)?;
            found = Ok(seconds);
        }
        found
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| line.fmt(f))
    }
}

fn checkpoint_text(origin: &str, head: &Head) -> String {
    format!("{origin}\n{}\n{}\n", head.size, head.root)
}

/// A checkpoint as it was read: what it says counts once [`Checkpoint::verify`] has said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    head: Head,
    note: Note,
}

impl Checkpoint {
    /// Reads a checkpoint: three lines, extension lines, an empty line, signatures.
    pub fn parse(octets: &str) -> Result<Self, NoteError> {
        let note = Note::parse(octets)?;
        let mut lines = note.text.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(NoteError::Checkpoint);
        };
        let has_empty = note.text.strip_suffix('\n').is_none_or(|text| text.split('\n').any(str::is_empty));
        let size = parse_decimal(size).ok_or(NoteError::Checkpoint)?;
        let root = Hash::parse(root).ok_or(NoteError::Checkpoint)?;
        if has_empty || origin.len() > limits::LOG_NAME_BYTES_MAX {
            return Err(NoteError::Checkpoint);
        }
        Ok(Self { origin: origin.to_owned(), head: Head { size, root }, note })
    }

    /// Checks that the log with this key signed it and that it is of that log.
    pub fn verify(&self, log: &VerifierKey) -> Result<Head, NoteError> {
        if self.origin != log.name {
            return Err(NoteError::Unsigned);
        }
        self.note.verify(log).map(|_| self.head)
    }

    /// Checks a witness's cosignature; gives its time in seconds since 1970.
    pub fn cosigned_at(&self, witness: &VerifierKey) -> Result<u64, NoteError> {
        self.note.verify(witness)?.ok_or(NoteError::Unsigned)
    }

    /// The log that it says it is of.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The tree that it says is the log's: to be believed from [`Checkpoint::verify`] alone.
    pub fn claimed(&self) -> Head {
        self.head
    }

    /// The text that is signed.
    pub fn text(&self) -> &str {
        &self.note.text
    }

    /// Adds a signature, in place of an earlier one of the same key.
    pub fn add(&mut self, line: SignatureLine) {
        self.note.signatures.retain(|known| (&known.name, known.id) != (&line.name, line.id));
        self.note.signatures.push(line);
    }

    /// Drops all signatures but those that name one of these keys.
    pub fn keep_only(&mut self, keys: &[VerifierKey]) {
        self.note.signatures.retain(|line| keys.iter().any(|key| (&key.name, key.id) == (&line.name, line.id)));
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

/// A number in decimal without leading zeros or sign.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|octet| octet.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok().filter(|number| *number < 1 << 63) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(name: &str, role: Role, seed: u8) -> LogSigner {
        let key = PrivateKey::from_seed(&[seed; 32]).expect("a seed");
        LogSigner::new(name, role, key).expect("an Ed25519 key")
    }

    /// The example of C2SP tlog-cosignature: the form of its lines, and its checkpoint.
    const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        \u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

    #[test]
    fn the_published_example_is_read_and_written_the_same() {
        let checkpoint = Checkpoint::parse(EXAMPLE).expect("the example of the specification");
        assert_eq!((checkpoint.origin(), checkpoint.claimed().size), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(checkpoint.to_string(), EXAMPLE);
    }

    /// The key of the Go checksum database, as Go ships it.
    #[test]
    fn the_key_of_the_go_checksum_database_is_read() {
        let text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        assert_eq!(VerifierKey::parse(text).expect("Go's key").to_string(), text);
        assert_eq!(VerifierKey::parse(&text.replace("033de0ae", "033de0af")), Err(NoteError::Key));
    }

    #[test]
    fn a_checkpoint_is_the_logs_and_the_witnesses_or_nobodys() {
        let (log, witness) = (signer("log.example/2026", Role::Log, 1), signer("witness.example", Role::Witness, 2));
        let head = Head { size: 9, root: Hash::of_leaf(b"x") };
        let mut checkpoint = log.checkpoint(head).expect("signs");
        let line = witness.cosign(&checkpoint, 1_800_000_000).expect("cosigns");
        checkpoint.add(line.clone());
        checkpoint.add(line);
        let read = Checkpoint::parse(&checkpoint.to_string()).expect("as written");
        assert_eq!(read, checkpoint);
        assert_eq!(read.verify(log.verifier()), Ok(head));
        assert_eq!(read.cosigned_at(witness.verifier()), Ok(1_800_000_000));
        // Another key, another name, another role, another text.
        assert_eq!(read.verify(signer("log.example/2026", Role::Log, 3).verifier()), Err(NoteError::Unsigned));
        assert_eq!(read.verify(signer("log.example/2027", Role::Log, 1).verifier()), Err(NoteError::Unsigned));
        assert_eq!(read.cosigned_at(signer("witness.example", Role::Witness, 3).verifier()), Err(NoteError::Unsigned));
        let changed = Checkpoint::parse(&checkpoint.to_string().replace("\n9\n", "\n8\n")).expect("still a checkpoint");
        assert_eq!(changed.verify(log.verifier()), Err(NoteError::Signature));
        assert_eq!(changed.cosigned_at(witness.verifier()), Err(NoteError::Signature));
    }

    #[test]
    fn what_is_not_to_the_letter_is_refused() {
        for (from, to) in [
            ("20852163", "020852163"),
            ("20852163", "+20852163"),
            ("20852163", ""),
            ("q2I=\n", "q2I\n"),
            ("q2I=\n", "q2J=\n"),
            ("\n\n", "\n"),
            ("\u{2014} example", "- example"),
            ("qnA==\n", "qnA=="),
            ("qnA==\n", "qnA==\n\n"),
            ("example.com/behind", "\texample.com/behind"),
            ("example.com/behind-the-sofa\n2", "\n2"),
        ] {
            let text = EXAMPLE.replacen(from, to, 1);
            assert!(Checkpoint::parse(&text).is_err(), "{from:?} → {to:?}");
        }
        let extended = EXAMPLE.replacen("q2I=\n", "q2I=\nextension\n", 1);
        assert!(Checkpoint::parse(&extended).is_ok());
    }

    #[test]
    fn numbers_have_one_form_and_end_where_trees_end() {
        for (text, number) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("10", Some(10)),
            ("9223372036854775807", Some((1 << 63) - 1)),
            ("9223372036854775808", None),
            ("18446744073709551616", None),
            ("", None),
            ("00", None),
            ("07", None),
            ("+7", None),
            ("-7", None),
            (" 7", None),
            ("7a", None),
            ("\u{663}", None),
        ] {
            assert_eq!(parse_decimal(text), number, "{text:?}");
        }
    }

    #[test]
    fn keys_have_names_without_spaces_and_of_bounded_length() {
        let longest = "n".repeat(limits::LOG_NAME_BYTES_MAX);
        for (name, is_good) in [
            ("n", true),
            ("\u{416}", true),
            (longest.as_str(), true),
            (&(longest.clone() + "n"), false),
            ("", false),
            ("a b", false),
            ("a\u{a0}b", false),
            ("a\u{1}b", false),
            ("a\u{7f}b", false),
            ("a+b", false),
        ] {
            for role in [Role::Log, Role::Witness] {
                let key = PrivateKey::from_seed(&[1; 32]).expect("a seed");
                let signer = LogSigner::new(name, role, key);
                assert_eq!(signer.is_ok(), is_good, "{name:?}");
                let Ok(signer) = signer else { continue };
                let read = VerifierKey::parse(&signer.verifier().to_string()).expect("as written");
                assert_eq!((&read, read.name(), read.role()), (signer.verifier(), name, role));
            }
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let log = signer("log.example", Role::Log, 1);
        let text = log.verifier().to_string();
        let (head, key) = text.rsplit_once('+').expect("three parts");
        let octets = STANDARD.decode(key).expect("base64");
        let of = |octets: &[u8]| format!("{head}+{}", STANDARD.encode(octets));
        let other_kind = [&[2], &octets[1..]].concat();
        for text in [
            head.to_owned(),
            of(b""),
            of(&[1]),
            of(&other_kind),
            of(&octets[..32]),
            of(&[&octets[..], &[0]].concat()),
            text.to_uppercase(),
        ] {
            assert_eq!(VerifierKey::parse(&text), Err(NoteError::Key), "{text}");
        }
    }

    #[test]
    fn a_signature_line_has_a_name_a_key_and_a_signature() {
        let value = |octets: &[u8]| STANDARD.encode(octets);
        let line = |name: &str, octets: &[u8]| SignatureLine::parse(&format!("\u{2014} {name} {}", value(octets)));
        assert_eq!(line("n", &[1, 2, 3, 4, 5]), Ok(SignatureLine { name: "n".to_owned(), id: [1, 2, 3, 4], octets: vec![5] }));
        for (name, octets) in
            [("", &[0; 5][..]), ("a+b", &[0; 5]), ("a\u{a0}b", &[0; 5]), ("n", &[0; 4]), ("n", &[0; 3]), ("n x", &[0; 5])]
        {
            assert_eq!(line(name, octets), Err(NoteError::Form), "{name:?} {octets:?}");
        }
    }

    /// The example with an extension line that makes it as long as is said.
    fn of_length(length: usize) -> String {
        let filler = "x".repeat(length - EXAMPLE.len() - 1);
        EXAMPLE.replacen("q2I=\n", &format!("q2I=\n{filler}\n"), 1)
    }

    #[test]
    fn notes_and_origins_are_of_bounded_length() {
        assert!(Checkpoint::parse(&of_length(limits::NOTE_BYTES_MAX)).is_ok());
        assert_eq!(Checkpoint::parse(&of_length(limits::NOTE_BYTES_MAX + 1)), Err(NoteError::Form));
        let with_origin =
            |length: usize| EXAMPLE.replacen("example.com/behind-the-sofa\n", &format!("{}\n", "o".repeat(length)), 1);
        for length in [1, limits::LOG_NAME_BYTES_MAX] {
            assert!(Checkpoint::parse(&with_origin(length)).is_ok(), "{length}");
        }
        assert_eq!(Checkpoint::parse(&with_origin(limits::LOG_NAME_BYTES_MAX + 1)), Err(NoteError::Checkpoint));
    }

    #[test]
    fn what_is_signed_is_the_text_before_the_signatures() {
        let checkpoint = Checkpoint::parse(EXAMPLE).expect("the example");
        assert_eq!(Some(checkpoint.text()), EXAMPLE.split_once("\n\n").map(|(text, _)| format!("{text}\n")).as_deref());
    }

    #[test]
    fn of_the_signatures_those_of_named_keys_are_kept() {
        let log = signer("log.example", Role::Log, 1);
        let [one, two, renamed] = [("w1", 2), ("w2", 3), ("w3", 2)].map(|(name, seed)| signer(name, Role::Witness, seed));
        let signed = log.checkpoint(Head { size: 9, root: Hash::of_leaf(b"x") }).expect("signs");
        let mut all = signed.clone();
        all.add(one.cosign(&signed, 7).expect("cosigns"));
        all.add(two.cosign(&signed, 7).expect("cosigns"));
        let keep = |keys: &[&LogSigner]| {
            let mut kept = all.clone();
            kept.keep_only(&keys.iter().map(|signer| signer.verifier().clone()).collect::<Vec<_>>());
            (kept.verify(log.verifier()).is_ok(), [&one, &two].map(|witness| kept.cosigned_at(witness.verifier()).is_ok()))
        };
        assert_eq!(keep(&[&log, &one, &two]), (true, [true, true]));
        assert_eq!(keep(&[&log, &two]), (true, [false, true]));
        assert_eq!(keep(&[&one]), (false, [true, false]));
        assert_eq!(keep(&[&renamed]), (false, [false, false]), "a key by another name is another");
    }

    #[test]
    fn each_refusal_says_something_of_its_own() {
        let all = [NoteError::Form, NoteError::Checkpoint, NoteError::Key, NoteError::Unsigned, NoteError::Signature];
        let texts: std::collections::BTreeSet<String> = all.iter().map(NoteError::to_string).collect();
        assert!(texts.len() == all.len() && !texts.contains(""), "{texts:?}");
    }
}
