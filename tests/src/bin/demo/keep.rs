//! `KEEP=1`: everything stays, with commands to play with, until Enter or Ctrl-C.

use tokio::sync::mpsc;

use understudy_tests::local_cloud::CloudError;
use understudy_tests::sites::Site;
use understudy_tests::story::{Narrator, Stage};

use super::terminal::Terminal;

/// Whether a person asked for it: `KEEP` is set, and neither empty nor `0`.
pub fn asked_for() -> bool {
    std::env::var("KEEP").is_ok_and(|keep| !keep.is_empty() && keep != "0")
}

/// Says what can be done, and does what is typed here, until it is enough.
///
/// # Errors
/// A site can not open its port again.
pub async fn keep(stage: &mut Stage, terminal: &mut Terminal) -> Result<(), CloudError> {
    terminal.act("Still running (KEEP=1)");
    terminal.text(&what_can_be_done(stage)?);
    let mut typed = typed_lines();
    loop {
        let line = tokio::select! {
            line = typed.recv() => line,
            _ = tokio::signal::ctrl_c() => {
                // The terminal has printed ^C and left the cursor behind it.
                terminal.text("\n");
                return Ok(());
            }
        };
        let Some(line) = line else {
            // Nobody can type here: only a signal ends it.
            let _ = tokio::signal::ctrl_c().await;
            return Ok(());
        };
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [] => return Ok(()),
            ["kill", name] => match site(stage, name) {
                Some(site) => {
                    site.die().await;
                    terminal.event(&format!("{name}'s server is killed"));
                }
                None => terminal.text("  there are two sites: blue and green"),
            },
            ["start", name] => match site(stage, name) {
                Some(site) => {
                    site.come_back().await?;
                    terminal.event(&format!("{name}'s server is back"));
                }
                None => terminal.text("  there are two sites: blue and green"),
            },
            ["status"] => {
                let status = stage.status_of("shop").await?;
                terminal.event(status["summary"].as_str().unwrap_or_default());
            }
            _ => terminal.text("  not understood; here are: kill blue, start blue, status, and Enter alone to stop"),
        }
    }
}

fn site<'a>(stage: &'a mut Stage, name: &str) -> Option<&'a mut Site> {
    [&mut stage.blue, &mut stage.green]
        .into_iter()
        .find(|site| site.name() == name)
}

fn what_can_be_done(stage: &Stage) -> Result<String, CloudError> {
    // In a folder with a samconfig.toml that names the stack, `sam` wants the logical id, as the template says it.
    let name = &stage.deployment.function("decision")?.name;
    let mut functions = stage.deployment.functions.iter();
    let logical_id = functions.find_map(|(id, function)| (function.name == *name).then_some(id));
    let invoke = format!("sam remote invoke {} --event", logical_id.unwrap_or(name));
    Ok([
        "  Here, type:",
        "    kill blue      blue's server dies; in half a minute the plan is at green",
        "    start blue     it is back, and so is the plan when it has been well for a while",
        "    status         what Understudy knows, and what it does next",
        "    (Enter alone, or Ctrl-C, stops everything)",
        "",
        "  In another terminal, in this folder, paste this first:",
        &format!(
            "    export AWS_ENDPOINT_URL={} AWS_DEFAULT_REGION=us-east-1",
            stage.cloud.endpoint_url()
        ),
        "    export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test SAM_CLI_TELEMETRY=0",
        "    export PATH=$PWD/.tools/sam/bin:$PATH",
        "  and then one of these (`| python3 -m json.tool` makes an answer readable):",
        &format!("    {invoke} '{{\"command\": \"status\", \"plan\": \"shop\"}}'"),
        &format!("    {invoke} '{{\"command\": \"history\", \"plan\": \"shop\"}}'"),
        &format!("    {invoke} '{{\"command\": \"failover\", \"plan\": \"shop\","),
        "      \"to\": \"green\", \"operator\": \"me\", \"reason\": \"to see it\", \"wait_seconds\": 30}'",
        &format!("    {invoke} '{{\"command\": \"failback\", \"plan\": \"shop\","),
        "      \"operator\": \"me\", \"reason\": \"seen it\", \"wait_seconds\": 30}'",
        &format!(
            "    curl http://{}/health http://{}/health",
            stage.blue.address(),
            stage.green.address()
        ),
        "",
        &format!("  Logs, and every API call: {}", stage.cloud.folder().display()),
        "",
    ]
    .join("\n"))
}

// A thread of its own: reading a line can not be cancelled, and must not keep the process from ending.
fn typed_lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, typed) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    typed
}
