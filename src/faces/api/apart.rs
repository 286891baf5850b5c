//! Work that takes long: on a thread of its own, which gives way to whoever serves messages.

use crate::base::fault::{Code, Fault};
use rustix::time::{ClockId, clock_gettime};
use std::thread::Builder;
use std::time::Duration;
use tokio::sync::oneshot;

/// Runs `work`; gives what it made and the processor's time that it took.
pub(crate) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<(T, Duration), Fault> {
    let (sender, receiver) = oneshot::channel();
    let run = move || {
        // On Linux this is the thread's own: with 15 it gets a thirtieth of a processor that others want. Where it is refused, the
        // work is done all the same.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, 15);
        let begun = used();
        let made = work();
        let _ = sender.send((made, used().saturating_sub(begun)));
    };
    let started = Builder::new().name("reader".to_owned()).spawn(run);
    started.map_err(|cause| Fault::new(Code::HttpBusy).with_private(cause.to_string()).with_retry_after(1))?;
    receiver.await.map_err(|cause| Fault::new(Code::LogUnavailable).with_private(cause.to_string()))
}

/// The processor's time of this thread.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
