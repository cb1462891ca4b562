//! Leak reports: from scanners, in any of the shapes they send.

use crate::kit::{Api, Authenticated, Body, Fields};
use crate::native::answer::{Answer, json};
use crate::native::openapi::Writing;
use axum::extract::State;
use claviger_app::leaks::Verdict;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::leak::{Outcome, REPORTS_MAX, Report, Written};
use claviger_domain::{Error, Result};
use http::StatusCode;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use utoipa::openapi::schema::{ArrayBuilder, OneOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// A text in which a secret was found.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeakReport)]
pub(crate) struct ReportBody {
    /// The text: a secret alone, or whatever it stands in. At most 65,536 bytes.
    #[serde(default)]
    #[schema(max_length = 65536)]
    text: Option<String>,
    /// The same under the name that partners of secret scanning programmes use.
    #[serde(default)]
    token: Option<String>,
    /// Kind of the token as the scanner calls it; not read.
    #[serde(default, rename = "type")]
    #[expect(dead_code, reason = "partners send it")]
    kind: Option<String>,
    /// Who or what found it; may also stand once beside all reports.
    #[serde(default)]
    #[schema(max_length = 200, example = "gitleaks")]
    source: Option<String>,
    /// Where it was found.
    #[serde(default)]
    #[schema(max_length = 2048)]
    url: Option<String>,
}

/// Reports, or texts of one source.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeakReports)]
pub(crate) struct ReportsBody {
    /// Reports.
    #[serde(default)]
    #[schema(max_items = 100)]
    reports: Vec<ReportBody>,
    /// Texts.
    #[serde(default)]
    #[schema(max_items = 100)]
    texts: Vec<String>,
    /// The source of everything that names none.
    #[serde(default)]
    #[schema(max_length = 200, example = "gitleaks")]
    source: Option<String>,
}

/// What is reported: an object, or an array of reports.
pub(crate) enum LeaksBody {
    /// An array.
    Array(Vec<ReportBody>),
    /// An object.
    Object(ReportsBody),
}

impl<'de> Deserialize<'de> for LeaksBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = LeaksBody;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with reports or texts, or an array of reports")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<LeaksBody, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(access)).map(LeaksBody::Array)
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<LeaksBody, A::Error> {
                ReportsBody::deserialize(MapAccessDeserializer::new(access)).map(LeaksBody::Object)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl PartialSchema for LeaksBody {
    fn schema() -> RefOr<Schema> {
        let array = ArrayBuilder::new().items(Ref::from_schema_name("LeakReport")).max_items(Some(REPORTS_MAX));
        OneOfBuilder::new().item(Ref::from_schema_name("LeakReports")).item(array).into()
    }
}

impl ToSchema for LeaksBody {
    fn name() -> Cow<'static, str> {
        "Leaks".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("LeakReport".into(), ReportBody::schema()));
        schemas.push(("LeakReports".into(), ReportsBody::schema()));
        <ReportsBody as ToSchema>::schemas(schemas);
    }
}

impl LeaksBody {
    fn parse(&self) -> Result<Vec<Report>> {
        let (reports, texts, source, base) = match self {
            Self::Array(reports) => (reports.as_slice(), &[][..], None, ""),
            Self::Object(body) => (body.reports.as_slice(), body.texts.as_slice(), body.source.as_deref(), "/reports"),
        };
        let count = reports.len() + texts.len();
        if !(1..=REPORTS_MAX).contains(&count) {
            let message = format!("{count} texts are reported");
            return Err(Error::invalid(base, message, format!("give 1 to {REPORTS_MAX} in one call")));
        }
        let mut fields = Fields::new();
        let mut parsed = Vec::with_capacity(count);
        for (index, report) in reports.iter().enumerate() {
            parsed.extend(fields.take(report.parse(&format!("{base}/{index}"), source)));
        }
        for (index, text) in texts.iter().enumerate() {
            let at = format!("/texts/{index}");
            let written = Written { text: (text, &at), source: (source.unwrap_or_default(), "/source"), url: ("", "") };
            parsed.extend(fields.take(Report::parse(written)));
        }
        fields.finish(Some(parsed))
    }
}

impl ReportBody {
    fn parse(&self, at: &str, common: Option<&str>) -> Result<Report> {
        let (text, name) = match (&self.text, &self.token) {
            (Some(text), None) => (text, "text"),
            (None, Some(token)) => (token, "token"),
            _ => {
                let fix = "give the text in which the secret stands, once";
                return Err(Error::invalid(&format!("{at}/text"), "one of text and token is needed", fix));
            }
        };
        let source = self.source.as_deref().or(common).unwrap_or_default();
        Report::parse(Written {
            text: (text, &format!("{at}/{name}")),
            source: (source, &format!("{at}/source")),
            url: (self.url.as_deref().unwrap_or_default(), &format!("{at}/url")),
        })
    }
}

/// What became of a secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LeakOutcome)]
pub(crate) enum OutcomeWord {
    /// It is dead.
    Revoked,
    /// It is dead, and its application is disabled.
    Quarantined,
    /// It was reported before, and is dead.
    AlreadyRevoked,
    /// No secret of an application within reach; or one that was replaced long since.
    Unknown,
}

/// One secret that stands in a text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeakedSecret)]
pub(crate) struct LeakedBody {
    /// Prefix and last four characters.
    hint: String,
    /// What became of it.
    outcome: OutcomeWord,
    /// The tenant of its application; `null` where it is unknown.
    #[schema(required = true, value_type = Option<Uuid>)]
    tenant_id: Option<TenantId>,
    /// Its application; `null` where it is unknown.
    #[schema(required = true, value_type = Option<Uuid>)]
    application_id: Option<ApplicationId>,
}

/// What was found in one text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeakResult)]
pub(crate) struct ResultBody {
    /// How many different secrets stand in it: by their form and checksum, or because all of it is one that was imported.
    found: usize,
    /// The secrets, in the order of the text.
    secrets: Vec<LeakedBody>,
}

/// What was found, text by text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeakResults)]
pub(crate) struct ResultsBody {
    /// In the order of the reports.
    results: Vec<ResultBody>,
}

impl From<Verdict> for LeakedBody {
    fn from(verdict: Verdict) -> Self {
        let outcome = match verdict.outcome {
            Outcome::Revoked => OutcomeWord::Revoked,
            Outcome::Quarantined => OutcomeWord::Quarantined,
            Outcome::AlreadyRevoked => OutcomeWord::AlreadyRevoked,
            Outcome::Unknown => OutcomeWord::Unknown,
        };
        let (tenant_id, application_id) = verdict.application.unzip();
        Self { hint: verdict.hint, outcome, tenant_id, application_id }
    }
}

/// Report leaked secrets
///
/// Each secret that stands in the texts and belongs to an application within reach is dead when this returns; whether the
/// application is disabled, too, says the credential policy of its tenant. Its owner is told. A repetition changes nothing,
/// so no `Idempotency-Key` is needed. What lies out of reach is answered like what does not exist.
#[utoipa::path(post, path = "/v1/leaks", tag = "secrets", request_body = LeaksBody,
    responses((status = 200, description = "Done", body = ResultsBody), Writing))]
pub(crate) async fn report_leaks(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Body(body): Body<LeaksBody>,
) -> Answer {
    let verdicts = api.app.report_leaks(&caller, &body.parse()?).await?;
    let result = |found: Vec<Verdict>| ResultBody {
        found: found.len(),
        secrets: found.into_iter().map(LeakedBody::from).collect(),
    };
    json(StatusCode::OK, &ResultsBody { results: verdicts.into_iter().map(result).collect() })
}
