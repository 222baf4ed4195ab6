//! `scrollback erase`.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::arguments::EraseArguments;
use super::output::{print_fault, print_line};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::{ErasureReceipt, OwnerId};
use crate::store::Store;

/// The exit code of a receipt that is not confirmed.
const NOT_CONFIRMED: u8 = 2;

/// What to do.
enum Task {
    PublicKey,
    Erase { user: OwnerId, vacuum: bool },
    Verify { user: OwnerId, receipt: Box<ErasureReceipt> },
}

pub(super) async fn erase(config: Config, arguments: EraseArguments) -> anyhow::Result<ExitCode> {
    // Invalid arguments are rejected before a database is created.
    let task = task(arguments)?;
    let app = App::open_for_command(config, Clock::system()).await?;
    let done = run(&app.store, task).await;
    app.store.close().await;
    done
}

fn task(arguments: EraseArguments) -> anyhow::Result<Task> {
    let Some(user) = arguments.user else {
        if arguments.public_key {
            return Ok(Task::PublicKey);
        }
        bail!("--user is missing");
    };
    let user = OwnerId::new(user).context("--user is not valid")?;
    let Some(file) = arguments.verify else { return Ok(Task::Erase { user, vacuum: arguments.vacuum }) };
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let receipt = ErasureReceipt::parse(&text)
        .with_context(|| format!("{} is not a receipt of an erasure", file.display()))?;
    Ok(Task::Verify { user, receipt: Box::new(receipt) })
}

async fn run(store: &Store, task: Task) -> anyhow::Result<ExitCode> {
    match task {
        Task::PublicKey => print_line(store.receipt_key().await?)?,
        Task::Erase { user, vacuum } => {
            let receipt = store.erase(&user).await?;
            // The receipt is not lost if what follows fails.
            print_line(receipt.to_json())?;
            if vacuum {
                store.vacuum().await?;
            }
        }
        Task::Verify { user, receipt } => {
            let faults = store.erasure_faults(&receipt, &user).await?;
            for fault in &faults {
                print_fault(format_args!("scrollback: {fault}"));
            }
            if !faults.is_empty() {
                return Ok(ExitCode::from(NOT_CONFIRMED));
            }
            let erased_at = &receipt.content.erased_at;
            print_line(format_args!(
                "confirmed: {} was erased at {erased_at}, and the database has no row of them",
                user.as_str()
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
