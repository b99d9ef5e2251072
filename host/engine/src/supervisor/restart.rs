//! When an instance that has ended is started again.

use std::time::Duration;

use plan::{ExitStatus, Restart};

/// The first pause; each is twice as long as the one before.
const FIRST: Duration = Duration::from_millis(100);
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(60);
/// A program that ran so long starts with the first pause again.
const SOUND: Duration = Duration::from_secs(10);

/// The pauses between runs, as Docker's.
#[derive(Debug, Default)]
pub(super) struct Backoff(Duration);

impl Backoff {
    /// How long to wait before the next run; `None` if there shall be none.
    pub(super) fn next(
        &mut self,
        policy: Restart,
        restarts: u32,
        status: ExitStatus,
        ran: Duration,
    ) -> Option<Duration> {
        let again = match policy {
            Restart::No => false,
            Restart::OnFailure(most) => status.code() != 0 && (most == 0 || restarts < most),
            Restart::Always | Restart::UnlessStopped => true,
        };
        self.0 = if ran >= SOUND || self.0.is_zero() { FIRST } else { (self.0 * 2).min(LONGEST) };
        again.then_some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: ExitStatus = ExitStatus::Exited(3);

    #[test]
    fn pauses_double_up_to_a_minute_and_start_anew_after_a_sound_run() {
        let mut backoff = Backoff::default();
        let mut next = |ran| backoff.next(Restart::Always, 0, BAD, Duration::from_secs(ran)).unwrap().as_millis();
        assert_eq!([next(0), next(0), next(0)], [100, 200, 400]);
        assert_eq!((0..10).map(|_| next(1)).max(), Some(60_000));
        assert_eq!(next(9), 60_000);
        assert_eq!(next(10), 100);
    }

    #[test]
    fn policies() {
        let again =
            |policy, restarts, status| Backoff::default().next(policy, restarts, status, Duration::ZERO).is_some();
        let good = ExitStatus::Exited(0);
        assert!(!again(Restart::No, 0, BAD));
        assert!(again(Restart::OnFailure(0), 1000, BAD) && !again(Restart::OnFailure(0), 0, good));
        assert!(again(Restart::OnFailure(2), 1, ExitStatus::Signaled(9)) && !again(Restart::OnFailure(2), 2, BAD));
        assert!(again(Restart::Always, 9, good) && again(Restart::UnlessStopped, 9, good));
    }
}
