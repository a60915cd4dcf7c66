//! One of each kind, as plan files have them.

use serde_json::{Value, json};

const ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:";

/// One step of each kind.
pub(super) fn steps() -> Vec<Value> {
    let group = |name: &str| format!("{ARN}targetgroup/{name}/0123456789abcdef");
    let endpoint_group = |name: &str| {
        format!(
            "arn:aws:globalaccelerator::000000000000:accelerator/01234567-89ab-cdef-0123-456789abcdef/listener/0123abcd/endpoint-group/{name}"
        )
    };
    let database = |name: &str| {
        json!({"db_instance_identifier": name, "security_groups": ["sg-0123456789abcdef0"],
               "fence_group": "sg-0fedcba9876543210"})
    };
    let databases = json!({"blue": database("blue"), "green": database("green")});
    vec![
        json!({"kind": "elb_weights", "listener_arn": format!("{ARN}listener/app/shop/0123456789abcdef/0123456789abcdef"),
                   "target_groups": {"blue": group("blue"), "green": group("green")}}),
        json!({"kind": "elb_targets", "target_group_arn": group("shop"),
                   "targets": {"blue": [{"id": "i-0123456789abcdef0", "port": 80}], "green": [{"id": "i-0123456789abcdef1", "port": 80}]}}),
        json!({"kind": "dns_records", "hosted_zone_id": "Z0123456789ABC", "records": [
                {"name": "www.example.com", "type": "A", "ttl_seconds": 60,
                 "sites": {"blue": {"values": ["192.0.2.1"]}, "green": {"values": ["192.0.2.2"]}}}]}),
        json!({"kind": "dns_signal", "namespace": "Understudy/shop", "metric_name": "Active", "signals": {
                "blue": {"dimensions": {"Site": "blue"}, "alarm_name": "shop-blue-inactive"},
                "green": {"dimensions": {"Site": "green"}, "alarm_name": "shop-green-inactive"}}}),
        json!({"kind": "zonal_shift", "resource_identifier": format!("{ARN}loadbalancer/app/shop/0123456789abcdef"),
                   "away_from": {"green": "euw1-az1"}, "expires_in_hours": 24}),
        json!({"kind": "accelerator_dial", "sites": {"blue": {"endpoint_group_arn": endpoint_group("blue")},
                                                         "green": {"endpoint_group_arn": endpoint_group("green")}}}),
        json!({"kind": "asg_capacity", "groups": {"blue": "shop-blue", "green": "shop-green"}}),
        json!({"kind": "asg_zones", "auto_scaling_group_name": "shop",
                   "subnets": {"blue": ["subnet-0123456789abcdef0"], "green": ["subnet-0123456789abcdef1"]}}),
        json!({"kind": "ec2_instance", "action": "start",
                   "instances": {"blue": ["i-0123456789abcdef0"], "green": ["i-0123456789abcdef1"]}}),
        json!({"kind": "elastic_ip", "allocation_id": "eipalloc-0123456789abcdef0",
                   "targets": {"blue": "i-0123456789abcdef0", "green": "i-0123456789abcdef1"}}),
        json!({"kind": "fence_source", "databases": databases}),
        json!({"kind": "open_destination", "databases": databases}),
        json!({"kind": "rds_reboot_failover", "db_instance_identifier": "shop",
                   "zones": {"blue": "eu-west-1a", "green": "eu-west-1b"}}),
        json!({"kind": "rds_cluster_failover", "db_cluster_identifier": "shop",
                   "writers": {"blue": "shop-1", "green": "shop-2"}}),
        json!({"kind": "rds_global", "global_cluster_identifier": "shop",
                   "clusters": {"blue": "arn:aws:rds:eu-west-1:000000000000:cluster:blue",
                                "green": "arn:aws:rds:eu-central-1:000000000000:cluster:green"}}),
        json!({"kind": "rds_promote_replica",
                   "instances": {"blue": {"db_instance_identifier": "blue"}, "green": {"db_instance_identifier": "green"}}}),
        json!({"kind": "rds_read_replica", "replica": {"db_instance_identifier": "copy", "source": "blue"}}),
        json!({"kind": "rds_multi_az", "db_instance_identifier": "shop", "apply_immediately": true}),
        json!({"kind": "rds_event_subscription", "subscription_name": "shop-events", "source_ids": ["shop"]}),
        json!({"kind": "asg_settings", "auto_scaling_group_name": "shop", "health_check_type": "elb"}),
        json!({"kind": "asg_scaling_policy", "auto_scaling_group_name": "shop", "policy_name": "failover", "adjustment": 2}),
        json!({"kind": "dns_health_check", "host": "blue.example.com"}),
        json!({"kind": "dns_failover_records", "hosted_zone_id": "Z0123456789ABC", "record_name": "api.example.com",
                   "type": "A", "ttl_seconds": 60,
                   "primary": {"values": ["192.0.2.1"], "health_check_id": "01234567-89ab-cdef-0123-456789abcdef"},
                   "secondary": {"values": ["192.0.2.2"], "health_check_id": "01234567-89ab-cdef-0123-456789abcde0"}}),
        json!({"kind": "target_group_health", "target_group_arn": group("shop"), "path": "/health"}),
        json!({"kind": "metric_alarm", "alarm_name": "shop-unhealthy", "namespace": "AWS/ApplicationELB",
                   "metric_name": "UnHealthyHostCount", "statistic": "Maximum", "threshold": 0,
                   "comparison": "GreaterThanThreshold", "dimensions": {
                       "TargetGroup": "targetgroup/shop/0123456789abcdef", "LoadBalancer": "app/shop/0123456789abcdef"}}),
        json!({"kind": "invoke", "function": "shop-hook", "undo": "invoke"}),
        json!({"kind": "wait_healthy"}),
        json!({"kind": "wait", "seconds": 60}),
        json!({"kind": "approval"}),
    ]
}

/// One probe of each kind.
pub(super) fn probes() -> Vec<Value> {
    vec![
        json!({"kind": "endpoint", "host": "blue.example.com"}),
        json!({"kind": "ec2", "instance_id": "i-0123456789abcdef0"}),
        json!({"kind": "target_group", "target_group_arn": format!("{ARN}targetgroup/blue/0123456789abcdef")}),
        json!({"kind": "auto_scaling_group", "auto_scaling_group_name": "shop"}),
        json!({"kind": "rds_instance", "db_instance_identifier": "shop"}),
        json!({"kind": "rds_cluster", "db_cluster_identifier": "shop"}),
        json!({"kind": "alarm", "alarm_name": "shop-blue"}),
        json!({"kind": "metric", "namespace": "Shop", "metric_name": "Errors", "statistic": "sum",
               "comparison": "greater_than", "threshold": 5}),
        json!({"kind": "dns_health_check", "health_check_id": "01234567-89ab-cdef-0123-456789abcdef"}),
    ]
}
