//! One role a function, and in each only what its function does. What is granted on what is compared in `grants`.

use serde_json::Value;

use super::{FUNCTIONS, at, resource, resources_of, texts};

/// First words of the actions that read. Whatever begins otherwise counts as changing something.
const READING: [&str; 5] = ["Describe", "Get", "List", "Query", "Simulate"];

/// Every statement of a role's inline policies, those under a condition (`!If [condition, statement, nothing]`) too.
pub fn statements(role: &Value) -> Vec<Value> {
    fn unwrapped(value: &Value) -> Vec<Value> {
        match value {
            Value::Object(_) => vec![value.clone()],
            Value::Array(branches) => branches.iter().flat_map(unwrapped).collect(),
            _ => Vec::new(),
        }
    }
    let policies = at(role, "/Properties/Policies", "role")
        .as_array()
        .expect("Policies is a list")
        .clone();
    policies
        .iter()
        .flat_map(|policy| unwrapped(at(policy, "/PolicyDocument/Statement", "policy")))
        .collect()
}

/// What a condition compares a key with.
pub fn texts_of(condition: &Value, key: &str) -> Vec<String> {
    texts(&condition[key])
}

fn reads_only(action: &str) -> bool {
    action
        .split_once(':')
        .is_some_and(|(_, verb)| READING.iter().any(|word| verb.starts_with(word)))
}

#[test]
fn each_function_has_a_role_of_its_own_and_no_managed_policy() {
    for (function, _) in FUNCTIONS {
        let role = function.replace("Function", "Role");
        assert_eq!(
            resource(function)["Properties"]["Role"],
            format!("{role}.Arn"),
            "{function}"
        );
        assert!(
            resource(&role)["Properties"]["ManagedPolicyArns"].is_null(),
            "{role}: managed policies grant more than is needed"
        );
    }
    assert_eq!(resources_of("AWS::IAM::Role").len(), FUNCTIONS.len(), "one role each");
}

#[test]
fn each_statement_says_what_is_allowed_action_by_action() {
    for (name, role) in resources_of("AWS::IAM::Role") {
        for statement in statements(&role) {
            assert_eq!(statement["Effect"], "Allow", "{name}");
            assert!(
                statement["NotAction"].is_null() && statement["NotResource"].is_null(),
                "{name}: say what is allowed, not what is not: {statement:#}"
            );
            for action in texts(&statement["Action"]) {
                assert!(
                    !action.contains('*'),
                    "{name} allows {action}: name the actions one by one"
                );
            }
        }
    }
}

#[test]
fn only_the_executor_may_change_workloads() {
    /// Changes to Understudy's own things: its table, its queues, its logs, its key.
    const OWN: [&str; 4] = ["dynamodb:", "sqs:", "logs:", "kms:"];
    // Its functions are its own too, but only where they are named.
    let own_functions = |statement: &Value| {
        let named = texts(&statement["Resource"]);
        named
            .iter()
            .all(|name| FUNCTIONS.iter().any(|(function, _)| *name == format!("{function}.Arn")))
    };
    let is_own = |statement: &Value, action: &str| {
        OWN.iter().any(|own| action.starts_with(own)) || (action.starts_with("lambda:") && own_functions(statement))
    };
    let outside = |role: &str| -> Vec<String> {
        let mut found: Vec<String> = statements(&resource(role))
            .iter()
            .flat_map(|statement| {
                let actions = texts(&statement["Action"]).into_iter();
                actions.filter(|action| !reads_only(action) && !is_own(statement, action))
            })
            .collect();
        found.sort();
        found.dedup();
        found
    };
    assert_eq!(
        outside("ProbeRole"),
        Vec::<String>::new(),
        "the probe reads and never changes"
    );
    assert_eq!(
        outside("DecisionRole"),
        Vec::<String>::new(),
        "decision changes the table and nothing else"
    );
    assert_eq!(
        outside("ExecutorRole"),
        changed_by_steps(),
        "what steps call, and messages"
    );
}

/// Every action that a kind of step changes something with, and the publishing of messages.
fn changed_by_steps() -> Vec<String> {
    let resources = understudy_testkit::resources::resources().expect("a table of resources");
    let mut actions: Vec<String> = resources
        .iter()
        .flat_map(|resource| resource.facts.changes)
        .map(|action| (*action).to_owned())
        .chain(["sns:Publish".to_owned()])
        .collect();
    actions.sort();
    actions.dedup();
    actions
}

#[test]
fn what_only_setup_changes_is_granted_only_where_the_stack_allows_setup() {
    let role = resource("ExecutorRole");
    let statements = at(&role, "/Properties/Policies/0/PolicyDocument/Statement", "role");
    let (allowed, always): (Vec<&Value>, Vec<&Value>) = statements
        .as_array()
        .expect("statements")
        .iter()
        .partition(|statement| statement[0] == "AllowsSetup");
    let actions = |statements: &[&Value]| -> Vec<String> {
        let granted = statements.iter().map(|statement| match statement {
            Value::Array(branches) => &branches[1]["Action"],
            statement => &statement["Action"],
        });
        granted.flat_map(texts).collect()
    };
    let (allowed, always) = (actions(&allowed), actions(&always));
    let resources = understudy_testkit::resources::resources().expect("a table of resources");
    let (setup, moving): (Vec<_>, Vec<_>) = resources.iter().partition(|resource| resource.is_setup);
    let moving: Vec<&str> = moving
        .iter()
        .flat_map(|resource| resource.facts.changes)
        .copied()
        .collect();
    let only_setup: Vec<&str> = setup
        .iter()
        .flat_map(|resource| resource.facts.changes)
        .copied()
        .filter(|action| !moving.contains(action))
        .collect();
    assert!(!only_setup.is_empty());
    for action in only_setup {
        assert!(
            allowed.iter().any(|known| known == action),
            "{action} is not granted to setup"
        );
        assert!(
            !always.iter().any(|known| known == action),
            "{action} is granted without setup"
        );
    }
}

#[test]
fn the_executor_invokes_only_the_functions_that_the_stacks_owner_names() {
    let template = super::template();
    let default = at(&template, "/Parameters/HookFunctionArns/Default", "template.yaml");
    assert_eq!(default, "", "without a word, none");
    let invoking: Vec<Value> = statements(&resource("ExecutorRole"))
        .into_iter()
        .filter(|statement| {
            texts(&statement["Action"])
                .iter()
                .any(|action| action.starts_with("lambda:"))
        })
        .collect();
    let [statement] = invoking.as_slice() else {
        panic!("one statement about functions: {invoking:#?}");
    };
    assert_eq!(texts(&statement["Action"]), ["lambda:InvokeFunction"]);
    // `!Split [",", !Ref HookFunctionArns]`: its separator and its parameter.
    assert_eq!(texts(&statement["Resource"]), [",", "HookFunctionArns"]);
    let all = &resource("ExecutorRole")["Properties"]["Policies"][0]["PolicyDocument"]["Statement"];
    let conditional = all.as_array().expect("a list").iter().any(|entry| {
        entry
            .as_array()
            .is_some_and(|branches| branches[0] == "HasHooks" && branches[1] == *statement)
    });
    assert!(conditional, "an empty list would be no valid resource");
}

#[test]
fn no_role_may_change_the_table_other_than_by_conditional_puts_and_deletes() {
    for (name, role) in resources_of("AWS::IAM::Role") {
        for action in statements(&role)
            .iter()
            .flat_map(|statement| texts(&statement["Action"]))
        {
            let known = [
                "PutItem",
                "DeleteItem",
                "GetItem",
                "Query",
                "DescribeStream",
                "GetRecords",
                "GetShardIterator",
                "ListStreams",
            ];
            if let Some(verb) = action.strip_prefix("dynamodb:") {
                assert!(
                    known.contains(&verb),
                    "{name} allows {action}: the table's protocol does not know it"
                );
            }
        }
    }
}
