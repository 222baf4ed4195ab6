//! `scrollback export`.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};

use anyhow::Context;
use bytes::Bytes;

use super::arguments::{self, ExportArguments};
use super::output::print_fault;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::export::{Export, ExportBranches, ExportError, ExportFormat, ExportOutput, ExportRequest};
use crate::model::{AuditAction, ConversationId, ExportEnd, Invalid, OwnerId, Viewer};
use crate::permissions;
use crate::store::Scoped;

/// A file, or standard output.
struct Output<W: Write>(BufWriter<W>);

impl<W: Write + Send> ExportOutput for Output<W> {
    async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.0.write_all(&bytes)
    }
}

pub(super) async fn export(config: Config, arguments: ExportArguments) -> anyhow::Result<()> {
    let user = OwnerId::new(&arguments.user).context("--user is not valid")?;
    let request = request(&arguments)?;
    // A file that cannot be written is rejected before a database is created.
    let path = arguments.output.as_ref().filter(|path| path.as_os_str() != "-");
    let file = path
        .map(|path| permissions::create(path).with_context(|| format!("cannot create {}", path.display())));
    let file = file.transpose()?;
    let app = App::open_for_command(config, Clock::system()).await?;
    let scope = app.store.viewed_by(&Viewer::new(user));
    let exported = match Export::begin(&scope, request).await {
        Ok(export) => write(&scope, export, file).await,
        Err(error) => {
            // The file is empty. If it stays, that is no error besides.
            let _ = path.map_or(Ok(()), fs::remove_file);
            Err(error.into())
        }
    };
    app.store.close().await;
    exported
}

fn request(arguments: &ExportArguments) -> Result<ExportRequest, Invalid> {
    let format = match arguments.format {
        arguments::ExportFormat::Scrollback => ExportFormat::Scrollback,
        arguments::ExportFormat::Uimessage => ExportFormat::UiMessage,
        arguments::ExportFormat::OpenaiJsonl => ExportFormat::OpenAiJsonl,
        arguments::ExportFormat::Markdown => ExportFormat::Markdown,
        arguments::ExportFormat::Html => ExportFormat::Html,
    };
    let branches = arguments.branches.map(|branches| match branches {
        arguments::ExportBranches::Active => ExportBranches::Active,
        arguments::ExportBranches::All => ExportBranches::All,
    });
    let conversations = arguments.conversations.iter().map(|id| ConversationId::parse("--conversation", id));
    let conversations = conversations.collect::<Result<_, _>>()?;
    ExportRequest::new(format, conversations, ("--branches", branches))
}

async fn write(scope: &Scoped, export: Export, file: Option<File>) -> anyhow::Result<()> {
    let end = match file {
        Some(file) => {
            let mut output = Output(BufWriter::new(file));
            let end = export.write(&mut output).await?;
            let file = output.0.into_inner().map_err(io::IntoInnerError::into_error);
            file.and_then(|file| file.sync_all()).context("cannot write the export")?;
            end
        }
        None => {
            let mut output = Output(BufWriter::new(io::stdout()));
            let end = export.write(&mut output).await.or_else(unless_closed)?;
            output
                .0
                .flush()
                .or_else(|error| if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })?;
            end
        }
    };
    scope.store().audit(AuditAction::Export, scope.owner(), Some(end.conversations)).await?;
    print_fault(format_args!("exported {} conversations with {} messages", end.conversations, end.messages));
    Ok(())
}

/// A reader that closes standard output wants no more.
fn unless_closed(error: ExportError) -> Result<ExportEnd, ExportError> {
    match error {
        ExportError::Output(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExportEnd::default()),
        error => Err(error),
    }
}
