//! Jobs.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_domain::id::JobId;
use claviger_store::Store;
use claviger_store::jobs::{Job, JobEnd, NewJob};
use serde_json::json;

facts!(a_job_is_made_and_ends);

async fn a_job_is_made_and_ends(store: Store) {
    let tenant = tenant_id(1);
    let new = |number| NewJob {
        id: JobId::from_u128(number),
        application_id: application_id(1),
        kind: "audit_export".into(),
        status: "CREATED".into(),
        parameters: json!({ "format": "csv" }),
        created_at: NOW,
        total: 5,
    };
    let mut tx = store.begin().await.unwrap();
    let first = tx.insert_job(tenant, &new(1)).await.unwrap();
    let second = tx.insert_job(tenant, &new(2)).await.unwrap();
    assert_eq!(second, first + 1);
    tx.commit().await.unwrap();
    assert_eq!(store.list_running_jobs(9).await.unwrap(), [(tenant, first), (tenant, second)]);
    assert_eq!(store.list_running_jobs(1).await.unwrap(), [(tenant, first)]);
    let stored = store.find_job(tenant, first).await.unwrap().unwrap();
    let expected = Job {
        id: JobId::from_u128(1),
        number: first,
        tenant_id: tenant,
        application_id: application_id(1),
        kind: "audit_export".into(),
        status: "CREATED".into(),
        parameters: json!({ "format": "csv" }),
        created_at: NOW,
        updated_at: NOW,
        content_type: None,
        error: None,
        total: 5,
        completed: 0,
    };
    assert_eq!(stored, expected);
    assert_eq!(store.job_result(tenant, first).await.unwrap(), None);

    let end = JobEnd {
        status: "COMPLETED".into(),
        at: at(3),
        content_type: Some("text/csv".into()),
        error: None,
        total: 6,
        completed: 6,
    };
    let read = store.list_open_jobs(tenant, application_id(1)).await.unwrap();
    assert_eq!(store.list_open_jobs(tenant_id(2), application_id(1)).await.unwrap(), []);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.count_open_jobs(tenant).await.unwrap(), 2);
    assert_eq!(tx.count_open_jobs(tenant_id(2)).await.unwrap(), 0);
    let open = tx.list_open_jobs(tenant, application_id(1)).await.unwrap();
    assert_eq!(open.iter().map(|job| job.number).collect::<Vec<_>>(), [first, second]);
    assert_eq!(open, read);
    assert_eq!(tx.list_open_jobs(tenant, application_id(2)).await.unwrap(), []);
    tx.finish_job(tenant, JobId::from_u128(1), &end, b"a,b\n").await.unwrap();
    let open = tx.list_open_jobs(tenant, application_id(1)).await.unwrap();
    assert_eq!(open.iter().map(|job| job.number).collect::<Vec<_>>(), [second]);
    let foreign = tx.finish_job(tenant_id(2), JobId::from_u128(2), &end, b"").await;
    assert!(matches!(foreign, Err(Error::NotFound("job"))));
    tx.commit().await.unwrap();
    let expected = Job {
        status: "COMPLETED".into(),
        updated_at: at(3),
        content_type: Some("text/csv".into()),
        total: 6,
        completed: 6,
        ..expected
    };
    assert_eq!(store.find_job(tenant, first).await.unwrap(), Some(expected));
    assert_eq!(store.job_result(tenant, first).await.unwrap().as_deref(), Some(&b"a,b\n"[..]));
    assert_eq!(store.job_result(tenant_id(2), first).await.unwrap(), None);
    assert_eq!(store.find_job(tenant_id(2), first).await.unwrap(), None);
    let numbers = async |after: Option<String>| -> Vec<_> {
        let found = store.list_jobs(tenant, &page(50, after)).await.unwrap();
        found.into_iter().map(|job| job.number).collect()
    };
    assert_eq!(numbers(None).await, [second, first]);
    assert_eq!(numbers(Some(second.to_string())).await, [first]);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.end_open_jobs("FAILED", "gone", at(9)).await.unwrap(), 1);
    assert_eq!(tx.end_open_jobs("FAILED", "gone", at(9)).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let ended = store.find_job(tenant, second).await.unwrap().unwrap();
    assert_eq!((ended.status.as_str(), ended.error.as_deref(), ended.updated_at), ("FAILED", Some("gone"), at(9)));
}
