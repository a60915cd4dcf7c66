//! What a plan names beside its steps: probes' resources, alarms, what setup makes, and whose account all of it is in.
//!
//! None of that holds a move back: a site without an answer of its probes is unknown, and so nowhere to move to, and what
//! setup has made works or does not by the words of the steps that use it.

use super::{Looked, STEPS_AT_ONCE, told_by};
use crate::executor::Executor;
use crate::executor::question::at;
use crate::steps::{Finding, driver};
use futures_util::stream::{self, StreamExt};
use understudy_core::control::Control;
use understudy_core::plan::{Plan, Step};
use understudy_core::preflight::{Concern, Weight};

impl Executor {
    /// Each item of setup: whether it can be read and made, and whether it is as it was set up.
    pub(super) async fn look_at_setup(&self, plan: &Plan, control: &Control) -> Vec<Looked> {
        let looks = plan.setup.iter().enumerate();
        let looks: Vec<_> = looks
            .map(|(index, step)| self.look_at_item(plan, control, index, step))
            .collect();
        stream::iter(looks).buffered(STEPS_AT_ONCE).collect().await
    }

    async fn look_at_item(&self, plan: &Plan, control: &Control, index: usize, step: &Step) -> Looked {
        let goal = at(&control.active_site);
        let mut looked = Looked {
            to: String::new(),
            path: format!("setup[{index}]"),
            step: step.name().to_owned(),
            findings: Vec::new(),
            permissions: Vec::new(),
            complete: true,
            at_most: Weight::Warns,
        };
        let driver = driver(&self.steps, plan, step, &goal);
        let reading = match driver.read(&goal).await {
            Ok(reading) => reading,
            Err(error) => {
                looked.failed(error);
                return looked;
            }
        };
        // As wanted: nothing is called, so nobody needs to be allowed to.
        if reading.is_satisfied() {
            return looked;
        }
        looked.findings = told_by(&reading);
        if reading.current.same_as(&reading.wanted) {
            return looked;
        }
        let (is, wanted) = (reading.current.sentence(), reading.wanted.sentence());
        let message = match &control.set_up {
            Some(_) => format!("it is not as setup wants it: found {is}, wanted {wanted}; send `setup` again"),
            None => format!("it is not set up: found {is}, wanted {wanted}; send `setup`"),
        };
        looked.findings.push(Finding::new(Weight::Warns, message));
        looked.permissions = driver.permissions(&goal, self.ports.permissions.account());
        looked
    }

    /// Whether the resources of probes and the alarms are there, and whether all of it is in this account; and whether
    /// everything could be read.
    pub(super) async fn look_at_named(&self, plan: &Plan) -> (Vec<Concern>, bool) {
        let mut complete = true;
        let mut concerns = Vec::new();
        for missing in self.missing_beside_steps(plan).await {
            complete &= !missing.error.may_repeat();
            concerns.push(warning(missing.path, missing.name, missing.error.message));
        }
        let account = &self.ports.permissions.account().id;
        let foreign = plan.of_other_accounts(account).into_iter();
        concerns.extend(foreign.map(|found| warning(found.path.clone(), found.owner.clone(), found.sentence(account))));
        (concerns, complete)
    }
}

fn warning(path: String, step: String, message: String) -> Concern {
    Concern {
        weight: Weight::Warns,
        to: String::new(),
        path,
        step,
        message,
    }
}
