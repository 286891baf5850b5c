//! Static tiles: paths and contents of C2SP tlog-tiles. A path has one form only, and so has an entry bundle.

use super::tree::{Hash, Hashes, TILE_WIDTH};
use std::fmt;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// The hashes of a level.
    Hashes(u32),
    /// The leaves themselves.
    Entries,
}

/// A tile or an entry bundle: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    content: Content,
    number: u64,
    width: u64,
}

impl Tile {
    /// Reads a path, without a leading solidus.
    pub fn parse(path: &str) -> Option<Self> {
        let (content, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let content = match content {
            "entries" => Content::Entries,
            level => Content::Hashes(small(level).filter(|level| *level <= LEVEL_MAX)?),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, small(width).map(u64::from).filter(|width| *width > 0 && *width < TILE_WIDTH)?),
            None => (rest, TILE_WIDTH),
        };
        let tile = Self { content, number: parse_number(number)?, width };
        // Leading groups of zeros would be second names of the same tile.
        (tile.to_string() == path).then_some(tile)
    }

    /// All tiles of a tree, in the order in which they come to be written: bundles, then hashes level by level. Of the
    /// partial tiles only those of this very size.
    pub fn all(size: u64) -> impl Iterator<Item = Self> {
        let bundles = std::iter::once((Content::Entries, size));
        let levels = (0..=LEVEL_MAX).map(move |level| (Content::Hashes(level), kept(level, size)));
        bundles.chain(levels.take_while(|(_, count)| *count > 0)).flat_map(|(content, count)| {
            let full = (0..count / TILE_WIDTH).map(move |number| Self { content, number, width: TILE_WIDTH });
            let rest = count % TILE_WIDTH;
            full.chain((rest > 0).then_some(Self { content, number: count / TILE_WIDTH, width: rest }))
        })
    }

    /// What it holds.
    pub fn content(&self) -> Content {
        self.content
    }

    /// The number of its first hash or entry in its level.
    pub fn start(&self) -> u64 {
        self.number * TILE_WIDTH
    }

    /// How many hashes or entries it has, 1 to 256.
    pub fn width(&self) -> u64 {
        self.width
    }

    /// Whether a tree of this size has all that the tile is to hold.
    pub fn is_within(&self, size: u64) -> bool {
        let count = match self.content {
            Content::Entries => size,
            Content::Hashes(level) => kept(level, size),
        };
        self.start().checked_add(self.width).is_some_and(|end| end <= count)
    }

    /// The octets of a tile of hashes: its hashes one after the other. A bundle has none.
    pub fn hashes<H: Hashes>(&self, hashes: &H) -> Result<Vec<u8>, H::Error> {
        let Content::Hashes(level) = self.content else { return Ok(Vec::new()) };
        let mut read = Vec::with_capacity(self.width as usize);
        hashes.read(level, self.start(), self.width, &mut read)?;
        Ok(read.iter().flat_map(Hash::octets).copied().collect())
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content {
            Content::Entries => f.write_str("tile/entries/")?,
            Content::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let mut scale: u64 = 1;
        while self.number / scale >= 1000 {
            scale *= 1000;
        }
        while scale > 1 {
            write!(f, "x{:03}/", self.number / scale % 1000)?;
            scale /= 1000;
        }
        write!(f, "{:03}", self.number % 1000)?;
        if self.width < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// How many hashes a level has in a tree of `size` leaves.
fn kept(level: u32, size: u64) -> u64 {
    size.checked_shr(level * 8).unwrap_or(0)
}

/// A decimal of at most three digits, without leading zeros.
fn small(text: &str) -> Option<u32> {
    if text.len() > 3 {
        return None;
    }
    super::note::parse_decimal(text).and_then(|number| u32::try_from(number).ok())
}

/// `x001/x234/067` is 1,234,067. No tile of a tree of 2^63 leaves has a number from 2^55 on.
fn parse_number(text: &str) -> Option<u64> {
    let mut number: u64 = 0;
    let mut groups = text.split('/').peekable();
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
        if digits.len() != 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        number = number.checked_mul(1000)?.checked_add(digits.parse().ok()?).filter(|number| *number < 1 << 55)?;
    }
    Some(number)
}

/// The specification allows levels up to 63; a tree of 2^63 leaves has eight.
const LEVEL_MAX: u32 = 63;

/// A bundle is not what its path says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleError {
    /// An entry has more octets than its length can say.
    TooLong,
    /// The octets end within an entry, or go on after the last.
    Length,
}

/// Writes an entry bundle: each entry after its length in two octets.
pub fn write_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>, out: &mut Vec<u8>) -> Result<(), BundleError> {
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| BundleError::TooLong)?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(entry);
    }
    Ok(())
}

/// Reads an entry bundle of exactly `width` entries, which is at most 256.
pub fn read_bundle(octets: &[u8], width: u64) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::with_capacity(width.min(TILE_WIDTH) as usize);
    let mut rest = octets;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<2>().ok_or(BundleError::Length)?;
        let (entry, after) = after.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(BundleError::Length)?;
        if entries.len() as u64 == width.min(TILE_WIDTH) {
            return Err(BundleError::Length);
        }
        entries.push(entry);
        rest = after;
    }
    if entries.len() as u64 == width { Ok(entries) } else { Err(BundleError::Length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(content: Content, number: u64, width: u64) -> Tile {
        Tile { content, number, width }
    }

    #[test]
    fn paths_are_read_as_written() {
        for (path, expected) in [
            ("tile/0/000", tile(Content::Hashes(0), 0, 256)),
            ("tile/0/x001/x234/067", tile(Content::Hashes(0), 1_234_067, 256)),
            ("tile/63/999", tile(Content::Hashes(63), 999, 256)),
            ("tile/entries/x001/000.p/255", tile(Content::Entries, 1000, 255)),
            ("tile/2/000.p/1", tile(Content::Hashes(2), 0, 1)),
            ("tile/0/x036/x028/x797/x018/x963/967", tile(Content::Hashes(0), (1 << 55) - 1, 256)),
        ] {
            assert_eq!(Tile::parse(path), Some(expected), "{path}");
            assert_eq!(expected.to_string(), path);
        }
    }

    #[test]
    fn no_tile_has_a_second_path() {
        for path in [
            "",
            "tile",
            "tile/0/",
            "/tile/0/000",
            "tile/0/0",
            "tile/0/0000",
            "tile/00/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/1000/000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x001/x000",
            "tile/0/x001",
            "tile/0/X001/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p/1/",
            "tile/0/000.p/1.p/1",
            "tile/0/000.p",
            "tile/0/000/",
            "tile/0//000",
            "tile/0/٠٠٠",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/999",
            // 2^55, and a number whose thousandfold is more than 64 bits hold.
            "tile/0/x036/x028/x797/x018/x963/968",
            "tile/0/x018/x500/x000/x000/x000/x000/000",
            "tile/0/../000",
            "tile/Entries/000",
            "tile/entries/000?",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    /// The example of the specification, section Partial Tiles.
    #[test]
    fn the_tiles_of_a_tree_are_those_of_the_specification() {
        let of = |content, size| Tile::all(size).filter(|tile| tile.content() == content).collect::<Vec<_>>();
        let zero = of(Content::Hashes(0), 70_000);
        assert_eq!((zero.len(), zero.last().map(Tile::to_string).as_deref()), (274, Some("tile/0/273.p/112")));
        let one: Vec<_> = of(Content::Hashes(1), 70_000).iter().map(Tile::to_string).collect();
        assert_eq!(one, ["tile/1/000", "tile/1/001.p/17"]);
        let two: Vec<_> = of(Content::Hashes(2), 70_000).iter().map(Tile::to_string).collect();
        assert_eq!(two, ["tile/2/000.p/1"]);
        assert_eq!(of(Content::Entries, 70_000).len(), 274);
        let small: Vec<_> = Tile::all(256).map(|tile| tile.to_string()).collect();
        assert_eq!(small, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(Tile::all(0).count(), 0);
        assert!(Tile::all(70_000).all(|tile| tile.is_within(70_000) && Tile::parse(&tile.to_string()) == Some(tile)));
        assert!(!tile(Content::Hashes(0), 273, 113).is_within(70_000) && !tile(Content::Hashes(63), 0, 1).is_within(u64::MAX));
    }

    #[test]
    fn bundles_are_read_as_written_and_whole() {
        let entries: Vec<Vec<u8>> = (0..256_u32).map(|number| vec![7; number as usize]).collect();
        let mut octets = Vec::new();
        write_bundle(entries.iter().map(Vec::as_slice), &mut octets).expect("short entries");
        assert_eq!(read_bundle(&octets, 256).expect("whole"), entries);
        for width in [0, 1, 255, 257, u64::MAX] {
            assert_eq!(read_bundle(&octets, width), Err(BundleError::Length));
        }
        for cut in [1, 2, 255, 256] {
            assert_eq!(read_bundle(&octets[..octets.len() - cut], 256), Err(BundleError::Length), "{cut}");
        }
        octets.extend_from_slice(&[0, 0]);
        assert_eq!(read_bundle(&octets, 256), Err(BundleError::Length));
        assert_eq!(write_bundle([vec![0; 65_536].as_slice()], &mut Vec::new()), Err(BundleError::TooLong));
        write_bundle([vec![0; 65_535].as_slice()], &mut Vec::new()).expect("as long as can be");
    }

    #[test]
    fn tiles_say_where_they_stand_and_what_they_hold() {
        for (path, content, start, width) in [
            ("tile/0/000", Content::Hashes(0), 0, 256),
            ("tile/1/002.p/255", Content::Hashes(1), 512, 255),
            ("tile/entries/x001/000.p/1", Content::Entries, 256_000, 1),
        ] {
            let tile = Tile::parse(path).expect("a tile");
            assert_eq!((tile.content(), tile.start(), tile.width()), (content, start, width), "{path}");
            let end = start + width;
            let size = if content == Content::Hashes(1) { end << 8 } else { end };
            assert!(tile.is_within(size) && !tile.is_within(size - 1), "{path}");
        }
    }

    #[test]
    fn a_tile_holds_the_hashes_of_its_level_from_its_start_on() {
        struct Numbered;
        impl Hashes for Numbered {
            type Error = u64;

            fn read(&self, level: u32, from: u64, count: u64, out: &mut Vec<Hash>) -> Result<(), u64> {
                out.extend(
                    (from..from + count).map(|number| Hash::of_leaf(&[&[level as u8][..], &number.to_be_bytes()].concat())),
                );
                if level > 7 { Err(from) } else { Ok(()) }
            }
        }
        let octets = tile(Content::Hashes(3), 2, 5).hashes(&Numbered).expect("kept");
        let expected: Vec<u8> =
            (512..517_u64).flat_map(|number| *Hash::of_leaf(&[&[3][..], &number.to_be_bytes()].concat()).octets()).collect();
        assert_eq!(octets, expected);
        assert_eq!(tile(Content::Hashes(8), 1, 5).hashes(&Numbered), Err(256));
        assert_eq!(tile(Content::Entries, 2, 5).hashes(&Numbered), Ok(Vec::new()));
    }
}
