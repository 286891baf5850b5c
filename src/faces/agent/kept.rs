//! What an agent keeps on disk: signed answers with their receipts, and what came without being asked for. Names are ids alone.

use crate::base::ids::MessageId;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A folder for what is kept.
#[derive(Debug)]
pub struct Kept {
    answers: PathBuf,
    inbox: PathBuf,
    days: u32,
}

/// Something that came, and waits to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its name here.
    pub name: String,
    /// What it is: `answer`, `event`, `status`, `cancel`, `withheld`.
    pub kind: String,
    /// Where it lies.
    pub file: PathBuf,
}

impl Kept {
    /// Makes the folder, which others must not read.
    pub fn open(folder: &Path, days: u32) -> io::Result<Self> {
        let this = Self { answers: folder.join("answers"), inbox: folder.join("inbox"), days };
        for folder in [&this.answers, &this.inbox] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        Ok(this)
    }

    /// Keeps the signed answer to a request; gives where.
    pub fn keep(&self, request: MessageId, octets: &[u8]) -> io::Result<PathBuf> {
        let file = self.answers.join(format!("{request}.xml"));
        write(&file, octets)?;
        Ok(file)
    }

    /// Where the receipt of a request is to lie.
    pub fn receipt(&self, request: MessageId) -> PathBuf {
        self.answers.join(format!("{request}.receipt"))
    }

    /// Keeps a receipt.
    pub fn keep_receipt(&self, request: MessageId, octets: &[u8]) -> io::Result<()> {
        write(&self.receipt(request), octets)
    }

    /// Puts something by that came, durably: whoever gave it forgets it afterwards.
    pub fn put_by(&self, kind: &str, id: &str, octets: &[u8]) -> io::Result<()> {
        let is_name = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_name(kind) || !is_name(id) {
            return Err(io::Error::other("it has no name"));
        }
        let new = self.inbox.join(format!("{id}.{kind}.new"));
        let mut file = create(&new)?;
        file.write_all(octets)?;
        file.sync_all()?;
        // What came again is what came before.
        fs::rename(&new, self.inbox.join(format!("{id}.{kind}.xml")))?;
        File::open(&self.inbox)?.sync_all()
    }

    /// What waits, oldest first: ids begin with their time.
    pub fn waiting(&self) -> io::Result<Vec<Waiting>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.inbox)? {
            let file = entry?.path();
            let Some(name) = file.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".xml")) else {
                continue;
            };
            let Some((_, kind)) = name.split_once('.') else { continue };
            all.push(Waiting { name: name.to_owned(), kind: kind.to_owned(), file: file.clone() });
        }
        all.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(all)
    }

    /// Takes something away that was looked at; whether it was there.
    pub fn done(&self, name: &str) -> io::Result<bool> {
        let Some(found) = self.waiting()?.into_iter().find(|waiting| waiting.name == name) else { return Ok(false) };
        fs::remove_file(found.file)?;
        Ok(true)
    }

    /// Takes away what was kept for long enough. What waits is not touched.
    pub fn tidy_up(&self) -> io::Result<usize> {
        let age = Duration::from_secs(u64::from(self.days) * 24 * 60 * 60);
        let mut count = 0_usize;
        for entry in fs::read_dir(&self.answers)? {
            let entry = entry?;
            let modified = entry.metadata()?.modified()?;
            if SystemTime::now().duration_since(modified).is_ok_and(|passed| passed > age) {
                fs::remove_file(entry.path())?;
                count = count.saturating_add(1);
            }
        }
        Ok(count)
    }
}

fn create(file: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)
}

fn write(file: &Path, octets: &[u8]) -> io::Result<()> {
    create(file)?.write_all(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_by_waits_in_its_order_until_it_was_looked_at() {
        let folder = std::env::temp_dir().join(format!("oncegate-kept-{}", std::process::id()));
        let kept = Kept::open(&folder, 30).expect("a folder");
        for (kind, id) in [("event", "0199-b"), ("answer", "0199-a"), ("event", "0199-b")] {
            kept.put_by(kind, id, b"<Message/>").expect("put by");
        }
        let names = || kept.waiting().expect("read").into_iter().map(|waiting| (waiting.name, waiting.kind)).collect::<Vec<_>>();
        let pair = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
        assert_eq!(names(), [pair("0199-a.answer", "answer"), pair("0199-b.event", "event")]);
        for (kind, id) in [("event", "../../etc/passwd"), ("event", ""), ("a/b", "0199"), ("event", "0199.xml")] {
            assert!(kept.put_by(kind, id, b"").is_err(), "{kind} {id}");
        }
        assert!(!kept.done("../inbox/0199-a.answer").expect("looked for"));
        assert!(kept.done("0199-a.answer").expect("taken away") && !kept.done("0199-a.answer").expect("looked for"));
        assert_eq!(names(), [pair("0199-b.event", "event")]);
        assert_eq!(kept.tidy_up().expect("tidied"), 0);
        let _ = fs::remove_dir_all(folder);
    }
}
