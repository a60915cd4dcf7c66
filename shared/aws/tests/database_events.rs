//! What set-up asks of RDS about subscriptions to events: what is read, compared and called.
//!
//! Tries steps: rds_event_subscription.

#![cfg(feature = "rds")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::query::{done, failed};
use common::{Answer, Script, says};
use understudy_aws::rds::RdsSetup;
use understudy_core::state::EventSubscription;
use understudy_engine::ports::{CallErrorKind, DatabaseSetup};

const NAME: &str = "shop-events";

fn described() -> Answer {
    says(
        200,
        "<DescribeEventSubscriptionsResponse><DescribeEventSubscriptionsResult><EventSubscriptionsList><EventSubscription>\
         <CustSubscriptionId>shop-events</CustSubscriptionId><SnsTopicArn>arn:topic</SnsTopicArn><Status>active</Status>\
         <SourceType>db-instance</SourceType><SourceIdsList><SourceId>shop-b</SourceId><SourceId>shop-a</SourceId>\
         </SourceIdsList><EventCategoriesList><EventCategory>low storage</EventCategory>\
         <EventCategory>failover</EventCategory></EventCategoriesList><Enabled>true</Enabled>\
         <EventSubscriptionArn>arn:es:shop-events</EventSubscriptionArn></EventSubscription></EventSubscriptionsList>\
         </DescribeEventSubscriptionsResult></DescribeEventSubscriptionsResponse>",
    )
}

fn tags() -> Answer {
    says(
        200,
        "<ListTagsForResourceResponse><ListTagsForResourceResult><TagList><Tag><Key>understudy</Key><Value>shop</Value></Tag>\
         </TagList></ListTagsForResourceResult></ListTagsForResourceResponse>",
    )
}

fn subscription() -> EventSubscription {
    EventSubscription {
        topic_arn: "arn:topic".into(),
        source_type: Some("db-instance".into()),
        source_ids: vec!["shop-a".into(), "shop-b".into()],
        categories: vec!["failover".into(), "low storage".into()],
        is_enabled: true,
        made_by: Some("shop".into()),
    }
}

#[tokio::test]
async fn a_subscription_is_read_whole_with_who_made_it_and_one_that_is_not_there_is_none() {
    let script = Script::new([described(), tags(), failed(404, "SubscriptionNotFound")]);
    let setup = RdsSetup::new(&script.config());
    let found = setup.subscription(None, NAME).await.unwrap().unwrap();
    assert_eq!((found.status.as_str(), found.subscription), ("active", subscription()));
    assert_eq!(setup.subscription(None, NAME).await.unwrap(), None);
    let sent = script.sent();
    assert_eq!(sent[0].field("SubscriptionName").as_deref(), Some(NAME));
    assert_eq!(sent[1].field("ResourceName").as_deref(), Some("arn:es:shop-events"));
}

#[tokio::test]
async fn one_is_made_in_one_call_with_its_tags() {
    let own = [("understudy".to_owned(), "shop".to_owned())].into();
    let script = Script::new([done("CreateEventSubscription"), failed(400, "SubscriptionAlreadyExist")]);
    let setup = RdsSetup::new(&script.config());
    setup
        .put_subscription(None, NAME, None, &subscription(), &own)
        .await
        .unwrap();
    let sent = &script.sent()[0];
    for (field, value) in [
        ("Action", "CreateEventSubscription"),
        ("SnsTopicArn", "arn:topic"),
        ("SourceType", "db-instance"),
        ("SourceIds.SourceId.2", "shop-b"),
        ("EventCategories.EventCategory.2", "low storage"),
        ("Enabled", "true"),
        ("Tags.Tag.1.Key", "understudy"),
    ] {
        assert_eq!(sent.field(field).as_deref(), Some(value), "{field}: {}", sent.body);
    }
    let taken = setup
        .put_subscription(None, NAME, None, &subscription(), &own)
        .await
        .unwrap_err();
    assert_eq!(taken.kind, CallErrorKind::Conflict, "{taken}");
}

#[tokio::test]
async fn only_what_is_as_expected_is_changed_or_deleted() {
    let other = EventSubscription {
        categories: vec!["failure".into()],
        ..subscription()
    };
    let reads = || [described(), tags()];
    let answers = [
        Vec::from(reads()),
        vec![done("ModifyEventSubscription")],
        Vec::from(reads()),
        vec![done("DeleteEventSubscription")],
        Vec::from(reads()),
        Vec::from(reads()),
        Vec::from(reads()),
        vec![failed(400, "InvalidEventSubscriptionState")],
    ];
    let script = Script::new(answers.into_iter().flatten());
    let setup = RdsSetup::new(&script.config());
    let none = Default::default();
    setup
        .put_subscription(None, NAME, Some(&subscription()), &other, &none)
        .await
        .unwrap();
    let sent = &script.sent()[2];
    assert_eq!(sent.field("Action").as_deref(), Some("ModifyEventSubscription"));
    assert_eq!(
        sent.field("EventCategories.EventCategory.1").as_deref(),
        Some("failure")
    );
    setup.delete_subscription(None, NAME, &subscription()).await.unwrap();
    assert_eq!(
        script.sent()[5].field("Action").as_deref(),
        Some("DeleteEventSubscription")
    );
    for error in [
        setup
            .put_subscription(None, NAME, Some(&other), &subscription(), &none)
            .await
            .unwrap_err(),
        setup.delete_subscription(None, NAME, &other).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, CallErrorKind::Conflict, "{error}");
        assert!(error.message.contains("nothing was changed"), "{error}");
    }
    let busy = setup
        .delete_subscription(None, NAME, &subscription())
        .await
        .unwrap_err();
    assert_eq!(busy.kind, CallErrorKind::Retryable, "{busy}");
}
