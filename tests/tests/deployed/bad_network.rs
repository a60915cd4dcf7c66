//! A day on which nearly every second call of the functions fails.

use understudy_testkit::proxy::{Fault, FaultRule};
use understudy_tests::local_cloud::Deployment;
use understudy_tests::story::{Stage, Weather};

/// Three calls of ten are throttled, one meets a server error, and one of twenty has its effect and loses its reply.
const FAULTS: [(Fault, u8); 3] = [(Fault::Throttled, 30), (Fault::ServerError, 10), (Fault::ReplyLost, 5)];

/// The bad day begins, with chance from this seed.
pub fn begins(stage: &mut Stage, seed: u64) {
    stage.cloud.proxy().faults().seed(seed);
    set(stage, Weather::Foul);
}

/// It is over, and each fault has been met.
pub fn ends(stage: &mut Stage) {
    set(stage, Weather::Fair);
    let struck = stage.cloud.proxy().faults().struck();
    println!("   the functions' calls met {struck:?}");
    for (fault, _) in FAULTS {
        assert!(struck.contains_key(&fault), "no call was {fault:?}: {struck:?}");
    }
}

/// From now on the calls of the three functions fare like this. Those of the operator and of the test are answered.
pub fn set(stage: &mut Stage, weather: Weather) {
    set_for(stage, None, weather);
}

/// The same for the functions of a second stack besides.
pub fn set_for(stage: &mut Stage, second: Option<&Deployment>, weather: Weather) {
    let faults = stage.cloud.proxy().faults();
    faults.clear();
    if weather == Weather::Foul {
        let deployments = [Some(&stage.deployment), second].into_iter().flatten();
        let functions = deployments.flat_map(|deployment| deployment.functions.values());
        let roles = functions.map(|function| &function.role_name);
        let rule = FaultRule::new().of_callers(roles);
        faults.add(
            FAULTS
                .into_iter()
                .fold(rule, |rule, (fault, percent)| rule.with(fault, percent)),
        );
    }
    stage.weather = weather;
}
