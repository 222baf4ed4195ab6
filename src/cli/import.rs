//! `scrollback import`.

use std::io::{self, IsTerminal, stderr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::arguments::{ImportArguments, ImportFormat};
use super::output::{print_fault, print_line};
use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::Config;
use crate::import::{
    ConversationReport, Format, Import, ImportOptions, MAX_CONVERSATION_BYTES, Observer, Progress, Report,
    ReportFile, Sources,
};
use crate::model::{AuditAction, OwnerId, Viewer};
use crate::permissions;
use crate::store::{Scoped, Store};

/// Nothing was imported.
const NOTHING_USABLE: u8 = 2;

/// Not everything was imported.
const SOME_REJECTED: u8 = 3;

/// How often what was written is indexed.
const INDEX_INTERVAL: Duration = Duration::from_millis(500);

/// How often the progress is shown.
const TICK: Duration = Duration::from_millis(200);

pub(super) async fn import(config: Config, arguments: ImportArguments) -> anyhow::Result<ExitCode> {
    let owner = OwnerId::new(&arguments.user).context("--user is not valid")?;
    let mut file = ReportWriter::create(arguments.report.as_deref())?;
    let sources = match Sources::open(&arguments.paths) {
        Ok(sources) => sources,
        Err(fault) => {
            print_fault(format_args!("scrollback: {fault}{}", advice(&arguments)));
            return Ok(ExitCode::from(NOTHING_USABLE));
        }
    };
    let clock = Clock::system();
    let limits = app::content_limits(&config);
    let options = ImportOptions {
        owner,
        format: format(arguments.format),
        limits,
        conversation_bytes: MAX_CONVERSATION_BYTES,
        clock: clock.clone(),
    };
    let owner = options.owner.clone();
    let import = Import::start(sources, options)?;
    let progress = show(import.progress());
    let done = if arguments.dry_run {
        import.check(&mut file).await.map_err(Into::into)
    } else {
        write(import, config, clock, owner, &mut file).await
    };
    progress.stop();
    let report = done?;
    if let ReportWriter(Some(file)) = file {
        file.end(&report).context("cannot write the report")?;
    }
    if report.rejected > 0 {
        let title = if report.has_usable() { "" } else { "scrollback: nothing can be imported\n" };
        print_fault(format_args!("{title}{}", report.rejections()));
    }
    let is_usable = report.has_usable() || report.rejected == 0;
    if is_usable {
        print_line(&report)?;
    }
    Ok(match report.rejected {
        0 => ExitCode::SUCCESS,
        _ if !is_usable => ExitCode::from(NOTHING_USABLE),
        _ => ExitCode::from(SOME_REJECTED),
    })
}

/// Writes what is read. A database is opened, and created, only if there is something to write.
async fn write(
    import: Import,
    config: Config,
    clock: Clock,
    owner: OwnerId,
    file: &mut ReportWriter,
) -> anyhow::Result<Report> {
    let mut opened: Option<(App, JoinHandle<()>)> = None;
    let has_written = CancellationToken::new();
    let open = async || -> anyhow::Result<Scoped> {
        let app = App::open_for_command(config, clock).await?;
        let scope = app.store.viewed_by(&Viewer::new(owner.clone()));
        let indexing = index_meanwhile(app.store.clone(), owner.clone(), has_written.clone());
        opened = Some((app, tokio::spawn(indexing)));
        Ok(scope)
    };
    let written = import.write(open, file).await;
    let Some((app, indexing)) = opened else { return written };
    let store = &app.store;
    has_written.cancel();
    // It fails only if indexing does, which is tried again.
    let _ = indexing.await;
    let count = written.as_ref().ok().map(|report| report.conversations);
    let audited = store.audit(AuditAction::Import, &owner, count).await;
    // So that a search finds what was imported at once, whatever the server does.
    let indexed = store.index_owner(&owner).await;
    store.close().await;
    let report = written?;
    audited?;
    indexed?;
    Ok(report)
}

/// Indexes what is written for searches while more is written.
async fn index_meanwhile(store: Store, owner: OwnerId, is_done: CancellationToken) {
    let mut interval = tokio::time::interval(INDEX_INTERVAL);
    while is_done.run_until_cancelled(interval.tick()).await.is_some() {
        if store.index_owner(&owner).await.is_err() {
            return;
        }
    }
}

fn format(format: ImportFormat) -> Option<Format> {
    Some(match format {
        ImportFormat::Auto => return None,
        ImportFormat::ChatGpt => Format::ChatGpt,
        ImportFormat::Claude => Format::Claude,
        ImportFormat::LibreChat => Format::LibreChat,
        ImportFormat::OpenWebui => Format::OpenWebUi,
        ImportFormat::ChatbotUi => Format::ChatbotUi,
        ImportFormat::OpenAssistant => Format::OpenAssistant,
        ImportFormat::ShareGpt => Format::ShareGpt,
        ImportFormat::OpenaiJsonl => Format::OpenAi,
        ImportFormat::UiMessage => Format::UiMessage,
        ImportFormat::Scrollback => Format::Scrollback,
    })
}

/// For those who give the format as earlier versions wanted it.
fn advice(arguments: &ImportArguments) -> String {
    let first = arguments.paths.first().and_then(|path| path.to_str());
    let named = first.filter(|first| arguments.paths.len() > 1 && !Path::new(first).exists());
    match named.and_then(Format::named) {
        Some(format) => format!("\nTo say the format, use `--format {}`.", format.name()),
        None => String::new(),
    }
}

/// Writes the report of `--report`.
struct ReportWriter(Option<ReportFile>);

impl ReportWriter {
    fn create(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let file = permissions::create(path).and_then(ReportFile::begin);
        Ok(Self(Some(file.with_context(|| format!("cannot create {}", path.display()))?)))
    }
}

impl Observer for ReportWriter {
    fn conversation(&mut self, report: &ConversationReport) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), |file| file.add(report))
    }
}

/// The progress on a terminal.
struct ShownProgress {
    bar: ProgressBar,
    ticks: JoinHandle<()>,
}

/// Shows the bytes, the rate and the time that is left, if standard error is a terminal.
fn show(progress: Progress) -> ShownProgress {
    let bar = match progress.total_bytes {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::new_spinner(),
    };
    if !stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let template = match progress.total_bytes {
        Some(_) => "{bar:40} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
        None => "{spinner} {bytes}, {bytes_per_sec}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let shown = bar.clone();
    let ticks = tokio::spawn(async move {
        let mut interval = tokio::time::interval(TICK);
        loop {
            interval.tick().await;
            shown.set_position(progress.read_bytes());
        }
    });
    ShownProgress { bar, ticks }
}

impl ShownProgress {
    fn stop(self) {
        self.ticks.abort();
        self.bar.finish_and_clear();
    }
}
