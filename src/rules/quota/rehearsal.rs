//! What another quota would have refused of what came.

/// What it would have refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rehearsed {
    /// In so many minutes,
    pub minutes: u64,
    /// so many requests.
    pub requests: u64,
}

/// Takes the requests of one minute after the other through a quota, as if those of a minute came evenly. What somebody does not use of
/// it is theirs later, up to the burst.
pub fn rehearse(minutes: impl IntoIterator<Item = u64>, per_minute: u32, burst: u32) -> Rehearsed {
    let (per_minute, burst) = (u64::from(per_minute), u64::from(burst));
    let (mut kept, mut refused) = (burst, Rehearsed::default());
    for came in minutes {
        let there = kept + per_minute;
        let over = came.saturating_sub(there);
        kept = burst.min(there.saturating_sub(came));
        refused.requests += over;
        refused.minutes += u64::from(over > 0);
    }
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_smaller_quota_would_have_refused_is_counted_as_by_hand() {
        let came = [15, 10, 12, 0, 16];
        // 5 are kept at first: 15 pass, then 10, then 10 of 12; 5 are kept again, and 15 of 16 pass.
        assert_eq!(rehearse(came, 10, 5), Rehearsed { minutes: 2, requests: 3 });
        assert_eq!(rehearse(came, 16, 1), Rehearsed::default());
        assert_eq!(rehearse(came, 0, 0), Rehearsed { minutes: 4, requests: 53 });
        assert_eq!(rehearse([], 10, 5), Rehearsed::default());
        assert_eq!(rehearse([u64::MAX, 1], u32::MAX, 0).minutes, 1);
    }
}
