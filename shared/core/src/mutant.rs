//! Deliberate mistakes in the protocol, for proving that the simulator would find them.
//!
//! Each [`Mutant`] is one line somewhere in the core or the engine that does the wrong thing while it is [`active`].
//! Without the cargo feature `mutants`, which no deployed function has, `active` is a constant `false` and the compiler
//! takes the line away. With it, a test chooses one mutant for its own thread.

macro_rules! mutants {
    ($($name:ident $words:literal),+ $(,)?) => {
        /// One deliberate mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant { $(#[doc = $words] $name),+ }

        impl Mutant {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// What it does, in words.
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $words),+ }
            }
        }
    };
}

mutants! {
    LeaseNotRespected "a lease is taken although somebody holds it",
    LeaseWithoutMargin "a lease is taken over the moment it has run out",
    LeaseNeverExpires "a lease lasts a day",
    LeaseNotReleased "a turn ends without giving the lease back",
    CallBeyondLease "a call is made although it does not fit into the lease, or into the turn",
    EpochNotChecked "a commit does not look whether the lease is still its own",
    EpochNotGrown "a takeover keeps the old epoch",
    TakeoverNotCounted "a takeover is not counted",
    ExecutorWakeNotCleared "the executor takes the lease and leaves the wake",
    DecisionWakeNotCleared "decision judges and leaves the wake",
    IntentAfterCall "the call comes before the durable intent",
    AttemptNotRecorded "a call is made without recording the attempt",
    ConflictIgnored "somebody else's change is overwritten",
    UndoInOrder "the steps are undone first to last",
    UndoToWanted "an undo makes again what was wanted",
    DeadlineIgnored "an execution never becomes stuck by its time",
    StepDeadlineIgnored "a step never fails by its time",
    SecondExecution "an execution is opened while another one runs",
    LatchIgnored "the latch is not looked at",
    BudgetIgnored "the hourly budget is not looked at",
    FleetIgnored "the fleet's limit is not looked at",
    HoldIgnored "the hold time is not waited for",
    PauseIgnored "a pause is not respected",
    TargetHealthIgnored "the destination's health is not looked at",
    StabilityIgnored "the stability window is not waited for",
    EventAgeIgnored "an event of yesterday is taken for news",
    StaleAccepted "old observations count as fresh",
    UnknownIsUnhealthy "what nobody can say counts as unhealthy",
    SlotNotCompared "a slot is counted twice",
    ConditionDropped "a refused write is made again over whatever stands there",
    LostReplyIsRefusal "a write does not recognise itself after a lost reply",
    LostReplyIsSuccess "a lost reply is taken for success",
    AnnouncementDropped "an announcement is lost if another one waits",
    AnnouncementOutsideWrite "the end of an execution is not told by the write that ends it",
    PublishedUnseen "a message that SNS refused counts as sent",
    ObservationWakeDropped "a heartbeat forgets the wake that nobody has taken",
    HistoryNotWritten "an ended execution leaves the control item without its copy",
    TimerForgotten "a hold that is not over sets no timer",
    ConsentIgnored "a move that can lose data asks nobody",
    LagOfDyingSource "the lag that is measured on a dying source counts",
    StopIgnored "the executor does not heed the kill switch",
    HeldGoesOn "an execution that a person holds goes on",
    ObserveMoves "mode observe moves what it would have moved",
    MaintenanceIgnored "a maintenance window is not looked at",
    YesAfterExpiry "a yes to a proposal that has expired moves the plan",
    QuorumIgnored "one observer is enough where the plan asks for two",
    BlastRadiusIgnored "how many plans move at once is not looked at",
    HoursIgnored "a plan comes home by itself at any hour",
    SitOutIgnored "a Region that sits out takes the lease all the same",
    EditReachesExecution "a new revision changes the plan of the execution that runs",
    LeftRegionFirst "the Region that is being left does not let others go first",
}

/// Whether a mutant lives here.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn active(_mutant: Mutant) -> bool {
    false
}

#[cfg(feature = "mutants")]
mod chosen {
    use super::Mutant;
    use std::cell::Cell;

    thread_local! {
        static CHOSEN: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Whether this thread has chosen this mutant.
    pub fn active(mutant: Mutant) -> bool {
        CHOSEN.get() == Some(mutant)
    }

    /// Chooses a mutant for this thread, or none.
    pub fn choose(mutant: Option<Mutant>) {
        CHOSEN.set(mutant);
    }
}

#[cfg(feature = "mutants")]
pub use chosen::{active, choose};
