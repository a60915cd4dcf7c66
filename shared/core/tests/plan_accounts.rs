//! A plan names the resources of one account; what is another's is found by its path.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod plan_support;

use plan_support::{LISTENER, changed, group, plan, with};
use serde_json::{Value, json};
use understudy_core::plan::parse;

const OWN: &str = "123456789012";

fn paths(plan: Value, own: &str) -> Vec<String> {
    let found = parse(plan).unwrap().of_other_accounts(own);
    found.into_iter().map(|found| found.path).collect()
}

#[test]
fn every_arn_of_another_account_is_found_by_its_path() {
    assert_eq!(paths(plan(), OWN), Vec::<String>::new());
    assert_eq!(
        paths(plan(), "111111111111"),
        [
            "steps[1].listener_arn",
            "steps[1].target_groups.blue",
            "steps[1].target_groups.green"
        ]
    );
    let probed = with(
        "/probes/-",
        json!({"kind": "target_group", "name": "blue-targets", "site": "blue",
               "target_group_arn": group("blue").replace(OWN, "111111111111")}),
    );
    let found = parse(probed).unwrap().of_other_accounts(OWN);
    assert_eq!((found.len(), found[0].path.as_str()), (1, "probes[2].target_group_arn"));
    assert_eq!(found[0].owner, "blue-targets");
    let told = found[0].sentence(OWN);
    assert!(told.contains("account 111111111111") && told.contains(OWN), "{told}");
}

#[test]
fn what_other_accounts_share_is_not_held_against_a_plan() {
    let hook = json!({"kind": "invoke", "name": "hook",
        "function": "arn:aws:lambda:eu-west-1:111111111111:function:hook", "payload": {"listener": LISTENER}});
    assert_eq!(paths(changed(plan(), "/steps/-", hook), OWN), Vec::<String>::new());
    let replica = json!([{"kind": "rds_read_replica", "name": "copy", "timeout_seconds": 3600, "replica": {
        "db_instance_identifier": "copy", "source": "arn:aws:rds:eu-central-1:111111111111:db:shop",
        "kms_key_id": "arn:aws:kms:eu-west-1:111111111111:key/k"}}]);
    let mut setup = plan();
    setup["setup"] = replica;
    assert_eq!(paths(setup, OWN), ["setup[0].replica.source"]);
}
