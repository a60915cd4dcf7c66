//! The IAM actions that Understudy calls: which resources each can be granted on, and which answers are tried again.
//!
//! One table for three readers: `docs/RESOURCES.md` shows it, a test compares the roles of `template.yaml` with it, and
//! `shared/aws` takes the codes that it repeats from here. What an action can be granted on is AWS's to say; all of it is
//! from the Service Authorization Reference, and where that is not the whole truth, [`Scope::why`] says what is.

/// What an action can be granted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The forms of the ARNs of its resources. Words in capitals stand for anything.
    pub arns: &'static [&'static str],
    /// The tag that its resource must carry, unless that is a network interface: the policies' own choice, not AWS's.
    pub tag: Option<&'static str>,
    /// The condition key by which it is scoped where AWS knows no resource of it.
    pub key: Option<&'static str>,
    /// Why it is granted on `*` without a condition, if it is: AWS knows nothing that it could be scoped by.
    pub why: Option<&'static str>,
}

/// The tag by which an owner gives a resource to Understudy.
pub const TAG: &str = "understudy";
/// The tag that only setup sets, on what it has made.
pub const SETUP_TAG: &str = "understudy-setup";

const NO_RESOURCE: &str = "AWS knows no resource of it";

const fn arns(arns: &'static [&'static str]) -> Scope {
    Scope {
        arns,
        tag: None,
        key: None,
        why: None,
    }
}

const fn tagged(arns: &'static [&'static str], tag: &'static str) -> Scope {
    Scope {
        arns,
        tag: Some(tag),
        key: None,
        why: None,
    }
}

const fn everywhere(why: &'static str) -> Scope {
    Scope {
        arns: &[],
        tag: None,
        key: None,
        why: Some(why),
    }
}

const INSTANCE: &str = "arn:aws:ec2:REGION:ACCOUNT:instance/ID";
const INTERFACE: &str = "arn:aws:ec2:REGION:ACCOUNT:network-interface/ID";
const ADDRESS: &str = "arn:aws:ec2:REGION:ACCOUNT:elastic-ip/ID";
const TARGET_GROUP: &str = "arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID";
const SCALED_GROUP: &str = "arn:aws:autoscaling:REGION:ACCOUNT:autoScalingGroup:ID:autoScalingGroupName/NAME";
const BALANCERS: &[&str] = &[
    "arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/NAME/ID",
    "arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/net/NAME/ID",
];
const DB: &str = "arn:aws:rds:REGION:ACCOUNT:db:NAME";
const SUBSCRIPTION: &str = "arn:aws:rds:REGION:ACCOUNT:es:NAME";
const CLUSTER: &str = "arn:aws:rds:REGION:ACCOUNT:cluster:NAME";
const GLOBAL_CLUSTER: &str = "arn:aws:rds::ACCOUNT:global-cluster:NAME";
const ALARM: &str = "arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME";
const ZONE: &str = "arn:aws:route53:::hostedzone/ID";
const HEALTH_CHECK: &str = "arn:aws:route53:::healthcheck/ID";
const ENDPOINT_GROUP: &str = "arn:aws:globalaccelerator::ACCOUNT:accelerator/ID/listener/ID/endpoint-group/ID";
/// Of a shift, ARC knows load balancers as resources; of an Auto Scaling group only the ARN, by a key of its own.
const SHIFT_KEY: &str = "arc-zonal-shift:ResourceIdentifier";

/// What an action can be granted on; `None` for one that Understudy does not call.
pub fn scope_of(action: &str) -> Option<Scope> {
    Some(match action {
        "arc-zonal-shift:GetManagedResource" => Scope {
            key: Some(SHIFT_KEY),
            ..arns(BALANCERS)
        },
        "arc-zonal-shift:CancelZonalShift" | "arc-zonal-shift:StartZonalShift" | "arc-zonal-shift:UpdateZonalShift" => {
            Scope {
                key: Some(SHIFT_KEY),
                ..tagged(BALANCERS, TAG)
            }
        }
        "autoscaling:DescribeAutoScalingGroups" | "autoscaling:DescribePolicies" => everywhere(NO_RESOURCE),
        "autoscaling:DeletePolicy" | "autoscaling:PutScalingPolicy" | "autoscaling:UpdateAutoScalingGroup" => {
            tagged(&[SCALED_GROUP], TAG)
        }
        // API reference of DescribeAlarms: with a narrower scope than `*`, composite alarms are not returned.
        "cloudwatch:DescribeAlarms" => everywhere("composite alarms are only told to who may read all alarms"),
        "cloudwatch:DeleteAlarms"
        | "cloudwatch:ListTagsForResource"
        | "cloudwatch:PutMetricAlarm"
        | "cloudwatch:TagResource" => arns(&[ALARM]),
        // The one resource that AWS names, a dataset, is nothing that a metric is in.
        "cloudwatch:GetMetricData" => everywhere("AWS knows no resource of a metric"),
        "cloudwatch:PutMetricData" => Scope {
            key: Some("cloudwatch:namespace"),
            ..arns(&[])
        },
        "ec2:DescribeAddresses" | "ec2:DescribeInstanceStatus" => everywhere(NO_RESOURCE),
        "ec2:AssociateAddress" => tagged(&[ADDRESS, INSTANCE, INTERFACE], TAG),
        "ec2:DisassociateAddress" => tagged(&[ADDRESS, INTERFACE], TAG),
        "ec2:StartInstances" | "ec2:StopInstances" => tagged(&[INSTANCE], TAG),
        "elasticloadbalancing:DescribeListeners"
        | "elasticloadbalancing:DescribeRules"
        | "elasticloadbalancing:DescribeTags"
        | "elasticloadbalancing:DescribeTargetGroupAttributes"
        | "elasticloadbalancing:DescribeTargetGroups"
        | "elasticloadbalancing:DescribeTargetHealth" => everywhere(NO_RESOURCE),
        "elasticloadbalancing:ModifyListener" => {
            arns(&["arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener/app/NAME/ID/ID"])
        }
        "elasticloadbalancing:ModifyRule" => {
            arns(&["arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener-rule/app/NAME/ID/ID/ID"])
        }
        "elasticloadbalancing:DeregisterTargets"
        | "elasticloadbalancing:ModifyTargetGroup"
        | "elasticloadbalancing:RegisterTargets" => tagged(&[TARGET_GROUP], TAG),
        "globalaccelerator:DescribeAccelerator" => arns(&["arn:aws:globalaccelerator::ACCOUNT:accelerator/ID"]),
        "globalaccelerator:DescribeEndpointGroup" | "globalaccelerator:UpdateEndpointGroup" => arns(&[ENDPOINT_GROUP]),
        "iam:SimulatePrincipalPolicy" => arns(&["arn:aws:iam::ACCOUNT:role/STACK-ExecutorRole-ID"]),
        "lambda:InvokeFunction" => arns(&["arn:aws:lambda:REGION:ACCOUNT:function:NAME"]),
        "rds:DescribeDBClusters" | "rds:FailoverDBCluster" => arns(&[CLUSTER]),
        "rds:DescribeDBInstances"
        | "rds:ModifyDBInstance"
        | "rds:PromoteReadReplica"
        | "rds:RebootDBInstance"
        | "rds:StartDBInstance"
        | "rds:StopDBInstance" => arns(&[DB]),
        "rds:DescribeEvents" => everywhere(NO_RESOURCE),
        "rds:DescribeEventSubscriptions" | "rds:ListTagsForResource" => arns(&[SUBSCRIPTION]),
        "rds:CreateEventSubscription" => Scope {
            key: Some("aws:RequestTag/understudy"),
            ..arns(&[SUBSCRIPTION])
        },
        "rds:DeleteEventSubscription" | "rds:ModifyEventSubscription" => tagged(&[SUBSCRIPTION], TAG),
        "rds:DescribeGlobalClusters" => arns(&[GLOBAL_CLUSTER]),
        "rds:FailoverGlobalCluster" | "rds:SwitchoverGlobalCluster" => arns(&[CLUSTER, GLOBAL_CLUSTER]),
        // Making one names its source and itself, and the groups that it takes over; what it is tagged with is a request's.
        "rds:CreateDBInstanceReadReplica" => Scope {
            key: Some("aws:RequestTag/understudy"),
            ..arns(&[
                DB,
                "arn:aws:rds:REGION:ACCOUNT:og:NAME",
                "arn:aws:rds:REGION:ACCOUNT:pg:NAME",
                "arn:aws:rds:REGION:ACCOUNT:subgrp:NAME",
            ])
        },
        "rds:AddTagsToResource" => Scope {
            key: Some("aws:RequestTag/understudy"),
            ..arns(&[DB, SUBSCRIPTION])
        },
        "rds:DeleteDBInstance" => tagged(&[DB], SETUP_TAG),
        "route53:ChangeResourceRecordSets" | "route53:ListResourceRecordSets" => arns(&[ZONE]),
        "route53:GetChange" => arns(&["arn:aws:route53:::change/ID"]),
        // Nor does AWS know tags of health checks in conditions.
        "route53:CreateHealthCheck" | "route53:ListHealthChecks" => everywhere(NO_RESOURCE),
        "route53:ChangeTagsForResource"
        | "route53:DeleteHealthCheck"
        | "route53:GetHealthCheck"
        | "route53:ListTagsForResource"
        | "route53:UpdateHealthCheck" => arns(&[HEALTH_CHECK]),
        "sns:Publish" => arns(&["arn:aws:sns:REGION:ACCOUNT:NAME"]),
        _ => return None,
    })
}

/// Codes that every service may throttle with. What is answered with one of them, or with HTTP 5xx, is tried again.
pub const THROTTLED: &[&str] = &[
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttled",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// The further codes that a service's calls are tried again with.
pub mod repeated {
    /// ARC zonal shift.
    pub const ZONAL_SHIFT: &[&str] = &["InternalServerException"];
    /// EC2 Auto Scaling.
    pub const AUTO_SCALING: &[&str] = &["ScalingActivityInProgress", "ResourceContention"];
    /// DynamoDB.
    pub const DYNAMODB: &[&str] = &[
        "InternalServerError",
        "ReplicatedWriteConflictException",
        "TransactionConflictException",
        "TransactionInProgressException",
    ];
    /// EC2. An instance that still stops can not be started yet.
    pub const EC2: &[&str] = &["Unavailable", "IncorrectInstanceState", "InsufficientInstanceCapacity"];
    /// Global Accelerator.
    pub const GLOBAL_ACCELERATOR: &[&str] = &["InternalServiceErrorException", "TransactionInProgressException"];
    /// IAM.
    pub const IAM: &[&str] = &["ServiceFailure", "PolicyEvaluation"];
    /// Lambda.
    pub const LAMBDA: &[&str] = &["ResourceConflictException", "ResourceNotReadyException"];
    /// RDS. A database that is busy takes calls again when it is `available`.
    pub const RDS: &[&str] = &[
        "InvalidDBInstanceState",
        "InvalidDBInstanceStateFault",
        "InvalidDBClusterStateFault",
        "InvalidGlobalClusterStateFault",
        "InvalidEventSubscriptionState",
        "InvalidEventSubscriptionStateFault",
    ];
    /// SNS.
    pub const SNS: &[&str] = &[
        "KMSThrottling",
        "KMSThrottlingException",
        "InternalError",
        "InternalErrorException",
    ];
}

/// The further codes that this action is tried again with, beside [`THROTTLED`].
pub fn repeated_codes(action: &str) -> &'static [&'static str] {
    match action.split(':').next().unwrap_or_default() {
        "arc-zonal-shift" => repeated::ZONAL_SHIFT,
        "autoscaling" => repeated::AUTO_SCALING,
        "dynamodb" => repeated::DYNAMODB,
        "ec2" => repeated::EC2,
        "globalaccelerator" => repeated::GLOBAL_ACCELERATOR,
        "iam" => repeated::IAM,
        "lambda" => repeated::LAMBDA,
        "rds" => repeated::RDS,
        "sns" => repeated::SNS,
        _ => &[],
    }
}
