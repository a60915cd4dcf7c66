//! The stage: a cloud with the deployed stack, a world, two sites and a stored plan.

use super::telling::Seen;
use super::{Narrator, Timeline, Weather, text};
use crate::local_cloud::{Answer, CloudError, DeployOptions, Deployment, LocalCloud, Sam};
use crate::sites::Site;
use crate::world::{ALARM, World};
use serde_json::{Value, json};

/// How the stage is set.
#[derive(Clone, Debug)]
pub struct StageOptions {
    /// Run `sam build` first.
    pub build: bool,
    /// Whether the probe's schedule is on. Off, rounds are asked for one by one.
    pub scheduled: bool,
    /// Further parameters of the stack, by name.
    pub parameters: Vec<(String, String)>,
}

impl Default for StageOptions {
    fn default() -> Self {
        Self {
            build: true,
            scheduled: true,
            parameters: Vec::new(),
        }
    }
}

/// Everything that the story plays on.
#[derive(Debug)]
pub struct Stage {
    /// The cloud.
    pub cloud: LocalCloud,
    /// The deployed stack.
    pub deployment: Deployment,
    /// What there is to fail over.
    pub world: World,
    /// The primary site.
    pub blue: Site,
    /// Its standby.
    pub green: Site,
    /// What happened when.
    pub timeline: Timeline,
    /// How the calls of the functions fare: whoever lets them meet faults says so here.
    pub weather: Weather,
    pub(super) seen: Seen,
}

/// The plan of `infra/demo/plan.yaml`, filled in with the ids of a world.
///
/// # Errors
/// The file can not be read.
pub fn plan_text(world: &World, blue: &Site, green: &Site) -> Result<String, CloudError> {
    let path = crate::local_cloud::checkout().join("infra/demo/plan.yaml");
    let template = std::fs::read_to_string(&path).map_err(CloudError::system(format!("reading {}", path.display())))?;
    Ok([
        ("blue_instance_id", world.blue_instance_id.as_str()),
        ("green_instance_id", &world.green_instance_id),
        ("blue_port", &blue.address().port().to_string()),
        ("green_port", &green.address().port().to_string()),
        ("alarm_name", ALARM),
        ("listener_arn", &world.listener_arn),
        ("blue_target_group_arn", &world.blue_target_group_arn),
        ("green_target_group_arn", &world.green_target_group_arn),
        ("hosted_zone_id", &world.hosted_zone_id),
    ]
    .into_iter()
    .fold(template, |text, (name, value)| {
        text.replace(&format!("${{{name}}}"), value)
    }))
}

// Of what `sam` prints, the lines that say how far it is; the rest is in its log.
fn worth_telling(line: &str) -> Option<String> {
    if let Some((_, functions)) = line.split_once("functions: ") {
        return Some(format!("sam build: {functions}"));
    }
    line.starts_with("Successfully created/updated stack")
        .then(|| format!("sam deploy: {line}"))
}

impl Stage {
    /// Starts everything and stores the plan.
    ///
    /// # Errors
    /// With what did not start; nothing is left running.
    pub async fn set(options: &StageOptions, narrator: &mut dyn Narrator) -> Result<Self, CloudError> {
        narrator.act("Setting the stage: a cloud on this machine, and the real stack in it");
        let cloud = LocalCloud::start().await?;
        narrator.event(&format!(
            "the local cloud answers at {} (roles are enforced)",
            cloud.endpoint_url()
        ));
        narrator.event(
            "sam build and sam deploy of template.yaml; the first time, this compiles for a quarter of an hour or more",
        );
        let schedule = if options.scheduled { "ENABLED" } else { "DISABLED" };
        let mut parameters = vec![
            ("DeletionProtection".to_owned(), "false".to_owned()),
            ("ProbeScheduleState".to_owned(), schedule.to_owned()),
        ];
        parameters.extend(options.parameters.iter().cloned());
        let deploy = DeployOptions {
            build: options.build,
            parameters,
            ..DeployOptions::default()
        };
        let deployment = cloud
            .deploy(&deploy, &mut |sam| match sam {
                Sam::Said { line } => {
                    if let Some(line) = worth_telling(line) {
                        narrator.event(&line);
                    }
                }
                Sam::Silent { step, seconds } => narrator.waiting(&format!("sam {step}"), seconds),
            })
            .await?;
        let world = World::create(&cloud, deployment.output("TopicArn")?).await?;
        let (blue, green) = (Site::start("blue").await?, Site::start("green").await?);
        narrator.event(
            "two stacks from infra/demo: a load balancer with a blue and a green target group and an instance in each; \
             a hosted zone, an alarm, and a queue that hears the messages",
        );
        narrator.event(&format!(
            "two real HTTP servers are the sites: blue at {}, green at {}",
            blue.address(),
            green.address()
        ));
        let mut stage = Self {
            cloud,
            deployment,
            world,
            blue,
            green,
            timeline: Timeline::default(),
            weather: Weather::Fair,
            seen: Seen::default(),
        };
        stage.store_plan(narrator).await?;
        Ok(stage)
    }

    /// Stores the demo's plan: the story begins, or begins anew.
    ///
    /// # Errors
    /// The plan is not valid, or was not stored.
    pub async fn store_plan(&mut self, narrator: &mut dyn Narrator) -> Result<(), CloudError> {
        self.timeline = Timeline::default();
        self.seen = Seen::default();
        let plan = plan_text(&self.world, &self.blue, &self.green)?;
        let valid = self.granted(json!({"command": "validate", "plan": plan})).await?;
        narrator.event(&format!("validate: {}", text(&valid, "/summary")));
        let stored = self
            .granted(json!({"command": "put-plan", "plan": plan, "operator": "demo", "reason": "the first revision"}))
            .await?;
        narrator.event(&format!("put-plan: {}", text(&stored, "/summary")));
        self.timeline.now("the plan is stored; blue is active");
        Ok(())
    }

    /// Invokes the probe without waiting: besides its schedule, as a person may. A slot counts once all the same.
    ///
    /// # Errors
    /// The invocation was refused.
    pub async fn kick_probe(&self) -> Result<(), CloudError> {
        self.cloud
            .invoke_async(&self.deployment.function("probe")?.name, &json!({}))
            .await
    }

    /// Runs a single round of the probe and waits for it.
    ///
    /// # Errors
    /// The probe failed.
    pub async fn round(&self) -> Result<Value, CloudError> {
        let Answer {
            payload,
            function_error,
        } = self
            .cloud
            .invoke(&self.deployment.function("probe")?.name, &json!({"rounds": 1}))
            .await?;
        match function_error {
            None => Ok(payload),
            Some(error) => Err(CloudError::missing(
                "the answer of the probe",
                format!("{error}: {payload}"),
            )),
        }
    }

    /// Where traffic and name really point, by the cloud's own APIs: the blue and green weights and the record.
    ///
    /// # Errors
    /// They can not be read.
    pub async fn really(&self) -> Result<((i32, i32), Vec<String>), CloudError> {
        Ok((
            self.world.blue_green_weights(&self.cloud).await?,
            self.world.record_values(&self.cloud).await?,
        ))
    }

    /// The claim that everything points to one site.
    ///
    /// # Errors
    /// It does not.
    pub async fn expect_everything_at(&self, site: &str) -> Result<String, CloudError> {
        let (weights, record) = self.really().await?;
        let wanted = if site == "blue" { (100, 0) } else { (0, 100) };
        let host = format!("{site}.example.test");
        let points_there = record.iter().all(|value| value.trim_end_matches('.') == host) && !record.is_empty();
        let found = format!(
            "listener weights blue={} green={}, shop.example.test CNAME {}",
            weights.0,
            weights.1,
            record.join(",")
        );
        if weights == wanted && points_there {
            return Ok(found);
        }
        Err(CloudError::missing(format!("traffic and name at {site}"), found))
    }
}
