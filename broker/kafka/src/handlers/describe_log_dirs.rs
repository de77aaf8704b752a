use weir_api::{Caller, LogDir, LogView};

use crate::{
    codec::{
        ErrorCode,
        messages::describe_log_dirs::{
            LogDir as Dir, PartitionResult, Request, Response, TopicResult,
        },
    },
    context::Context,
    error_map,
};

/// The one folder of this broker, with the logs asked for, or all.
pub(super) async fn handle(cx: &Context, _: &Caller, version: i16, request: Request) -> Response {
    let asked = |log: &LogView| {
        let Some(topics) = &request.topics else {
            return true;
        };
        topics
            .iter()
            .any(|t| t.name == log.topic && t.partitions.contains(&log.index))
    };
    match cx.engine.placement().log_dir() {
        Ok(mut dir) => {
            dir.logs.retain(asked);
            Response {
                results: vec![describe(dir)],
                ..Response::default()
            }
        }
        Err(error) if version >= 3 => Response {
            error: error_map::code(&error),
            ..Response::default()
        },
        Err(error) => Response {
            results: vec![Dir {
                error: error_map::code(&error),
                ..Dir::default()
            }],
            ..Response::default()
        },
    }
}

fn describe(dir: LogDir) -> Dir {
    let mut logs = dir.logs;
    logs.sort_by(|a, b| (&a.topic, a.index).cmp(&(&b.topic, b.index)));
    let mut topics: Vec<TopicResult> = Vec::new();
    for log in logs {
        let result = PartitionResult {
            index: log.index,
            size: number(log.bytes),
            offset_lag: log.lag,
            is_future: false,
        };
        match topics.last_mut().filter(|t| t.name == log.topic) {
            Some(topic) => topic.partitions.push(result),
            None => topics.push(TopicResult {
                name: log.topic,
                partitions: vec![result],
            }),
        }
    }
    Dir {
        error: ErrorCode::NONE,
        log_dir: dir.path,
        topics,
        total_bytes: number(dir.total_bytes),
        usable_bytes: number(dir.usable_bytes),
    }
}

fn number(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
