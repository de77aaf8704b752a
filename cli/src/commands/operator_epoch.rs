use anyhow::Result;
use serde_json::json;
use weir_proto::admin as pb;

use crate::args::Format;
use crate::brokers::Brokers;
use crate::output::say;

/// Lower than any operator's: each may come, and those that came before are told apart again.
const RESET: u64 = 1;

/// Shows the epoch that each broker knows; with `reset` sets it back first.
pub async fn run(brokers: &Brokers, reset: bool, format: Format) -> Result<()> {
    if reset {
        let request = pb::SetOperatorEpochRequest {
            epoch: RESET,
            force: true,
        };
        brokers.any().set_operator_epoch(request).await?;
        let line = "the operator's epoch is set back: the next operator that leads is obeyed";
        return say(format, line, &json!({"operatorEpoch": RESET}));
    }
    // A broker that lags behind knows less.
    let mut heard = None;
    for (_, mut admin) in brokers.all() {
        let answer = admin.get_broker(pb::GetBrokerRequest {}).await?;
        heard = heard.max(answer.into_inner().operator_epoch);
    }
    let line = match heard {
        None => "these brokers know of no operator's epoch".to_owned(),
        Some(0) => "no operator was heard yet".to_owned(),
        Some(epoch) => format!("operator epoch {epoch}: operators of a lower one are refused"),
    };
    say(format, &line, &json!({"operatorEpoch": heard}))
}
