//! Bugs that are planted into the simulator's driver, to see whether it would find such a one. Nothing else knows them: no
//! gateway can be made to have one.

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// `202` is said before the record is durable.
    AckBeforeRecord,
    /// A lease is given that is not on record.
    LeaseUnrecorded,
    /// A start does not read the leases that were given.
    LeaseForgotten,
    /// An answer is recorded without asking whether its question was cancelled meanwhile.
    AnswerOverCancel,
    /// What is past its time is delivered.
    ExpiredDelivered,
    /// What is about one person is not kept in order.
    OrderIgnored,
    /// A start does not read who has had an event.
    EventAgain,
    /// What the ledger does not know is not looked for in the log.
    PastNotAsked,
    /// The ledger forgets what the index does not have yet.
    ForgottenEarly,
    /// A start takes records behind the last commit for good.
    TornTailBelieved,
    /// A start does not read the records that its shelf has not been told of.
    TailNotFolded,
    /// An answer is taken for a question that has one.
    SecondAnswer,
    /// A holder that could not be reached is never tried again.
    NeverAgain,
}

impl Plant {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::AckBeforeRecord,
        Self::LeaseUnrecorded,
        Self::LeaseForgotten,
        Self::AnswerOverCancel,
        Self::ExpiredDelivered,
        Self::OrderIgnored,
        Self::EventAgain,
        Self::PastNotAsked,
        Self::ForgottenEarly,
        Self::TornTailBelieved,
        Self::TailNotFolded,
        Self::SecondAnswer,
        Self::NeverAgain,
    ];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AckBeforeRecord => "ack-before-record",
            Self::LeaseUnrecorded => "lease-unrecorded",
            Self::LeaseForgotten => "lease-forgotten",
            Self::AnswerOverCancel => "answer-over-cancel",
            Self::ExpiredDelivered => "expired-delivered",
            Self::OrderIgnored => "order-ignored",
            Self::EventAgain => "event-again",
            Self::PastNotAsked => "past-not-asked",
            Self::ForgottenEarly => "forgotten-early",
            Self::TornTailBelieved => "torn-tail-believed",
            Self::TailNotFolded => "tail-not-folded",
            Self::SecondAnswer => "second-answer",
            Self::NeverAgain => "never-again",
        }
    }

    /// Reads such a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plant| plant.as_str() == text)
    }
}
