//! The command line, for one broker on loopback and for clusters on Kubernetes.

mod args;
mod brokers;
mod commands;
mod forward;
mod manifest;
mod output;

use clap::Parser as _;
use std::process::ExitCode;

use args::{Args, Command, GroupCommand, TopicCommand};
use brokers::Brokers;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("weir: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weir: {}", output::explain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let format = args.output;
    match &args.command {
        Command::Release(which) => {
            return commands::release::run(&args.target, which, format).await;
        }
        Command::Export(what) => return commands::export::run(&args.target, what).await,
        Command::Scaler { command } => {
            return commands::scaler::run(&args.target, command.as_ref(), format).await;
        }
        Command::Restart => return commands::restart::run(&args.target, format).await,
        _ => {}
    }
    let brokers = Brokers::connect(&args.target).await?;
    match args.command {
        Command::OperatorEpoch { reset } => {
            commands::operator_epoch::run(&brokers, reset, format).await
        }
        Command::Status => commands::status::run(&brokers, format).await,
        Command::Topics { command } => match command {
            None | Some(TopicCommand::List { internal: false }) => {
                commands::topics::list(&brokers, false, format).await
            }
            Some(TopicCommand::List { internal }) => {
                commands::topics::list(&brokers, internal, format).await
            }
            Some(TopicCommand::Describe { name }) => {
                commands::topics::describe(&brokers, &name, format).await
            }
            Some(TopicCommand::Create(new)) => {
                commands::topics::create(&brokers, new, format).await
            }
            Some(TopicCommand::Alter(change)) => {
                commands::topics::alter(&brokers, change, format).await
            }
            Some(TopicCommand::Delete { name }) => {
                commands::topics::delete(&brokers, &name, format).await
            }
        },
        Command::Groups { command } => match command {
            None | Some(GroupCommand::List) => commands::groups::list(&brokers, format).await,
            Some(GroupCommand::Describe { group }) => {
                commands::groups::describe(&brokers, &group, format).await
            }
        },
        Command::Produce(produce) => commands::produce::run(&brokers, produce, format).await,
        Command::Consume(consume) => commands::consume::run(&brokers, consume, format).await,
        Command::Release(_) | Command::Export(_) | Command::Restart | Command::Scaler { .. } => {
            Ok(())
        }
    }
}
