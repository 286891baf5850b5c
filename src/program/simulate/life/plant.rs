//! Bugs that are planted into the simulator's driver of cases, to see whether it would find such a one.

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A message is sent before the change is durable that it follows from.
    SentBeforeRecord,
    /// What was heard is taken and not recorded.
    HeardUnrecorded,
    /// An answer that comes twice is taken twice.
    HeardTwice,
    /// When something is to be done in a case is forgotten.
    TimerForgotten,
    /// The same event, told in another message, begins a case of its own.
    SecondCase,
    /// A start does not read the records that its shelf has not been told of.
    TailNotFolded,
    /// What was decided on and not sent when the power went is not looked for.
    LostNotSought,
    /// What was decided on and not sent when the power went is sent under another id as well.
    AnotherId,
    /// A start does not look for events that were accepted and have begun nothing yet.
    EventForgotten,
}

impl Plant {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::SentBeforeRecord,
        Self::HeardUnrecorded,
        Self::HeardTwice,
        Self::TimerForgotten,
        Self::SecondCase,
        Self::TailNotFolded,
        Self::LostNotSought,
        Self::AnotherId,
        Self::EventForgotten,
    ];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SentBeforeRecord => "sent-before-record",
            Self::HeardUnrecorded => "heard-unrecorded",
            Self::HeardTwice => "heard-twice",
            Self::TimerForgotten => "timer-forgotten",
            Self::SecondCase => "second-case",
            Self::TailNotFolded => "case-tail-not-folded",
            Self::LostNotSought => "lost-not-sought",
            Self::AnotherId => "another-id",
            Self::EventForgotten => "event-forgotten",
        }
    }

    /// Reads such a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plant| plant.as_str() == text)
    }
}
