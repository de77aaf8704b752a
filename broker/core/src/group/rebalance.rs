use bytes::Bytes;

use super::{Effect, Group, GroupError, State, Time, machine::Persisting, timers::Timer};

/// The pause before an empty group's first generation, so that its members come into it together.
#[derive(Clone, Copy, Debug)]
pub(super) struct InitialDelay {
    delay_ms: i64,
    /// How much longer it may be prolonged.
    remaining_ms: i64,
    /// Somebody joined since it began.
    pub newcomers: bool,
}

impl Group {
    /// The membership changed: rebalances, or goes on with the rebalance under way.
    pub(super) fn rebalance_or_complete(&mut self, now: Time, out: &mut Vec<Effect>) {
        match self.state {
            State::Empty | State::CompletingRebalance | State::Stable => {
                self.prepare_rebalance(now, out);
            }
            State::PreparingRebalance => self.try_complete_join(now, out),
            State::Dead => {}
        }
    }

    /// A member went.
    pub(super) fn rebalance_without(&mut self, now: Time, out: &mut Vec<Effect>) {
        if self.state != State::Empty {
            self.rebalance_or_complete(now, out);
        }
    }

    pub(super) fn prepare_rebalance(&mut self, now: Time, out: &mut Vec<Effect>) {
        if self.state == State::CompletingRebalance {
            self.fail_syncs(now, &GroupError::RebalanceInProgress, out);
        }
        self.roster.clear_pending_sync();
        self.timers.cancel(&Timer::Sync);

        let is_first = self.state == State::Empty;
        self.enter(now, State::PreparingRebalance);
        if is_first {
            let delay_ms = self.config.initial_rebalance_delay_ms;
            let remaining_ms = (self.roster.rebalance_timeout_ms() - delay_ms).max(0);
            self.initial = Some(InitialDelay {
                delay_ms,
                remaining_ms,
                newcomers: false,
            });
            self.timers.arm(now.steady, delay_ms, Timer::Join);
        } else if self.roster.all_joined() {
            self.complete_join(now, out);
        } else {
            let timeout_ms = self.roster.rebalance_timeout_ms();
            self.timers.arm(now.steady, timeout_ms, Timer::Join);
        }
    }

    /// Ends the join phase if nobody is missing. The initial delay runs its time.
    pub(super) fn try_complete_join(&mut self, now: Time, out: &mut Vec<Effect>) {
        if self.state == State::PreparingRebalance
            && self.initial.is_none()
            && self.roster.all_joined()
        {
            self.complete_join(now, out);
        }
    }

    pub(super) fn join_phase_is_over(&mut self, now: Time, out: &mut Vec<Effect>) {
        if self.state != State::PreparingRebalance {
            return;
        }
        let config_delay_ms = self.config.initial_rebalance_delay_ms;
        if let Some(initial) = &mut self.initial
            && initial.newcomers
            && initial.remaining_ms > 0
        {
            let next_ms = config_delay_ms.min(initial.remaining_ms);
            initial.remaining_ms = (initial.remaining_ms - initial.delay_ms).max(0);
            initial.delay_ms = next_ms;
            initial.newcomers = false;
            self.timers.arm(now.steady, next_ms, Timer::Join);
            return;
        }
        self.complete_join(now, out);
    }

    /// Begins the next generation with those who joined, and static members within their session.
    fn complete_join(&mut self, now: Time, out: &mut Vec<Effect>) {
        self.timers.cancel(&Timer::Join);
        self.initial = None;
        for id in self.roster.absent_dynamic() {
            self.forget(&id, out);
        }
        if !self.roster.elect_joined_leader() && !self.roster.is_empty() {
            // Only static members are left and none has rejoined: their sessions will end.
            let timeout_ms = self.roster.rebalance_timeout_ms();
            self.timers.arm(now.steady, timeout_ms, Timer::Join);
            return;
        }
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.roster.clear_pending_sync();
        self.protocol = self.roster.choose_protocol();
        self.subscribed = self.find_subscribed();
        if self.roster.is_empty() {
            self.roster.set_leader(None);
            self.enter(now, State::Empty);
            let snapshot = self.snapshot(None);
            self.persist(Persisting::Emptied, snapshot, out);
        } else {
            self.enter(now, State::CompletingRebalance);
            self.answer_joins(now, out);
        }
    }

    fn answer_joins(&mut self, now: Time, out: &mut Vec<Effect>) {
        for id in self.roster.ids() {
            let leads = self.roster.is_leader(&id);
            let waiter = self.roster.get_mut(&id).and_then(|m| {
                m.is_new = false;
                m.joining.take()
            });
            if let Some(waiter) = waiter {
                out.push(Effect::Joined {
                    waiter,
                    answer: Ok(self.joined(&id, leads)),
                });
            }
            self.arm_session(now, &id);
        }
        self.roster.await_syncs();
        let timeout_ms = self.roster.rebalance_timeout_ms();
        self.timers.arm(now.steady, timeout_ms, Timer::Sync);
    }

    /// Tells all who wait for their assignment that there is none, and forgets what there was.
    pub(super) fn fail_syncs(&mut self, now: Time, error: &GroupError, out: &mut Vec<Effect>) {
        for id in self.roster.ids() {
            self.roster.set_assignment(&id, Bytes::new());
            let waiter = self.roster.get_mut(&id).and_then(|m| m.syncing.take());
            if let Some(waiter) = waiter {
                out.push(Effect::Synced {
                    waiter,
                    answer: Err(error.clone()),
                });
                self.arm_session(now, &id);
            }
        }
    }
}
