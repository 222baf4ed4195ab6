//! Metrics that are read from their modules when they are scraped.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::graphql::Api;
use crate::histogram::{Histogram, HistogramSnapshot};
use crate::server::jobs::JobFigures;
use crate::server::settings::Settings;
use crate::store::Store;
use crate::traces::Tracer;
use crate::webhooks::WebhookFigures;

/// Where the figures are.
pub(in crate::server) struct Scraped {
    api: Api,
    store: Store,
    webhooks: WebhookFigures,
    jobs: JobFigures,
    limits: Vec<(&'static str, u64)>,
    tracer: Tracer,
}

impl Scraped {
    pub(in crate::server) fn new(api: &Api, store: &Store, settings: &Settings) -> Self {
        Self {
            api: api.clone(),
            store: store.clone(),
            webhooks: settings.webhooks.clone(),
            jobs: settings.jobs.clone(),
            limits: settings.limits.clone(),
            tracer: settings.tracer.clone(),
        }
    }
}

impl fmt::Debug for Scraped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scraped")
    }
}

type Written = Result<(), fmt::Error>;

/// Values, each with its labels.
type Series<'a, Value> = &'a [(Vec<(&'static str, &'a str)>, Value)];

struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> Written {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn counters(&mut self, name: &str, help: &str, series: Series<'_, u64>) -> Written {
        let metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        each(metric, series, |metric, value| metric.encode_counter::<NoLabelSet, _, u64>(value, None))
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: u64) -> Written {
        self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn gauges(&mut self, name: &str, help: &str, series: Series<'_, u64>) -> Written {
        let metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        each(metric, series, |metric, &value| metric.encode_gauge(&value))
    }

    fn histogram(&mut self, name: &str, help: &str, unit: Option<&Unit>, histogram: &Histogram) -> Written {
        let HistogramSnapshot { sum, count, buckets } = histogram.read();
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}

fn each<Value>(
    mut metric: MetricEncoder<'_>,
    series: Series<'_, Value>,
    encode: impl Fn(&mut MetricEncoder<'_>, &Value) -> Written,
) -> Written {
    for (labels, value) in series {
        encode(&mut metric.encode_family(labels)?, value)?;
    }
    Ok(())
}

impl Collector for Scraped {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Written {
        let mut writer = Writer(encoder);
        self.database(&mut writer)?;
        self.subscriptions(&mut writer)?;
        self.search_and_retention(&mut writer)?;
        self.webhooks(&mut writer)?;
        self.jobs(&mut writer)?;
        self.process(&mut writer)
    }
}

impl Scraped {
    fn database(&self, to: &mut Writer<'_>) -> Written {
        let (used, idle) = self.store.connections();
        let state = |state, count| (vec![("state", state)], count as u64);
        let connections = [state("used", used), state("idle", idle)];
        to.gauges("database_connections", "Database connections, by state", &connections)?;
        let (writes, bytes) = self.store.queued_writes();
        let help = "Appends that wait for a write worker or are being written";
        to.gauge("write_queue_requests", help, None, writes as u64)?;
        to.gauge("write_queue", "Bytes of these appends", Some(&Unit::Bytes), bytes as u64)?;
        let figures = self.store.writer_figures();
        to.histogram("write_batch_size", "Appends of a batch", None, &figures.batch_sizes)?;
        let help = "Duration of writing a batch of appends, until it is durable";
        to.histogram("write_batch_duration", help, Some(&Unit::Seconds), &figures.batch_durations)?;
        let help = "Duration of the commits of these batches, on SQLite";
        to.histogram("write_commit_duration", help, Some(&Unit::Seconds), &figures.commits)?;
        let help = "Duration of checkpoints of SQLite's log";
        to.histogram("checkpoint_duration", help, Some(&Unit::Seconds), &figures.checkpoints)?;
        let help = "Checkpoints that failed, or that readers kept from truncating the log";
        to.counter("checkpoints_failed", help, figures.failed_checkpoints())
    }

    fn subscriptions(&self, to: &mut Writer<'_>) -> Written {
        to.gauge("feed_readers", "Lists with at least one subscription", None, self.api.readers() as u64)?;
        let (all, most) = self.api.backlog();
        let help = "Events that subscribers have not taken yet, of all subscriptions";
        to.gauge("subscription_backlog_events", help, None, all as u64)?;
        let help = "The most events that one subscriber has not taken yet; with 256 its subscription ends";
        to.gauge("subscription_backlog_max_events", help, None, most as u64)?;
        let signals = self.store.signals();
        let help = "Time from sending a signal to the other replicas until it came back to the sender";
        to.histogram("signal_delay", help, Some(&Unit::Seconds), signals.delays())?;
        let help = "Messages with signals from other replicas";
        to.counter("signals_received", help, signals.received())
    }

    fn search_and_retention(&self, to: &mut Writer<'_>) -> Written {
        let (unindexed, indexed) = self.store.index_figures();
        let help = "Messages and titles that this process has indexed for search";
        to.counter("search_indexed", help, indexed)?;
        let help = "Owners with changes of this process that are not in the search index yet; searches find them \
                    nevertheless";
        to.gauge("search_pending_owners", help, None, unindexed as u64)?;
        let reasons = self.store.retention_figures();
        let reasons = reasons.map(|(reason, count)| (vec![("reason", reason.name())], count));
        let help = "Conversations that this process deleted (trash, expired, inactive_delete) or archived \
                    (inactive_archive), by the rule of retention";
        to.counters("retention_conversations", help, &reasons)
    }

    fn webhooks(&self, to: &mut Writer<'_>) -> Written {
        let figures = self.webhooks.read();
        let mut deliveries = Vec::new();
        for figure in &figures {
            for (outcome, count) in [("delivered", figure.delivered), ("failed", figure.failed)] {
                deliveries.push((vec![("webhook", figure.name.as_str()), ("outcome", outcome)], count));
            }
        }
        let help =
            "Attempts of this process to deliver an event, by webhook and outcome: delivered or failed";
        to.counters("webhook_deliveries", help, &deliveries)?;
        let series = |value: fn(&crate::webhooks::WebhookFigure) -> u64| {
            let labels =
                figures.iter().map(|figure| (vec![("webhook", figure.name.as_str())], value(figure)));
            labels.collect::<Vec<_>>()
        };
        let help = "Owners with changes that this process is about to deliver, or to try again";
        to.gauges("webhook_pending_owners", help, &series(|figure| figure.owners as u64))?;
        let help = "1 if the deliveries of this process fail and are tried again";
        to.gauges("webhook_failing", help, &series(|figure| u64::from(figure.is_failing)))?;
        let help =
            "1 if deliveries failed for too long: nothing is delivered until `scrollback webhooks resume`";
        to.gauges("webhook_paused", help, &series(|figure| u64::from(figure.is_paused)))
    }

    fn jobs(&self, to: &mut Writer<'_>) -> Written {
        let jobs = self.jobs.all();
        let mut runs = Vec::new();
        for job in &jobs {
            let (succeeded, failed) = job.runs();
            for (outcome, count) in [("succeeded", succeeded), ("failed", failed)] {
                runs.push((vec![("task", job.name), ("outcome", outcome)], count));
            }
        }
        to.counters("job_runs", "Runs of background jobs, by outcome: succeeded or failed", &runs)?;
        let metric = to.0.encode_descriptor(
            "job_duration",
            "Time of all runs of a background job together",
            Some(&Unit::Seconds),
            MetricType::Counter,
        )?;
        let durations: Vec<_> =
            jobs.iter().map(|job| (vec![("task", job.name)], job.duration().as_secs_f64())).collect();
        each(metric, &durations, |metric, value| metric.encode_counter::<NoLabelSet, _, u64>(value, None))?;
        let successes: Vec<_> =
            jobs.iter().map(|job| (vec![("task", job.name)], job.last_success())).collect();
        let help = "End of the last run of a background job that succeeded, since 1970; 0 if there was none";
        to.gauges("job_last_success_timestamp_seconds", help, &successes)
    }

    fn process(&self, to: &mut Writer<'_>) -> Written {
        let (reserved, requests) = self.api.memory_in_use();
        let help = "Bytes of server.memory that large responses have reserved";
        to.gauge("memory_reserved", help, Some(&Unit::Bytes), reserved as u64)?;
        let help = "Bytes that large requests have reserved in addition while they are received and run";
        to.gauge("memory_requests", help, Some(&Unit::Bytes), requests as u64)?;
        let help =
            "Responses that were ended because their clients read slowly while others waited for memory";
        to.counter("responses_evicted", help, self.api.evicted_responses())?;
        let limits: Vec<_> =
            self.limits.iter().map(|(setting, most)| (vec![("setting", *setting)], *most)).collect();
        to.gauges("config_limit", "Configured limits, by setting", &limits)?;
        let spans = self.tracer.figures();
        let outcome = |outcome, count| (vec![("outcome", outcome)], count);
        let help = "Spans of traces: exported, or dropped because the queue was full (overflowed) or the collector did \
                    not take them (failed)";
        let outcomes = [
            outcome("exported", spans.exported),
            outcome("overflowed", spans.overflowed),
            outcome("failed", spans.failed),
        ];
        to.counters("trace_spans", help, &outcomes)
    }
}
