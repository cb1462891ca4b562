//! Searches of the audit record, and the jobs that export it.

use crate::fixture::{Fixture, on_both, verify};
use claviger_app::audit::{AuditExport, StoredEntry};
use claviger_app::caller::Caller;
use claviger_app::jobs::{COMPLETED, CREATED, FAILED, Job, JobResult, OPEN_MAX};
use claviger_domain::audit::{Actor, NewEntry, Target};
use claviger_domain::id::TenantId;
use claviger_domain::{Error, Result};
use serde_json::{Map, json};
use std::time::Duration;

on_both![
    searches_see_the_own_record,
    searches_find_what_was_written_out_of_order,
    exports_become_jobs,
    exports_need_the_right,
    a_failed_export_says_why,
    jobs_under_way_are_few,
    jobs_end_with_their_server,
];

/// A file of the numbers of all entries; fails at the entry of the number `bad`.
struct Numbers {
    seen: Vec<String>,
    bad: i64,
}

impl AuditExport for Numbers {
    fn look(&mut self, entry: &StoredEntry) -> Result<()> {
        self.seen.push(entry.number.to_string());
        if entry.number == self.bad { Err(Error::conflict("too_many", "too many entries")) } else { Ok(()) }
    }

    fn finish(self) -> Result<(JobResult, i64)> {
        let bytes = self.seen.join(",").into_bytes();
        Ok((JobResult { content_type: "text/plain".into(), bytes }, 1))
    }
}

async fn reader(f: &Fixture, org: TenantId, name: &str, rights: &[(&str, &[&str])]) -> Caller {
    let (made, id) = f.application(org, name, rights).await;
    verify(&f.app, &id, &made.secret.text.reveal()).await.unwrap()
}

async fn export(f: &Fixture, caller: &Caller, bad: i64) -> Result<Job> {
    let numbers = Numbers { seen: Vec::new(), bad };
    f.app.export_audit(caller, None..None, json!({ "format": "csv" }), numbers).await
}

async fn ended(f: &Fixture, caller: &Caller, number: i64) -> Job {
    for _ in 0..500 {
        let job = f.app.find_job(caller, number).await.unwrap();
        if job.status != CREATED {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the job did not end");
}

const BOTH: &[(&str, &[&str])] = &[("org.audits", &["READ"]), ("jobs.status", &["READ"])];

async fn searches_see_the_own_record(f: Fixture) {
    let (org, other) = (f.organization("Acme").await, f.organization("Other").await);
    let start = f.app.clock().now();
    f.app.clock().advance(60);
    let caller = reader(&f, org.id, "Reader", BOTH).await;
    f.application(other.id, "Elsewhere", &[]).await;
    let count = async |times| {
        let mut seen = Vec::new();
        f.app.search_audit(&caller, times, |entry: &StoredEntry| seen.push(entry.number)).await.unwrap();
        assert!(seen.is_sorted());
        seen.len()
    };
    assert_eq!(count(None..None).await, 2, "the tenant and its application");
    assert_eq!(count(Some(start)..None).await, 2);
    assert_eq!(count(Some(start.plus_seconds(1))..None).await, 1);
    assert_eq!(count(None..Some(start.plus_seconds(60))).await, 1);
}

async fn exports_become_jobs(f: Fixture) {
    let (org, other) = (f.organization("Acme").await, f.organization("Other").await);
    let caller = reader(&f, org.id, "Reader", BOTH).await;
    let stranger = reader(&f, other.id, "Stranger", BOTH).await;
    let job = export(&f, &caller, 0).await.unwrap();
    let job = ended(&f, &caller, job.number).await;
    assert_eq!((job.status.as_str(), job.total, job.completed, job.error), (COMPLETED, 1, 1, None));
    let result = f.app.job_result(&caller, job.number).await.unwrap();
    assert_eq!((result.content_type.as_str(), result.bytes.as_slice()), ("text/plain", &b"1,2"[..]));
    assert!(matches!(f.app.find_job(&stranger, job.number).await, Err(Error::NotFound("job"))));
    assert!(f.app.job_result(&stranger, job.number).await.is_err());
}

async fn exports_need_the_right(f: Fixture) {
    let org = f.organization("Acme").await;
    let caller = reader(&f, org.id, "Reader", &[("jobs.status", &["READ"])]).await;
    assert!(matches!(export(&f, &caller, 0).await, Err(Error::Forbidden { missing: Some(_), .. })));
    assert!(f.app.search_audit(&caller, None..None, |_| ()).await.is_err());
}

async fn a_failed_export_says_why(f: Fixture) {
    let org = f.organization("Acme").await;
    let caller = reader(&f, org.id, "Reader", BOTH).await;
    let job = export(&f, &caller, 2).await.unwrap();
    let job = ended(&f, &caller, job.number).await;
    assert_eq!((job.status.as_str(), job.error.as_deref()), (FAILED, Some("too many entries")));
    assert!(f.app.job_result(&caller, job.number).await.is_err());
}

/// A job that never ends.
async fn hang(f: &Fixture, caller: &Caller) -> Result<Job> {
    f.app.start_job(caller, "test", json!({}), std::future::pending()).await
}

async fn jobs_under_way_are_few(f: Fixture) {
    let org = f.organization("Acme").await;
    let caller = reader(&f, org.id, "Reader", BOTH).await;
    for _ in 0..OPEN_MAX {
        hang(&f, &caller).await.unwrap();
    }
    let refused = hang(&f, &caller).await;
    assert!(matches!(refused, Err(Error::Conflict { code: "jobs_under_way", .. })), "{refused:?}");
    let other = f.organization("Other").await;
    hang(&f, &reader(&f, other.id, "Reader", BOTH).await).await.unwrap();
}

async fn jobs_end_with_their_server(f: Fixture) {
    let org = f.organization("Acme").await;
    let caller = reader(&f, org.id, "Reader", BOTH).await;
    let number = hang(&f, &caller).await.unwrap().number;
    f.app.leave().await;
    f.app.store().close().await;
    let again = f.reopen(7).await.unwrap();
    let job = again.find_job(&caller, number).await.unwrap();
    assert_eq!(job.status, FAILED);
    assert!(job.error.unwrap().contains("start it again"));
    again.store().close().await;
}

async fn searches_find_what_was_written_out_of_order(f: Fixture) {
    let org = f.organization("Acme").await;
    let caller = reader(&f, org.id, "Reader", BOTH).await;
    let start = f.app.clock().now();
    let mut numbers = Vec::new();
    for seconds in [30, 10] {
        let entry = NewEntry {
            at: start.plus_seconds(seconds),
            actor: Actor { kind: "system", id: String::new(), tenant_id: None },
            action: "test.done",
            target: Target { kind: "test", id: String::new(), name: String::new() },
            address: None,
            request_id: String::new(),
            request: String::new(),
            details: Map::new(),
        };
        let mut tx = f.app.store().begin().await.unwrap();
        numbers.push(tx.append_audit(org.id, &entry).await.unwrap().number);
        tx.commit().await.unwrap();
    }
    let mut seen = Vec::new();
    let since = Some(start.plus_seconds(20));
    f.app.search_audit(&caller, since..None, |entry| seen.push(entry.number)).await.unwrap();
    assert_eq!(seen, numbers[..1]);
}
