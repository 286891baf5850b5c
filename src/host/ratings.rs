//! What people have said of how it was, at rest and apart from them: lines under `data/ratings`, of the test world and of the live one.
//!
//! Each line has a random key in front, and each file is sorted by it, so that the order of lines says nothing of the order of answers.
//! Those that came lately lie in one small file, which is written anew as a whole, and are spread over the files of their months when it is
//! full; files have no time of their own. Until its case says that its link is used up, an answer lies in a file under the hash of the
//! link; then it goes among the others and that file goes. Whatever is cut off in between is done again, and changes nothing twice:
//! a key is kept once. Refuses what no more room is meant for, before anything is written.

use super::store::{make_folder, replace, sync_parent};
use crate::base::ids::Digest;
use crate::base::limits;
use crate::message::crypto::random;
use crate::rules::quality::scoreboard::Scoreboard;
use crate::rules::quality::{Month, Rating, RatingError};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The answers of one world.
pub struct Ratings {
    folder: PathBuf,
    /// Held while files change.
    counted: Mutex<Counted>,
    #[cfg(test)]
    writes_left: std::sync::atomic::AtomicUsize,
}

/// What was counted of the answers, once somebody has asked.
#[derive(Default)]
struct Counted {
    board: Option<Scoreboard>,
    /// How often there came one more.
    changes: u64,
}

/// Why an answer is not kept, or none is read.
#[derive(Debug)]
pub enum RatingsError {
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// A file has a line that is no answer.
    Line(PathBuf, RatingError),
    /// There is no room for more of a month.
    Full(Month),
    /// Too many wait to be taken apart from their cases.
    Pending,
    /// There is no randomness.
    Random,
}

impl fmt::Display for RatingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, cause) => write!(f, "{}: {cause}", path.display()),
            Self::Line(path, cause) => write!(f, "{}: {cause}", path.display()),
            Self::Full(month) => write!(f, "answers of {month} have {} octets at most", limits::RATINGS_MONTH_BYTES_MAX),
            Self::Pending => write!(f, "{} answers wait already", limits::RATINGS_PENDING_MAX),
            Self::Random => f.write_str("there is no randomness"),
        }
    }
}

impl std::error::Error for RatingsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(_, cause) => Some(cause),
            Self::Line(_, cause) => Some(cause),
            _ => None,
        }
    }
}

type Kept<T> = Result<T, RatingsError>;

/// Answers by their keys: 128 random bits in hexadecimal, which say nothing.
type Lines = BTreeMap<String, String>;

impl Ratings {
    /// Those in a folder, which is made if it is not there.
    pub fn open(folder: &Path) -> Kept<Self> {
        let wrong = |cause| RatingsError::File(folder.to_owned(), cause);
        make_folder(folder).map_err(wrong)?;
        // What was half written when the power went was acknowledged to nobody.
        for entry in std::fs::read_dir(folder).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            if path.extension().is_some_and(|extension| extension == "new") {
                std::fs::remove_file(&path).map_err(wrong)?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            counted: Mutex::default(),
            #[cfg(test)]
            writes_left: std::sync::atomic::AtomicUsize::new(usize::MAX),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an answer under the hash of its link until its case says that this is used up. Another one under it takes its place.
    pub fn pend(&self, link: &Digest, rating: &Rating) -> Kept<()> {
        let _held = self.lock();
        let month = rating.about().month;
        let (line, octets) = (format!("{} {}\n", key()?, rating.to_line()), self.octets(month));
        // What lies together may all be of this month.
        let before = octets + (limits::RATINGS_RECENT_MAX * limits::RATING_BYTES_MAX) as u64;
        if before + line.len() as u64 > limits::RATINGS_MONTH_BYTES_MAX {
            return Err(RatingsError::Full(month));
        }
        if self.pending_held()?.len() >= limits::RATINGS_PENDING_MAX {
            return Err(RatingsError::Pending);
        }
        let path = self.pending_file(link);
        self.write(&path, &line).inspect_err(|_| {
            // Whoever is told that nothing was kept is told the truth.
            let _ = std::fs::remove_file(&path);
        })
    }

    /// The hashes of links whose answers are not apart from their cases yet.
    pub fn pending(&self) -> Kept<Vec<Digest>> {
        let _held = self.lock();
        self.pending_held()
    }

    fn pending_held(&self) -> Kept<Vec<Digest>> {
        let wrong = |cause| RatingsError::File(self.folder.clone(), cause);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(wrong)? {
            let name = entry.map_err(wrong)?.file_name();
            found.extend(name.to_str().and_then(|name| name.strip_prefix(PENDING)).and_then(Digest::parse_hex));
        }
        Ok(found)
    }

    /// Puts an answer among the others: its case says that its link is used up. Done again it changes nothing.
    pub fn settle(&self, link: &Digest) -> Kept<()> {
        let mut counted = self.lock();
        let path = self.pending_file(link);
        let Some((key, line)) = lines(&path)?.pop_first() else { return Ok(()) };
        let rating = parsed(&path, &line)?;
        let mut recent = lines(&self.recent_file())?;
        if !recent.contains_key(&key) && !has(&self.month_file(rating.about().month), &key)? {
            if recent.len() >= limits::RATINGS_RECENT_MAX {
                self.spread(&recent)?;
                recent.clear();
            }
            recent.insert(key, line);
            self.write(&self.recent_file(), &written(&recent))?;
            counted.changes += 1;
            if let Some(board) = &mut counted.board {
                board.add(&rating);
            }
        }
        self.remove(&path)
    }

    /// Takes away an answer that no case is waiting for.
    pub fn forget(&self, link: &Digest) -> Kept<()> {
        let _held = self.lock();
        self.remove(&self.pending_file(link))
    }

    /// Keeps answers that came in another way than by a link.
    pub fn keep(&self, ratings: impl IntoIterator<Item = Rating>) -> Kept<()> {
        let mut counted = self.lock();
        let mut kept = Lines::new();
        for rating in ratings {
            kept.insert(key()?, rating.to_line());
        }
        self.spread(&kept)?;
        (counted.board, counted.changes) = (None, counted.changes + 1);
        Ok(())
    }

    /// Spreads answers over the files of their months, and empties the file of those that came lately.
    fn spread(&self, some: &Lines) -> Kept<()> {
        let recent = self.recent_file();
        let mut months: BTreeMap<Month, Lines> = BTreeMap::new();
        for (key, line) in some.clone().into_iter().chain(lines(&recent)?) {
            months.entry(parsed(&recent, &line)?.about().month).or_default().insert(key, line);
        }
        for (month, mut all) in months {
            let path = self.month_file(month);
            all.extend(lines(&path)?);
            self.write(&path, &written(&all))?;
        }
        self.write(&recent, "")
    }

    /// Looks at all of them, in no order that says anything.
    pub fn each(&self, mut look: impl FnMut(Rating)) -> Kept<()> {
        let (mut recent, months) = {
            let _held = self.lock();
            (lines(&self.recent_file())?, self.months()?)
        };
        for (path, file) in months {
            each_line(&path, BufReader::new(file), |key, line| {
                // Cut off while it was spread: it is in both.
                recent.remove(key);
                look(parsed(&path, line)?);
                Ok(())
            })?;
        }
        let path = self.recent_file();
        recent.values().try_for_each(|line| {
            look(parsed(&path, line)?);
            Ok(())
        })
    }

    /// What was counted of them.
    pub fn board(&self) -> Kept<Scoreboard> {
        loop {
            let before = {
                let counted = self.lock();
                if let Some(board) = &counted.board {
                    return Ok(board.clone());
                }
                counted.changes
            };
            let mut board = Scoreboard::new();
            self.each(|rating| board.add(&rating))?;
            let mut counted = self.lock();
            // Counted again if one came meanwhile: what is kept is never behind.
            if counted.changes == before {
                counted.board = Some(board);
            }
        }
    }

    fn months(&self) -> Kept<Vec<(PathBuf, File)>> {
        let wrong = |cause| RatingsError::File(self.folder.clone(), cause);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            if path.file_name().and_then(|name| name.to_str()).and_then(Month::parse).is_some() {
                let file = File::open(&path).map_err(|cause| RatingsError::File(path.clone(), cause))?;
                found.push((path, file));
            }
        }
        found.sort_by(|left, right| left.0.cmp(&right.0));
        Ok(found)
    }

    fn octets(&self, month: Month) -> u64 {
        std::fs::metadata(self.month_file(month)).map_or(0, |metadata| metadata.len())
    }

    fn recent_file(&self) -> PathBuf {
        self.folder.join("recent")
    }

    fn month_file(&self, month: Month) -> PathBuf {
        self.folder.join(month.to_string())
    }

    fn pending_file(&self, link: &Digest) -> PathBuf {
        self.folder.join(format!("{PENDING}{link}"))
    }

    /// Writes a file anew, as a whole, and without a time that says when somebody has answered.
    fn write(&self, path: &Path, text: &str) -> Kept<()> {
        let wrong = |cause| RatingsError::File(path.to_owned(), cause);
        #[cfg(test)]
        self.may_write().map_err(wrong)?;
        replace(path, text.as_bytes(), 0o600).map_err(|cause| {
            let _ = std::fs::remove_file(path.with_extension("new"));
            wrong(cause)
        })?;
        // It is written: whoever cannot take its time from it does not lose it.
        if let Ok(file) = File::options().write(true).open(path) {
            let _ = file.set_modified(SystemTime::UNIX_EPOCH);
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> Kept<()> {
        let wrong = |cause| RatingsError::File(path.to_owned(), cause);
        #[cfg(test)]
        self.may_write().map_err(wrong)?;
        match std::fs::remove_file(path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(wrong(cause)),
            _ => sync_parent(path).map_err(wrong),
        }
    }

    /// Fails once so many files were written: as if the power was cut before the next.
    #[cfg(test)]
    fn may_write(&self) -> io::Result<()> {
        use std::sync::atomic::Ordering::Relaxed;
        let taken = self.writes_left.try_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        taken.map(drop).map_err(|_| io::Error::other("cut off"))
    }
}

fn lines(path: &Path) -> Kept<Lines> {
    let mut lines = Lines::new();
    each_of(path, |key, line| drop(lines.insert(key.to_owned(), line.to_owned())))?;
    Ok(lines)
}

fn has(path: &Path, key: &str) -> Kept<bool> {
    let mut is_there = false;
    each_of(path, |known, _| is_there |= known == key)?;
    Ok(is_there)
}

/// The lines of a file; none if it is not there.
fn each_of(path: &Path, mut take: impl FnMut(&str, &str)) -> Kept<()> {
    match File::open(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(RatingsError::File(path.to_owned(), cause)),
        Ok(file) => each_line(path, BufReader::new(file), |key, line| {
            take(key, line);
            Ok(())
        }),
    }
}

fn key() -> Kept<String> {
    let octets = random::<16>().map_err(|_| RatingsError::Random)?;
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect())
}

fn written(lines: &Lines) -> String {
    lines.iter().map(|(key, line)| format!("{key} {line}\n")).collect()
}

fn parsed(path: &Path, line: &str) -> Kept<Rating> {
    Rating::parse(line).map_err(|cause| RatingsError::Line(path.to_owned(), cause))
}

fn each_line(path: &Path, mut from: impl BufRead, mut take: impl FnMut(&str, &str) -> Kept<()>) -> Kept<()> {
    let mut line = String::new();
    loop {
        line.clear();
        let read = from.read_line(&mut line).map_err(|cause| RatingsError::File(path.to_owned(), cause))?;
        if read == 0 {
            return Ok(());
        }
        let wrong = || RatingsError::Line(path.to_owned(), RatingError::Value("key"));
        let (key, rating) = line.trim_end_matches('\n').split_once(' ').filter(|(key, _)| key.len() == 32).ok_or_else(wrong)?;
        take(key, rating)?;
    }
}

const PENDING: &str = "pending-";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::crypto::sha256;
    use std::sync::atomic::Ordering::Relaxed;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("oncegate-ratings-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&folder);
            Self(folder)
        }

        fn open(&self) -> Ratings {
            Ratings::open(&self.0).expect("writable")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn rating(number: usize) -> Rating {
        let line = format!(
            r#"{{"situation":"birth-of-child","region":"RU-YAR","month":"2026-{:02}","ending":"done","agencies":["xx.town.sfr"],"provider":"state","scores":{{"process":{}}},"text":"answer {number}"}}"#,
            number % 3 + 1,
            number % 5 + 1
        );
        Rating::parse(&line).expect("a rating")
    }

    fn texts(ratings: &Ratings) -> Vec<String> {
        let mut texts = Vec::new();
        ratings.each(|rating| texts.extend(rating.comment().map(|text| text.as_str().to_owned()))).expect("readable");
        texts.sort();
        texts
    }

    /// The power is cut before each file that is written or removed, with the file of what came lately empty and full; what a start does
    /// then is what the driver does: whatever is there and used up is settled.
    #[test]
    fn an_answer_is_kept_once_at_any_kill() {
        let link = sha256(b"link");
        for before in [0, 1, limits::RATINGS_RECENT_MAX] {
            for cut in 0.. {
                let place = Place::new(&format!("kill-{before}-{cut}"));
                let ratings = place.open();
                let recent: Lines = (0..before).map(|number| (key().expect("random"), rating(number + 7).to_line())).collect();
                ratings.write(&ratings.recent_file(), &written(&recent)).expect("writable");
                ratings.writes_left.store(cut, Relaxed);
                let pended = ratings.pend(&link, &rating(0));
                // Here the case notes that its link is used up.
                let settled = if pended.is_ok() { ratings.settle(&link) } else { Ok(()) };
                drop(ratings);
                let again = place.open();
                assert_eq!(again.pending().expect("readable").len(), usize::from(pended.is_ok() && settled.is_err()));
                again.pending().expect("readable").iter().for_each(|link| again.settle(link).expect("writable"));
                let found = texts(&again);
                assert_eq!(found.len(), before + usize::from(pended.is_ok()), "{before} before, cut at {cut}");
                assert_eq!(found.iter().filter(|text| *text == "answer 0").count(), usize::from(pended.is_ok()));
                assert!(again.pending().expect("readable").is_empty(), "nothing joins it to its link any more");
                if pended.is_ok() && settled.is_ok() {
                    break;
                }
            }
        }
    }

    #[test]
    fn neither_order_nor_time_of_files_tells_who_answered_when() {
        let place = Place::new("order");
        let ratings = place.open();
        for number in 0..limits::RATINGS_RECENT_MAX + 20 {
            let link = sha256(number.to_string().as_bytes());
            ratings.pend(&link, &rating(number)).expect("kept");
            ratings.settle(&link).expect("kept");
        }
        let mut seen = 0;
        for entry in std::fs::read_dir(&place.0).expect("there").flatten() {
            assert_eq!(entry.metadata().expect("there").modified().expect("a time"), SystemTime::UNIX_EPOCH);
            let text = std::fs::read_to_string(entry.path()).expect("readable");
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines.is_sorted() && lines.len() <= limits::RATINGS_RECENT_MAX, "{:?}", entry.path());
            let numbers = lines.iter().filter_map(|line| line.split("answer ").nth(1)?.split('"').next()?.parse().ok());
            let numbers: Vec<usize> = numbers.collect();
            assert!(lines.len() < 10 || !numbers.is_sorted(), "they lie as they came");
            seen += lines.len();
        }
        assert_eq!(seen, limits::RATINGS_RECENT_MAX + 20);
    }

    #[test]
    fn what_is_counted_is_what_lies_there() {
        let place = Place::new("counted");
        let ratings = place.open();
        ratings.keep((0..40).map(rating)).expect("kept");
        let counted = |ratings: &Ratings| ratings.board().expect("readable").show();
        let total = |ratings: &Ratings| counted(ratings).total.value().map(|row| row.satisfied.of);
        assert_eq!(total(&ratings), Some(40));
        let link = sha256(b"one more");
        ratings.pend(&link, &rating(40)).expect("kept");
        assert_eq!(total(&ratings), Some(40), "it is not apart from its case yet");
        ratings.settle(&link).expect("kept");
        assert_eq!((total(&ratings), total(&place.open())), (Some(41), Some(41)));
    }

    #[test]
    fn a_full_month_refuses_before_anything_is_written() {
        let place = Place::new("full");
        let ratings = place.open();
        let room = limits::RATINGS_MONTH_BYTES_MAX - (limits::RATINGS_RECENT_MAX * limits::RATING_BYTES_MAX) as u64;
        let octets = rating(0).to_line().len() as u64 + 34;
        let file = File::create(ratings.month_file(Month::parse("2026-01").expect("a month"))).expect("writable");
        file.set_len(room - octets + 1).expect("writable");
        let link = sha256(b"full");
        assert!(matches!(ratings.pend(&link, &rating(0)), Err(RatingsError::Full(_))));
        assert!(ratings.pending().expect("readable").is_empty());
        file.set_len(room - octets).expect("writable");
        ratings.pend(&link, &rating(0)).expect("just enough");
    }

    #[test]
    fn what_was_half_written_is_gone_at_the_next_start() {
        let place = Place::new("half");
        let half = place.open().pending_file(&sha256(b"half")).with_extension("new");
        std::fs::write(&half, "0").expect("writable");
        assert!(place.open().pending().expect("readable").is_empty() && !half.exists());
    }

    #[test]
    fn of_those_that_wait_there_is_a_most() {
        let place = Place::new("pending");
        let ratings = place.open();
        let link = |number: usize| sha256(&number.to_be_bytes());
        for number in 0..limits::RATINGS_PENDING_MAX {
            std::fs::write(ratings.pending_file(&link(number)), "").expect("writable");
        }
        assert!(matches!(ratings.pend(&link(limits::RATINGS_PENDING_MAX), &rating(0)), Err(RatingsError::Pending)));
        ratings.forget(&link(0)).expect("gone");
        ratings.pend(&link(limits::RATINGS_PENDING_MAX), &rating(0)).expect("one is gone");
    }
}
