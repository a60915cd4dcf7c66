//! A grant without a call, a call without a grant, and a grant on more than AWS lets it be narrowed to.
//!
//! Three things are compared, each with the next: the calls in `shared/aws`, the table of what each kind and each function
//! calls (`understudy_testkit::resources`), and the roles of the template.

use super::roles::{statements, texts_of};
use super::{resource, texts};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use understudy_engine::actions::scope_of;
use understudy_testkit::resources::{Function, OWN, matches, probes, resources, tried};

/// What a function calls: for what is in plans, and for itself.
fn called_by(function: Function) -> BTreeSet<String> {
    let own = OWN.iter().filter(|own| own.by.contains(&function));
    let mut called: BTreeSet<&str> = own.flat_map(|own| own.actions).copied().collect();
    if function != Function::Decision {
        // The executor asks the same: whether what a plan's probes name is there.
        called.extend(probes().expect("probes").iter().flat_map(|probe| probe.facts.reads));
    }
    if function == Function::Executor {
        for resource in resources().expect("a table of resources") {
            called.extend(resource.facts.reads.iter().chain(resource.facts.changes));
        }
    }
    called.into_iter().map(str::to_owned).collect()
}

fn granted_to(function: Function) -> BTreeSet<String> {
    let statements = statements(&resource(function.role()));
    statements
        .iter()
        .flat_map(|statement| texts(&statement["Action"]))
        .collect()
}

#[test]
fn each_role_grants_what_its_function_calls_and_nothing_else() {
    for function in Function::ALL {
        let (called, granted) = (called_by(function), granted_to(function));
        let role = function.role();
        let without_call: Vec<&String> = granted.difference(&called).collect();
        assert!(
            without_call.is_empty(),
            "{role} grants what is never called: {without_call:?}"
        );
        let without_grant: Vec<&String> = called.difference(&granted).collect();
        assert!(
            without_grant.is_empty(),
            "{role} does not grant what is called: {without_grant:?}"
        );
    }
}

/// `rds:DescribeDBInstances` as one word in small letters, as is `describe_db_instances`.
fn folded(name: &str) -> String {
    name.replace('_', "").to_ascii_lowercase()
}

/// The calls of the SDK in a source: what follows `client(…).` and `client.`, and is not the client's own.
fn calls_in(source: &str) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let dense: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(str::chars)
        .filter(|character| !character.is_whitespace())
        .collect();
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect()
    };
    let mut found = BTreeSet::new();
    for (at, _) in dense.match_indices("client") {
        let rest = &dense[at + "client".len()..];
        let behind = match rest.strip_prefix('(') {
            // The arguments have parentheses of their own at most once: `client(region_of(topic_arn))`.
            Some(arguments) => {
                let mut depth = 1;
                let end = arguments.find(|letter| {
                    depth += i32::from(letter == '(') - i32::from(letter == ')');
                    depth == 0
                });
                end.map(|end| &arguments[end + 1..])
            }
            None => Some(rest),
        };
        if let Some(call) = behind.and_then(|behind| behind.strip_prefix('.')).map(word) {
            found.insert(folded(&call));
        }
    }
    found
}

/// The prefix of a service's actions, by the file or the folder of its room.
const ROOMS: [(&str, &str); 11] = [
    ("arczonalshift", "arc-zonal-shift"),
    ("autoscaling", "autoscaling"),
    ("cloudwatch", "cloudwatch"),
    ("dynamodb", "dynamodb"),
    ("ec2", "ec2"),
    ("elbv2", "elasticloadbalancing"),
    ("globalaccelerator", "globalaccelerator"),
    ("iam", "iam"),
    ("lambda", "lambda"),
    ("rds", "rds"),
    ("route53", "route53"),
];

/// Permissions that AWS asks for beside the call itself: for the tags that something is made with.
const BESIDE: [&str; 2] = ["cloudwatch:TagResource", "rds:AddTagsToResource"];

#[test]
fn the_table_names_each_call_of_the_sdk_and_no_other() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("../aws/src");
    let mut made = BTreeSet::new();
    for path in tried::sources(&src).expect("the sources of shared/aws") {
        let inside = path.strip_prefix(&src).expect("inside").to_string_lossy().into_owned();
        let room = inside.split(['/', '.']).next().unwrap_or_default();
        let rooms = ROOMS.iter().chain(&[("sns", "sns")]);
        let Some((_, service)) = rooms.clone().find(|(known, _)| *known == room) else {
            continue;
        };
        let source = std::fs::read_to_string(&path).expect("a source");
        for call in calls_in(&source) {
            let call = match (*service, call.as_str()) {
                ("lambda", "invoke") => "invokefunction".to_owned(),
                _ => call,
            };
            made.insert(format!("{service}:{call}"));
        }
    }
    let by_lambda: BTreeSet<&str> = OWN
        .iter()
        .filter(|own| !own.in_code)
        .flat_map(|own| own.actions)
        .copied()
        .collect();
    let named: BTreeSet<String> = Function::ALL
        .into_iter()
        .flat_map(called_by)
        .filter(|action| !by_lambda.contains(action.as_str()) && !BESIDE.contains(&action.as_str()))
        .map(|action| folded(&action))
        .collect();
    let unnamed: Vec<&String> = made.difference(&named).collect();
    assert!(
        unnamed.is_empty(),
        "shared/aws calls what the table does not name: {unnamed:?}"
    );
    let unmade: Vec<&String> = named.difference(&made).collect();
    assert!(
        unmade.is_empty(),
        "the table names what shared/aws does not call: {unmade:?}"
    );
}

/// A resource of the template as the table spells it; stars stand for anything.
fn spelled(resource: &str) -> String {
    let mut spelled = resource
        .replace("${AWS::Partition}", "aws")
        .replace("${AWS::AccountId}", "ACCOUNT")
        .replace("${AWS::Region}", "REGION");
    while let Some((before, rest)) = spelled.clone().split_once("${") {
        let after = rest.split_once('}').map_or("", |(_, after)| after);
        spelled = format!("{before}*{after}");
    }
    spelled
}

#[test]
fn a_star_stands_for_anything_and_nothing_else_does() {
    assert!(matches(
        "arn:aws:rds:*:ACCOUNT:db:*",
        "arn:aws:rds:REGION:ACCOUNT:db:NAME"
    ));
    assert!(!matches(
        "arn:aws:rds:*:ACCOUNT:cluster:*",
        "arn:aws:rds:REGION:ACCOUNT:db:NAME"
    ));
    assert!(!matches("", "a") && matches("*", ""));
    assert_eq!(
        spelled("arn:${AWS::Partition}:cloudwatch:*:${AWS::AccountId}:alarm:${Prefix}*"),
        "arn:aws:cloudwatch:*:ACCOUNT:alarm:**"
    );
}

/// The resources that a statement names as ARNs or as `*`: not those of the stack itself, nor a parameter's.
fn arns(statement: &Value) -> Vec<String> {
    let named = texts(&statement["Resource"]).into_iter();
    let foreign = named.filter(|name| name == "*" || (name.starts_with("arn:") && name.contains("${")));
    foreign.map(|name| spelled(&name)).collect()
}

/// Each action of plans with the statements that grant it to the executor or the probe.
fn grants() -> Vec<(&'static str, String, Value)> {
    let roles = [Function::Probe, Function::Decision, Function::Executor].map(Function::role);
    let statements = roles.into_iter().flat_map(|role| {
        let statements = statements(&resource(role));
        statements.into_iter().map(move |statement| (role, statement))
    });
    statements
        .flat_map(|(role, statement)| {
            let actions = texts(&statement["Action"]);
            actions.into_iter().map(move |action| (role, action, statement.clone()))
        })
        .collect()
}

#[test]
fn every_action_is_granted_on_the_resources_that_aws_scopes_it_to() {
    let grants = grants();
    for resource in resources().expect("a table of resources") {
        for action in resource.facts.reads.iter().chain(resource.facts.changes) {
            let scope = scope_of(action).unwrap_or_else(|| panic!("nothing is known of what {action} is granted on"));
            let patterns: Vec<String> = grants
                .iter()
                .filter(|(role, granted, _)| *role == "ExecutorRole" && granted == action)
                .flat_map(|(_, _, statement)| arns(statement))
                .collect();
            for form in scope.arns {
                // Functions are granted by a parameter alone.
                let by_parameter = action.starts_with("lambda:") && patterns.is_empty();
                assert!(
                    by_parameter || patterns.iter().any(|pattern| pattern != "*" && matches(pattern, form)),
                    "{action} is not granted on {form}, but on {patterns:?}"
                );
            }
        }
    }
}

#[test]
fn nothing_is_granted_on_more_than_that() {
    for (role, action, statement) in grants() {
        let patterns = arns(&statement);
        let Some(scope) = scope_of(&action) else {
            // What a function calls for itself is on the stack's own resources, each by its name.
            assert!(
                !patterns.iter().any(|pattern| pattern == "*") || action == "dynamodb:ListStreams",
                "{role}: nothing is known of what {action} is granted on, and it is granted on {patterns:?}"
            );
            continue;
        };
        let fits = |pattern: &String| scope.arns.iter().any(|form| matches(pattern, form));
        if patterns.iter().any(|pattern| pattern == "*") {
            let keyed = scope.key.is_some_and(|key| {
                let condition = &statement["Condition"]["StringLike"][key];
                !condition.is_null() && !texts(condition).iter().any(|value| value == "*")
            });
            assert!(
                keyed || scope.why.is_some(),
                "{role} grants {action} on *: AWS scopes it to {:?}",
                scope.arns
            );
        } else if !patterns.is_empty() {
            assert!(
                patterns.iter().any(fits),
                "{role} grants {action} on {patterns:?}, where it needs {:?}",
                scope.arns
            );
        }
    }
    // A statement of several actions names no resource that none of them has.
    for function in Function::ALL {
        for statement in statements(&resource(function.role())) {
            for pattern in arns(&statement).iter().filter(|pattern| *pattern != "*") {
                let actions = texts(&statement["Action"]);
                let has_it = |action: &String| {
                    scope_of(action).is_some_and(|scope| scope.arns.iter().any(|form| matches(pattern, form)))
                };
                assert!(
                    actions.iter().any(has_it),
                    "{}: none of {actions:?} has {pattern}",
                    function.role()
                );
            }
        }
    }
}

#[test]
fn what_an_owner_gives_by_a_tag_is_granted_only_where_the_tag_is() {
    let mut tagged = 0;
    for (role, action, statement) in grants() {
        let condition = &statement["Condition"]["StringLike"];
        let keys: Vec<&String> = condition.as_object().into_iter().flat_map(|keys| keys.keys()).collect();
        let asked: Vec<&str> = keys
            .iter()
            .filter_map(|key| key.strip_prefix("aws:ResourceTag/"))
            .collect();
        let patterns = arns(&statement);
        // An interface seldom has tags of its own, and a group's shift is scoped by its ARN.
        let exempt = patterns
            .iter()
            .all(|pattern| pattern == "*" || pattern.contains(":network-interface/"));
        match scope_of(&action).and_then(|scope| scope.tag) {
            Some(tag) if !exempt => {
                tagged += 1;
                assert_eq!(asked, [tag], "{role}, {action}");
                assert_eq!(
                    texts_of(condition, &format!("aws:ResourceTag/{tag}")),
                    ["*"],
                    "{role}, {action}"
                );
            }
            _ => assert!(asked.is_empty(), "{role}, {action}: {asked:?}"),
        }
    }
    assert!(
        tagged >= 14,
        "groups and their policies, instances, addresses, targets, balancers, replicas: {tagged}"
    );
}
