//! `scrollback export`.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};

use anyhow::Context;

use super::arguments::ExportArguments;
use super::output::print_fault;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::{AuditAction, ExportRecord, OwnerId, Viewer};
use crate::permissions;
use crate::store::{ExportSink, Store};

/// Writes records as lines.
struct Lines<W: Write>(BufWriter<W>);

impl<W: Write> ExportSink for Lines<W> {
    type Error = anyhow::Error;

    fn write(&mut self, record: ExportRecord) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.0, &record).map_err(io::Error::from)?;
        self.0.write_all(b"\n")?;
        Ok(())
    }
}

pub(super) async fn export(config: Config, arguments: ExportArguments) -> anyhow::Result<()> {
    let user = OwnerId::new(&arguments.user).context("--user is not valid")?;
    // A file that cannot be written is rejected before a database is created.
    let file = match arguments.output.as_ref().filter(|path| path.as_os_str() != "-") {
        Some(path) => {
            Some(permissions::create(path).with_context(|| format!("cannot create {}", path.display()))?)
        }
        None => None,
    };
    let app = App::open_for_command(config, Clock::system()).await?;
    let exported = write(&app.store, user, file).await;
    app.store.close().await;
    exported
}

async fn write(store: &Store, user: OwnerId, file: Option<File>) -> anyhow::Result<()> {
    let scope = store.viewed_by(&Viewer::new(user));
    let end = match file {
        Some(file) => {
            let mut lines = Lines(BufWriter::new(file));
            let end = scope.export(&mut lines).await?;
            let file = lines.0.into_inner().map_err(io::IntoInnerError::into_error);
            file.and_then(|file| file.sync_all()).context("cannot write the export")?;
            end
        }
        None => {
            let mut lines = Lines(BufWriter::new(io::stdout()));
            let end = scope.export(&mut lines).await.or_else(unless_closed)?;
            lines
                .0
                .flush()
                .or_else(|error| if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })?;
            end
        }
    };
    store.audit(AuditAction::Export, scope.owner(), Some(end.conversations)).await?;
    print_fault(format_args!("exported {} conversations with {} messages", end.conversations, end.messages));
    Ok(())
}

/// A reader that closes standard output wants no more.
fn unless_closed(error: anyhow::Error) -> anyhow::Result<crate::model::ExportEnd> {
    let is_closed = |error: &io::Error| error.kind() == ErrorKind::BrokenPipe;
    match error.downcast_ref::<io::Error>() {
        Some(error) if is_closed(error) => Ok(crate::model::ExportEnd::default()),
        _ => Err(error),
    }
}
