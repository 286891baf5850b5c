//! Counts what is allocated, so that a target can hold a call to a bound.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed).wrapping_add(layout.size());
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller's promise is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
}

/// What a call may take beside eight times its input: buffers that are made at their full size.
const CONSTANT: usize = 64 << 10;

/// Runs `call`, which reads `input` octets, and holds it to eight times their number and a constant.
pub fn bounded<T>(input: usize, call: impl FnOnce() -> T) -> T {
    bounded_by(8 * input + CONSTANT, call)
}

/// Runs `call` and holds it to so many octets.
pub fn bounded_by<T>(most: usize, call: impl FnOnce() -> T) -> T {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = call();
    let taken = PEAK.load(Relaxed).saturating_sub(before);
    assert!(taken <= most, "{taken} octets of memory where {most} were allowed");
    result
}
