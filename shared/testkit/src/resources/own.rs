//! What the functions call for themselves, whatever is in a plan.

use crate::sim::Function;
use understudy_engine::probe::facts::LAG_READS;

impl Function {
    /// Its role in `template.yaml`.
    pub fn role(self) -> &'static str {
        match self {
            Self::Probe => "ProbeRole",
            Self::Decision => "DecisionRole",
            Self::Executor => "ExecutorRole",
        }
    }
}

/// Calls that a function makes for itself.
pub struct Own {
    /// Which functions make them.
    pub by: &'static [Function],
    /// The actions.
    pub actions: &'static [&'static str],
    /// What for.
    pub what_for: &'static str,
    /// Whether the function's own code makes them: Lambda does the others, with the function's role.
    pub in_code: bool,
}

/// What each function calls for itself.
pub const OWN: &[Own] = &[
    Own {
        by: &Function::ALL,
        actions: &["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"],
        what_for: "the table",
        in_code: true,
    },
    Own {
        by: &[Function::Probe, Function::Decision],
        actions: &["dynamodb:DeleteItem"],
        what_for: "the table: pruning, and plans that are deleted",
        in_code: true,
    },
    Own {
        by: &[Function::Decision, Function::Executor],
        actions: &[
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
        ],
        what_for: "the table's stream, which Lambda reads",
        in_code: false,
    },
    Own {
        by: &[Function::Probe],
        actions: LAG_READS,
        what_for: "how far copies of data are behind",
        in_code: true,
    },
    Own {
        by: &[Function::Decision],
        actions: &["cloudwatch:DescribeAlarms"],
        what_for: "alarms that plans are bound to, read again before anything is concluded",
        in_code: true,
    },
    Own {
        by: &[Function::Probe, Function::Decision],
        actions: &["lambda:InvokeFunction"],
        what_for: "the other functions of the stack",
        in_code: true,
    },
    Own {
        by: &[Function::Executor],
        actions: &["iam:SimulatePrincipalPolicy"],
        what_for: "preflight: what its own role allows",
        in_code: true,
    },
    Own {
        by: &[Function::Executor],
        actions: &["sns:Publish"],
        what_for: "announcements",
        in_code: true,
    },
    Own {
        by: &[Function::Executor],
        actions: &["kms:Decrypt", "kms:GenerateDataKey"],
        what_for: "the topic's key, which SNS uses",
        in_code: false,
    },
    Own {
        by: &Function::ALL,
        actions: &["sqs:SendMessage", "logs:CreateLogStream", "logs:PutLogEvents"],
        what_for: "dead letters and logs, which Lambda writes",
        in_code: false,
    },
];
