//! What may move by itself, of one plan and of all.

use super::told;
use crate::command::{Answer, MaintenanceWindow};
use crate::control::{Control, Word};
use crate::decide::Proposal;
use crate::execution::Kind;
use crate::fleet::{FleetMode, FleetState, Maintenance};
use crate::plan::Mode;
use jiff::Timestamp;

impl Control {
    /// `pause`: nothing of this plan moves by itself.
    ///
    /// # Errors
    /// It is paused already.
    pub fn pause(&mut self, word: &Word) -> Result<String, String> {
        pause(&mut self.paused, word)?;
        Ok("no automatic move starts until `resume`; a running execution goes on, and people can move the plan".into())
    }

    /// `resume`: ends a pause, and a maintenance window before its time. What was held back is judged now.
    ///
    /// # Errors
    /// Neither is there.
    pub fn resume(&mut self, word: &Word) -> Result<String, String> {
        let said = resume(&mut self.paused, &mut self.maintenance, word.at)?;
        self.look_by(word.at);
        Ok(said)
    }

    /// `maintenance`: nothing of this plan moves by itself until a time. A second window takes the place of the first:
    /// longer or shorter, the last word counts.
    ///
    /// # Errors
    /// It ends in the past, or too late.
    pub fn maintain(&mut self, asked: &MaintenanceWindow, word: &Word) -> Result<String, String> {
        maintain(&mut self.maintenance, asked, word)
    }

    /// `acknowledge`: opens the latch, and begins the count of the hour anew. What it held back is judged now.
    ///
    /// # Errors
    /// It is not latched, or not any more.
    pub fn acknowledge(&mut self, word: &Word) -> Result<String, String> {
        let latch = self.latch.take_if(|latch| latch.until > word.at);
        let latch = latch.ok_or("it is not latched: there is nothing to acknowledge")?;
        self.automatic_failovers.clear();
        self.look_by(word.at);
        Ok(format!(
            "the latch of execution {} is open; an automatic failover may start again",
            latch.execution
        ))
    }

    /// `keep`: takes back the promise to come home by itself, of the move that goes on or of the one that ended.
    ///
    /// # Errors
    /// Nobody has promised it.
    pub fn keep(&mut self, word: &Word) -> Result<String, String> {
        let site = match &self.execution {
            Some(running) if running.return_after_seconds.is_some() => running.to.clone(),
            _ => self.active_site.clone(),
        };
        let running = self.execution.as_mut().filter(|running| !running.status.is_final());
        let home = running.as_ref().filter(|running| running.kind == Kind::Failback);
        let home = home.map(|running| running.id.clone());
        let coming = running.and_then(|running| running.return_after_seconds.take());
        let promised = self.away.as_mut().and_then(|away| {
            let at = away.return_at.take();
            away.kept = at.map(|_| word.clone()).or(away.kept.take());
            at
        });
        let stays = format!("it stays at {site} until somebody brings it home with `failback`");
        let said = match (coming, promised, home) {
            (Some(seconds), _, _) => format!("it would have come home {seconds} s after this move; {stays}"),
            (None, Some(_), Some(home)) => {
                format!("execution {home} brings it home already and goes on; `cancel` undoes it, and then {stays}")
            }
            (None, Some(at), None) => format!("it would have come home at {at}; {stays}"),
            (None, None, _) => {
                return Err("nobody has promised that it comes home by itself: there is nothing to keep".into());
            }
        };
        self.look_by(word.at);
        Ok(said)
    }

    // Decision sets the time at which it may propose again.
    pub(super) fn reject_proposal(&mut self, answer: &Answer, word: &Word) -> Result<String, String> {
        let open = self.proposal.as_mut().filter(|known| known.is_open());
        let known = open.ok_or("no proposal waits for an answer")?;
        if answer.proposal.as_ref().is_some_and(|meant| *meant != known.id) {
            return Err(format!("the proposal that waits is {}: {}", known.id, known.sentence()));
        }
        known.reject(word);
        let said = format!(
            "{} is not made, and not proposed again until the site has been well in between or the cooldown is over",
            known.sentence()
        );
        self.look_by(word.at);
        Ok(said)
    }

    /// Whether an answer is about the execution that goes on and not about a proposal: it says so, or only the execution
    /// waits.
    pub fn is_about_execution(&self, answer: &Answer) -> bool {
        let named = answer.execution.is_some() || answer.step.is_some();
        let proposed = self.proposal.as_ref().is_some_and(Proposal::is_open);
        let waits = self
            .execution
            .as_ref()
            .is_some_and(|running| running.awaits_approval().is_some());
        answer.proposal.is_none() && (named || (waits && !proposed))
    }
}

impl FleetState {
    /// `pause` of all plans.
    ///
    /// # Errors
    /// They are paused already.
    pub fn pause(&mut self, word: &Word) -> Result<String, String> {
        pause(&mut self.paused, word)?;
        Ok(
            "no automatic move of any plan starts until `resume`; running executions go on, and people can move plans"
                .into(),
        )
    }

    /// `resume` of all plans: ends their common pause, and their common maintenance window before its time.
    ///
    /// # Errors
    /// Neither is there.
    pub fn resume(&mut self, word: &Word) -> Result<String, String> {
        resume(&mut self.paused, &mut self.maintenance, word.at)
    }

    /// `maintenance` of all plans, as that of one.
    ///
    /// # Errors
    /// It ends in the past, or too late.
    pub fn maintain(&mut self, asked: &MaintenanceWindow, word: &Word) -> Result<String, String> {
        maintain(&mut self.maintenance, asked, word)
    }

    /// `mode` of all plans; `automatic` gives each its own back.
    ///
    /// # Errors
    /// It is set already, or there is none to take back.
    pub fn set_mode(&mut self, wanted: Mode, word: &Word) -> Result<String, String> {
        match &self.mode {
            Some(known) if known.mode == wanted => {
                Err(format!("all plans are in mode {wanted} already, {}", told(&known.word)))
            }
            None if wanted == Mode::Automatic => {
                Err("no mode is set for all plans: each is in its own already, its `policy.mode`".into())
            }
            _ if wanted == Mode::Automatic => {
                self.mode = None;
                Ok("each plan is in its own mode again, its `policy.mode`".into())
            }
            _ => {
                let word = word.clone();
                self.mode = Some(FleetMode { mode: wanted, word });
                Ok(format!(
                    "no plan is bolder than mode {wanted}, and one whose own mode is more careful keeps it; running \
                     executions go on, and people can move plans; `mode` \"automatic\" gives each its own back"
                ))
            }
        }
    }

    /// `stop-all`: the kill switch.
    ///
    /// # Errors
    /// All is stopped already.
    pub fn stop(&mut self, word: &Word) -> Result<String, String> {
        if let Some(known) = &self.stopped {
            return Err(format!("all is stopped already, {}", told(known)));
        }
        self.stopped = Some(word.clone());
        Ok(
            "nothing starts, by itself or by hand, and no executor makes a further changing call, until `start-all`; a \
             call that is under way ends"
                .into(),
        )
    }

    /// `start-all`: takes the kill switch back.
    ///
    /// # Errors
    /// Nothing is stopped.
    pub fn start(&mut self) -> Result<String, String> {
        self.stopped.take().ok_or("nothing is stopped")?;
        Ok("executions go on where they stood, and moves may start again".into())
    }
}

fn pause(paused: &mut Option<Word>, word: &Word) -> Result<(), String> {
    if let Some(known) = paused {
        return Err(format!("it is paused already, {}", told(known)));
    }
    *paused = Some(word.clone());
    Ok(())
}

fn resume(paused: &mut Option<Word>, window: &mut Option<Maintenance>, now: Timestamp) -> Result<String, String> {
    let open = window.as_ref().is_some_and(|window| window.until > now);
    if paused.is_none() && !open {
        return Err("not paused, and no maintenance window is open".into());
    }
    *window = None;
    Ok(match paused.take() {
        Some(_) if open => "the pause and the maintenance window are over; automatic moves may start again".into(),
        _ => "automatic moves may start again".into(),
    })
}

fn maintain(window: &mut Option<Maintenance>, asked: &MaintenanceWindow, word: &Word) -> Result<String, String> {
    let until = asked.ends_at(word.at)?;
    let word = word.clone();
    *window = Some(Maintenance { word, until });
    Ok(format!(
        "no automatic move starts until {until}, then they may again by themselves; `resume` ends it early"
    ))
}
