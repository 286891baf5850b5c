//! Which logs are believed, and which witnesses must have cosigned: policy files of C2SP tlog-policy.
//!
//! What is listed once is listed once: names and keys that come twice, names that are not defined before they are used,
//! and lines that are none of the four kinds are refused, each with its line.

use super::note::{Checkpoint, NoteError, Role, VerifierKey};
use super::tree::Head;
use crate::base::limits;
use std::fmt;

/// A policy.
#[derive(Clone, Debug)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    names: Vec<(Vec<u8>, Node)>,
    /// The place in `names` of what must have witnessed; nothing for `quorum none`.
    quorum: Option<usize>,
}

#[derive(Clone, Debug)]
enum Node {
    Witness(VerifierKey),
    /// The places in `names` of its members, all of them earlier than its own.
    Group {
        threshold: usize,
        members: Vec<usize>,
    },
}

/// What is wrong with a policy file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub cause: PolicyCause,
}

/// What is wrong with a line of a policy file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyCause {
    /// The file is larger than a policy may be.
    TooLarge,
    /// An octet that may not be there.
    Octet,
    /// The last line has no end: the file may have been cut off.
    Unfinished,
    /// The line is none of `log`, `witness`, `group`, `quorum`.
    Keyword,
    /// The line has too few or too many words.
    Words,
    /// The key cannot be read.
    Key(NoteError),
    /// The key is a witness's where a log's must be, or the other way round.
    Role,
    /// The key was on an earlier line.
    KeyTwice,
    /// The name was defined on an earlier line, or is `none`.
    NameTwice,
    /// The name is not defined on an earlier line.
    NoSuchName,
    /// The name is a member of a group already.
    MemberTwice,
    /// The threshold is not from 1 to the number of members.
    Threshold,
    /// There are more of these than a policy may have.
    TooMany,
    /// There are two quorum lines.
    QuorumTwice,
    /// There is no quorum line.
    NoQuorum,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match self.cause {
            PolicyCause::TooLarge => write!(f, "a policy has at most {} bytes", limits::WITNESS_POLICY_BYTES_MAX),
            PolicyCause::Octet => f.write_str("a control character"),
            PolicyCause::Unfinished => f.write_str("the last line does not end"),
            PolicyCause::Keyword => f.write_str("not a line of log, witness, group or quorum"),
            PolicyCause::Words => f.write_str("too few or too many words"),
            PolicyCause::Key(error) => error.fmt(f),
            PolicyCause::Role => f.write_str("a witness's key in place of a log's, or the other way round"),
            PolicyCause::KeyTwice => f.write_str("the key was on an earlier line"),
            PolicyCause::NameTwice => f.write_str("the name is taken"),
            PolicyCause::NoSuchName => f.write_str("the name is not defined on an earlier line"),
            PolicyCause::MemberTwice => f.write_str("the name is a member of a group already"),
            PolicyCause::Threshold => f.write_str("the threshold is not from 1 to the number of members"),
            PolicyCause::TooMany => write!(f, "more than {}", limits::WITNESS_POLICY_NAMES_MAX),
            PolicyCause::QuorumTwice => f.write_str("a second quorum"),
            PolicyCause::NoQuorum => f.write_str("no line says quorum"),
        }
    }
}

impl std::error::Error for PolicyError {}

/// Why a checkpoint does not meet a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// No log of the policy signed it, or the log's signature does not fit.
    Log(NoteError),
    /// A signature that names a witness of the policy does not fit.
    Witness(String),
    /// Too few witnesses cosigned it.
    Quorum,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => write!(f, "the log: {error}"),
            Self::Witness(name) => write!(f, "the witness {name}: the signature is wrong"),
            Self::Quorum => f.write_str("too few witnesses have cosigned"),
        }
    }
}

impl std::error::Error for Unmet {}

impl Policy {
    /// Reads a policy file. Octets above 0x7f are opaque in it.
    pub fn parse(octets: &[u8]) -> Result<Self, PolicyError> {
        if octets.len() > limits::WITNESS_POLICY_BYTES_MAX {
            return Err(PolicyError { line: 1, cause: PolicyCause::TooLarge });
        }
        let mut draft = Draft::default();
        let mut lines = octets.split(|octet| *octet == b'\n').enumerate().map(|(at, line)| (at + 1, line)).peekable();
        while let Some((number, line)) = lines.next() {
            let wrong = |cause| PolicyError { line: number, cause };
            if lines.peek().is_none() {
                // What follows the last end of a line must be nothing.
                if !line.is_empty() {
                    return Err(wrong(PolicyCause::Unfinished));
                }
                let quorum = draft.quorum.ok_or(wrong(PolicyCause::NoQuorum))?;
                return Ok(Self { logs: draft.logs, names: draft.names, quorum });
            }
            if line.iter().any(|octet| (*octet < b' ' && *octet != b'\t') || *octet == 0x7f) {
                return Err(wrong(PolicyCause::Octet));
            }
            let words: Vec<&[u8]> = line.split(|octet| b" \t".contains(octet)).filter(|word| !word.is_empty()).collect();
            draft.take(&words).map_err(wrong)?;
        }
        Err(PolicyError { line: 1, cause: PolicyCause::NoQuorum })
    }

    /// Checks that a log of the policy signed the checkpoint and that enough of its witnesses cosigned it.
    pub fn verify(&self, checkpoint: &Checkpoint) -> Result<Head, Unmet> {
        let log = self.logs.iter().map(|log| checkpoint.verify(log));
        // A signature that does not fit outweighs one that does: C2SP signed-note refuses the note.
        let head = log.reduce(|best, next| match (best, next) {
            (Err(NoteError::Unsigned), other) | (other, Err(NoteError::Unsigned)) => other,
            (Ok(_), other) => other,
            (wrong, _) => wrong,
        });
        let head = head.unwrap_or(Err(NoteError::Unsigned)).map_err(Unmet::Log)?;
        let mut witnessed: Vec<bool> = Vec::with_capacity(self.names.len());
        for (_, node) in &self.names {
            witnessed.push(match node {
                Node::Witness(key) => match checkpoint.cosigned_at(key) {
                    Ok(_) => true,
                    Err(NoteError::Unsigned) => false,
                    Err(_) => return Err(Unmet::Witness(key.name().to_owned())),
                },
                Node::Group { threshold, members } => {
                    members.iter().filter(|member| witnessed.get(**member) == Some(&true)).count() >= *threshold
                }
            });
        }
        let is_met = self.quorum.is_none_or(|quorum| witnessed.get(quorum) == Some(&true));
        if is_met { Ok(head) } else { Err(Unmet::Quorum) }
    }

    /// The keys of its logs.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// The keys of its witnesses.
    pub fn witnesses(&self) -> impl Iterator<Item = &VerifierKey> {
        self.names.iter().filter_map(|(_, node)| match node {
            Node::Witness(key) => Some(key),
            Node::Group { .. } => None,
        })
    }
}

#[derive(Default)]
struct Draft {
    logs: Vec<VerifierKey>,
    names: Vec<(Vec<u8>, Node)>,
    members: Vec<usize>,
    quorum: Option<Option<usize>>,
}

impl Draft {
    fn take(&mut self, words: &[&[u8]]) -> Result<(), PolicyCause> {
        match words {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key] | [b"log", key, _] => self.log(key),
            [b"witness", name, key] | [b"witness", name, key, _] => {
                let key = parse_key(key, Role::Witness)?;
                if self.witnesses().any(|known| known.is_of_same_key(&key)) {
                    return Err(PolicyCause::KeyTwice);
                }
                self.define(name, Node::Witness(key))
            }
            [b"group", name, threshold, members @ ..] if !members.is_empty() => self.group(name, threshold, members),
            [b"quorum", name] => {
                if self.quorum.is_some() {
                    return Err(PolicyCause::QuorumTwice);
                }
                self.quorum = Some(if *name == NONE { None } else { Some(self.find(name)?) });
                Ok(())
            }
            [b"log" | b"witness" | b"group" | b"quorum", ..] => Err(PolicyCause::Words),
            _ => Err(PolicyCause::Keyword),
        }
    }

    fn log(&mut self, key: &[u8]) -> Result<(), PolicyCause> {
        let key = parse_key(key, Role::Log)?;
        if self.logs.iter().any(|known| known.is_of_same_key(&key)) {
            return Err(PolicyCause::KeyTwice);
        }
        if self.logs.len() == limits::WITNESS_POLICY_NAMES_MAX {
            return Err(PolicyCause::TooMany);
        }
        self.logs.push(key);
        Ok(())
    }

    fn group(&mut self, name: &[u8], threshold: &[u8], members: &[&[u8]]) -> Result<(), PolicyCause> {
        let mut places = Vec::with_capacity(members.len());
        for member in members {
            let place = self.find(member)?;
            // A witness that counted in two groups could meet a quorum twice.
            if self.members.contains(&place) {
                return Err(PolicyCause::MemberTwice);
            }
            self.members.push(place);
            places.push(place);
        }
        let threshold = match threshold {
            b"all" => places.len(),
            b"any" => 1,
            number => std::str::from_utf8(number).ok().and_then(super::note::parse_decimal).unwrap_or(0) as usize,
        };
        if !(1..=places.len()).contains(&threshold) {
            return Err(PolicyCause::Threshold);
        }
        self.define(name, Node::Group { threshold, members: places })
    }

    fn define(&mut self, name: &[u8], node: Node) -> Result<(), PolicyCause> {
        if name == NONE || self.find(name).is_ok() {
            return Err(PolicyCause::NameTwice);
        }
        let is_witness = |node: &Node| matches!(node, Node::Witness(_));
        let same = self.names.iter().filter(|(_, known)| is_witness(known) == is_witness(&node)).count();
        if same == limits::WITNESS_POLICY_NAMES_MAX {
            return Err(PolicyCause::TooMany);
        }
        self.names.push((name.to_owned(), node));
        Ok(())
    }

    fn find(&self, name: &[u8]) -> Result<usize, PolicyCause> {
        self.names.iter().position(|(known, _)| known == name).ok_or(PolicyCause::NoSuchName)
    }

    fn witnesses(&self) -> impl Iterator<Item = &VerifierKey> {
        self.names.iter().filter_map(|(_, node)| match node {
            Node::Witness(key) => Some(key),
            Node::Group { .. } => None,
        })
    }
}

fn parse_key(word: &[u8], role: Role) -> Result<VerifierKey, PolicyCause> {
    let text = std::str::from_utf8(word).map_err(|_| PolicyCause::Key(NoteError::Key))?;
    let key = VerifierKey::parse(text).map_err(PolicyCause::Key)?;
    if key.role() == role { Ok(key) } else { Err(PolicyCause::Role) }
}

const NONE: &[u8] = b"none";

#[cfg(test)]
mod tests {
    use super::super::note::LogSigner;
    use super::super::tree::Hash;
    use super::*;
    use crate::message::crypto::PrivateKey;

    fn signer(name: &str, role: Role, seed: u8) -> LogSigner {
        LogSigner::new(name, role, PrivateKey::from_seed(&[seed; 32]).expect("a seed")).expect("an Ed25519 key")
    }

    fn witness(number: u8) -> LogSigner {
        signer(&format!("w{number}.example"), Role::Witness, 10 + number)
    }

    fn log() -> LogSigner {
        signer("log.example", Role::Log, 1)
    }

    /// The example of the specification, with its keys filled in.
    fn example() -> String {
        let mut text = format!("# a policy\n\nlog {} https://log.example\n", log().verifier());
        for (group, numbers) in [("X", [1, 2, 3]), ("Y", [4, 5, 6])] {
            for (at, number) in (1..).zip(numbers) {
                text += &format!(" witness\t{group}{at} {}\n", witness(number).verifier());
            }
        }
        text + "group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\n\
                group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
    }

    fn cosigned(by: &[u8]) -> Checkpoint {
        let mut checkpoint = log().checkpoint(Head { size: 3, root: Hash::of_leaf(b"x") }).expect("signs");
        for number in by {
            checkpoint.add(witness(*number).cosign(&checkpoint, 7).expect("cosigns"));
        }
        checkpoint
    }

    #[test]
    fn a_quorum_of_two_levels_is_met_or_not() {
        let policy = Policy::parse(example().as_bytes()).expect("the example");
        assert_eq!((policy.logs().len(), policy.witnesses().count()), (1, 6));
        for (by, is_met) in [
            (&[1, 2, 4][..], true),
            (&[1, 3, 6], true),
            (&[1, 2, 3, 4, 5, 6], true),
            (&[1, 2, 3], false),
            (&[1, 4, 5, 6], false),
            (&[7, 8, 9], false),
            (&[], false),
        ] {
            let verdict = policy.verify(&cosigned(by));
            assert_eq!(verdict.is_ok(), is_met, "{by:?}");
            assert!(is_met || verdict == Err(Unmet::Quorum));
        }
    }

    #[test]
    fn no_quorum_needs_no_witness_and_always_a_log() {
        let policy = Policy::parse(format!("log {}\nquorum none\n", log().verifier()).as_bytes()).expect("good");
        assert!(policy.verify(&cosigned(&[])).is_ok());
        let other = signer("other.example", Role::Log, 2);
        let policy = Policy::parse(format!("log {}\nquorum none\n", other.verifier()).as_bytes()).expect("good");
        assert_eq!(policy.verify(&cosigned(&[])), Err(Unmet::Log(NoteError::Unsigned)));
        let policy = Policy::parse(b"quorum none\n").expect("good");
        assert_eq!(policy.verify(&cosigned(&[])), Err(Unmet::Log(NoteError::Unsigned)));
    }

    #[test]
    fn a_cosignature_that_does_not_fit_is_not_passed_over() {
        let policy = Policy::parse(example().as_bytes()).expect("the example");
        let mut checkpoint = cosigned(&[1, 2, 4]);
        let other = log().checkpoint(Head { size: 4, root: Hash::of_leaf(b"x") }).expect("signs");
        checkpoint.add(witness(3).cosign(&other, 7).expect("cosigns"));
        assert_eq!(policy.verify(&checkpoint), Err(Unmet::Witness("w3.example".to_owned())));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let (log, one, two) = (log(), witness(1), witness(2));
        let (log, one, two) = (log.verifier(), one.verifier(), two.verifier());
        let renamed = signer("another.example", Role::Witness, 11);
        let base = format!("log {log}\nwitness a {one}\nwitness b {two}\n");
        for (text, line, cause) in [
            (String::new(), 1, PolicyCause::NoQuorum),
            ("\n\n".to_owned(), 3, PolicyCause::NoQuorum),
            ("quorum none".to_owned(), 1, PolicyCause::Unfinished),
            ("quorum none\nquorum none\n".to_owned(), 2, PolicyCause::QuorumTwice),
            ("quorum\n".to_owned(), 1, PolicyCause::Words),
            ("quorum none none\n".to_owned(), 1, PolicyCause::Words),
            ("quorum nobody\n".to_owned(), 1, PolicyCause::NoSuchName),
            ("Quorum none\n".to_owned(), 1, PolicyCause::Keyword),
            ("quorum none\r\n".to_owned(), 1, PolicyCause::Octet),
            ("quorum\u{b}none\n".to_owned(), 1, PolicyCause::Octet),
            ("\u{feff}quorum none\n".to_owned(), 1, PolicyCause::Keyword),
            (format!("log {one}\n\n"), 1, PolicyCause::Role),
            (format!("witness a {log}\n\n"), 1, PolicyCause::Role),
            (format!("log {log}x\n"), 1, PolicyCause::Key(NoteError::Key)),
            (format!("log {log} url more\n"), 1, PolicyCause::Words),
            (format!("{base}log {log}\n"), 4, PolicyCause::KeyTwice),
            (format!("{base}witness c {}\n", renamed.verifier()), 4, PolicyCause::KeyTwice),
            (format!("{base}witness a {}\n", witness(3).verifier()), 4, PolicyCause::NameTwice),
            (format!("witness none {one}\n"), 1, PolicyCause::NameTwice),
            (format!("{base}group a any b\n"), 4, PolicyCause::NameTwice),
            (format!("{base}group g any\n"), 4, PolicyCause::Words),
            (format!("{base}group g any a a\n"), 4, PolicyCause::MemberTwice),
            (format!("{base}group g any a\ngroup h any a b\n"), 5, PolicyCause::MemberTwice),
            (format!("{base}group g any g\n"), 4, PolicyCause::NoSuchName),
            (format!("{base}group g any none\n"), 4, PolicyCause::NoSuchName),
            (format!("{base}group g 0 a b\n"), 4, PolicyCause::Threshold),
            (format!("{base}group g 3 a b\n"), 4, PolicyCause::Threshold),
            (format!("{base}group g 02 a b\n"), 4, PolicyCause::Threshold),
            (format!("{base}group g 99999999999999999999 a b\n"), 4, PolicyCause::Threshold),
            (format!("{base}quorum A\n"), 4, PolicyCause::NoSuchName),
        ] {
            let error = Policy::parse(text.as_bytes()).expect_err(&text);
            assert_eq!((error.line, error.cause), (line, cause), "{text}");
        }
        let large = "#".repeat(limits::WITNESS_POLICY_BYTES_MAX + 1);
        assert_eq!(Policy::parse(large.as_bytes()).expect_err("large").cause, PolicyCause::TooLarge);
    }

    #[test]
    fn names_are_opaque_octets() {
        let key = witness(1);
        let text = [b"log ".as_slice(), log().verifier().to_string().as_bytes(), b"\nwitness \xff\xfe "].concat();
        let text = [&text, key.verifier().to_string().as_bytes(), b"\n# \xff\nquorum \xff\xfe\n"].concat();
        let policy = Policy::parse(&text).expect("opaque names");
        assert!(policy.verify(&cosigned(&[1])).is_ok() && policy.verify(&cosigned(&[2])).is_err());
    }

    #[test]
    fn thirty_two_of_each_are_taken_and_no_endless_number() {
        let policy = |count: usize| {
            let mut text = String::new();
            for number in 0..count {
                let mut seed = [0; 32];
                seed[..8].copy_from_slice(&number.to_be_bytes());
                let key = PrivateKey::from_seed(&seed).expect("a seed");
                let key = LogSigner::new("w", Role::Witness, key).expect("an Ed25519 key");
                text += &format!("witness w{number} {}\ngroup g{number} any w{number}\n", key.verifier());
            }
            Policy::parse((text + "quorum none\n").as_bytes()).map_err(|error| error.cause)
        };
        assert!(policy(32).is_ok() && policy(limits::WITNESS_POLICY_NAMES_MAX).is_ok());
        assert_eq!(policy(limits::WITNESS_POLICY_NAMES_MAX + 1).err(), Some(PolicyCause::TooMany));
    }

    #[test]
    fn control_characters_are_refused_and_what_is_above_them_is_not() {
        for octet in (0..b' ').chain([0x7f]).filter(|octet| !b"\t\n".contains(octet)) {
            let text = [b"# ".as_slice(), &[octet], b"\nquorum none\n"].concat();
            assert_eq!(Policy::parse(&text).expect_err("a control character").cause, PolicyCause::Octet, "{octet}");
        }
        for octet in [b'\t', b' ', b'~', 0x80, 0xff] {
            assert!(Policy::parse(&[b"# ".as_slice(), &[octet], b"\n\n\nquorum none\n"].concat()).is_ok(), "{octet}");
        }
    }

    #[test]
    fn a_policy_may_be_as_large_as_it_may_be() {
        let of_length = |length: usize| format!("{}\nquorum none\n", "#".repeat(length - 13));
        assert!(Policy::parse(of_length(limits::WITNESS_POLICY_BYTES_MAX).as_bytes()).is_ok());
        let error = Policy::parse(of_length(limits::WITNESS_POLICY_BYTES_MAX + 1).as_bytes()).expect_err("too large");
        assert_eq!(error, PolicyError { line: 1, cause: PolicyCause::TooLarge });
    }

    #[test]
    fn logs_witnesses_and_groups_are_counted_each_by_themselves() {
        const MAX: usize = limits::WITNESS_POLICY_NAMES_MAX;
        let key = |number: usize, role| {
            let mut seed = [role as u8; 32];
            seed[..8].copy_from_slice(&number.to_be_bytes());
            let key = PrivateKey::from_seed(&seed).expect("a seed");
            LogSigner::new("k", role, key).expect("an Ed25519 key").verifier().to_string()
        };
        let verdict = |logs: usize, witnesses: usize, groups: usize| {
            let mut text: String = (0..logs).map(|number| format!("log {}\n", key(number, Role::Log))).collect();
            text.extend((0..witnesses).map(|number| format!("witness w{number} {}\n", key(number, Role::Witness))));
            text.extend((0..groups).map(|number| format!("group g{number} any w{number}\n")));
            Policy::parse((text + "quorum none\n").as_bytes()).map(|_| ()).map_err(|error| error.cause)
        };
        assert_eq!(verdict(MAX, MAX, 1), Ok(()));
        assert_eq!(verdict(MAX + 1, 0, 0), Err(PolicyCause::TooMany));
        assert_eq!(verdict(0, MAX + 1, 0), Err(PolicyCause::TooMany));
    }

    /// Another key of the same log has signed something else.
    #[test]
    fn a_logs_signature_that_does_not_fit_outweighs_one_that_does() {
        let (one, two) = (signer("log.example", Role::Log, 1), signer("log.example", Role::Log, 2));
        let head = Head { size: 3, root: Hash::of_leaf(b"x") };
        let good = one.checkpoint(head).expect("signs");
        let wrong = two.checkpoint(Head { size: 4, ..head }).expect("signs").to_string();
        let line = wrong.lines().last().expect("a signature");
        let both = Checkpoint::parse(&format!("{good}{line}\n")).expect("a checkpoint");
        for keys in [[&one, &two], [&two, &one]] {
            let [first, second] = keys.map(LogSigner::verifier);
            let policy = Policy::parse(format!("log {first}\nlog {second}\nquorum none\n").as_bytes()).expect("good");
            assert_eq!(policy.verify(&good), Ok(head));
            assert_eq!(policy.verify(&both), Err(Unmet::Log(NoteError::Signature)));
        }
    }

    #[test]
    fn each_refusal_says_something_of_its_own() {
        use PolicyCause::{
            Key, KeyTwice, Keyword, MemberTwice, NameTwice, NoQuorum, NoSuchName, Octet, QuorumTwice, Role, Threshold, TooLarge,
            TooMany, Unfinished, Words,
        };
        let causes = [
            TooLarge,
            Octet,
            Unfinished,
            Keyword,
            Words,
            Role,
            KeyTwice,
            NameTwice,
            NoSuchName,
            MemberTwice,
            Threshold,
            TooMany,
            QuorumTwice,
            NoQuorum,
            Key(NoteError::Key),
        ];
        let texts: std::collections::BTreeSet<String> =
            causes.iter().map(|cause| PolicyError { line: 7, cause: *cause }.to_string()).collect();
        assert!(texts.len() == causes.len() && texts.iter().all(|text| text.starts_with("line 7: ")), "{texts:?}");
        let unmet =
            [Unmet::Log(NoteError::Unsigned), Unmet::Log(NoteError::Signature), Unmet::Witness("w".to_owned()), Unmet::Quorum];
        let texts: std::collections::BTreeSet<String> = unmet.iter().map(Unmet::to_string).collect();
        assert!(texts.len() == unmet.len() && !texts.contains(""), "{texts:?}");
    }
}
